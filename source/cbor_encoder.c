/* Owns CBOR encoders: Python values to the bytes of RFC 8949. */
#include "cbor_encoder.h"

enum { INITIAL_CAPACITY = 256 }; /* of a new aws_cbor_encoder */

static void s_destroy(void *native) {
    struct awscrt_cbor_encoder *self = native;
    aws_cbor_encoder_destroy(self->native);
    awscrt_guard_clean_up(&self->guard);
    aws_mem_release(awscrt_allocator(), self);
}

static const struct awscrt_handle_type s_type = {.name = "AwsCborEncoder", .destroy = s_destroy, .survives_fork = true};

static PyObject *s_cbor_encoder_new(PyObject *module, PyObject *unused) {
    (void)module;
    (void)unused;
    struct awscrt_cbor_encoder *self = awscrt_new(sizeof(*self));
    if (self == NULL) {
        return NULL;
    }
    self->native = aws_cbor_encoder_new(awscrt_allocator());
    self->capacity = INITIAL_CAPACITY;
    PyObject *handle = awscrt_handle_new(&s_type, self);
    if (handle == NULL) {
        s_destroy(self);
    }
    return handle;
}

/* The encoder of a call with `expected` arguments, the handle among them. */
static struct awscrt_cbor_encoder *s_encoder(PyObject *const *args, Py_ssize_t count, Py_ssize_t expected) {
    if (count != expected) {
        PyErr_SetString(PyExc_TypeError, "wrong number of arguments");
        return NULL;
    }
    return awscrt_handle_get(args[0], &s_type);
}

static PyObject *s_result(bool written) {
    return written ? awscrt_none() : NULL;
}

static PyObject *s_cbor_encoder_get_encoded_data(PyObject *module, PyObject *handle) {
    (void)module;
    struct awscrt_cbor_encoder *self = awscrt_handle_get(handle, &s_type);
    if (self == NULL) {
        return NULL;
    }
    awscrt_guard_enter(&self->guard);
    PyObject *data = awscrt_bytes_from_cursor(aws_cbor_encoder_get_encoded_data(self->native));
    awscrt_guard_leave(&self->guard);
    return data;
}

static PyObject *s_cbor_encoder_reset(PyObject *module, PyObject *handle) {
    (void)module;
    struct awscrt_cbor_encoder *self = awscrt_handle_get(handle, &s_type);
    if (self == NULL) {
        return NULL;
    }
    awscrt_guard_enter(&self->guard);
    aws_cbor_encoder_reset(self->native);
    awscrt_guard_leave(&self->guard);
    return awscrt_none();
}

static PyObject *s_cbor_encoder_write_int(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    struct awscrt_cbor_encoder *self = s_encoder(args, count, 2);
    if (self == NULL) {
        return NULL;
    }
    if (!awscrt_cbor_has_flag(args[1], Py_TPFLAGS_LONG_SUBCLASS)) {
        return PyErr_Format(PyExc_TypeError, "expected int for a CBOR integer, not %R", args[1]->ob_type);
    }
    return s_result(awscrt_cbor_write_int(self, args[1], PyExc_TypeError));
}

static PyObject *s_cbor_encoder_write_float(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    struct awscrt_cbor_encoder *self = s_encoder(args, count, 2);
    return s_result(self != NULL && awscrt_cbor_write_float(self, args[1]));
}

static PyObject *s_cbor_encoder_write_bytes(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    struct awscrt_cbor_encoder *self = s_encoder(args, count, 2);
    return s_result(self != NULL && awscrt_cbor_write_bytes(self, args[1]));
}

static PyObject *s_cbor_encoder_write_text(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    struct awscrt_cbor_encoder *self = s_encoder(args, count, 2);
    if (self == NULL) {
        return NULL;
    }
    if (!awscrt_is_text(args[1])) {
        return PyErr_Format(PyExc_TypeError, "expected str for CBOR text, not %R", args[1]->ob_type);
    }
    return s_result(awscrt_cbor_write_text(self, args[1]));
}

static PyObject *s_cbor_encoder_write_bool(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    struct awscrt_cbor_encoder *self = s_encoder(args, count, 2);
    int value = self != NULL ? PyObject_IsTrue(args[1]) : -1;
    return s_result(value >= 0 && awscrt_cbor_write_bool(self, value != 0));
}

/* The unsigned argument of a tag, array or map. ValueError for a negative one, TypeError for one beyond `highest`. */
static bool s_argument(PyObject *object, uint64_t highest, uint64_t *out) {
    if (!awscrt_cbor_has_flag(object, Py_TPFLAGS_LONG_SUBCLASS)) {
        PyErr_Format(PyExc_TypeError, "expected int, not %R", object->ob_type);
        return false;
    }
    int overflow = 0;
    long long small = PyLong_AsLongLongAndOverflow(object, &overflow);
    if (overflow < 0 || (overflow == 0 && small < 0)) {
        PyErr_Format(PyExc_ValueError, "%S must be between 0 and 2^64", object);
        return false;
    }
    *out = overflow == 0 ? (uint64_t)small : PyLong_AsUnsignedLongLong(object);
    if (*out > highest || (*out == UINT64_MAX && PyErr_Occurred() != NULL)) {
        PyErr_Clear();
        PyErr_Format(PyExc_TypeError, "the integer must be between 0 and %llu", (unsigned long long)highest);
        return false;
    }
    return true;
}

/* The encoder of a call with such an argument, begun for it (awscrt_cbor_begin); NULL with an exception set. */
static struct awscrt_cbor_encoder *
s_begin_with_argument(PyObject *const *args, Py_ssize_t count, uint64_t highest, uint64_t *argument) {
    struct awscrt_cbor_encoder *self = s_encoder(args, count, 2);
    return self != NULL && s_argument(args[1], highest, argument) && awscrt_cbor_begin(self, AWSCRT_CBOR_MAX_HEAD)
               ? self
               : NULL;
}

static PyObject *s_cbor_encoder_write_array_start(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    uint64_t entries;
    struct awscrt_cbor_encoder *self = s_begin_with_argument(args, count, SIZE_MAX, &entries);
    if (self == NULL) {
        return NULL;
    }
    aws_cbor_encoder_write_array_start(self->native, (size_t)entries);
    awscrt_cbor_end(self);
    return awscrt_none();
}

static PyObject *s_cbor_encoder_write_map_start(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    uint64_t entries;
    struct awscrt_cbor_encoder *self = s_begin_with_argument(args, count, SIZE_MAX, &entries);
    if (self == NULL) {
        return NULL;
    }
    aws_cbor_encoder_write_map_start(self->native, (size_t)entries);
    awscrt_cbor_end(self);
    return awscrt_none();
}

static PyObject *s_cbor_encoder_write_tag(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    uint64_t number;
    struct awscrt_cbor_encoder *self = s_begin_with_argument(args, count, UINT64_MAX, &number);
    if (self == NULL) {
        return NULL;
    }
    aws_cbor_encoder_write_tag(self->native, number);
    awscrt_cbor_end(self);
    return awscrt_none();
}

/* Seconds since the epoch (RFC 8949, 3.4.2). */
static PyObject *s_cbor_encoder_write_epoch_time(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    struct awscrt_cbor_encoder *self = s_encoder(args, count, 2);
    if (self == NULL) {
        return NULL;
    }
    double seconds = PyFloat_AsDouble(args[1]);
    if ((seconds == -1.0 && PyErr_Occurred() != NULL) ||
        !awscrt_cbor_begin(self, AWSCRT_CBOR_MAX_HEAD + AWSCRT_CBOR_MAX_HEAD)) {
        return NULL;
    }
    aws_cbor_encoder_write_tag(self->native, AWS_CBOR_TAG_EPOCH_TIME);
    aws_cbor_encoder_write_float(self->native, seconds);
    awscrt_cbor_end(self);
    return awscrt_none();
}

static PyObject *s_cbor_encoder_write_data_item(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    struct awscrt_cbor_encoder *self = s_encoder(args, count, 2);
    return s_result(self != NULL && awscrt_cbor_write_data_item(self, args[1]));
}

#define DEFINE_PLAIN(name)                                                                                             \
    static PyObject *s_cbor_encoder_##name(PyObject *module, PyObject *handle) {                                       \
        (void)module;                                                                                                  \
        struct awscrt_cbor_encoder *self = awscrt_handle_get(handle, &s_type);                                         \
        return s_result(self != NULL && awscrt_cbor_write_plain(self, aws_cbor_encoder_##name));                       \
    }
DEFINE_PLAIN(write_null)
DEFINE_PLAIN(write_undefined)
DEFINE_PLAIN(write_break)
DEFINE_PLAIN(write_indef_array_start)
DEFINE_PLAIN(write_indef_map_start)
DEFINE_PLAIN(write_indef_bytes_start)
DEFINE_PLAIN(write_indef_text_start)
#undef DEFINE_PLAIN

PyMethodDef awscrt_cbor_encoder_methods[] = {
    {"cbor_encoder_new", s_cbor_encoder_new, METH_NOARGS, NULL},
    {"cbor_encoder_get_encoded_data", s_cbor_encoder_get_encoded_data, METH_O, NULL},
    {"cbor_encoder_reset", s_cbor_encoder_reset, METH_O, NULL},
    AWSCRT_FASTCALL("cbor_encoder_write_int", s_cbor_encoder_write_int, NULL),
    AWSCRT_FASTCALL("cbor_encoder_write_float", s_cbor_encoder_write_float, NULL),
    AWSCRT_FASTCALL("cbor_encoder_write_bytes", s_cbor_encoder_write_bytes, NULL),
    AWSCRT_FASTCALL("cbor_encoder_write_text", s_cbor_encoder_write_text, NULL),
    AWSCRT_FASTCALL("cbor_encoder_write_bool", s_cbor_encoder_write_bool, NULL),
    AWSCRT_FASTCALL("cbor_encoder_write_array_start", s_cbor_encoder_write_array_start, NULL),
    AWSCRT_FASTCALL("cbor_encoder_write_map_start", s_cbor_encoder_write_map_start, NULL),
    AWSCRT_FASTCALL("cbor_encoder_write_tag", s_cbor_encoder_write_tag, NULL),
    AWSCRT_FASTCALL("cbor_encoder_write_epoch_time", s_cbor_encoder_write_epoch_time, NULL),
    AWSCRT_FASTCALL("cbor_encoder_write_data_item", s_cbor_encoder_write_data_item, NULL),
    {"cbor_encoder_write_null", s_cbor_encoder_write_null, METH_O, NULL},
    {"cbor_encoder_write_undefined", s_cbor_encoder_write_undefined, METH_O, NULL},
    {"cbor_encoder_write_break", s_cbor_encoder_write_break, METH_O, NULL},
    {"cbor_encoder_write_indef_array_start", s_cbor_encoder_write_indef_array_start, METH_O, NULL},
    {"cbor_encoder_write_indef_map_start", s_cbor_encoder_write_indef_map_start, METH_O, NULL},
    {"cbor_encoder_write_indef_bytes_start", s_cbor_encoder_write_indef_bytes_start, METH_O, NULL},
    {"cbor_encoder_write_indef_text_start", s_cbor_encoder_write_indef_text_start, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};
