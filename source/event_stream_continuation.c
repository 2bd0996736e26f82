/* Owns streams on connections of event-stream RPC clients. */

#include "event_stream.h"

#include <aws/common/atomics.h>

/* What the native stream calls back with. Made with the stream; freed by its last callback, on the thread that drops the
 * last reference to it. All other callbacks come on the connection's event loop thread.
 *
 * `self`, the Python stream, is a reference of the binding's own (a PyObject *) from activation until the stream is closed,
 * and NULL before and after: an active stream lives, whoever else refers to it. The handle of `self` owns a reference to the
 * native stream, which keeps its connection alive. */
struct continuation_binding {
    struct aws_atomic_var self;
};

static void s_destroy(void *native) {
    AWSCRT_ALLOW_THREADS_BEGIN
    aws_event_stream_rpc_client_continuation_release(native);
    AWSCRT_ALLOW_THREADS_END
}

static const struct awscrt_handle_type s_handle_type = {.name = "event-stream continuation", .destroy = s_destroy};

static void s_on_terminated(void *user_data) {
    aws_mem_release(awscrt_allocator(), user_data);
}

static void s_on_message(
    struct aws_event_stream_rpc_client_continuation_token *token,
    const struct aws_event_stream_rpc_message_args *message_args,
    void *user_data) {
    (void)token;
    struct continuation_binding *binding = user_data;
    PyObject *self = aws_atomic_load_ptr(&binding->self);
    if (self) {
        awscrt_event_stream_deliver(self, message_args);
    }
}

static void s_on_closed(struct aws_event_stream_rpc_client_continuation_token *token, void *user_data) {
    (void)token;
    struct continuation_binding *binding = user_data;
    PyObject *self = aws_atomic_exchange_ptr(&binding->self, NULL);
    struct awscrt_callback call;
    if (!self || !awscrt_callback_begin(&call)) {
        return;
    }
    awscrt_finish_call(PyObject_CallMethod(self, "_on_closed", NULL), self);
    Py_DecRef(self);
    awscrt_callback_end(&call);
}

static PyObject *s_new(PyObject *module, PyObject *py_connection) {
    (void)module;
    struct aws_event_stream_rpc_client_connection *connection = awscrt_event_stream_connection_get(py_connection);
    struct continuation_binding *binding = connection ? awscrt_new(sizeof(*binding)) : NULL;
    if (!binding) {
        return NULL;
    }
    aws_atomic_init_ptr(&binding->self, NULL);
    struct aws_event_stream_rpc_client_stream_continuation_options options = {
        .on_continuation = s_on_message,
        .on_continuation_closed = s_on_closed,
        .on_continuation_terminated = s_on_terminated,
        .user_data = binding,
    };
    void *token = aws_event_stream_rpc_client_connection_new_stream(connection, &options);
    if (!token) {
        aws_mem_release(awscrt_allocator(), binding);
    }
    return awscrt_handle_own(&s_handle_type, token);
}

/* Sends on a stream, which an operation's name opens first. The error code. */
static int s_send_message(
    struct aws_event_stream_rpc_client_continuation_token *token,
    const struct aws_byte_cursor *operation,
    const struct aws_event_stream_rpc_message_args *args,
    PyObject *on_flush) {
    int status;
    Py_IncRef(on_flush);
    int error_code = AWS_ERROR_SUCCESS;
    AWSCRT_ALLOW_THREADS_BEGIN
    status = operation ? aws_event_stream_rpc_client_continuation_activate(
                             token, *operation, args, awscrt_event_stream_on_flush, on_flush)
                       : aws_event_stream_rpc_client_continuation_send_message(
                             token, args, awscrt_event_stream_on_flush, on_flush);
    if (status) {
        error_code = aws_last_error_or_unknown_error();
    }
    AWSCRT_ALLOW_THREADS_END
    if (error_code) {
        Py_DecRef(on_flush);
    }
    return error_code;
}

static int s_activate_with(
    struct aws_event_stream_rpc_client_continuation_token *token,
    struct aws_byte_cursor operation,
    const struct aws_event_stream_rpc_message_args *args,
    PyObject *self,
    PyObject *on_flush) {
    struct continuation_binding *binding = aws_event_stream_rpc_client_continuation_get_user_data(token);
    void *inactive = NULL;
    /* Before activation, for the stream may be closed before that returns. */
    if (!aws_atomic_compare_exchange_ptr(&binding->self, &inactive, self)) {
        return AWS_ERROR_INVALID_STATE;
    }
    Py_IncRef(self);
    int error_code = s_send_message(token, &operation, args, on_flush);
    if (error_code) {
        aws_atomic_store_ptr(&binding->self, NULL);
        Py_DecRef(self);
    }
    return error_code;
}

/* The library aborts the process at a longer one, for it becomes the value of a header. */
static bool s_check_operation(struct aws_byte_cursor operation) {
    if (operation.len > 0 && operation.len <= AWS_EVENT_STREAM_HEADER_VALUE_LEN_MAX) {
        return true;
    }
    PyErr_Format(PyExc_ValueError, "operation must be 1 to %d bytes of UTF-8", AWS_EVENT_STREAM_HEADER_VALUE_LEN_MAX);
    return false;
}

static PyObject *s_activate(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *self;
    struct awscrt_event_stream_request request;
    struct awscrt_buffer operation = {0};
    if (!PyArg_ParseTuple(
            args,
            "OO&" AWSCRT_EVENT_STREAM_REQUEST_FORMAT,
            &self,
            awscrt_convert_text,
            &operation,
            AWSCRT_EVENT_STREAM_REQUEST_TARGETS(request))) {
        return NULL;
    }
    PyObject *result = NULL;
    struct awscrt_event_stream_message message = {0};
    struct aws_event_stream_rpc_client_continuation_token *token = awscrt_binding_get(self, &s_handle_type);
    if (token && s_check_operation(operation.cursor) && awscrt_event_stream_message_init(&message, &request)) {
        int error_code = s_activate_with(token, operation.cursor, &message.args, self, request.on_flush);
        awscrt_event_stream_message_release(&message);
        result = error_code ? awscrt_raise_code(error_code) : awscrt_none();
    }
    awscrt_buffer_release(&operation);
    return result;
}

static PyObject *s_send(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *self;
    struct awscrt_event_stream_request request;
    if (!PyArg_ParseTuple(
            args, "O" AWSCRT_EVENT_STREAM_REQUEST_FORMAT, &self, AWSCRT_EVENT_STREAM_REQUEST_TARGETS(request))) {
        return NULL;
    }
    struct awscrt_event_stream_message message = {0};
    struct aws_event_stream_rpc_client_continuation_token *token = awscrt_binding_get(self, &s_handle_type);
    if (!token || !awscrt_event_stream_message_init(&message, &request)) {
        return NULL;
    }
    int error_code = s_send_message(token, NULL, &message.args, request.on_flush);
    awscrt_event_stream_message_release(&message);
    return error_code ? awscrt_raise_code(error_code) : awscrt_none();
}

static PyObject *s_is_closed(PyObject *module, PyObject *self) {
    (void)module;
    struct aws_event_stream_rpc_client_continuation_token *token = awscrt_binding_get(self, &s_handle_type);
    return token ? PyBool_FromLong(aws_event_stream_rpc_client_continuation_is_closed(token)) : NULL;
}

PyMethodDef awscrt_event_stream_continuation_methods[] = {
    {"event_stream_continuation_new", s_new, METH_O, NULL},
    {"event_stream_continuation_activate", s_activate, METH_VARARGS, NULL},
    {"event_stream_continuation_send", s_send, METH_VARARGS, NULL},
    {"event_stream_continuation_is_closed", s_is_closed, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};
