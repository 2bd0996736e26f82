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
bool awscrt_cbor_reserve(struct awscrt_cbor_encoder *self, size_t size) {
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

static bool s_is_float(PyObject *object) {
    return object->ob_type == &PyFloat_Type || PyType_IsSubtype(object->ob_type, &PyFloat_Type);
}

bool awscrt_cbor_write_int(struct awscrt_cbor_encoder *self, PyObject *value, PyObject *out_of_range) {
    int overflow = 0;
    long long small = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (small == -1 && overflow == 0 && PyErr_Occurred() != NULL) {
        return false;
    }
    uint64_t argument = (uint64_t)small;
    bool negative = overflow < 0 || (overflow == 0 && small < 0);
    if (overflow != 0) {
        /* The argument of a negative integer n is -1 - n, which is ~n. */
        PyObject *wide = negative ? PyNumber_Invert(value) : value;
        argument = wide != NULL ? PyLong_AsUnsignedLongLong(wide) : UINT64_MAX;
        if (negative) {
            Py_DecRef(wide);
        }
        if (argument == UINT64_MAX && PyErr_Occurred() != NULL) {
            PyErr_Clear();
            PyErr_SetString(out_of_range, "a CBOR integer is between -2**64 and 2**64 - 1; big ones are not supported");
            return false;
        }
    } else if (negative) {
        argument = ~argument;
    }
    if (!awscrt_cbor_reserve(self, AWSCRT_CBOR_MAX_HEAD)) {
        return false;
    }
    if (negative) {
        aws_cbor_encoder_write_negint(self->native, argument);
    } else {
        aws_cbor_encoder_write_uint(self->native, argument);
    }
    return true;
}

bool awscrt_cbor_write_float(struct awscrt_cbor_encoder *self, PyObject *value) {
    double number = PyFloat_AsDouble(value);
    if ((number == -1.0 && PyErr_Occurred() != NULL) || !awscrt_cbor_reserve(self, AWSCRT_CBOR_MAX_HEAD)) {
        return false;
    }
    aws_cbor_encoder_write_float(self->native, number);
    return true;
}

typedef void(string_writer)(struct aws_cbor_encoder *native, struct aws_byte_cursor contents);

/* Takes the buffer. */
static bool s_write_string(struct awscrt_cbor_encoder *self, struct awscrt_buffer *contents, string_writer *write) {
    bool reserved = awscrt_cbor_reserve(self, aws_add_size_saturating(AWSCRT_CBOR_MAX_HEAD, contents->cursor.len));
    if (reserved) {
        write(self->native, contents->cursor);
    }
    awscrt_buffer_release(contents);
    return reserved;
}

bool awscrt_cbor_write_bytes(struct awscrt_cbor_encoder *self, PyObject *value) {
    struct awscrt_buffer contents = {0};
    return awscrt_buffer_acquire(&contents, value) && s_write_string(self, &contents, aws_cbor_encoder_write_bytes);
}

bool awscrt_cbor_write_text(struct awscrt_cbor_encoder *self, PyObject *value) {
    struct awscrt_buffer contents = {0};
    if (!awscrt_is_text(value)) {
        PyErr_Format(PyExc_TypeError, "expected str for CBOR text, not %R", value->ob_type);
        return false;
    }
    return awscrt_buffer_acquire_text(&contents, value) && s_write_string(self, &contents, aws_cbor_encoder_write_text);
}

bool awscrt_cbor_write_plain(struct awscrt_cbor_encoder *self, void (*write)(struct aws_cbor_encoder *native)) {
    if (!awscrt_cbor_reserve(self, AWSCRT_CBOR_MAX_HEAD)) {
        return false;
    }
    write(self->native);
    return true;
}

bool awscrt_cbor_write_bool(struct awscrt_cbor_encoder *self, bool value) {
    if (!awscrt_cbor_reserve(self, AWSCRT_CBOR_MAX_HEAD)) {
        return false;
    }
    aws_cbor_encoder_write_bool(self->native, value);
    return true;
}

/* ------------------------------------------------------------------------------------------------ containers */

/* A container that is being written. Owns its references. */
struct level {
    PyObject *container;
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
    Py_IncRef(container);
    levels->items[levels->count++] = (struct level){
        .container = container,
        .remaining = is_dict ? PyDict_Size(container) : PyList_Size(container),
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
    if (!awscrt_cbor_reserve(self, AWSCRT_CBOR_MAX_HEAD) || !s_push(levels, container, is_dict)) {
        return false;
    }
    size_t entries = (size_t)levels->items[levels->count - 1].remaining;
    if (is_dict) {
        aws_cbor_encoder_write_map_start(self->native, entries);
    } else {
        aws_cbor_encoder_write_array_start(self->native, entries);
    }
    return true;
}

/* The next item in a container: a new reference, or NULL at its end. False with RuntimeError if the container has become
 * shorter meanwhile: writing an instance of a subclass of int may run Python code. */
static bool s_next(struct level *level, PyObject **item) {
    *item = level->value;
    level->value = NULL;
    if (*item != NULL || level->remaining == 0) {
        return true;
    }
    --level->remaining;
    if (level->is_dict) {
        if (PyDict_Next(level->container, &level->position, item, &level->value)) {
            Py_IncRef(level->value);
        }
    } else if (level->position < PyList_Size(level->container)) {
        *item = PyList_GetItem(level->container, level->position++);
    }
    if (*item == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "a container became shorter while it was written");
        return false;
    }
    Py_IncRef(*item);
    return true;
}

/* Writes an item, of a container only the head: it is then on top of the levels. */
static bool s_write_item(struct awscrt_cbor_encoder *self, struct levels *levels, PyObject *item) {
    if (awscrt_is_text(item)) {
        return awscrt_cbor_write_text(self, item);
    }
    if (item == (PyObject *)(void *)&_Py_TrueStruct || item == (PyObject *)(void *)&_Py_FalseStruct) {
        return awscrt_cbor_write_bool(self, item == (PyObject *)(void *)&_Py_TrueStruct);
    }
    if (awscrt_cbor_has_flag(item, Py_TPFLAGS_LONG_SUBCLASS)) {
        return awscrt_cbor_write_int(self, item, PyExc_OverflowError);
    }
    if (awscrt_is_none(item)) {
        return awscrt_cbor_write_plain(self, aws_cbor_encoder_write_null);
    }
    if (s_is_float(item)) {
        return awscrt_cbor_write_float(self, item);
    }
    if (awscrt_is_bytes(item)) {
        return awscrt_cbor_write_bytes(self, item);
    }
    if (awscrt_cbor_has_flag(item, Py_TPFLAGS_LIST_SUBCLASS)) {
        return s_begin_container(self, levels, item, false);
    }
    if (awscrt_cbor_has_flag(item, Py_TPFLAGS_DICT_SUBCLASS)) {
        return s_begin_container(self, levels, item, true);
    }
    PyErr_Format(PyExc_ValueError, "Not supported type %R", item->ob_type);
    return false;
}

bool awscrt_cbor_write_data_item(struct awscrt_cbor_encoder *self, PyObject *item) {
    struct levels levels = {0};
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
    while (levels.count > 0) {
        s_pop(&levels);
    }
    aws_mem_release(awscrt_allocator(), levels.items);
    return written;
}
