/* Owns S3 clients: the connections, threads and buffers that S3 requests share. */

#include "s3.h"

#include <aws/auth/credentials.h>
#include <aws/io/channel_bootstrap.h>
#include <aws/io/event_loop.h>
#include <aws/io/io.h>

#ifndef _WIN32
#    include <errno.h>
#    include <fcntl.h>
#    include <unistd.h>
#endif

/* The handle owns one reference to the client; each of its requests holds another. The client owns `on_shutdown`, which
 * keeps alive what its signing configuration points to, until it has called it, on the thread that ended last. */

static void s_destroy(void *native) {
    /* Starts the end of threads, which may be in a callback that wants the GIL. */
    AWSCRT_ALLOW_THREADS_BEGIN
    aws_s3_client_release(native);
    AWSCRT_ALLOW_THREADS_END
}

static const struct awscrt_handle_type s_handle_type = {.name = "S3Client", .destroy = s_destroy};

static void s_acquire(void *native) {
    aws_s3_client_acquire(native);
}

struct aws_s3_client *awscrt_s3_client_acquire(PyObject *client) {
    return awscrt_binding_acquire(client, &s_handle_type, s_acquire);
}

int awscrt_convert_s3_file_io(PyObject *object, void *file_io) {
    struct awscrt_s3_file_io *parsed = file_io;
    AWS_ZERO_STRUCT(*parsed);
    if (awscrt_is_none(object)) {
        return 1;
    }
    int should_stream;
    int direct_io;
    if (!PyArg_ParseTuple(object, "pdp", &should_stream, &parsed->options.disk_throughput_gbps, &direct_io)) {
        return 0;
    }
    parsed->options.should_stream = should_stream != 0;
    parsed->options.direct_io = direct_io != 0;
    parsed->given = true;
    return 1;
}

/* What native options borrow while a client is made. */
struct client_arguments {
    struct aws_s3_client_config config;
    struct awscrt_s3_file_io file_io;
    struct awscrt_s3_signing signing;
    struct aws_tls_connection_options tls;
    struct awscrt_buffer region;
    struct aws_byte_cursor *interfaces;
    PyObject *bootstrap;
    PyObject *signing_config;
    PyObject *tls_options;
    PyObject *py_interfaces; /* a list of bytes, or None */
    PyObject *on_shutdown;
};

static bool s_parse(struct client_arguments *arguments, PyObject *args) {
    struct aws_s3_client_config *config = &arguments->config;
    uint8_t tls_mode;
    uint8_t jitter_mode;
    int s3express;
    size_t window;
    /* On failure, the converter of the region has given back what it took. */
    if (!PyArg_ParseTuple(
            args,
            "OOOO&O&O&O&dpO&OO&O&(O&O&O&O&O&)O&O&O",
            &arguments->bootstrap,
            &arguments->signing_config,
            &arguments->tls_options,
            awscrt_convert_text,
            &arguments->region,
            awscrt_convert_u8,
            &tls_mode,
            awscrt_convert_u64,
            &config->part_size,
            awscrt_convert_u64,
            &config->multipart_upload_threshold,
            &config->throughput_target_gbps,
            &s3express,
            awscrt_convert_u64,
            &config->memory_limit_in_bytes,
            &arguments->py_interfaces,
            awscrt_convert_s3_file_io,
            &arguments->file_io,
            awscrt_convert_u32,
            &config->max_active_connections_override,
            awscrt_convert_size,
            &config->retry_config.max_retries,
            awscrt_convert_u32,
            &config->retry_config.backoff_scale_factor_ms,
            awscrt_convert_u32,
            &config->retry_config.max_backoff_secs,
            awscrt_convert_u8,
            &jitter_mode,
            awscrt_convert_size,
            &config->retry_config.initial_bucket_capacity,
            awscrt_convert_u32,
            &config->connect_timeout_ms,
            awscrt_convert_size,
            &window,
            &arguments->on_shutdown)) {
        return false;
    }
    config->tls_mode = (enum aws_s3_meta_request_tls_mode)tls_mode;
    config->retry_config.jitter_mode = (enum aws_exponential_backoff_jitter_mode)jitter_mode;
    config->enable_s3express = s3express != 0;
    config->enable_read_backpressure = window != 0;
    config->initial_read_window = window;
    config->region = arguments->region.cursor;
    config->fio_opts = arguments->file_io.given ? &arguments->file_io.options : NULL;
    return true;
}

static bool s_take_interfaces(struct client_arguments *arguments) {
    if (awscrt_is_none(arguments->py_interfaces)) {
        return true;
    }
    Py_ssize_t count = PyList_Size(arguments->py_interfaces);
    if (count <= 0) {
        return count == 0;
    }
    arguments->interfaces = awscrt_new((size_t)count * sizeof(*arguments->interfaces));
    if (!arguments->interfaces) {
        return false;
    }
    for (Py_ssize_t i = 0; i < count; ++i) {
        char *name;
        Py_ssize_t size;
        if (PyBytes_AsStringAndSize(PyList_GetItem(arguments->py_interfaces, i), &name, &size)) {
            return false;
        }
        arguments->interfaces[i] = aws_byte_cursor_from_array(name, (size_t)size);
    }
    arguments->config.network_interface_names_array = arguments->interfaces;
    arguments->config.num_network_interface_names = (size_t)count;
    return true;
}

static bool s_take_objects(struct client_arguments *arguments) {
    struct aws_s3_client_config *config = &arguments->config;
    config->client_bootstrap = awscrt_client_bootstrap_get(arguments->bootstrap);
    if (!config->client_bootstrap ||
        !awscrt_s3_signing_from_py(&arguments->signing, arguments->signing_config, arguments->on_shutdown) ||
        !awscrt_tls_connection_options_copy(&arguments->tls, arguments->tls_options)) {
        return false;
    }
    config->signing_config = arguments->signing.given ? &arguments->signing.config : NULL;
    config->tls_connection_options = arguments->tls.ctx ? &arguments->tls : NULL;
    return s_take_interfaces(arguments);
}

/* The library ends the process where it cannot make its second group of event loops. */
static bool s_has_descriptors(const struct aws_client_bootstrap *bootstrap) {
#ifdef _WIN32
    (void)bootstrap;
    return true;
#else
    /* A queue of events, a timer, and to wake it a pipe, or an eventfd where the C library is glibc. */
    enum { DESCRIPTORS_OF_A_LOOP = 4, LOOPS_FOR_EACH = 2 };
    size_t loops = LOOPS_FOR_EACH * aws_event_loop_group_get_loop_count(bootstrap->event_loop_group);
    size_t wanted = DESCRIPTORS_OF_A_LOOP * loops;
    int *descriptors = aws_mem_calloc(awscrt_allocator(), wanted + 1, sizeof(*descriptors));
    size_t count = 0;
    while (count < wanted && (descriptors[count] = open("/", O_RDONLY | O_CLOEXEC)) >= 0) {
        ++count;
    }
    bool enough = count == wanted;
    int reason = errno;
    while (count > 0) {
        close(descriptors[--count]);
    }
    aws_mem_release(awscrt_allocator(), descriptors);
    if (!enough) {
        aws_translate_and_raise_io_error(reason);
    }
    return enough;
#endif
}

static struct aws_s3_client *s_new_native(struct client_arguments *arguments) {
    struct aws_s3_client_config *config = &arguments->config;
    struct aws_s3_client *client = NULL;
    struct aws_credentials *anonymous = NULL;
    config->shutdown_callback = awscrt_call_and_drop;
    config->shutdown_callback_user_data = arguments->on_shutdown;
    Py_IncRef(arguments->on_shutdown);
    /* It may ask the network what machine this is, and starts threads. */
    AWSCRT_ALLOW_THREADS_BEGIN
    if (!config->signing_config) {
        arguments->signing.config.credentials = anonymous = aws_credentials_new_anonymous(awscrt_allocator());
        config->signing_config = &arguments->signing.config;
    }
    if (s_has_descriptors(config->client_bootstrap)) {
        client = aws_s3_client_new(awscrt_allocator(), config);
    }
    aws_credentials_release(anonymous);
    AWSCRT_ALLOW_THREADS_END
    if (!client) {
        Py_DecRef(arguments->on_shutdown);
    }
    return client;
}

static PyObject *s_new(PyObject *module, PyObject *args) {
    (void)module;
    struct client_arguments arguments;
    AWS_ZERO_STRUCT(arguments);
    if (!s_parse(&arguments, args)) {
        return NULL;
    }
    PyObject *handle = NULL;
    if (awscrt_start_io() && s_take_objects(&arguments)) {
        handle = awscrt_handle_own(&s_handle_type, s_new_native(&arguments));
    }
    awscrt_s3_signing_clean_up(&arguments.signing);
    awscrt_tls_connection_options_clean_up(&arguments.tls);
    aws_mem_release(awscrt_allocator(), arguments.interfaces);
    awscrt_buffer_release(&arguments.region);
    return handle;
}

PyMethodDef awscrt_s3_client_methods[] = {
    {"s3_client_new", s_new, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
