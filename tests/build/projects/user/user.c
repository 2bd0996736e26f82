#include <base/base.h>

const char *user_name(void);

const char *user_name(void) { return base_header(); }
