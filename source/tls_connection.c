/* Owns the options of one TLS connection: its context, server name and application protocols. */

#include "io.h"

#include <aws/io/tls_channel_handler.h>

/* The handle owns the struct, which holds one reference to the context. */

static void s_destroy(void *native) {
    AWSCRT_ALLOW_THREADS_BEGIN
    aws_tls_connection_options_clean_up(native);
    AWSCRT_ALLOW_THREADS_END
    aws_mem_release(awscrt_allocator(), native);
}

static const struct awscrt_handle_type s_handle_type = {.name = "TlsConnectionOptions", .destroy = s_destroy};

struct aws_tls_connection_options *awscrt_tls_connection_options_get(PyObject *options) {
    return awscrt_binding_get(options, &s_handle_type);
}

static PyObject *s_new(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *py_context;
    if (!PyArg_ParseTuple(args, "O", &py_context)) {
        return NULL;
    }
    struct aws_tls_ctx *context = awscrt_tls_context_get(py_context);
    struct aws_tls_connection_options *options = context ? awscrt_new(sizeof(*options)) : NULL;
    if (!options) {
        return NULL;
    }
    aws_tls_connection_options_init_from_ctx(options, context);
    return awscrt_handle_own(&s_handle_type, options);
}

static PyObject *s_set_alpn_list(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *py_options;
    const char *protocols;
    if (!PyArg_ParseTuple(args, "Os", &py_options, &protocols)) {
        return NULL;
    }
    struct aws_tls_connection_options *options = awscrt_tls_connection_options_get(py_options);
    if (!options) {
        return NULL;
    }
    if (aws_tls_connection_options_set_alpn_list(options, awscrt_allocator(), protocols)) {
        return awscrt_raise_last();
    }
    return awscrt_none();
}

static PyObject *s_set_server_name(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *py_options;
    struct awscrt_buffer name = {0};
    if (!PyArg_ParseTuple(args, "OO&", &py_options, awscrt_convert_buffer, &name)) {
        return NULL;
    }
    struct aws_tls_connection_options *options = awscrt_tls_connection_options_get(py_options);
    PyObject *result = NULL;
    if (options) {
        result = aws_tls_connection_options_set_server_name(options, awscrt_allocator(), &name.cursor)
                     ? awscrt_raise_last()
                     : awscrt_none();
    }
    awscrt_buffer_release(&name);
    return result;
}

PyMethodDef awscrt_tls_connection_methods[] = {
    {"tls_connection_options_new", s_new, METH_VARARGS, NULL},
    {"tls_connection_options_set_alpn_list", s_set_alpn_list, METH_VARARGS, NULL},
    {"tls_connection_options_set_server_name", s_set_server_name, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
