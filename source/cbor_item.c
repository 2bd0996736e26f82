/* Owns the reading of CBOR as Python values: single elements, and whole data items within limits. */
#include "cbor_decoder.h"

enum { MAX_DEPTH = 128 }; /* the library's own limit for items that it skips */

PyObject *awscrt_cbor_pop_unsigned_int(struct awscrt_cbor_decoder *self) {
    uint64_t value;
    return aws_cbor_decoder_pop_next_unsigned_int_val(self->native, &value) == AWS_OP_SUCCESS
               ? PyLong_FromUnsignedLongLong(value)
               : awscrt_raise_last();
}

PyObject *awscrt_cbor_pop_negative_int(struct awscrt_cbor_decoder *self) {
    uint64_t argument; /* the value is -1 - argument, which is ~argument */
    if (aws_cbor_decoder_pop_next_negative_int_val(self->native, &argument) != AWS_OP_SUCCESS) {
        return awscrt_raise_last();
    }
    if (argument <= INT64_MAX) {
        return PyLong_FromLongLong(-1 - (long long)argument);
    }
    PyObject *inverse = PyLong_FromUnsignedLongLong(argument);
    PyObject *value = inverse != NULL ? PyNumber_Invert(inverse) : NULL;
    Py_DecRef(inverse);
    return value;
}

PyObject *awscrt_cbor_pop_double(struct awscrt_cbor_decoder *self) {
    double value;
    return aws_cbor_decoder_pop_next_float_val(self->native, &value) == AWS_OP_SUCCESS ? PyFloat_FromDouble(value)
                                                                                       : awscrt_raise_last();
}

PyObject *awscrt_cbor_pop_bool(struct awscrt_cbor_decoder *self) {
    bool value;
    return aws_cbor_decoder_pop_next_boolean_val(self->native, &value) == AWS_OP_SUCCESS ? PyBool_FromLong(value)
                                                                                         : awscrt_raise_last();
}

PyObject *awscrt_cbor_pop_bytes(struct awscrt_cbor_decoder *self) {
    struct aws_byte_cursor value;
    return aws_cbor_decoder_pop_next_bytes_val(self->native, &value) == AWS_OP_SUCCESS ? awscrt_bytes_from_cursor(value)
                                                                                       : awscrt_raise_last();
}

PyObject *awscrt_cbor_pop_text(struct awscrt_cbor_decoder *self) {
    struct aws_byte_cursor value;
    return aws_cbor_decoder_pop_next_text_val(self->native, &value) == AWS_OP_SUCCESS ? awscrt_text_from_cursor(value)
                                                                                      : awscrt_raise_last();
}

PyObject *awscrt_cbor_pop_array_start(struct awscrt_cbor_decoder *self) {
    uint64_t entries;
    return aws_cbor_decoder_pop_next_array_start(self->native, &entries) == AWS_OP_SUCCESS
               ? PyLong_FromUnsignedLongLong(entries)
               : awscrt_raise_last();
}

PyObject *awscrt_cbor_pop_map_start(struct awscrt_cbor_decoder *self) {
    uint64_t entries;
    return aws_cbor_decoder_pop_next_map_start(self->native, &entries) == AWS_OP_SUCCESS
               ? PyLong_FromUnsignedLongLong(entries)
               : awscrt_raise_last();
}

PyObject *awscrt_cbor_pop_tag_val(struct awscrt_cbor_decoder *self) {
    uint64_t number;
    return aws_cbor_decoder_pop_next_tag_val(self->native, &number) == AWS_OP_SUCCESS
               ? PyLong_FromUnsignedLongLong(number)
               : awscrt_raise_last();
}

PyObject *awscrt_cbor_peek_type(struct awscrt_cbor_decoder *self) {
    enum aws_cbor_type type;
    return aws_cbor_decoder_peek_type(self->native, &type) == AWS_OP_SUCCESS ? PyLong_FromLong((long)type)
                                                                             : awscrt_raise_last();
}

PyObject *awscrt_cbor_consume_element(struct awscrt_cbor_decoder *self) {
    return aws_cbor_decoder_consume_next_single_element(self->native) == AWS_OP_SUCCESS ? awscrt_none()
                                                                                        : awscrt_raise_last();
}

PyObject *awscrt_cbor_consume_item(struct awscrt_cbor_decoder *self) {
    return aws_cbor_decoder_consume_next_whole_data_item(self->native) == AWS_OP_SUCCESS ? awscrt_none()
                                                                                         : awscrt_raise_last();
}

/* Takes the head of an item of indefinite length and says whether its end follows; then whether the end follows after
 * each part, and takes it. False with an exception set. */
static bool s_at_break(struct awscrt_cbor_decoder *self, bool *at_break) {
    enum aws_cbor_type type;
    *at_break = false;
    if (aws_cbor_decoder_peek_type(self->native, &type) != AWS_OP_SUCCESS) {
        awscrt_raise_last();
        return false;
    }
    if (type == AWS_CBOR_TYPE_BREAK) {
        aws_cbor_decoder_consume_next_single_element(self->native);
        *at_break = true;
    }
    return true;
}

/* Whether an array or map has a further entry: `*remaining` of them, or up to the break if that is NULL. */
static bool s_has_next(struct awscrt_cbor_decoder *self, uint64_t *remaining, bool *has_next) {
    if (remaining != NULL) {
        *has_next = *remaining > 0;
        *remaining -= *has_next;
        return true;
    }
    bool at_break;
    bool known = s_at_break(self, &at_break);
    *has_next = !at_break;
    return known;
}

static bool s_append_next(struct awscrt_cbor_decoder *self, PyObject *list, PyObject *on_epoch_time) {
    PyObject *item = awscrt_cbor_pop_data_item(self, on_epoch_time);
    bool appended = item != NULL && PyList_Append(list, item) == 0;
    Py_DecRef(item);
    return appended;
}

static bool s_add_next(struct awscrt_cbor_decoder *self, PyObject *dict, PyObject *on_epoch_time) {
    PyObject *key = awscrt_cbor_pop_data_item(self, on_epoch_time);
    PyObject *value = key != NULL ? awscrt_cbor_pop_data_item(self, on_epoch_time) : NULL;
    bool added = value != NULL && PyDict_SetItem(dict, key, value) == 0;
    Py_DecRef(key);
    Py_DecRef(value);
    return added;
}

/* Fills a list or a dict by `add`; takes the reference to it and returns it, or NULL with an exception set. */
static PyObject *s_fill(
    struct awscrt_cbor_decoder *self,
    PyObject *container,
    bool (*add)(struct awscrt_cbor_decoder *self, PyObject *container, PyObject *on_epoch_time),
    uint64_t *remaining,
    PyObject *on_epoch_time) {
    bool has_next = false;
    while (container != NULL) {
        bool good = s_has_next(self, remaining, &has_next);
        if (good && !has_next) {
            break;
        }
        if (!good || !add(self, container, on_epoch_time)) {
            Py_DecRef(container);
            container = NULL;
        }
    }
    return container;
}

PyObject *awscrt_cbor_pop_list(struct awscrt_cbor_decoder *self, PyObject *on_epoch_time) {
    enum aws_cbor_type type;
    uint64_t remaining;
    if (aws_cbor_decoder_peek_type(self->native, &type) != AWS_OP_SUCCESS) {
        return awscrt_raise_last();
    }
    if (type == AWS_CBOR_TYPE_INDEF_ARRAY_START) {
        aws_cbor_decoder_consume_next_single_element(self->native);
        return s_fill(self, PyList_New(0), s_append_next, NULL, on_epoch_time);
    }
    if (aws_cbor_decoder_pop_next_array_start(self->native, &remaining) != AWS_OP_SUCCESS) {
        return awscrt_raise_last();
    }
    return s_fill(self, PyList_New(0), s_append_next, &remaining, on_epoch_time);
}

PyObject *awscrt_cbor_pop_map(struct awscrt_cbor_decoder *self, PyObject *on_epoch_time) {
    enum aws_cbor_type type;
    uint64_t remaining;
    if (aws_cbor_decoder_peek_type(self->native, &type) != AWS_OP_SUCCESS) {
        return awscrt_raise_last();
    }
    if (type == AWS_CBOR_TYPE_INDEF_MAP_START) {
        aws_cbor_decoder_consume_next_single_element(self->native);
        return s_fill(self, PyDict_New(), s_add_next, NULL, on_epoch_time);
    }
    if (aws_cbor_decoder_pop_next_map_start(self->native, &remaining) != AWS_OP_SUCCESS) {
        return awscrt_raise_last();
    }
    return s_fill(self, PyDict_New(), s_add_next, &remaining, on_epoch_time);
}

/* A string of indefinite length: its parts, read by `pop_part`, joined to `empty`, which it takes. */
static PyObject *s_pop_parts(
    struct awscrt_cbor_decoder *self, PyObject *(*pop_part)(struct awscrt_cbor_decoder *self), PyObject *empty) {
    PyObject *parts = empty != NULL ? PyList_New(0) : NULL;
    PyObject *joined = NULL;
    bool at_break = false;
    aws_cbor_decoder_consume_next_single_element(self->native);
    while (parts != NULL && s_at_break(self, &at_break) && !at_break) {
        PyObject *part = pop_part(self);
        bool appended = part != NULL && PyList_Append(parts, part) == 0;
        Py_DecRef(part);
        if (!appended) {
            break;
        }
    }
    if (at_break) {
        joined = PyObject_CallMethod(empty, "join", "O", parts);
    }
    Py_DecRef(parts);
    Py_DecRef(empty);
    return joined;
}

/* Seconds since the epoch (RFC 8949, 3.4.2), handed to the callback if there is one. */
static PyObject *s_pop_tagged(struct awscrt_cbor_decoder *self, PyObject *on_epoch_time) {
    uint64_t tag;
    enum aws_cbor_type type;
    if (aws_cbor_decoder_pop_next_tag_val(self->native, &tag) != AWS_OP_SUCCESS) {
        return awscrt_raise_last();
    }
    if (tag != AWS_CBOR_TAG_EPOCH_TIME) {
        return PyErr_Format(PyExc_ValueError, "Unsupported tag value: %llu.", (unsigned long long)tag);
    }
    if (aws_cbor_decoder_peek_type(self->native, &type) != AWS_OP_SUCCESS) {
        return awscrt_raise_last();
    }
    if (type != AWS_CBOR_TYPE_UINT && type != AWS_CBOR_TYPE_NEGINT && type != AWS_CBOR_TYPE_FLOAT) {
        return awscrt_raise_code(AWS_ERROR_CBOR_UNEXPECTED_TYPE);
    }
    PyObject *seconds = awscrt_cbor_pop_data_item(self, on_epoch_time);
    if (seconds == NULL || awscrt_is_none(on_epoch_time)) {
        return seconds;
    }
    awscrt_guard_leave(&self->guard);
    PyObject *converted = PyObject_CallFunctionObjArgs(on_epoch_time, seconds, NULL);
    awscrt_guard_enter(&self->guard);
    Py_DecRef(seconds);
    return converted;
}

static PyObject *s_pop_by_type(struct awscrt_cbor_decoder *self, enum aws_cbor_type type, PyObject *on_epoch_time) {
    switch (type) {
    case AWS_CBOR_TYPE_UINT:
        return awscrt_cbor_pop_unsigned_int(self);
    case AWS_CBOR_TYPE_NEGINT:
        return awscrt_cbor_pop_negative_int(self);
    case AWS_CBOR_TYPE_FLOAT:
        return awscrt_cbor_pop_double(self);
    case AWS_CBOR_TYPE_BYTES:
        return awscrt_cbor_pop_bytes(self);
    case AWS_CBOR_TYPE_TEXT:
        return awscrt_cbor_pop_text(self);
    case AWS_CBOR_TYPE_BOOL:
        return awscrt_cbor_pop_bool(self);
    case AWS_CBOR_TYPE_NULL:
    case AWS_CBOR_TYPE_UNDEFINED:
        return awscrt_cbor_consume_element(self);
    case AWS_CBOR_TYPE_ARRAY_START:
    case AWS_CBOR_TYPE_INDEF_ARRAY_START:
        return awscrt_cbor_pop_list(self, on_epoch_time);
    case AWS_CBOR_TYPE_MAP_START:
    case AWS_CBOR_TYPE_INDEF_MAP_START:
        return awscrt_cbor_pop_map(self, on_epoch_time);
    case AWS_CBOR_TYPE_INDEF_BYTES_START:
        return s_pop_parts(self, awscrt_cbor_pop_bytes, PyBytes_FromStringAndSize("", 0));
    case AWS_CBOR_TYPE_INDEF_TEXT_START:
        return s_pop_parts(self, awscrt_cbor_pop_text, PyUnicode_FromStringAndSize("", 0));
    case AWS_CBOR_TYPE_TAG:
        return s_pop_tagged(self, on_epoch_time);
    default:
        return awscrt_raise_code(AWS_ERROR_CBOR_UNEXPECTED_TYPE);
    }
}

PyObject *awscrt_cbor_pop_data_item(struct awscrt_cbor_decoder *self, PyObject *on_epoch_time) {
    enum aws_cbor_type type;
    if (self->depth == MAX_DEPTH) {
        return PyErr_Format(PyExc_RecursionError, "CBOR nesting depth exceeds maximum allowed (%d)", MAX_DEPTH);
    }
    if (aws_cbor_decoder_peek_type(self->native, &type) != AWS_OP_SUCCESS) {
        return awscrt_raise_last();
    }
    ++self->depth;
    PyObject *item = s_pop_by_type(self, type, on_epoch_time);
    --self->depth;
    return item;
}
