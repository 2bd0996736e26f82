/* Owns what the files of event streams give to one another: messages both ways, and the connection below a stream. */
#ifndef AWSCRT_EVENT_STREAM_H
#define AWSCRT_EVENT_STREAM_H

#include "io.h"

#include <aws/event-stream/event_stream_rpc_client.h>

/* A message on its way out. On the stack of the function that sends it, which releases it with the GIL held; its headers
 * and its payload borrow from the Python objects that it was made of. Starts zeroed. */
struct awscrt_event_stream_message {
    struct aws_event_stream_rpc_message_args args;
    struct aws_byte_buf payload;
    struct awscrt_buffer payload_buffer;
};

/* What Python says about a message: a list of (name, type, value) as they go over the wire, the payload or None, the
 * type, the flags, and what to call when it is sent. */
struct awscrt_event_stream_request {
    PyObject *headers;
    PyObject *payload;
    uint32_t type;
    uint32_t flags;
    PyObject *on_flush;
};

/* The format of the arguments that fill a request, and the arguments. */
#define AWSCRT_EVENT_STREAM_REQUEST_FORMAT "OOO&O&O"
#define AWSCRT_EVENT_STREAM_REQUEST_TARGETS(request)                                                                   \
    &(request).headers, &(request).payload, awscrt_convert_u32, &(request).type, awscrt_convert_u32, &(request).flags, \
        &(request).on_flush

/* False with an exception set, and nothing kept. */
bool awscrt_event_stream_message_init(
    struct awscrt_event_stream_message *message, const struct awscrt_event_stream_request *request);
void awscrt_event_stream_message_release(struct awscrt_event_stream_message *message);

/* Told that a message was sent, or why not: `on_flush` is the Python callable, a reference that came with the message. */
void awscrt_event_stream_on_flush(int error_code, void *on_flush);

/* Hands a message that came in to `_on_message(headers, payload, type, flags)` of a Python object, and an exception
 * that this raises to its `_fail(exception)`. From any thread. */
void awscrt_event_stream_deliver(PyObject *receiver, const struct aws_event_stream_rpc_message_args *args);

/* The exception for a code, or for the failure to make one; None for 0. Never NULL. */
PyObject *awscrt_event_stream_exception(int error_code);

/* What an awscrt.eventstream.rpc.ClientConnection holds: borrowed, alive as long as the object. NULL with an exception
 * set. */
struct aws_event_stream_rpc_client_connection *awscrt_event_stream_connection_get(PyObject *connection);

#endif
