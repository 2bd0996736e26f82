/* Owns the writing of Python values as CBOR: numbers, strings, and containers of any depth. */
#include "cbor_encoder.h"

#include <aws/common/math.h>

#include <string.h>

enum {
    INITIAL_DEPTH = 16,
    /* Of containers in containers; one that contains itself gets there. Far above what a decoder accepts. */
    MAX_DEPTH = 100000,
};

/* The library grows its buffer to what is needed, or twofold if that is more. */
static bool s_reserve(struct awscrt_cbor_encoder *self, size_t size) {
    size_t length = aws_cbor_encoder_get_encoded_data(self->native).len;
    size_t needed = aws_add_size_saturating(length, size);
    if (needed <= self->capacity) {
        return true;
    }
    size_t grown = aws_max_size(needed, aws_mul_size_saturating(self->capacity, 2));
    if (!awscrt_can_allocate(grown)) {
        return false;
    }
    self->capacity = grown;
    return true;
}

bool awscrt_cbor_begin(struct awscrt_cbor_encoder *self, size_t size) {
    awscrt_guard_enter(&self->guard);
    if (!s_reserve(self, size)) {
        awscrt_guard_leave(&self->guard);
        return false;
    }
    return true;
}

void awscrt_cbor_end(struct awscrt_cbor_encoder *self) {
    awscrt_guard_leave(&self->guard);
}

static bool s_is_float(PyObject *object) {
    return object->ob_type == &PyFloat_Type || PyType_IsSubtype(object->ob_type, &PyFloat_Type);
}

/* The argument of a negative integer n, which is -1 - n, for one below -2**63; false if it is below -2**64. No method of
 * the value is called: that of a subclass could change the container that is being written. */
static bool s_negative_argument(PyObject *value, uint64_t *argument) {
    const double lowest = -18446744073709551616.0; /* -2**64 */
    uint64_t lower_bits = PyLong_AsUnsignedLongLongMask(value);
    double rounded = PyLong_AsDouble(value);
    if (rounded == -1.0 && PyErr_Occurred() != NULL) {
        PyErr_Clear(); /* it is beyond the range of a double */
        return false;
    }
    *argument = ~lower_bits;
    /* What lies within a few thousand of the limit is rounded to it; the lower bits tell the sides apart. */
    return rounded > lowest || (rounded == lowest && lower_bits <= INT64_MAX);
}

bool awscrt_cbor_write_int(struct awscrt_cbor_encoder *self, PyObject *value, PyObject *out_of_range) {
    int overflow;
    long long small = PyLong_AsLongLongAndOverflow(value, &overflow);
    bool negative = overflow < 0 || (overflow == 0 && small < 0);
    bool in_range = true;
    uint64_t argument = (uint64_t)(negative ? ~small : small);
    if (overflow < 0) {
        in_range = s_negative_argument(value, &argument);
    } else if (overflow > 0) {
        argument = PyLong_AsUnsignedLongLong(value);
        in_range = argument != UINT64_MAX || PyErr_Occurred() == NULL;
    }
    if (!in_range) {
        PyErr_Clear();
        PyErr_SetString(out_of_range, "a CBOR integer is between -2**64 and 2**64 - 1; big ones are not supported");
        return false;
    }
    if (!awscrt_cbor_begin(self, AWSCRT_CBOR_MAX_HEAD)) {
        return false;
    }
    if (negative) {
        aws_cbor_encoder_write_negint(self->native, argument);
    } else {
        aws_cbor_encoder_write_uint(self->native, argument);
    }
    awscrt_cbor_end(self);
    return true;
}

bool awscrt_cbor_write_float(struct awscrt_cbor_encoder *self, PyObject *value) {
    double number = PyFloat_AsDouble(value);
    if ((number == -1.0 && PyErr_Occurred() != NULL) || !awscrt_cbor_begin(self, AWSCRT_CBOR_MAX_HEAD)) {
        return false;
    }
    aws_cbor_encoder_write_float(self->native, number);
    awscrt_cbor_end(self);
    return true;
}

typedef void(string_writer)(struct aws_cbor_encoder *native, struct aws_byte_cursor contents);

static bool s_write_string(struct awscrt_cbor_encoder *self, struct aws_byte_cursor contents, string_writer *write) {
    if (!awscrt_cbor_begin(self, aws_add_size_saturating(AWSCRT_CBOR_MAX_HEAD, contents.len))) {
        return false;
    }
    write(self->native, contents);
    awscrt_cbor_end(self);
    return true;
}

/* The contents of `bytes`. */
static struct aws_byte_cursor s_contents(PyObject *bytes) {
    return aws_byte_cursor_from_array(PyBytes_AsString(bytes), (size_t)PyBytes_Size(bytes));
}

bool awscrt_cbor_write_bytes(struct awscrt_cbor_encoder *self, PyObject *value) {
    if (awscrt_is_bytes(value)) {
        return s_write_string(self, s_contents(value), aws_cbor_encoder_write_bytes);
    }
    struct awscrt_buffer buffer = {0};
    if (!awscrt_buffer_acquire(&buffer, value)) {
        return false;
    }
    bool written = s_write_string(self, buffer.cursor, aws_cbor_encoder_write_bytes);
    awscrt_buffer_release(&buffer);
    return written;
}

bool awscrt_cbor_write_text(struct awscrt_cbor_encoder *self, PyObject *value) {
    PyObject *utf8 = PyUnicode_AsUTF8String(value);
    bool written = utf8 != NULL && s_write_string(self, s_contents(utf8), aws_cbor_encoder_write_text);
    Py_DecRef(utf8);
    return written;
}

bool awscrt_cbor_write_plain(struct awscrt_cbor_encoder *self, void (*write)(struct aws_cbor_encoder *native)) {
    if (!awscrt_cbor_begin(self, AWSCRT_CBOR_MAX_HEAD)) {
        return false;
    }
    write(self->native);
    awscrt_cbor_end(self);
    return true;
}

bool awscrt_cbor_write_bool(struct awscrt_cbor_encoder *self, bool value) {
    if (!awscrt_cbor_begin(self, AWSCRT_CBOR_MAX_HEAD)) {
        return false;
    }
    aws_cbor_encoder_write_bool(self->native, value);
    awscrt_cbor_end(self);
    return true;
}

/* ------------------------------------------------------------------------------------------------ containers */

/* A container that is being written. Owns its references. */
struct level {
    PyObject *container;  /* or a copy of it */
    Py_ssize_t remaining; /* entries, as many as its head announced, that are not begun */
    Py_ssize_t position;  /* of the next one */
    PyObject *value;      /* of the dict entry whose key was written last */
    bool is_dict;
};

/* The containers around the item that is written: on the heap, so that no depth of nesting can exhaust a thread's stack. */
struct levels {
    struct level *items;
    size_t count;
    size_t capacity;
};

/* What can be gone through entry by entry, a new reference: without a GIL a copy, for there borrowed references into a
 * container are good only as long as no other thread changes it. */
static PyObject *s_steady(PyObject *container, bool is_dict) {
#ifdef Py_GIL_DISABLED
    return is_dict ? PyDict_Copy(container) : PyList_GetSlice(container, 0, PTRDIFF_MAX);
#else
    (void)is_dict;
    Py_IncRef(container);
    return container;
#endif
}

static bool s_push(struct levels *levels, PyObject *container, bool is_dict) {
    if (levels->count == MAX_DEPTH) {
        PyErr_SetString(PyExc_RecursionError, "a container is nested too deeply, or contains itself");
        return false;
    }
    if (levels->count == levels->capacity) {
        size_t capacity = levels->capacity != 0 ? 2 * levels->capacity : INITIAL_DEPTH;
        struct level *items = awscrt_new(capacity * sizeof(*items));
        if (items == NULL) {
            return false;
        }
        if (levels->count > 0) {
            memcpy(items, levels->items, levels->count * sizeof(*items));
        }
        aws_mem_release(awscrt_allocator(), levels->items);
        levels->items = items;
        levels->capacity = capacity;
    }
    PyObject *steady = s_steady(container, is_dict);
    if (steady == NULL) {
        return false;
    }
    levels->items[levels->count++] = (struct level){
        .container = steady,
        .remaining = is_dict ? PyDict_Size(steady) : PyList_Size(steady),
        .is_dict = is_dict,
    };
    return true;
}

static void s_pop(struct levels *levels) {
    struct level *level = &levels->items[--levels->count];
    Py_DecRef(level->value);
    Py_DecRef(level->container);
}

static bool
s_begin_container(struct awscrt_cbor_encoder *self, struct levels *levels, PyObject *container, bool is_dict) {
    if (!s_push(levels, container, is_dict) || !awscrt_cbor_begin(self, AWSCRT_CBOR_MAX_HEAD)) {
        return false;
    }
    size_t entries = (size_t)levels->items[levels->count - 1].remaining;
    if (is_dict) {
        aws_cbor_encoder_write_map_start(self->native, entries);
    } else {
        aws_cbor_encoder_write_array_start(self->native, entries);
    }
    awscrt_cbor_end(self);
    return true;
}

/* The next item in a container: a new reference, or NULL at its end. False with RuntimeError if the container has become
 * shorter meanwhile, as a finalizer can make it that the cycle collector calls. */
static bool s_next(struct level *level, PyObject **item) {
    *item = level->value;
    level->value = NULL;
    if (*item != NULL || level->remaining == 0) {
        return true;
    }
    --level->remaining;
    if (!level->is_dict) {
        *item = PyList_GetItem(level->container, level->position++);
    } else if (PyDict_Next(level->container, &level->position, item, &level->value)) {
        Py_IncRef(level->value);
    }
    if (*item == NULL) {
        PyErr_Clear();
        PyErr_SetString(PyExc_RuntimeError, "a container became shorter while it was written");
        return false;
    }
    Py_IncRef(*item);
    return true;
}

/* Writes an item, of a container only the head: it is then on top of the levels. */
static bool s_write_item(struct awscrt_cbor_encoder *self, struct levels *levels, PyObject *item) {
    unsigned long flags = PyType_GetFlags(item->ob_type);
    if (flags & Py_TPFLAGS_UNICODE_SUBCLASS) {
        return awscrt_cbor_write_text(self, item);
    }
    if (item == (PyObject *)(void *)&_Py_TrueStruct || item == (PyObject *)(void *)&_Py_FalseStruct) {
        return awscrt_cbor_write_bool(self, item == (PyObject *)(void *)&_Py_TrueStruct);
    }
    if (flags & Py_TPFLAGS_LONG_SUBCLASS) {
        return awscrt_cbor_write_int(self, item, PyExc_OverflowError);
    }
    if (awscrt_is_none(item)) {
        return awscrt_cbor_write_plain(self, aws_cbor_encoder_write_null);
    }
    if (flags & Py_TPFLAGS_BYTES_SUBCLASS) {
        return awscrt_cbor_write_bytes(self, item);
    }
    if (flags & (Py_TPFLAGS_LIST_SUBCLASS | Py_TPFLAGS_DICT_SUBCLASS)) {
        return s_begin_container(self, levels, item, (flags & Py_TPFLAGS_DICT_SUBCLASS) != 0);
    }
    if (s_is_float(item)) {
        return awscrt_cbor_write_float(self, item);
    }
    PyErr_Format(PyExc_ValueError, "Not supported type %R", item->ob_type);
    return false;
}

bool awscrt_cbor_write_data_item(struct awscrt_cbor_encoder *self, PyObject *item) {
    struct levels levels = {0};
    awscrt_guard_enter(&self->guard); /* so that an item is in one piece */
    bool written = s_write_item(self, &levels, item);
    while (written && levels.count > 0) {
        PyObject *next;
        written = s_next(&levels.items[levels.count - 1], &next);
        if (next == NULL) {
            s_pop(&levels);
        } else {
            written = s_write_item(self, &levels, next);
            Py_DecRef(next);
        }
    }
    awscrt_guard_leave(&self->guard);
    while (levels.count > 0) {
        s_pop(&levels);
    }
    aws_mem_release(awscrt_allocator(), levels.items);
    return written;
}
