/* Owns HTTP connections of a client: opening, closing, and what both say to Python. */

#include "http.h"

#include <aws/http/connection.h>
#include <aws/http/proxy.h>
#include <aws/io/socket.h>

/* The handle owns one reference to the connection, and dropping it closes the connection; so do streams that are under way
 * keep it open. All callbacks of a connection come on one thread of its event loop group. */

static void s_destroy(void *native) {
    AWSCRT_ALLOW_THREADS_BEGIN
    aws_http_connection_release(native);
    AWSCRT_ALLOW_THREADS_END
}

static const struct awscrt_handle_type s_handle_type = {.name = "HttpConnection", .destroy = s_destroy};

struct aws_http_connection *awscrt_http_connection_get(PyObject *connection) {
    return awscrt_binding_get(connection, &s_handle_type);
}

/* ------------------------------------------------------------------------------------------------ callbacks */

/* `user_data` is a reference to an awscrt._http_connect._Attempt: native code owns it from the attempt to connect until
 * that has failed, or until the connection has shut down, and drops it there, on the thread of the event loop. It knows the
 * Python connection weakly only, so that dropping that one closes the connection. */

static void s_on_setup(struct aws_http_connection *connection, int error_code, void *user_data) {
    PyObject *attempt = user_data;
    struct awscrt_callback call;
    if (!awscrt_callback_begin(&call)) {
        return;
    }
    PyObject *handle = connection ? awscrt_handle_own(&s_handle_type, connection) : awscrt_none();
    PyObject *error = handle ? awscrt_exception_from_code(error_code) : awscrt_exception_take();
    int version = connection && handle ? (int)aws_http_connection_get_version(connection) : 0;
    PyObject *binding = handle ? handle : awscrt_none();
    if (error) {
        awscrt_finish_call(PyObject_CallMethod(attempt, "on_setup", "OiO", binding, version, error), attempt);
    }
    Py_DecRef(error);
    Py_DecRef(binding);
    if (!connection) {
        Py_DecRef(attempt); /* no shutdown will follow */
    }
    awscrt_callback_end(&call);
}

static void s_on_shutdown(struct aws_http_connection *connection, int error_code, void *user_data) {
    (void)connection;
    PyObject *attempt = user_data;
    struct awscrt_callback call;
    if (!awscrt_callback_begin(&call)) {
        return;
    }
    PyObject *error = awscrt_exception_from_code(error_code);
    if (error) {
        awscrt_finish_call(PyObject_CallMethod(attempt, "on_shutdown", "O", error), attempt);
    }
    Py_DecRef(error);
    Py_DecRef(attempt);
    awscrt_callback_end(&call);
}

static void s_on_remote_settings_change(
    struct aws_http_connection *connection, const struct aws_http2_setting *settings, size_t count, void *user_data) {
    (void)connection;
    PyObject *attempt = user_data;
    struct awscrt_callback call;
    if (!awscrt_callback_begin(&call)) {
        return;
    }
    PyObject *list = awscrt_http2_settings_to_py(settings, count);
    if (list) {
        awscrt_finish_call(PyObject_CallMethod(attempt, "on_remote_settings", "O", list), attempt);
    }
    Py_DecRef(list);
    awscrt_callback_end(&call);
}

/* -------------------------------------------------------------------------------------------------- connect */

/* All that one attempt is asked for; lives in s_connect(). The Python objects are borrowed from its arguments. */
struct request {
    struct awscrt_buffer host_name;
    uint32_t port;
    PyObject *bootstrap;
    PyObject *socket_options;
    PyObject *tls_options;
    PyObject *proxy_options;
    int manual_window;
    int manual_connection_window;
    int wants_settings;
    int prior_knowledge;
    size_t initial_window;
    size_t read_buffer_capacity;
    PyObject *initial_settings;
    uint32_t connection_threshold;
    uint32_t stream_threshold;
    uint64_t minimum_throughput;
    uint32_t throughput_interval_sec;
    uint64_t first_byte_timeout_ms;
    PyObject *attempt;
};

static bool s_parse(struct request *request, PyObject *args) {
    PyObject *host_name;
    return PyArg_ParseTuple(
               args,
               "OO&OOOOppppO&O&OO&O&O&O&O&O",
               &host_name,
               awscrt_convert_u32,
               &request->port,
               &request->bootstrap,
               &request->socket_options,
               &request->tls_options,
               &request->proxy_options,
               &request->manual_window,
               &request->manual_connection_window,
               &request->wants_settings,
               &request->prior_knowledge,
               awscrt_convert_size,
               &request->initial_window,
               awscrt_convert_size,
               &request->read_buffer_capacity,
               &request->initial_settings,
               awscrt_convert_u32,
               &request->connection_threshold,
               awscrt_convert_u32,
               &request->stream_threshold,
               awscrt_convert_u64,
               &request->minimum_throughput,
               awscrt_convert_u32,
               &request->throughput_interval_sec,
               awscrt_convert_u64,
               &request->first_byte_timeout_ms,
               &request->attempt) &&
           awscrt_http_text_acquire(&request->host_name, host_name, "host_name");
}

/* The native options, and what they point to. Native code copies all of it before the call returns. */
struct options {
    struct aws_http_client_connection_options connection;
    struct aws_http1_connection_options http1;
    struct aws_http2_connection_options http2;
    struct aws_http2_setting settings[AWSCRT_HTTP2_MAX_SETTINGS];
    struct aws_http_connection_monitoring_options monitoring;
    struct aws_socket_options socket;
    struct aws_tls_connection_options tls;
    struct aws_http_proxy_options proxy;
    struct awscrt_http_proxy_kept proxy_kept;
};

static bool s_fill_http2(struct options *options, const struct request *request) {
    options->http2.initial_settings_array = options->settings;
    options->http2.conn_manual_window_management = request->manual_connection_window;
    options->http2.conn_window_size_threshold_to_send_update = request->connection_threshold;
    options->http2.stream_window_size_threshold_to_send_update = request->stream_threshold;
    if (request->wants_settings) {
        options->http2.on_remote_settings_change = s_on_remote_settings_change;
    }
    return awscrt_http2_settings_from_py(
        options->settings, &options->http2.num_initial_settings, request->initial_settings);
}

static bool s_fill_peers(struct options *options, const struct request *request) {
    options->connection.bootstrap = awscrt_client_bootstrap_get(request->bootstrap);
    if (!options->connection.bootstrap || !awscrt_socket_options_from_py(&options->socket, request->socket_options) ||
        !awscrt_tls_connection_options_copy(&options->tls, request->tls_options)) {
        return false;
    }
    options->connection.tls_options = options->tls.ctx ? &options->tls : NULL;
    if (!awscrt_is_none(request->proxy_options)) {
        if (!awscrt_http_proxy_options_from_py(&options->proxy, &options->proxy_kept, request->proxy_options)) {
            return false;
        }
        options->connection.proxy_options = &options->proxy;
    }
    return true;
}

static bool s_fill(struct options *options, const struct request *request) {
    struct aws_http_client_connection_options initial = AWS_HTTP_CLIENT_CONNECTION_OPTIONS_INIT;
    options->connection = initial;
    struct aws_http_client_connection_options *connection = &options->connection;
    connection->allocator = awscrt_allocator();
    connection->host_name = request->host_name.cursor;
    connection->port = request->port;
    connection->socket_options = &options->socket;
    connection->response_first_byte_timeout_ms = request->first_byte_timeout_ms;
    connection->manual_window_management = request->manual_window;
    if (request->manual_window) {
        connection->initial_window_size = request->initial_window;
    }
    connection->user_data = request->attempt;
    connection->on_setup = s_on_setup;
    connection->on_shutdown = s_on_shutdown;
    connection->prior_knowledge_http2 = request->prior_knowledge;
    connection->http1_options = &options->http1;
    connection->http2_options = &options->http2;
    options->http1.read_buffer_capacity = request->read_buffer_capacity;
    if (request->throughput_interval_sec != 0) {
        options->monitoring.minimum_throughput_bytes_per_second = request->minimum_throughput;
        options->monitoring.allowable_throughput_failure_interval_seconds = request->throughput_interval_sec;
        connection->monitoring_options = &options->monitoring;
    }
    return s_fill_http2(options, request) && s_fill_peers(options, request);
}

static PyObject *s_connect(PyObject *module, PyObject *args) {
    (void)module;
    struct request request;
    AWS_ZERO_STRUCT(request);
    struct options options;
    AWS_ZERO_STRUCT(options);
    PyObject *result = NULL;
    if (s_parse(&request, args) && s_fill(&options, &request)) {
        int status;
        Py_IncRef(request.attempt);
        AWSCRT_ALLOW_THREADS_BEGIN
        status = aws_http_client_connect(&options.connection);
        AWSCRT_ALLOW_THREADS_END
        if (status) {
            Py_DecRef(request.attempt);
            awscrt_raise_last();
        } else {
            result = awscrt_none();
        }
    }
    awscrt_http_proxy_kept_release(&options.proxy_kept);
    awscrt_tls_connection_options_clean_up(&options.tls);
    awscrt_buffer_release(&request.host_name);
    return result;
}

/* ------------------------------------------------------------------------------------------------ functions */

static PyObject *s_close(PyObject *module, PyObject *py_connection) {
    (void)module;
    struct aws_http_connection *connection = awscrt_http_connection_get(py_connection);
    if (!connection) {
        return NULL;
    }
    AWSCRT_ALLOW_THREADS_BEGIN
    aws_http_connection_close(connection);
    AWSCRT_ALLOW_THREADS_END
    return awscrt_none();
}

static PyObject *s_is_open(PyObject *module, PyObject *py_connection) {
    (void)module;
    struct aws_http_connection *connection = awscrt_http_connection_get(py_connection);
    if (!connection) {
        return NULL;
    }
    bool open;
    AWSCRT_ALLOW_THREADS_BEGIN
    open = aws_http_connection_is_open(connection);
    AWSCRT_ALLOW_THREADS_END
    return PyBool_FromLong(open);
}

PyMethodDef awscrt_http_connection_methods[] = {
    {"http_client_connect", s_connect, METH_VARARGS, NULL},
    {"http_connection_close", s_close, METH_O, NULL},
    {"http_connection_is_open", s_is_open, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};
