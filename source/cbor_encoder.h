/* Owns the declaration of CBOR encoders: their struct, and what writes into it. */
#ifndef AWSCRT_CBOR_ENCODER_H
#define AWSCRT_CBOR_ENCODER_H

#include "module.h"

#include <aws/common/cbor.h>

/* Owned by its handle, which owns `native`. All functions keep the GIL, which guards all. `capacity` is that of the buffer
 * inside `native`: the library aborts the process if that cannot grow, so it is asked for first. */
struct awscrt_cbor_encoder {
    struct awscrt_guard guard;
    struct aws_cbor_encoder *native;
    size_t capacity;
};

/* Bytes of any element but the contents of a string. */
enum { AWSCRT_CBOR_MAX_HEAD = 9 };

/* Whether an object's type has a Py_TPFLAGS_…_SUBCLASS flag. */
static inline bool awscrt_cbor_has_flag(PyObject *object, unsigned long flag) {
    return (PyType_GetFlags(object->ob_type) & flag) != 0;
}

/* Each of these writes and returns true, or returns false with an exception set. */

/* Enters the guard and makes sure that the library finds room for `size` more bytes: what follows is the library's
 * functions for them, and awscrt_cbor_end. MemoryError otherwise. */
bool awscrt_cbor_begin(struct awscrt_cbor_encoder *self, size_t size);
void awscrt_cbor_end(struct awscrt_cbor_encoder *self);

/* An int from -2**64 to 2**64 - 1; beyond, an exception of the given type. `value` is an int. */
bool awscrt_cbor_write_int(struct awscrt_cbor_encoder *self, PyObject *value, PyObject *out_of_range);
bool awscrt_cbor_write_float(struct awscrt_cbor_encoder *self, PyObject *value);
bool awscrt_cbor_write_bytes(struct awscrt_cbor_encoder *self, PyObject *value);
/* `value` is a str. */
bool awscrt_cbor_write_text(struct awscrt_cbor_encoder *self, PyObject *value);
bool awscrt_cbor_write_bool(struct awscrt_cbor_encoder *self, bool value);
bool awscrt_cbor_write_plain(struct awscrt_cbor_encoder *self, void (*write)(struct aws_cbor_encoder *native));
/* A Python value with all that it contains. */
bool awscrt_cbor_write_data_item(struct awscrt_cbor_encoder *self, PyObject *item);

#endif
