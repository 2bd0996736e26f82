/* Owns HTTP requests: method, path, headers and the stream of the body, as they are to be sent. */

#include "http.h"

#include <aws/http/request_response.h>
#include <aws/io/stream.h>

/* The handle owns one reference to the message; operations that send it have their own, or one to a copy. The message keeps
 * its headers and its body stream alive. Plain memory, guarded by the GIL, with its headers. */

static void s_destroy(void *native) {
    aws_http_message_release(native);
}

static const struct awscrt_handle_type s_handle_type = {
    .name = "HttpRequest", .destroy = s_destroy, .survives_fork = true};

struct aws_http_message *awscrt_http_message_get(PyObject *request) {
    return awscrt_binding_get(request, &s_handle_type);
}

struct awscrt_guard *awscrt_http_message_guard(const struct aws_http_message *message) {
    return awscrt_guard_of(aws_http_message_get_headers(message));
}

struct aws_http_message *awscrt_http_message_copy(PyObject *request) {
    struct aws_http_message *message = awscrt_http_message_get(request);
    struct aws_http_message *copy = message ? aws_http_message_new_request(awscrt_allocator()) : NULL;
    if (!copy) {
        return message ? (awscrt_raise_last(), NULL) : NULL;
    }
    struct aws_byte_cursor method = {0};
    struct aws_byte_cursor path = {0};
    struct awscrt_guard *guard = awscrt_http_message_guard(message);
    awscrt_guard_enter(guard);
    aws_http_message_get_request_method(message, &method);
    aws_http_message_get_request_path(message, &path);
    aws_http_message_set_request_method(copy, method);
    aws_http_message_set_request_path(copy, path);
    awscrt_http_headers_append(aws_http_message_get_headers(copy), aws_http_message_get_headers(message));
    aws_http_message_set_body_stream(copy, aws_http_message_get_body_stream(message));
    awscrt_guard_leave(guard);
    return copy;
}

typedef int(set_text_fn)(struct aws_http_message *message, struct aws_byte_cursor text);
typedef int(get_text_fn)(const struct aws_http_message *message, struct aws_byte_cursor *text);

static bool s_set_text(struct aws_http_message *message, PyObject *py_text, const char *what, set_text_fn *set) {
    struct awscrt_buffer text = {0};
    if (!awscrt_http_text_acquire(&text, py_text, what)) {
        return false;
    }
    struct awscrt_guard *guard = awscrt_http_message_guard(message);
    awscrt_guard_enter(guard);
    bool ok = set(message, text.cursor) == AWS_OP_SUCCESS;
    awscrt_guard_leave(guard);
    if (!ok) {
        awscrt_raise_last();
    }
    awscrt_buffer_release(&text);
    return ok;
}

static PyObject *s_new(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *py_headers;
    PyObject *method;
    PyObject *path;
    if (!PyArg_ParseTuple(args, "OOO", &py_headers, &method, &path)) {
        return NULL;
    }
    struct aws_http_headers *headers = awscrt_http_headers_get(py_headers);
    if (!headers) {
        return NULL;
    }
    struct aws_http_message *message = aws_http_message_new_request_with_headers(awscrt_allocator(), headers);
    if (!message) {
        return awscrt_raise_last();
    }
    if (!s_set_text(message, method, "method", aws_http_message_set_request_method) ||
        !s_set_text(message, path, "path", aws_http_message_set_request_path)) {
        s_destroy(message);
        return NULL;
    }
    return awscrt_handle_own(&s_handle_type, message);
}

static PyObject *s_get(PyObject *request, get_text_fn *get) {
    struct aws_http_message *message = awscrt_http_message_get(request);
    if (!message) {
        return NULL;
    }
    struct aws_byte_cursor text = {0};
    struct awscrt_guard *guard = awscrt_http_message_guard(message);
    awscrt_guard_enter(guard);
    get(message, &text); /* it fails for an empty one, and leaves the cursor so */
    PyObject *py_text = awscrt_http_text_to_py(text);
    awscrt_guard_leave(guard);
    return py_text;
}

static PyObject *s_set(PyObject *args, const char *what, set_text_fn *set) {
    PyObject *request;
    PyObject *text;
    if (!PyArg_ParseTuple(args, "OO", &request, &text)) {
        return NULL;
    }
    struct aws_http_message *message = awscrt_http_message_get(request);
    return message && s_set_text(message, text, what, set) ? awscrt_none() : NULL;
}

static PyObject *s_get_method(PyObject *module, PyObject *request) {
    (void)module;
    return s_get(request, aws_http_message_get_request_method);
}

static PyObject *s_set_method(PyObject *module, PyObject *args) {
    (void)module;
    return s_set(args, "method", aws_http_message_set_request_method);
}

static PyObject *s_get_path(PyObject *module, PyObject *request) {
    (void)module;
    return s_get(request, aws_http_message_get_request_path);
}

static PyObject *s_set_path(PyObject *module, PyObject *args) {
    (void)module;
    return s_set(args, "path", aws_http_message_set_request_path);
}

static PyObject *s_set_body_stream(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *request;
    PyObject *py_stream;
    if (!PyArg_ParseTuple(args, "OO", &request, &py_stream)) {
        return NULL;
    }
    struct aws_http_message *message = awscrt_http_message_get(request);
    if (!message) {
        return NULL;
    }
    bool has_stream = !awscrt_is_none(py_stream);
    struct aws_input_stream *stream = has_stream ? awscrt_input_stream_get(py_stream) : NULL;
    if (has_stream && !stream) {
        return NULL;
    }
    struct awscrt_guard *guard = awscrt_http_message_guard(message);
    awscrt_guard_enter(guard);
    struct aws_input_stream *previous = aws_input_stream_acquire(aws_http_message_get_body_stream(message));
    aws_http_message_set_body_stream(message, stream);
    awscrt_guard_leave(guard);
    aws_input_stream_release(previous); /* it may be the last reference, whose end runs Python code */
    return awscrt_none();
}

PyMethodDef awscrt_http_message_methods[] = {
    {"http_request_new", s_new, METH_VARARGS, NULL},
    {"http_request_get_method", s_get_method, METH_O, NULL},
    {"http_request_set_method", s_set_method, METH_VARARGS, NULL},
    {"http_request_get_path", s_get_path, METH_O, NULL},
    {"http_request_set_path", s_set_path, METH_VARARGS, NULL},
    {"http_message_set_body_stream", s_set_body_stream, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
