/* Owns what the library tells of an S3 request while it lasts, and how it reaches Python.
 *
 * It comes from threads of the library's own, one call at a time for each request. */

#include "s3.h"

#include <aws/http/request_response.h>
#include <aws/http/status_code.h>

#include <string.h>

/* The library forgets, when it counts what has still to be written, the write of no bytes by which the download of an empty
 * object into a file ends: it may close the file and free the request before a thread of its own comes to that write. A
 * request that has failed it does not end so. Therefore that of an empty object is failed from its headers, with a code that
 * the library does not use for it, and told to the user as what it is: all went well, for the file was emptied at the start. */
enum { EMPTY_FILE_CODE = AWS_ERROR_S3_REQUEST_HAS_COMPLETED };

/* The exception that a callback left pending waits on the core, where the cycle collector sees it. */
static int s_fail(PyObject *core) {
    PyObject *exception = awscrt_exception_take();
    int code = awscrt_code_from_exception(exception);
    if (PyObject_SetAttrString(core, "_exception", exception)) {
        awscrt_exception_unraisable(core);
    }
    Py_DecRef(exception);
    return aws_raise_error(code);
}

/* Ends a call of the core; takes the reference. */
static int s_end_call(PyObject *core, PyObject *result) {
    if (!result) {
        return s_fail(core);
    }
    Py_DecRef(result);
    return AWS_OP_SUCCESS;
}

static PyObject *s_headers_to_py(const struct aws_http_headers *headers) {
    if (!headers) {
        return awscrt_none();
    }
    size_t count = aws_http_headers_count(headers);
    struct aws_http_header *array = awscrt_new((count + 1) * sizeof(*array));
    if (!array) {
        return NULL;
    }
    for (size_t i = 0; i < count; ++i) {
        aws_http_headers_get_index(headers, i, &array[i]);
    }
    PyObject *list = awscrt_http_headers_to_py(array, count);
    aws_mem_release(awscrt_allocator(), array);
    return list;
}

static int s_tell_headers(PyObject *core, const struct aws_http_headers *headers, int status) {
    struct awscrt_callback call;
    if (!awscrt_callback_begin(&call)) {
        return aws_raise_error(AWS_ERROR_INVALID_STATE);
    }
    PyObject *list = s_headers_to_py(headers);
    int result = s_end_call(core, list ? PyObject_CallMethod(core, "_on_headers", "iO", status, list) : NULL);
    Py_DecRef(list);
    awscrt_callback_end(&call);
    return result;
}

static bool s_is_empty_object(const struct aws_http_headers *headers, int status) {
    struct aws_byte_cursor length;
    return status == AWS_HTTP_STATUS_CODE_200_OK &&
           aws_http_headers_get(headers, aws_byte_cursor_from_c_str("Content-Length"), &length) == AWS_OP_SUCCESS &&
           aws_byte_cursor_eq_c_str(&length, "0");
}

static int
s_on_headers(struct aws_s3_meta_request *request, const struct aws_http_headers *headers, int status, void *user_data) {
    (void)request;
    struct awscrt_s3_events *events = user_data;
    if (events->wants_headers && s_tell_headers(events->core, headers, status)) {
        return AWS_OP_ERR;
    }
    if (events->guards_file && s_is_empty_object(headers, status)) {
        events->is_empty_file = true;
        return aws_raise_error(EMPTY_FILE_CODE);
    }
    return AWS_OP_SUCCESS;
}

/* One copy, for users keep what they get; made without the GIL, as it takes a millisecond for a part of usual size. */
static PyObject *s_copy_body(struct aws_byte_cursor body) {
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)body.len);
    if (bytes && body.len) {
        char *memory = PyBytes_AsString(bytes);
        AWSCRT_ALLOW_THREADS_BEGIN
        memcpy(memory, body.ptr, body.len);
        AWSCRT_ALLOW_THREADS_END
    }
    return bytes;
}

static int
s_on_body(struct aws_s3_meta_request *request, const struct aws_byte_cursor *body, uint64_t offset, void *user_data) {
    (void)request;
    PyObject *core = ((struct awscrt_s3_events *)user_data)->core;
    struct awscrt_callback call;
    if (!awscrt_callback_begin(&call)) {
        return aws_raise_error(AWS_ERROR_INVALID_STATE);
    }
    PyObject *chunk = s_copy_body(*body);
    PyObject *done = chunk ? PyObject_CallMethod(core, "_on_body", "OK", chunk, (unsigned long long)offset) : NULL;
    int result = s_end_call(core, done);
    Py_DecRef(chunk);
    awscrt_callback_end(&call);
    return result;
}

void awscrt_s3_request_cancel(struct aws_s3_meta_request *request) {
    /* A request whose client has a read window ends only when it could deliver all that it has. First the window, for the
     * library does not look at it again where it has found the request cancelled. */
    aws_s3_meta_request_increment_read_window(request, UINT64_MAX);
    aws_s3_meta_request_cancel(request);
}

static void s_on_progress(
    struct aws_s3_meta_request *request, const struct aws_s3_meta_request_progress *progress, void *user_data) {
    PyObject *core = ((struct awscrt_s3_events *)user_data)->core;
    struct awscrt_callback call;
    if (!awscrt_callback_begin(&call)) {
        return;
    }
    unsigned long long bytes = progress->bytes_transferred;
    int result = s_end_call(core, PyObject_CallMethod(core, "_on_progress", "K", bytes));
    awscrt_callback_end(&call);
    if (result != AWS_OP_SUCCESS) {
        awscrt_s3_request_cancel(request); /* this callback has no other way to fail */
    }
}

static PyObject *s_body_to_py(const struct aws_byte_buf *body) {
    return body ? awscrt_bytes_from_cursor(aws_byte_cursor_from_buf(body)) : awscrt_none();
}

static PyObject *s_name_to_py(const struct aws_string *name) {
    return name ? awscrt_text_from_cursor(aws_byte_cursor_from_string(name)) : awscrt_none();
}

static void
s_on_finish(struct aws_s3_meta_request *request, const struct aws_s3_meta_request_result *result, void *user_data) {
    (void)request;
    struct awscrt_s3_events *events = user_data;
    PyObject *core = events->core;
    bool is_empty_file = events->is_empty_file && result->error_code == EMPTY_FILE_CODE;
    struct awscrt_callback call;
    if (!awscrt_callback_begin(&call)) {
        return;
    }
    PyObject *response = Py_BuildValue(
        "NNN",
        s_headers_to_py(result->error_response_headers),
        s_body_to_py(result->error_response_body),
        s_name_to_py(result->error_response_operation_name));
    if (!response) {
        s_fail(core); /* no memory; the core must come to an end all the same */
        response = awscrt_none();
    }
    PyObject *done = PyObject_CallMethod(
        core,
        "_on_finish",
        "iiNii",
        is_empty_file ? AWS_ERROR_SUCCESS : result->error_code,
        is_empty_file ? AWS_HTTP_STATUS_CODE_200_OK : result->response_status,
        response,
        (int)result->did_validate,
        (int)result->validation_algorithm);
    awscrt_finish_call(done, core);
    awscrt_callback_end(&call);
}

void awscrt_s3_events_destroy(struct awscrt_s3_events *events) {
    Py_DecRef(events->core);
    aws_mem_release(awscrt_allocator(), events);
}

static void s_on_shutdown(void *user_data) {
    struct awscrt_s3_events *events = user_data;
    struct awscrt_callback call;
    if (!awscrt_callback_begin(&call)) {
        return;
    }
    awscrt_finish_call(PyObject_CallMethod(events->core, "_on_shutdown", NULL), events->core);
    awscrt_s3_events_destroy(events);
    awscrt_callback_end(&call);
}

struct awscrt_s3_events *
awscrt_s3_events_new(const struct awscrt_s3_events *wanted, struct aws_s3_meta_request_options *options) {
    struct awscrt_s3_events *events = aws_mem_calloc(awscrt_allocator(), 1, sizeof(*events));
    *events = *wanted;
    events->guards_file = options->type == AWS_S3_META_REQUEST_TYPE_GET_OBJECT && options->recv_filepath.len > 0;
    Py_IncRef(events->core);
    options->headers_callback = events->wants_headers || events->guards_file ? s_on_headers : NULL;
    options->body_callback = events->wants_body ? s_on_body : NULL;
    options->progress_callback = events->wants_progress ? s_on_progress : NULL;
    options->finish_callback = s_on_finish;
    options->shutdown_callback = s_on_shutdown;
    options->user_data = events;
    return events;
}
