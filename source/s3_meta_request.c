/* Owns S3 requests: transfers, each of which the library may carry out by many requests of HTTP. */

#include "s3.h"

#include <aws/http/request_response.h>

/* The handle owns one reference to the request, the client's queue another until the request has ended. */

static void s_destroy(void *native) {
    /* It may be the last reference: then what the request keeps alive ends here too. Otherwise it goes on, and must not wait
     * for a reader that is gone. */
    AWSCRT_ALLOW_THREADS_BEGIN
    aws_s3_meta_request_increment_read_window(native, UINT64_MAX);
    aws_s3_meta_request_release(native);
    AWSCRT_ALLOW_THREADS_END
}

static const struct awscrt_handle_type s_handle_type = {.name = "S3Request", .destroy = s_destroy};

/* What native options borrow while a request is made. */
struct request_arguments {
    struct aws_s3_meta_request_options options;
    struct aws_s3_checksum_config checksum;
    struct awscrt_s3_file_io file_io;
    struct awscrt_s3_signing signing;
    struct awscrt_buffer operation_name;
    struct awscrt_buffer recv_path;
    struct awscrt_buffer send_path;
    struct awscrt_buffer expected_checksum;
    struct aws_s3_client *client;
    struct awscrt_s3_events events;
    PyObject *py_client;
    PyObject *message;
    PyObject *signing_config;
    PyObject *py_checksum; /* a tuple, or None */
};

static void s_arguments_release(struct request_arguments *arguments) {
    AWSCRT_ALLOW_THREADS_BEGIN
    aws_s3_client_release(arguments->client);
    AWSCRT_ALLOW_THREADS_END
    aws_http_message_release(arguments->options.message);
    awscrt_s3_signing_clean_up(&arguments->signing);
    awscrt_buffer_release(&arguments->operation_name);
    awscrt_buffer_release(&arguments->recv_path);
    awscrt_buffer_release(&arguments->send_path);
    awscrt_buffer_release(&arguments->expected_checksum);
}

/* A converter for the "O&" of PyArg_ParseTuple: a path, or None. */
static int s_convert_path(PyObject *object, void *buffer) {
    struct awscrt_buffer *path = buffer;
    if (!object) {
        awscrt_buffer_release(path); /* a later argument was refused */
        return 1;
    }
    if (awscrt_is_none(object)) {
        return Py_CLEANUP_SUPPORTED;
    }
    if (!PyUnicode_FSConverter(object, &path->keeper)) {
        return 0;
    }
    path->cursor = aws_byte_cursor_from_c_str(PyBytes_AsString(path->keeper));
    return Py_CLEANUP_SUPPORTED;
}

static bool s_parse(struct request_arguments *arguments, PyObject *args) {
    struct aws_s3_meta_request_options *options = &arguments->options;
    uint8_t type;
    int wants_headers;
    int wants_body;
    int wants_progress;
    if (!PyArg_ParseTuple(
            args,
            "OOO&O&OOO&O&OO&O&O&O&(ppp)",
            &arguments->events.core,
            &arguments->py_client,
            awscrt_convert_u8,
            &type,
            awscrt_convert_text,
            &arguments->operation_name,
            &arguments->message,
            &arguments->signing_config,
            s_convert_path,
            &arguments->recv_path,
            s_convert_path,
            &arguments->send_path,
            &arguments->py_checksum,
            awscrt_convert_u64,
            &options->part_size,
            awscrt_convert_u64,
            &options->multipart_upload_threshold,
            awscrt_convert_s3_file_io,
            &arguments->file_io,
            awscrt_convert_u32,
            &options->max_active_connections_override,
            &wants_headers,
            &wants_body,
            &wants_progress)) {
        return false;
    }
    options->type = (enum aws_s3_meta_request_type)type;
    options->operation_name = arguments->operation_name.cursor;
    options->recv_filepath = arguments->recv_path.cursor;
    options->send_filepath = arguments->send_path.cursor;
    options->fio_opts = arguments->file_io.given ? &arguments->file_io.options : NULL;
    arguments->events.wants_headers = wants_headers != 0;
    arguments->events.wants_body = wants_body != 0;
    arguments->events.wants_progress = wants_progress != 0;
    return true;
}

static bool s_take_checksum(struct request_arguments *arguments) {
    if (awscrt_is_none(arguments->py_checksum)) {
        return true;
    }
    uint8_t location;
    uint8_t algorithm;
    int validate;
    uint8_t expected_algorithm;
    uint8_t mode;
    if (!PyArg_ParseTuple(
            arguments->py_checksum,
            "O&O&pO&O&O&",
            awscrt_convert_u8,
            &location,
            awscrt_convert_u8,
            &algorithm,
            &validate,
            awscrt_convert_optional_text,
            &arguments->expected_checksum,
            awscrt_convert_u8,
            &expected_algorithm,
            awscrt_convert_u8,
            &mode)) {
        return false;
    }
    struct aws_s3_checksum_config *checksum = &arguments->checksum;
    checksum->location = (enum aws_s3_checksum_location)location;
    checksum->checksum_algorithm = (enum aws_s3_checksum_algorithm)algorithm;
    checksum->validate_response_checksum = validate != 0;
    checksum->expected_checksum = arguments->expected_checksum.cursor;
    checksum->expected_checksum_algorithm = (enum aws_s3_checksum_algorithm)expected_algorithm;
    checksum->response_checksum_validation_mode = (enum aws_s3_checksum_validation_mode)mode;
    arguments->options.checksum_config = checksum;
    return true;
}

static bool s_take_objects(struct request_arguments *arguments) {
    struct aws_s3_meta_request_options *options = &arguments->options;
    arguments->client = awscrt_s3_client_acquire(arguments->py_client);
    options->message = arguments->client ? awscrt_http_message_copy(arguments->message) : NULL;
    if (!options->message ||
        !awscrt_s3_signing_from_py(&arguments->signing, arguments->signing_config, arguments->events.core)) {
        return false;
    }
    options->signing_config = arguments->signing.given ? &arguments->signing.config : NULL;
    return s_take_checksum(arguments);
}

static struct aws_s3_meta_request *s_new_native(struct request_arguments *arguments) {
    struct awscrt_s3_events *events = awscrt_s3_events_new(&arguments->events, &arguments->options);
    struct aws_s3_meta_request *request;
    /* It opens files and takes locks; a request that it gives up lets go of the user's stream. */
    AWSCRT_ALLOW_THREADS_BEGIN
    request = aws_s3_client_make_meta_request(arguments->client, &arguments->options);
    AWSCRT_ALLOW_THREADS_END
    if (!request) {
        awscrt_s3_events_destroy(events);
    }
    return request;
}

static PyObject *s_new(PyObject *module, PyObject *args) {
    (void)module;
    struct request_arguments arguments;
    AWS_ZERO_STRUCT(arguments);
    if (!s_parse(&arguments, args)) {
        return NULL;
    }
    PyObject *handle = NULL;
    if (s_take_objects(&arguments)) {
        handle = awscrt_handle_own(&s_handle_type, s_new_native(&arguments));
    }
    s_arguments_release(&arguments);
    return handle;
}

static void s_acquire(void *native) {
    aws_s3_meta_request_acquire(native);
}

static PyObject *s_cancel(PyObject *module, PyObject *py_request) {
    (void)module;
    struct aws_s3_meta_request *request = awscrt_binding_acquire(py_request, &s_handle_type, s_acquire);
    if (!request) {
        return NULL;
    }
    AWSCRT_ALLOW_THREADS_BEGIN
    awscrt_s3_request_cancel(request);
    aws_s3_meta_request_release(request);
    AWSCRT_ALLOW_THREADS_END
    return awscrt_none();
}

static PyObject *s_increment_read_window(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *py_request;
    uint64_t size;
    if (!PyArg_ParseTuple(args, "OO&", &py_request, awscrt_convert_u64, &size)) {
        return NULL;
    }
    struct aws_s3_meta_request *request = awscrt_binding_acquire(py_request, &s_handle_type, s_acquire);
    if (!request) {
        return NULL;
    }
    AWSCRT_ALLOW_THREADS_BEGIN
    aws_s3_meta_request_increment_read_window(request, size);
    aws_s3_meta_request_release(request);
    AWSCRT_ALLOW_THREADS_END
    return awscrt_none();
}

PyMethodDef awscrt_s3_meta_request_methods[] = {
    {"s3_meta_request_new", s_new, METH_VARARGS, NULL},
    {"s3_meta_request_cancel", s_cancel, METH_O, NULL},
    {"s3_meta_request_increment_read_window", s_increment_read_window, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
