/* Owns what Python asks of an HTTP stream that is under way. */

#include "http_stream.h"

#include <aws/http/connection.h>
#include <aws/http/http.h>
#include <aws/http/request_response.h>

/* The GIL is held throughout, unlike elsewhere. On HTTP/1.1 a write acquires its input stream, which wants the GIL, while
 * it has the connection's lock; so the order is the GIL first, then locks, and a thread that has the GIL may wait for the
 * lock. None of these calls waits for another thread. */

/* ------------------------------------------------------------------------------------------------- commands */

PyObject *awscrt_http_stream_update_window(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *self;
    size_t increment;
    if (!PyArg_ParseTuple(args, "OO&", &self, awscrt_convert_size, &increment)) {
        return NULL;
    }
    struct awscrt_http_stream_binding *binding = awscrt_http_stream_binding_get(self);
    if (!binding) {
        return NULL;
    }
    awscrt_guard_enter(&binding->guard);
    if (!binding->cancelled) {
        aws_http_stream_update_window(binding->native, increment);
    }
    awscrt_guard_leave(&binding->guard);
    return awscrt_none();
}

/* aws-c-http's HTTP/2 crashes if a stream is cancelled in the same turn of its event loop in which it is given a write, and
 * if it is asked for something between cancelling and the turn after. So nothing is asked from cancel() on, and what was
 * asked before gets its turn first: in one turn the tasks that other threads scheduled, in the next those of this one. */
static void s_cancel(struct aws_channel_task *task, void *user_data, enum aws_task_status status) {
    struct awscrt_http_stream_binding *binding = user_data;
    struct aws_http_stream *stream = binding->native;
    if (status == AWS_TASK_STATUS_RUN_READY && !binding->cancel_settled) {
        binding->cancel_settled = true;
        aws_channel_schedule_task_now(aws_http_connection_get_channel(aws_http_stream_get_connection(stream)), task);
        return;
    }
    if (status == AWS_TASK_STATUS_RUN_READY) {
        aws_http_stream_cancel_default_error(stream);
    }
    aws_http_stream_release(stream);
}

PyObject *awscrt_http_stream_cancel(PyObject *module, PyObject *self) {
    (void)module;
    struct awscrt_http_stream_binding *binding = awscrt_http_stream_binding_get(self);
    if (!binding) {
        return NULL;
    }
    awscrt_guard_enter(&binding->guard);
    bool cancels = binding->active && !binding->cancelled;
    binding->cancelled = binding->cancelled || cancels;
    awscrt_guard_leave(&binding->guard);
    if (cancels) {
        aws_channel_task_init(&binding->cancel_task, s_cancel, binding, "awscrt_http_stream_cancel");
        aws_http_stream_acquire(binding->native);
        struct aws_http_connection *connection = aws_http_stream_get_connection(binding->native);
        struct aws_channel *channel = aws_http_connection_get_channel(connection);
        AWSCRT_ALLOW_THREADS_BEGIN
        aws_channel_schedule_task_now_serialized(channel, &binding->cancel_task);
        AWSCRT_ALLOW_THREADS_END
    }
    return awscrt_none();
}

/* `user_data` is a reference to the callable of the write, which native code has owned since it began. */
static void s_on_write_complete(struct aws_http_stream *stream, int error_code, void *user_data) {
    (void)stream;
    awscrt_http_finish(user_data, error_code);
}

/* The error code. */
static int
s_write(struct awscrt_http_stream_binding *binding, const struct aws_http_stream_write_data_options *options) {
    int code = AWS_ERROR_HTTP_STREAM_HAS_COMPLETED;
    awscrt_guard_enter(&binding->guard);
    if (!binding->cancelled) {
        code = aws_http_stream_write_data(binding->native, options) ? aws_last_error_or_unknown_error() : 0;
    }
    awscrt_guard_leave(&binding->guard);
    return code;
}

PyObject *awscrt_http_stream_write_data(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *self;
    PyObject *py_data;
    int end_stream;
    PyObject *on_complete;
    if (!PyArg_ParseTuple(args, "OOpO", &self, &py_data, &end_stream, &on_complete)) {
        return NULL;
    }
    struct awscrt_http_stream_binding *binding = awscrt_http_stream_binding_get(self);
    bool has_data = !awscrt_is_none(py_data);
    struct aws_input_stream *data = binding && has_data ? awscrt_input_stream_get(py_data) : NULL;
    if (!binding || (has_data && !data)) {
        return NULL;
    }
    struct aws_http_stream_write_data_options options = {
        .data = data,
        .end_stream = end_stream,
        .on_complete = s_on_write_complete,
        .user_data = on_complete,
    };
    Py_IncRef(on_complete);
    int code = s_write(binding, &options);
    if (code) {
        Py_DecRef(on_complete);
        return awscrt_raise_code(code);
    }
    return awscrt_none();
}

/* ------------------------------------------------------------------------------------------------- questions */

/* None until the head of the response is there. */
PyObject *awscrt_http_stream_get_status(PyObject *module, PyObject *self) {
    (void)module;
    struct awscrt_http_stream_binding *binding = awscrt_http_stream_binding_get(self);
    if (!binding) {
        return NULL;
    }
    int status = (int)aws_atomic_load_int(&binding->status);
    return status ? PyLong_FromLong(status) : awscrt_none();
}

/* True if the peer has ended its side already; else `_on_remote_end_stream` is called when it does. */
PyObject *awscrt_http_stream_watch_remote_end(PyObject *module, PyObject *self) {
    (void)module;
    struct awscrt_http_stream_binding *binding = awscrt_http_stream_binding_get(self);
    if (!binding) {
        return NULL;
    }
    aws_atomic_store_int(&binding->watched, 1);
    return PyBool_FromLong(aws_atomic_load_int(&binding->remote_ended) != 0);
}
