#include <base/base.h>

#include <stdio.h>

const char *base_name(void) {
    static char text[4096];
    snprintf(text, sizeof text, "%s %s %s", __FILE__, base_header(), BASE_LOUD);
    return text;
}
