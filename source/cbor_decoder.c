/* Owns CBOR decoders: the bytes of RFC 8949 to Python values. */
#include "cbor_decoder.h"

static void s_destroy(void *native) {
    struct awscrt_cbor_decoder *self = native;
    aws_cbor_decoder_destroy(self->native);
    awscrt_guard_clean_up(&self->guard);
    Py_DecRef(self->source);
    aws_mem_release(awscrt_allocator(), self);
}

static const struct awscrt_handle_type s_type = {.name = "AwsCborDecoder", .destroy = s_destroy, .survives_fork = true};

/* The source as bytes: itself, or a copy of another bytes-like object, which might change while it is read. */
static PyObject *s_to_bytes(PyObject *source) {
    if (awscrt_is_bytes(source)) {
        Py_IncRef(source);
        return source;
    }
    struct awscrt_buffer buffer = {0};
    if (!awscrt_buffer_acquire(&buffer, source)) {
        return NULL;
    }
    PyObject *bytes = awscrt_bytes_from_cursor(buffer.cursor);
    awscrt_buffer_release(&buffer);
    return bytes;
}

static struct aws_byte_cursor s_cursor(PyObject *bytes) {
    return aws_byte_cursor_from_array(PyBytes_AsString(bytes), (size_t)PyBytes_Size(bytes));
}

static PyObject *s_cbor_decoder_new(PyObject *module, PyObject *argument) {
    (void)module;
    PyObject *source = s_to_bytes(argument);
    if (source == NULL) {
        return NULL;
    }
    struct awscrt_cbor_decoder *self = awscrt_new(sizeof(*self));
    if (self == NULL) {
        Py_DecRef(source);
        return NULL;
    }
    self->source = source;
    self->native = aws_cbor_decoder_new(awscrt_allocator(), s_cursor(source));
    PyObject *handle = awscrt_handle_new(&s_type, self);
    if (handle == NULL) {
        s_destroy(self);
    }
    return handle;
}

static PyObject *s_cbor_decoder_reset_src(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *handle;
    PyObject *argument;
    if (!PyArg_ParseTuple(args, "OO", &handle, &argument)) {
        return NULL;
    }
    struct awscrt_cbor_decoder *self = awscrt_handle_get(handle, &s_type);
    PyObject *source = self != NULL ? s_to_bytes(argument) : NULL;
    if (source == NULL) {
        return NULL;
    }
    awscrt_guard_enter(&self->guard);
    PyObject *previous = self->source;
    self->source = source;
    aws_cbor_decoder_reset_src(self->native, s_cursor(source));
    awscrt_guard_leave(&self->guard);
    Py_DecRef(previous);
    return awscrt_none();
}

static PyObject *s_remaining_length(struct awscrt_cbor_decoder *self) {
    return PyLong_FromSize_t(aws_cbor_decoder_get_remaining_length(self->native));
}

static PyObject *s_remaining_bytes(struct awscrt_cbor_decoder *self) {
    struct aws_byte_cursor rest = s_cursor(self->source);
    aws_byte_cursor_advance(&rest, rest.len - aws_cbor_decoder_get_remaining_length(self->native));
    return awscrt_bytes_from_cursor(rest);
}

static PyObject *s_of_handle(PyObject *handle, PyObject *(*function)(struct awscrt_cbor_decoder *self)) {
    struct awscrt_cbor_decoder *self = awscrt_handle_get(handle, &s_type);
    if (self == NULL) {
        return NULL;
    }
    awscrt_guard_enter(&self->guard);
    PyObject *result = function(self);
    awscrt_guard_leave(&self->guard);
    return result;
}

/* args: handle, callback for epoch times or None. */
static PyObject *s_with_callback(
    PyObject *const *args,
    Py_ssize_t count,
    PyObject *(*function)(struct awscrt_cbor_decoder *self, PyObject *on_epoch_time)) {
    if (count != 2) {
        PyErr_SetString(PyExc_TypeError, "expected the handle and the callback");
        return NULL;
    }
    struct awscrt_cbor_decoder *self = awscrt_handle_get(args[0], &s_type);
    if (self == NULL) {
        return NULL;
    }
    awscrt_guard_enter(&self->guard);
    PyObject *result = function(self, args[1]);
    awscrt_guard_leave(&self->guard);
    return result;
}

#define DEFINE_SINGLE(name, function)                                                                                  \
    static PyObject *s_cbor_decoder_##name(PyObject *module, PyObject *handle) {                                       \
        (void)module;                                                                                                  \
        return s_of_handle(handle, function);                                                                          \
    }
DEFINE_SINGLE(get_remaining_bytes, s_remaining_bytes)
DEFINE_SINGLE(get_remaining_bytes_len, s_remaining_length)
DEFINE_SINGLE(peek_type, awscrt_cbor_peek_type)
DEFINE_SINGLE(consume_next_element, awscrt_cbor_consume_element)
DEFINE_SINGLE(consume_next_data_item, awscrt_cbor_consume_item)
DEFINE_SINGLE(pop_next_unsigned_int, awscrt_cbor_pop_unsigned_int)
DEFINE_SINGLE(pop_next_negative_int, awscrt_cbor_pop_negative_int)
DEFINE_SINGLE(pop_next_double, awscrt_cbor_pop_double)
DEFINE_SINGLE(pop_next_bool, awscrt_cbor_pop_bool)
DEFINE_SINGLE(pop_next_bytes, awscrt_cbor_pop_bytes)
DEFINE_SINGLE(pop_next_text, awscrt_cbor_pop_text)
DEFINE_SINGLE(pop_next_array_start, awscrt_cbor_pop_array_start)
DEFINE_SINGLE(pop_next_map_start, awscrt_cbor_pop_map_start)
DEFINE_SINGLE(pop_next_tag_val, awscrt_cbor_pop_tag_val)
#undef DEFINE_SINGLE

#define DEFINE_WITH_CALLBACK(name, function)                                                                           \
    static PyObject *s_cbor_decoder_##name(PyObject *module, PyObject *const *args, Py_ssize_t count) {                \
        (void)module;                                                                                                  \
        return s_with_callback(args, count, function);                                                                 \
    }
DEFINE_WITH_CALLBACK(pop_next_list, awscrt_cbor_pop_list)
DEFINE_WITH_CALLBACK(pop_next_map, awscrt_cbor_pop_map)
DEFINE_WITH_CALLBACK(pop_next_data_item, awscrt_cbor_pop_data_item)
#undef DEFINE_WITH_CALLBACK

PyMethodDef awscrt_cbor_decoder_methods[] = {
    {"cbor_decoder_new", s_cbor_decoder_new, METH_O, NULL},
    {"cbor_decoder_reset_src", s_cbor_decoder_reset_src, METH_VARARGS, NULL},
    {"cbor_decoder_get_remaining_bytes", s_cbor_decoder_get_remaining_bytes, METH_O, NULL},
    {"cbor_decoder_get_remaining_bytes_len", s_cbor_decoder_get_remaining_bytes_len, METH_O, NULL},
    {"cbor_decoder_peek_type", s_cbor_decoder_peek_type, METH_O, NULL},
    {"cbor_decoder_consume_next_element", s_cbor_decoder_consume_next_element, METH_O, NULL},
    {"cbor_decoder_consume_next_data_item", s_cbor_decoder_consume_next_data_item, METH_O, NULL},
    {"cbor_decoder_pop_next_unsigned_int", s_cbor_decoder_pop_next_unsigned_int, METH_O, NULL},
    {"cbor_decoder_pop_next_negative_int", s_cbor_decoder_pop_next_negative_int, METH_O, NULL},
    {"cbor_decoder_pop_next_double", s_cbor_decoder_pop_next_double, METH_O, NULL},
    {"cbor_decoder_pop_next_bool", s_cbor_decoder_pop_next_bool, METH_O, NULL},
    {"cbor_decoder_pop_next_bytes", s_cbor_decoder_pop_next_bytes, METH_O, NULL},
    {"cbor_decoder_pop_next_text", s_cbor_decoder_pop_next_text, METH_O, NULL},
    {"cbor_decoder_pop_next_array_start", s_cbor_decoder_pop_next_array_start, METH_O, NULL},
    {"cbor_decoder_pop_next_map_start", s_cbor_decoder_pop_next_map_start, METH_O, NULL},
    {"cbor_decoder_pop_next_tag_val", s_cbor_decoder_pop_next_tag_val, METH_O, NULL},
    AWSCRT_FASTCALL("cbor_decoder_pop_next_list", s_cbor_decoder_pop_next_list, NULL),
    AWSCRT_FASTCALL("cbor_decoder_pop_next_map", s_cbor_decoder_pop_next_map, NULL),
    AWSCRT_FASTCALL("cbor_decoder_pop_next_data_item", s_cbor_decoder_pop_next_data_item, NULL),
    {NULL, NULL, 0, NULL},
};
