/* Owns connections of event-stream RPC clients. */

#include "event_stream.h"

#include <aws/io/socket.h>
#include <aws/io/tls_channel_handler.h>

/* What the native connection calls back with. Made by connect; freed by the native connection's last callback, on the
 * thread that drops the last reference to that. All other callbacks come on the connection's event loop thread, one after
 * the other.
 *
 * `self`, the Python connection, is a reference of the binding's own until the connection has shut down, or could not be
 * set up: an open connection lives, whoever else refers to it. The handle of `self` owns a reference to the native
 * connection. */
struct connection_binding {
    PyObject *self;
};

static void s_destroy(void *native) {
    AWSCRT_ALLOW_THREADS_BEGIN
    aws_event_stream_rpc_client_connection_release(native);
    AWSCRT_ALLOW_THREADS_END
}

static const struct awscrt_handle_type s_handle_type = {.name = "event-stream connection", .destroy = s_destroy};

struct aws_event_stream_rpc_client_connection *awscrt_event_stream_connection_get(PyObject *connection) {
    return awscrt_binding_get(connection, &s_handle_type);
}

static PyObject *s_take_self(struct connection_binding *binding) {
    PyObject *self = binding->self;
    binding->self = NULL;
    return self;
}

static void s_on_terminated(void *user_data) {
    struct connection_binding *binding = user_data;
    awscrt_reference_drop(s_take_self(binding));
    aws_mem_release(awscrt_allocator(), binding);
}

static void s_on_setup(struct aws_event_stream_rpc_client_connection *connection, int error_code, void *user_data) {
    struct connection_binding *binding = user_data;
    PyObject *self = binding->self;
    struct awscrt_callback call;
    if (!awscrt_callback_begin(&call)) {
        return;
    }
    PyObject *handle = NULL;
    PyObject *error;
    if (connection) {
        aws_event_stream_rpc_client_connection_acquire(connection);
        handle = awscrt_handle_own(&s_handle_type, connection);
        error = handle ? awscrt_none() : awscrt_exception_take();
    } else {
        error = awscrt_event_stream_exception(error_code);
    }
    if (!handle) {
        binding->self = NULL;
    }
    PyObject *result = handle ? PyObject_CallMethod(self, "_on_setup", "O", handle)
                              : PyObject_CallMethod(self, "_on_setup_failure", "O", error);
    awscrt_finish_call(result, self);
    Py_DecRef(error);
    if (!handle) {
        Py_DecRef(self);
    }
    bool unowned = connection && !handle;
    Py_DecRef(handle);
    awscrt_callback_end(&call);
    if (unowned) {
        aws_event_stream_rpc_client_connection_close(connection, AWS_ERROR_OOM);
    }
}

static void s_on_message(
    struct aws_event_stream_rpc_client_connection *connection,
    const struct aws_event_stream_rpc_message_args *message_args,
    void *user_data) {
    (void)connection;
    struct connection_binding *binding = user_data;
    if (binding->self) {
        awscrt_event_stream_deliver(binding->self, message_args);
    }
}

static void s_on_shutdown(struct aws_event_stream_rpc_client_connection *connection, int error_code, void *user_data) {
    (void)connection;
    PyObject *self = s_take_self(user_data);
    struct awscrt_callback call;
    if (!self || !awscrt_callback_begin(&call)) {
        return;
    }
    PyObject *reason = awscrt_event_stream_exception(error_code);
    awscrt_finish_call(PyObject_CallMethod(self, "_on_shutdown", "O", reason), self);
    Py_DecRef(reason);
    Py_DecRef(self);
    awscrt_callback_end(&call);
}

static PyObject *s_connect_with(struct aws_event_stream_rpc_client_connection_options *options, PyObject *self) {
    struct connection_binding *binding = awscrt_new(sizeof(*binding));
    if (!binding) {
        return NULL;
    }
    Py_IncRef(self);
    binding->self = self;
    options->user_data = binding;
    options->on_connection_setup = s_on_setup;
    options->on_connection_protocol_message = s_on_message;
    options->on_connection_shutdown = s_on_shutdown;
    options->on_connection_terminated = s_on_terminated;
    int error_code = AWS_ERROR_SUCCESS;
    /* It may wait for locks of the resolver, whose threads call back. A failure has called s_on_terminated. */
    AWSCRT_ALLOW_THREADS_BEGIN
    if (aws_event_stream_rpc_client_connection_connect(awscrt_allocator(), options)) {
        error_code = aws_last_error_or_unknown_error();
    }
    AWSCRT_ALLOW_THREADS_END
    return error_code ? awscrt_raise_code(error_code) : awscrt_none();
}

static PyObject *s_connect(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *self;
    PyObject *py_bootstrap;
    PyObject *py_socket_options;
    PyObject *py_tls_options;
    struct aws_socket_options socket_options;
    struct aws_event_stream_rpc_client_connection_options options = {.socket_options = &socket_options};
    if (!PyArg_ParseTuple(
            args,
            "OsO&OOO",
            &self,
            &options.host_name,
            awscrt_convert_u32,
            &options.port,
            &py_bootstrap,
            &py_socket_options,
            &py_tls_options)) {
        return NULL;
    }
    options.bootstrap = awscrt_client_bootstrap_get(py_bootstrap);
    if (!options.bootstrap || !awscrt_socket_options_from_py(&socket_options, py_socket_options)) {
        return NULL;
    }
    struct aws_tls_connection_options tls = {0};
    PyObject *result = NULL;
    if (awscrt_tls_connection_options_copy(&tls, py_tls_options)) {
        options.tls_options = tls.ctx ? &tls : NULL;
        result = s_connect_with(&options, self);
    }
    awscrt_tls_connection_options_clean_up(&tls);
    return result;
}

static PyObject *s_close(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *self;
    PyObject *exception;
    if (!PyArg_ParseTuple(args, "OO", &self, &exception)) {
        return NULL;
    }
    int error_code = awscrt_is_none(exception) ? AWS_ERROR_SUCCESS : awscrt_code_from_exception(exception);
    struct aws_event_stream_rpc_client_connection *connection = awscrt_event_stream_connection_get(self);
    if (!connection) {
        return NULL;
    }
    AWSCRT_ALLOW_THREADS_BEGIN
    aws_event_stream_rpc_client_connection_close(connection, error_code);
    AWSCRT_ALLOW_THREADS_END
    return awscrt_none();
}

static PyObject *s_is_open(PyObject *module, PyObject *self) {
    (void)module;
    struct aws_event_stream_rpc_client_connection *connection = awscrt_event_stream_connection_get(self);
    if (!connection) {
        return NULL;
    }
    bool open;
    AWSCRT_ALLOW_THREADS_BEGIN
    open = aws_event_stream_rpc_client_connection_is_open(connection);
    AWSCRT_ALLOW_THREADS_END
    return PyBool_FromLong(open);
}

static PyObject *s_send(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *self;
    struct awscrt_event_stream_request request;
    if (!PyArg_ParseTuple(
            args, "O" AWSCRT_EVENT_STREAM_REQUEST_FORMAT, &self, AWSCRT_EVENT_STREAM_REQUEST_TARGETS(request))) {
        return NULL;
    }
    struct aws_event_stream_rpc_client_connection *connection = awscrt_event_stream_connection_get(self);
    struct awscrt_event_stream_message message = {0};
    if (!connection || !awscrt_event_stream_message_init(&message, &request)) {
        return NULL;
    }
    int error_code = AWS_ERROR_SUCCESS;
    Py_IncRef(request.on_flush);
    AWSCRT_ALLOW_THREADS_BEGIN
    if (aws_event_stream_rpc_client_connection_send_protocol_message(
            connection, &message.args, awscrt_event_stream_on_flush, request.on_flush)) {
        error_code = aws_last_error_or_unknown_error();
    }
    AWSCRT_ALLOW_THREADS_END
    awscrt_event_stream_message_release(&message);
    if (error_code) {
        Py_DecRef(request.on_flush);
        return awscrt_raise_code(error_code);
    }
    return awscrt_none();
}

PyMethodDef awscrt_event_stream_rpc_methods[] = {
    {"event_stream_rpc_connect", s_connect, METH_VARARGS, NULL},
    {"event_stream_rpc_close", s_close, METH_VARARGS, NULL},
    {"event_stream_rpc_is_open", s_is_open, METH_O, NULL},
    {"event_stream_rpc_send", s_send, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
