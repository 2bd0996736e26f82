/* Owns HTTP streams of a client: how they are made, begin, and report. */

#include "http_stream.h"

#include <aws/http/request_response.h>

static void s_destroy(void *native) {
    struct awscrt_http_stream_binding *binding = native;
    AWSCRT_ALLOW_THREADS_BEGIN
    aws_http_stream_release(binding->native);
    AWSCRT_ALLOW_THREADS_END
}

static const struct awscrt_handle_type s_handle_type = {.name = "HttpStream", .destroy = s_destroy};

struct awscrt_http_stream_binding *awscrt_http_stream_binding_get(PyObject *stream) {
    return awscrt_binding_get(stream, &s_handle_type);
}

static void s_binding_free(struct awscrt_http_stream_binding *binding) {
    awscrt_guard_clean_up(&binding->guard);
    awscrt_http_head_clean_up(&binding->head);
    aws_mem_release(awscrt_allocator(), binding);
}

static void s_on_destroy(void *user_data) {
    s_binding_free(user_data);
}

/* ------------------------------------------------------------------------------------------------ callbacks */

/* On the thread of the connection's event loop, each. What they raise waits on the Python object, for its future. */

static int s_fail(struct awscrt_http_stream_binding *binding) {
    PyObject *exception = awscrt_exception_take();
    int code = awscrt_code_from_exception(exception);
    if (PyObject_SetAttrString(binding->self, "_exception", exception)) {
        awscrt_exception_unraisable(binding->self);
    }
    Py_DecRef(exception);
    return aws_raise_error(code);
}

/* Calls it with keywords only, which is how it is documented; takes `keywords`, which may be NULL with an exception set. */
static int s_call(struct awscrt_http_stream_binding *binding, PyObject *callable, PyObject *keywords) {
    PyObject *nothing = keywords ? PyTuple_Pack(0) : NULL;
    PyObject *result = nothing ? PyObject_Call(callable, nothing, keywords) : NULL;
    Py_DecRef(nothing);
    Py_DecRef(keywords);
    if (!result) {
        return s_fail(binding);
    }
    Py_DecRef(result);
    return AWS_OP_SUCCESS;
}

static int s_on_headers(
    struct aws_http_stream *stream,
    enum aws_http_header_block block,
    const struct aws_http_header *headers,
    size_t count,
    void *user_data) {
    (void)stream;
    struct awscrt_http_stream_binding *binding = user_data;
    /* HTTP/1.1's trailers come as if they were of the main block, and nobody tells when they are complete. */
    if (block == AWS_HTTP_HEADER_BLOCK_MAIN && aws_atomic_load_int(&binding->status)) {
        block = AWS_HTTP_HEADER_BLOCK_TRAILING;
    }
    if (!binding->wants_block[block]) {
        return AWS_OP_SUCCESS;
    }
    for (size_t i = 0; i < count; ++i) {
        if (awscrt_http_head_append(&binding->head, &headers[i])) {
            return AWS_OP_ERR;
        }
    }
    return AWS_OP_SUCCESS;
}

static PyObject *s_head_keywords(struct awscrt_http_stream_binding *binding, enum aws_http_header_block block) {
    PyObject *headers = awscrt_http_head_take(&binding->head);
    if (!headers) {
        return NULL;
    }
    if (block == AWS_HTTP_HEADER_BLOCK_TRAILING) {
        return Py_BuildValue("{sOsN}", "http_stream", binding->self, "headers", headers);
    }
    int status = (int)aws_atomic_load_int(&binding->status);
    return Py_BuildValue("{sOsisN}", "http_stream", binding->self, "status_code", status, "headers", headers);
}

static int s_deliver_head(struct awscrt_http_stream_binding *binding, enum aws_http_header_block block) {
    PyObject *callable = block == AWS_HTTP_HEADER_BLOCK_MAIN ? binding->on_response : binding->on_trailers;
    return s_call(binding, callable, s_head_keywords(binding, block));
}

static int s_on_block_done(struct aws_http_stream *stream, enum aws_http_header_block block, void *user_data) {
    struct awscrt_http_stream_binding *binding = user_data;
    if (block == AWS_HTTP_HEADER_BLOCK_MAIN) {
        int status;
        if (aws_http_stream_get_incoming_response_status(stream, &status)) {
            return AWS_OP_ERR;
        }
        aws_atomic_store_int(&binding->status, (size_t)status);
    }
    if (!binding->wants_block[block]) {
        return AWS_OP_SUCCESS;
    }
    struct awscrt_callback call;
    if (!awscrt_callback_begin(&call)) {
        return aws_raise_error(AWS_ERROR_INVALID_STATE);
    }
    int result = s_deliver_head(binding, block);
    awscrt_callback_end(&call);
    return result;
}

static int s_on_body(struct aws_http_stream *stream, const struct aws_byte_cursor *data, void *user_data) {
    (void)stream;
    struct awscrt_http_stream_binding *binding = user_data;
    struct awscrt_callback call;
    if (!awscrt_callback_begin(&call)) {
        return aws_raise_error(AWS_ERROR_INVALID_STATE);
    }
    PyObject *chunk = awscrt_bytes_from_cursor(*data);
    PyObject *keywords = chunk ? Py_BuildValue("{sOsN}", "http_stream", binding->self, "chunk", chunk) : NULL;
    int result = s_call(binding, binding->on_body, keywords);
    awscrt_callback_end(&call);
    return result;
}

static void s_on_remote_end(struct aws_http_stream *stream, void *user_data) {
    (void)stream;
    struct awscrt_http_stream_binding *binding = user_data;
    /* First told, then asked, and the other way round in watch_remote_end(): one of the two sees the other. */
    aws_atomic_store_int(&binding->remote_ended, 1);
    if (!aws_atomic_load_int(&binding->watched)) {
        return;
    }
    struct awscrt_callback call;
    if (awscrt_callback_begin(&call)) {
        awscrt_finish_call(PyObject_CallMethod(binding->self, "_on_remote_end_stream", NULL), binding->self);
        awscrt_callback_end(&call);
    }
}

/* Gives up what activation took: the last thing to be done with the binding, which may go with it. */
static void s_deactivate(struct awscrt_http_stream_binding *binding) {
    PyObject *held[] = {binding->on_response, binding->on_body, binding->on_trailers, binding->self};
    binding->on_response = binding->on_body = binding->on_trailers = NULL;
    for (size_t i = 0; i < AWS_ARRAY_SIZE(held); ++i) {
        Py_DecRef(held[i]);
    }
}

static void s_on_complete(struct aws_http_stream *stream, int error_code, void *user_data) {
    (void)stream;
    struct awscrt_http_stream_binding *binding = user_data;
    struct awscrt_callback call;
    if (!awscrt_callback_begin(&call)) {
        return;
    }
    if (!error_code && binding->head.count && s_deliver_head(binding, AWS_HTTP_HEADER_BLOCK_TRAILING)) {
        error_code = aws_last_error();
    }
    int status = (int)aws_atomic_load_int(&binding->status);
    PyObject *error = awscrt_exception_from_code(error_code);
    if (error) {
        PyObject *result = PyObject_CallMethod(binding->self, "_on_complete", "iO", status, error);
        awscrt_finish_call(result, binding->self);
    }
    Py_DecRef(error);
    s_deactivate(binding);
    awscrt_callback_end(&call);
}

/* --------------------------------------------------------------------------------------------------- create */

struct wants {
    int response;
    int body;
    int trailers;
    int manual_write;
    uint64_t first_byte_timeout_ms;
};

static struct awscrt_http_stream_binding *s_binding_new(PyObject *self, const struct wants *wants) {
    struct awscrt_http_stream_binding *binding = awscrt_new(sizeof(*binding));
    if (!binding) {
        return NULL;
    }
    binding->self = self;
    binding->wants_block[AWS_HTTP_HEADER_BLOCK_MAIN] = wants->response;
    binding->wants_block[AWS_HTTP_HEADER_BLOCK_TRAILING] = wants->trailers;
    return binding;
}

/* The GIL is held throughout: it guards the message, which is read here and which a forwarding proxy rewrites. See
 * http_stream_command.c about locks. */
static struct aws_http_stream *s_make(
    struct aws_http_connection *connection,
    struct aws_http_message *message,
    struct awscrt_http_stream_binding *binding,
    const struct wants *wants) {
    struct aws_http_make_request_options options = {
        .self_size = sizeof(options),
        .request = message,
        .user_data = binding,
        .on_response_headers = s_on_headers,
        .on_response_header_block_done = s_on_block_done,
        .on_response_body = wants->body ? s_on_body : NULL,
        .on_h2_remote_end_stream = s_on_remote_end,
        .on_complete = s_on_complete,
        .on_destroy = s_on_destroy,
        .use_manual_data_writes = wants->manual_write,
        .response_first_byte_timeout_ms = wants->first_byte_timeout_ms,
    };
    struct awscrt_guard *guard = awscrt_http_message_guard(message);
    awscrt_guard_enter(guard);
    struct aws_http_stream *stream = aws_http_connection_make_request(connection, &options);
    awscrt_guard_leave(guard);
    return stream;
}

static PyObject *s_new(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *self;
    PyObject *py_connection;
    PyObject *py_request;
    struct wants wants;
    if (!PyArg_ParseTuple(
            args,
            "OOOppppO&",
            &self,
            &py_connection,
            &py_request,
            &wants.response,
            &wants.body,
            &wants.trailers,
            &wants.manual_write,
            awscrt_convert_u64,
            &wants.first_byte_timeout_ms)) {
        return NULL;
    }
    struct aws_http_connection *connection = awscrt_http_connection_get(py_connection);
    struct aws_http_message *message = connection ? awscrt_http_message_get(py_request) : NULL;
    struct awscrt_http_stream_binding *binding = message ? s_binding_new(self, &wants) : NULL;
    if (!binding) {
        return NULL;
    }
    binding->native = s_make(connection, message, binding, &wants);
    if (!binding->native) {
        s_binding_free(binding); /* a failure calls nothing back */
        return awscrt_raise_last();
    }
    return awscrt_handle_own(&s_handle_type, binding);
}

/* ------------------------------------------------------------------------------------------------- activate */

/* An attribute that is None or a callable. False with an exception set. */
static bool s_read_callback(PyObject **callback, PyObject *self, const char *name) {
    *callback = PyObject_GetAttrString(self, name);
    if (*callback && awscrt_is_none(*callback)) {
        Py_DecRef(*callback);
        *callback = NULL;
        return true;
    }
    return *callback != NULL;
}

/* What was taken is given up if it fails, with an exception set. */
static bool s_activate_once(struct awscrt_http_stream_binding *binding, PyObject *self) {
    Py_IncRef(self);
    if (!s_read_callback(&binding->on_response, self, "_on_response") ||
        !s_read_callback(&binding->on_body, self, "_on_body") ||
        !s_read_callback(&binding->on_trailers, self, "_on_trailers")) {
        s_deactivate(binding);
        return false;
    }
    if (aws_http_stream_activate(binding->native)) {
        awscrt_raise_last();
        s_deactivate(binding);
        return false;
    }
    return true;
}

/* The GIL is held throughout, as by the commands: one of another thread finds the stream active or not, never in between. */
static PyObject *s_activate(PyObject *module, PyObject *self) {
    (void)module;
    struct awscrt_http_stream_binding *binding = awscrt_http_stream_binding_get(self);
    if (!binding) {
        return NULL;
    }
    awscrt_guard_enter(&binding->guard);
    binding->active = binding->active || s_activate_once(binding, self);
    bool active = binding->active;
    awscrt_guard_leave(&binding->guard);
    return active ? awscrt_none() : NULL;
}

PyMethodDef awscrt_http_stream_methods[] = {
    {"http_stream_new", s_new, METH_VARARGS, NULL},
    {"http_stream_activate", s_activate, METH_O, NULL},
    {"http_stream_update_window", awscrt_http_stream_update_window, METH_VARARGS, NULL},
    {"http_stream_cancel", awscrt_http_stream_cancel, METH_O, NULL},
    {"http_stream_write_data", awscrt_http_stream_write_data, METH_VARARGS, NULL},
    {"http_stream_get_status", awscrt_http_stream_get_status, METH_O, NULL},
    {"http_stream_watch_remote_end", awscrt_http_stream_watch_remote_end, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};
