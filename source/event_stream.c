/* Owns event-stream messages: their headers and payload, from Python and to it. */

#include "event_stream.h"

#include <string.h>

enum { HEADER_OVERHEAD = 4 }; /* length of the name, type, length of the value: bytes around a header at most */

/* By type: how many bytes a value has; those of the others say so themselves. */
static const uint8_t s_value_sizes[] = {
    [AWS_EVENT_STREAM_HEADER_BOOL_TRUE] = 0,
    [AWS_EVENT_STREAM_HEADER_BOOL_FALSE] = 0,
    [AWS_EVENT_STREAM_HEADER_BYTE] = 1,
    [AWS_EVENT_STREAM_HEADER_INT16] = 2,
    [AWS_EVENT_STREAM_HEADER_INT32] = 4,
    [AWS_EVENT_STREAM_HEADER_INT64] = 8,
    [AWS_EVENT_STREAM_HEADER_BYTE_BUF] = 0,
    [AWS_EVENT_STREAM_HEADER_STRING] = 0,
    [AWS_EVENT_STREAM_HEADER_TIMESTAMP] = 8,
    [AWS_EVENT_STREAM_HEADER_UUID] = 16,
};

static bool s_is_variable(uint32_t type) {
    return type == AWS_EVENT_STREAM_HEADER_BYTE_BUF || type == AWS_EVENT_STREAM_HEADER_STRING;
}

static bool s_is_known(uint32_t type) {
    return type <= AWS_EVENT_STREAM_HEADER_UUID;
}

/* -------------------------------------------------------------------------------------------- Python → native */

static bool s_bytes_cursor(struct aws_byte_cursor *cursor, PyObject *bytes) {
    char *start;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(bytes, &start, &size)) {
        return false;
    }
    *cursor = aws_byte_cursor_from_array(start, (size_t)size);
    return true;
}

static bool s_header_from_py(struct aws_event_stream_header_value_pair *header, PyObject *py_header) {
    PyObject *py_name;
    PyObject *py_value;
    uint32_t type;
    struct aws_byte_cursor name;
    struct aws_byte_cursor value;
    if (!PyArg_ParseTuple(py_header, "OO&O", &py_name, awscrt_convert_u32, &type, &py_value) ||
        !s_bytes_cursor(&name, py_name) || !s_bytes_cursor(&value, py_value)) {
        return false;
    }
    /* The library aborts the process at a name or a type that it does not like. */
    bool fits =
        s_is_known(type) && name.len > 0 && name.len <= AWS_EVENT_STREAM_HEADER_NAME_LEN_MAX &&
        (s_is_variable(type) ? value.len <= AWS_EVENT_STREAM_HEADER_VALUE_LEN_MAX : value.len == s_value_sizes[type]);
    if (!fits) {
        PyErr_SetString(PyExc_ValueError, "headers: a name or a value has a size that event streams do not know");
        return false;
    }
    memcpy(header->header_name, name.ptr, name.len);
    header->header_name_len = (uint8_t)name.len;
    header->header_value_type = (enum aws_event_stream_header_value_type)type;
    header->header_value_len = (uint16_t)value.len;
    if (s_is_variable(type)) {
        header->header_value.variable_len_val = value.ptr;
    } else {
        memcpy(header->header_value.static_val, value.ptr, value.len);
    }
    return true;
}

/* Headers and payload are within the limits of a message, and the copies that the library makes are to be had. */
static bool s_check_size(const struct awscrt_event_stream_message *message) {
    size_t size = message->payload.len;
    for (size_t i = 0; i < message->args.headers_count; ++i) {
        const struct aws_event_stream_header_value_pair *header = &message->args.headers[i];
        size += HEADER_OVERHEAD + (size_t)header->header_name_len + header->header_value_len;
    }
    if (size > AWS_EVENT_STREAM_MAX_MESSAGE_SIZE) {
        return awscrt_raise_code(AWS_ERROR_EVENT_STREAM_MESSAGE_FIELD_SIZE_EXCEEDED) != NULL;
    }
    return awscrt_can_allocate(size + message->args.headers_count * sizeof(*message->args.headers));
}

static bool s_headers_from_py(struct awscrt_event_stream_message *message, PyObject *py_headers) {
    Py_ssize_t count = PyList_Size(py_headers);
    if (count <= 0) {
        return count == 0;
    }
    size_t size = (size_t)count * sizeof(*message->args.headers);
    message->args.headers = awscrt_can_allocate(size) ? awscrt_new(size) : NULL;
    if (!message->args.headers) {
        return false;
    }
    for (; message->args.headers_count < (size_t)count; ++message->args.headers_count) {
        PyObject *py_header = PyList_GetItem(py_headers, (Py_ssize_t)message->args.headers_count);
        if (!py_header || !s_header_from_py(&message->args.headers[message->args.headers_count], py_header)) {
            return false;
        }
    }
    return true;
}

bool awscrt_event_stream_message_init(
    struct awscrt_event_stream_message *message, const struct awscrt_event_stream_request *request) {
    message->args.message_type = (enum aws_event_stream_rpc_message_type)request->type;
    message->args.message_flags = request->flags;
    bool ok = awscrt_convert_optional_text(request->payload, &message->payload_buffer);
    if (ok) {
        struct aws_byte_cursor payload = message->payload_buffer.cursor;
        message->payload = aws_byte_buf_from_array(payload.ptr, payload.len);
        message->args.payload = &message->payload;
    }
    if (!ok || !s_headers_from_py(message, request->headers) || !s_check_size(message)) {
        awscrt_event_stream_message_release(message);
        return false;
    }
    return true;
}

void awscrt_event_stream_message_release(struct awscrt_event_stream_message *message) {
    awscrt_buffer_release(&message->payload_buffer);
    if (message->args.headers) {
        aws_mem_release(awscrt_allocator(), message->args.headers);
    }
}

/* -------------------------------------------------------------------------------------------- native → Python */

static PyObject *s_header_to_py(const struct aws_event_stream_header_value_pair *header) {
    uint32_t type = header->header_value_type;
    if (!s_is_known(type)) {
        return awscrt_raise_code(AWS_ERROR_EVENT_STREAM_MESSAGE_UNKNOWN_HEADER_TYPE);
    }
    struct aws_byte_cursor name = aws_byte_cursor_from_array(header->header_name, header->header_name_len);
    const uint8_t *start =
        s_is_variable(type) ? header->header_value.variable_len_val : header->header_value.static_val;
    struct aws_byte_cursor value = aws_byte_cursor_from_array(start, header->header_value_len);
    return Py_BuildValue("(NIN)", awscrt_bytes_from_cursor(name), type, awscrt_bytes_from_cursor(value));
}

static PyObject *s_headers_to_py(const struct aws_event_stream_rpc_message_args *args) {
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list && i < args->headers_count; ++i) {
        PyObject *item = s_header_to_py(&args->headers[i]);
        if (!item || PyList_Append(list, item)) {
            Py_DecRef(list);
            list = NULL;
        }
        Py_DecRef(item);
    }
    return list;
}

void awscrt_event_stream_deliver(PyObject *receiver, const struct aws_event_stream_rpc_message_args *args) {
    struct awscrt_callback call;
    if (!awscrt_callback_begin(&call)) {
        return;
    }
    PyObject *result = NULL;
    PyObject *headers = s_headers_to_py(args);
    if (headers) {
        struct aws_byte_cursor payload = aws_byte_cursor_from_buf(args->payload);
        result = PyObject_CallMethod(
            receiver,
            "_on_message",
            "NNII",
            headers,
            awscrt_bytes_from_cursor(payload),
            (unsigned int)args->message_type,
            (unsigned int)args->message_flags);
    }
    if (!result) {
        PyObject *exception = awscrt_exception_take();
        result = PyObject_CallMethod(receiver, "_fail", "O", exception);
        Py_DecRef(exception);
    }
    awscrt_finish_call(result, receiver);
    awscrt_callback_end(&call);
}

PyObject *awscrt_event_stream_exception(int error_code) {
    PyObject *exception = awscrt_exception_from_code(error_code);
    return exception ? exception : awscrt_exception_take();
}

void awscrt_event_stream_on_flush(int error_code, void *on_flush) {
    struct awscrt_callback call;
    if (!awscrt_callback_begin(&call)) {
        return;
    }
    PyObject *error = awscrt_event_stream_exception(error_code);
    awscrt_finish_call(PyObject_CallFunctionObjArgs(on_flush, error, NULL), on_flush);
    Py_DecRef(error);
    Py_DecRef(on_flush);
    awscrt_callback_end(&call);
}
