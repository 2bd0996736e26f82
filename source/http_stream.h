/* Owns what the files of HTTP streams share: the native side of one request and its response. */
#ifndef AWSCRT_HTTP_STREAM_H
#define AWSCRT_HTTP_STREAM_H

#include "http_head.h"

#include <aws/common/atomics.h>
#include <aws/io/channel.h>

struct aws_http_stream;

/* Owned by the native stream, which frees it last of all (its on_destroy), on any thread. The stream lives as long as the
 * handle of `self` does and, once activated, until it is complete; it keeps the native connection alive.
 *
 * From activation until completion the binding keeps `self` and its callbacks alive, so that an exchange goes on though
 * nobody holds it. Otherwise `self` is borrowed, and what refers to it in a circle is seen by the cycle collector. */
struct awscrt_http_stream_binding {
    struct aws_http_stream *native;
    PyObject *self;
    PyObject *on_response; /* the callbacks are NULL if there are none, and before and after */
    PyObject *on_body;
    PyObject *on_trailers;
    struct awscrt_guard guard; /* of what the GIL guards */
    bool active;               /* guarded by the GIL */
    bool wants_block[3];
    struct awscrt_http_head head;
    struct aws_atomic_var status; /* 0 until the head of the response is complete */
    /* Whether the peer has ended its side, and whether Python is to hear of it. */
    struct aws_atomic_var remote_ended;
    struct aws_atomic_var watched;
    /* True from cancel() on, when native code must not be asked for more. Guarded by the GIL, which whatever asks holds
     * while it does. */
    bool cancelled;
    bool cancel_settled; /* on the event loop's thread only */
    struct aws_channel_task cancel_task;
};

struct awscrt_http_stream_binding *awscrt_http_stream_binding_get(PyObject *stream);

/* Functions of the module. */
PyObject *awscrt_http_stream_update_window(PyObject *module, PyObject *args);
PyObject *awscrt_http_stream_cancel(PyObject *module, PyObject *self);
PyObject *awscrt_http_stream_write_data(PyObject *module, PyObject *args);
PyObject *awscrt_http_stream_get_status(PyObject *module, PyObject *self);
PyObject *awscrt_http_stream_watch_remote_end(PyObject *module, PyObject *self);

#endif
