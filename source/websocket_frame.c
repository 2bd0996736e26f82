/* Owns frames on their way out of a WebSocket. */

#include "websocket.h"

/* RFC 6455, section 5.5. */
enum { MAX_CONTROL_PAYLOAD = 125 };

/* Owned by the WebSocket from the moment at which it takes the frame until it reports its end, on the event loop's
 * thread, which frees it. Keeps the payload's exporter and the callable alive: the payload is read where it lies. */
struct outgoing_frame {
    struct awscrt_buffer payload; /* holds the Python object for the bytes */
    struct aws_byte_cursor unsent;
    PyObject *on_complete; /* None if nobody wants to know */
};

static void s_frame_destroy(struct outgoing_frame *frame) {
    awscrt_buffer_release(&frame->payload);
    Py_DecRef(frame->on_complete);
    aws_mem_release(awscrt_allocator(), frame);
}

/* Without the GIL: the bytes are held, and nothing else of Python is touched. */
static bool s_stream_payload(struct aws_websocket *websocket, struct aws_byte_buf *out, void *user_data) {
    (void)websocket;
    struct outgoing_frame *frame = user_data;
    aws_byte_buf_write_to_capacity(out, &frame->unsent);
    return true;
}

static void s_on_complete(struct aws_websocket *websocket, int error_code, void *user_data) {
    struct outgoing_frame *frame = user_data;
    struct awscrt_callback call;
    if (!awscrt_callback_begin(&call)) {
        return;
    }
    bool goes_on = true;
    if (!awscrt_is_none(frame->on_complete)) {
        PyObject *exception = awscrt_websocket_exception(error_code);
        PyObject *answer = exception ? PyObject_CallFunctionObjArgs(frame->on_complete, exception, NULL) : NULL;
        Py_DecRef(exception);
        goes_on = awscrt_websocket_goes_on(answer, frame->on_complete);
    }
    s_frame_destroy(frame);
    awscrt_callback_end(&call);
    if (!goes_on) {
        aws_websocket_close(websocket, false);
    }
}

static bool s_acquire_payload(struct outgoing_frame *frame, PyObject *payload) {
    if (!awscrt_is_none(payload) && !awscrt_buffer_acquire_text(&frame->payload, payload)) {
        return false;
    }
    frame->unsent = frame->payload.cursor;
    return true;
}

/* The library would find out on the event loop's thread and close the connection, or leave it to the peer to do so. */
static bool s_check_control(uint8_t opcode, size_t size, bool fin) {
    if (aws_websocket_is_data_frame(opcode) || (fin && size <= MAX_CONTROL_PAYLOAD)) {
        return true;
    }
    PyErr_SetString(
        PyExc_ValueError,
        fin ? "payload must be at most 125 bytes for a control frame (RFC 6455, section 5.5)"
            : "fin must be True for a control frame (RFC 6455, section 5.5)");
    return false;
}

static PyObject *s_send(
    struct aws_websocket *websocket, struct aws_websocket_send_frame_options *options, struct outgoing_frame *frame) {

    options->user_data = frame;
    options->payload_length = frame->unsent.len;
    options->stream_outgoing_payload = s_stream_payload;
    options->on_complete = s_on_complete;
    int code;
    AWSCRT_ALLOW_THREADS_BEGIN
    code = aws_websocket_send_frame(websocket, options) ? aws_last_error() : AWS_ERROR_SUCCESS;
    AWSCRT_ALLOW_THREADS_END
    if (code) {
        s_frame_destroy(frame);
        return awscrt_raise_code(code);
    }
    return awscrt_none();
}

PyObject *awscrt_websocket_send_frame(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *py_websocket;
    struct aws_websocket_send_frame_options options = {0};
    PyObject *payload;
    int fin;
    PyObject *on_complete;
    if (!PyArg_ParseTuple(
            args, "OO&OpO", &py_websocket, awscrt_convert_u8, &options.opcode, &payload, &fin, &on_complete)) {
        return NULL;
    }
    options.fin = fin != 0;
    struct aws_websocket *websocket = awscrt_websocket_get(py_websocket);
    struct outgoing_frame *frame = websocket ? awscrt_new(sizeof(*frame)) : NULL;
    if (!frame) {
        return NULL;
    }
    Py_IncRef(on_complete);
    frame->on_complete = on_complete;
    if (!s_acquire_payload(frame, payload) || !s_check_control(options.opcode, frame->unsent.len, options.fin)) {
        s_frame_destroy(frame);
        return NULL;
    }
    return s_send(websocket, &options, frame);
}
