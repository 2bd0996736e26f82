/* Owns WebSockets of a client: opening one, what it tells Python, and its end.
 *
 * All that a connection tells goes to one Python object, its listener (`awscrt.websocket._Listener`). Native code owns a
 * reference to it from the call that opens the connection until the connection has ended or has failed to come about,
 * and drops it on the event loop's thread that reports this. */

#include "websocket.h"

#include <aws/http/proxy.h>
#include <aws/http/request_response.h>
#include <aws/io/socket.h>

/* The handle owns one reference to the WebSocket; dropping the last one closes the connection, and the event loop's thread
 * frees it. */

static void s_destroy(void *native) {
    AWSCRT_ALLOW_THREADS_BEGIN
    aws_websocket_release(native);
    AWSCRT_ALLOW_THREADS_END
}

static const struct awscrt_handle_type s_handle_type = {.name = "WebSocket", .destroy = s_destroy};

struct aws_websocket *awscrt_websocket_get(PyObject *websocket) {
    return awscrt_binding_get(websocket, &s_handle_type);
}

PyObject *awscrt_websocket_exception(int code) {
    PyObject *exception = awscrt_exception_from_code(code);
    return exception ? exception : awscrt_exception_take();
}

bool awscrt_websocket_goes_on(PyObject *answer, PyObject *context) {
    int yes = answer ? PyObject_IsTrue(answer) : -1;
    Py_DecRef(answer);
    if (yes < 0) {
        awscrt_exception_unraisable(context);
    }
    return yes > 0;
}

/* ------------------------------------------------------------------------------------- what the listener is told */

/* Takes the reference to `handle`; NULL if that failed. */
static PyObject *
s_setup_arguments(const struct aws_websocket_on_connection_setup_data *setup, PyObject *exception, PyObject *handle) {

    const int *code = setup->handshake_response_status;
    const struct aws_byte_cursor *content = setup->handshake_response_body;
    PyObject *status = NULL;
    PyObject *headers = NULL;
    PyObject *body = NULL;
    if (exception && handle) {
        status = code ? PyLong_FromLong(*code) : awscrt_none();
    }
    if (status) {
        headers = code ? awscrt_http_headers_to_py(
                             setup->handshake_response_header_array, setup->num_handshake_response_headers)
                       : awscrt_none();
    }
    if (headers) {
        body = content ? awscrt_bytes_from_cursor(*content) : awscrt_none();
    }
    PyObject *arguments = body ? PyTuple_Pack(5, exception, handle, status, headers, body) : NULL;
    Py_DecRef(handle);
    Py_DecRef(status);
    Py_DecRef(headers);
    Py_DecRef(body);
    return arguments;
}

static PyObject *s_tell_setup(PyObject *listener, const struct aws_websocket_on_connection_setup_data *setup) {
    PyObject *handle = setup->websocket ? awscrt_handle_own(&s_handle_type, setup->websocket) : awscrt_none();
    PyObject *exception = handle ? awscrt_websocket_exception(setup->error_code) : NULL;
    PyObject *arguments = s_setup_arguments(setup, exception, handle);
    Py_DecRef(exception);
    if (!arguments) {
        /* Whoever opens a connection is told once, whatever comes; the handle has closed it. */
        return PyObject_CallMethod(listener, "set_up", "N", awscrt_exception_take());
    }
    PyObject *set_up = PyObject_GetAttrString(listener, "set_up");
    PyObject *answer = set_up ? PyObject_CallObject(set_up, arguments) : NULL;
    Py_DecRef(set_up);
    Py_DecRef(arguments);
    return answer;
}

static void s_on_setup(const struct aws_websocket_on_connection_setup_data *setup, void *user_data) {
    PyObject *listener = user_data;
    /* The reference that comes with it is the handle's, which Python may drop at once. */
    struct aws_websocket *websocket = setup->websocket ? aws_websocket_acquire(setup->websocket) : NULL;
    struct awscrt_callback call;
    if (awscrt_callback_begin(&call)) {
        bool goes_on = awscrt_websocket_goes_on(s_tell_setup(listener, setup), listener);
        if (!websocket) {
            Py_DecRef(listener);
        }
        awscrt_callback_end(&call);
        if (websocket && !goes_on) {
            aws_websocket_close(websocket, false);
        }
    }
    aws_websocket_release(websocket);
}

static void s_on_shutdown(struct aws_websocket *websocket, int error_code, void *user_data) {
    (void)websocket;
    PyObject *listener = user_data;
    struct awscrt_callback call;
    if (!awscrt_callback_begin(&call)) {
        return;
    }
    PyObject *exception = awscrt_websocket_exception(error_code);
    awscrt_finish_call(PyObject_CallMethod(listener, "shut_down", "N", exception), listener);
    Py_DecRef(listener);
    awscrt_callback_end(&call);
}

static bool
s_on_frame_begin(struct aws_websocket *websocket, const struct aws_websocket_incoming_frame *frame, void *user_data) {

    (void)websocket;
    struct awscrt_callback call;
    if (!awscrt_callback_begin(&call)) {
        return false;
    }
    PyObject *answer = PyObject_CallMethod(
        user_data,
        "begin_frame",
        "iKN",
        (int)frame->opcode,
        (unsigned long long)frame->payload_length,
        PyBool_FromLong(frame->fin));
    bool goes_on = awscrt_websocket_goes_on(answer, user_data);
    awscrt_callback_end(&call);
    return goes_on;
}

static bool s_on_frame_payload(
    struct aws_websocket *websocket,
    const struct aws_websocket_incoming_frame *frame,
    struct aws_byte_cursor data,
    void *user_data) {

    (void)websocket;
    (void)frame;
    struct awscrt_callback call;
    if (!awscrt_callback_begin(&call)) {
        return false;
    }
    PyObject *answer = PyObject_CallMethod(user_data, "add_payload", "N", awscrt_bytes_from_cursor(data));
    bool goes_on = awscrt_websocket_goes_on(answer, user_data);
    awscrt_callback_end(&call);
    return goes_on;
}

static bool s_on_frame_complete(
    struct aws_websocket *websocket,
    const struct aws_websocket_incoming_frame *frame,
    int error_code,
    void *user_data) {

    (void)websocket;
    (void)frame;
    struct awscrt_callback call;
    if (!awscrt_callback_begin(&call)) {
        return false;
    }
    PyObject *answer = PyObject_CallMethod(user_data, "end_frame", "N", awscrt_websocket_exception(error_code));
    bool goes_on = awscrt_websocket_goes_on(answer, user_data);
    awscrt_callback_end(&call);
    return goes_on;
}

/* --------------------------------------------------------------------------------------------------- connecting */

/* Nothing of it outlives the call: the library copies what it keeps. */
struct connect_input {
    PyObject *bootstrap;
    PyObject *socket_options;
    PyObject *tls_options;
    PyObject *proxy_options;
    PyObject *request;
    PyObject *window;
    PyObject *listener;
    struct awscrt_buffer host;
    uint32_t port;
    int wants_frames;
    int wants_payload;
    int wants_ends;
};

static bool s_parse(struct connect_input *input, PyObject *args) {
    return PyArg_ParseTuple(
        args,
        "OO&O&OOOOOOppp",
        &input->bootstrap,
        awscrt_convert_text,
        &input->host,
        awscrt_convert_u32,
        &input->port,
        &input->socket_options,
        &input->tls_options,
        &input->proxy_options,
        &input->request,
        &input->window,
        &input->listener,
        &input->wants_frames,
        &input->wants_payload,
        &input->wants_ends);
}

static bool s_read_window(struct aws_websocket_client_connection_options *options, const struct connect_input *input) {
    options->manual_window_management = !awscrt_is_none(input->window);
    return !options->manual_window_management || awscrt_convert_size(input->window, &options->initial_window_size);
}

/* The library asks for each kind of event whether it is wanted, and a chunk of payload that is not costs no copy. */
static void
s_set_callbacks(struct aws_websocket_client_connection_options *options, const struct connect_input *input) {

    options->user_data = input->listener;
    options->on_connection_setup = s_on_setup;
    options->on_connection_shutdown = s_on_shutdown;
    options->on_incoming_frame_begin = input->wants_frames ? s_on_frame_begin : NULL;
    options->on_incoming_frame_payload = input->wants_payload ? s_on_frame_payload : NULL;
    options->on_incoming_frame_complete = input->wants_ends ? s_on_frame_complete : NULL;
}

static PyObject *s_open(const struct aws_websocket_client_connection_options *options) {
    PyObject *listener = options->user_data;
    int code;
    Py_IncRef(listener);
    AWSCRT_ALLOW_THREADS_BEGIN
    code = aws_websocket_client_connect(options) ? aws_last_error() : AWS_ERROR_SUCCESS;
    AWSCRT_ALLOW_THREADS_END
    if (code) {
        Py_DecRef(listener);
        return awscrt_raise_code(code);
    }
    return awscrt_none();
}

static bool s_read_proxy(
    struct aws_websocket_client_connection_options *options,
    struct aws_http_proxy_options *proxy,
    struct awscrt_http_proxy_kept *kept,
    PyObject *py_proxy) {

    if (awscrt_is_none(py_proxy)) {
        return true;
    }
    options->proxy_options = proxy;
    return awscrt_http_proxy_options_from_py(proxy, kept, py_proxy);
}

static PyObject *s_connect_to(const struct connect_input *input) {
    struct aws_socket_options socket_options;
    struct aws_tls_connection_options tls = {0};
    struct aws_http_proxy_options proxy = {0};
    struct awscrt_http_proxy_kept kept = {0};
    struct aws_websocket_client_connection_options options = {
        .allocator = awscrt_allocator(),
        .host = input->host.cursor,
        .port = input->port,
        .socket_options = &socket_options,
    };
    s_set_callbacks(&options, input);
    options.bootstrap = awscrt_client_bootstrap_get(input->bootstrap);
    struct aws_http_message *handshake_request = options.bootstrap ? awscrt_http_message_copy(input->request) : NULL;
    options.handshake_request = handshake_request;
    PyObject *result = NULL;
    if (handshake_request && awscrt_socket_options_from_py(&socket_options, input->socket_options) &&
        s_read_window(&options, input) && awscrt_tls_connection_options_copy(&tls, input->tls_options) &&
        s_read_proxy(&options, &proxy, &kept, input->proxy_options)) {
        options.tls_options = tls.ctx ? &tls : NULL;
        result = s_open(&options);
    }
    awscrt_http_proxy_kept_release(&kept);
    awscrt_tls_connection_options_clean_up(&tls);
    aws_http_message_release(handshake_request);
    return result;
}

static PyObject *s_connect(PyObject *module, PyObject *args) {
    (void)module;
    struct connect_input input = {0};
    if (!s_parse(&input, args)) {
        return NULL;
    }
    PyObject *result = s_connect_to(&input);
    awscrt_buffer_release(&input.host);
    return result;
}

/* ------------------------------------------------------------------------------------------ of one that is open */

static PyObject *s_close(PyObject *module, PyObject *py_websocket) {
    (void)module;
    struct aws_websocket *websocket = awscrt_websocket_get(py_websocket);
    if (!websocket) {
        return NULL;
    }
    AWSCRT_ALLOW_THREADS_BEGIN
    aws_websocket_close(websocket, false);
    AWSCRT_ALLOW_THREADS_END
    return awscrt_none();
}

static PyObject *s_increment_read_window(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *py_websocket;
    size_t size;
    if (!PyArg_ParseTuple(args, "OO&", &py_websocket, awscrt_convert_size, &size)) {
        return NULL;
    }
    struct aws_websocket *websocket = awscrt_websocket_get(py_websocket);
    if (!websocket) {
        return NULL;
    }
    AWSCRT_ALLOW_THREADS_BEGIN
    aws_websocket_increment_read_window(websocket, size);
    AWSCRT_ALLOW_THREADS_END
    return awscrt_none();
}

PyMethodDef awscrt_websocket_methods[] = {
    {"websocket_connect", s_connect, METH_VARARGS, NULL},
    {"websocket_send_frame", awscrt_websocket_send_frame, METH_VARARGS, NULL},
    {"websocket_close", s_close, METH_O, NULL},
    {"websocket_increment_read_window", s_increment_read_window, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
