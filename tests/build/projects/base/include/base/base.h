/*
 * Copyright of the one who wrote this.
 * Permission is granted.
 */
#ifndef BASE_BASE_H
#define BASE_BASE_H

#include <base/config.h>

const char *base_name(void);

/* As inline functions of installed headers do: __FILE__ is the header, wherever it was installed. */
static inline const char *base_header(void) { return __FILE__; }

#endif /* BASE_BASE_H */
