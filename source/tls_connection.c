/* Owns the options of one TLS connection: its context, server name and application protocols. */

#include "io.h"

#include <aws/io/tls_channel_handler.h>

/* The handle owns the struct, which holds one reference to the context. Guarded by the GIL, so others work with a copy. */

void awscrt_tls_connection_options_clean_up(struct aws_tls_connection_options *copy) {
    /* It may be the last user of its context; see there. */
    AWSCRT_ALLOW_THREADS_BEGIN
    aws_tls_connection_options_clean_up(copy);
    AWSCRT_ALLOW_THREADS_END
}

static void s_destroy(void *native) {
    awscrt_tls_connection_options_clean_up(native);
    aws_mem_release(awscrt_allocator(), native);
}

static const struct awscrt_handle_type s_handle_type = {.name = "TlsConnectionOptions", .destroy = s_destroy};

bool awscrt_tls_connection_options_copy(struct aws_tls_connection_options *copy, PyObject *options) {
    if (awscrt_is_none(options)) {
        return true;
    }
    struct aws_tls_connection_options *native = awscrt_binding_get(options, &s_handle_type);
    if (!native) {
        return false;
    }
    struct awscrt_guard *guard = awscrt_guard_of(native);
    awscrt_guard_enter(guard);
    bool copied = aws_tls_connection_options_copy(copy, native) == AWS_OP_SUCCESS;
    awscrt_guard_leave(guard);
    if (!copied) {
        awscrt_raise_last();
    }
    return copied;
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
    struct aws_tls_connection_options *options = awscrt_binding_get(py_options, &s_handle_type);
    if (!options) {
        return NULL;
    }
    struct awscrt_guard *guard = awscrt_guard_of(options);
    awscrt_guard_enter(guard);
    int status = aws_tls_connection_options_set_alpn_list(options, awscrt_allocator(), protocols);
    awscrt_guard_leave(guard);
    return status ? awscrt_raise_last() : awscrt_none();
}

static PyObject *s_set_server_name(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *py_options;
    struct awscrt_buffer name = {0};
    if (!PyArg_ParseTuple(args, "OO&", &py_options, awscrt_convert_buffer, &name)) {
        return NULL;
    }
    struct aws_tls_connection_options *options = awscrt_binding_get(py_options, &s_handle_type);
    PyObject *result = NULL;
    if (options) {
        struct awscrt_guard *guard = awscrt_guard_of(options);
        awscrt_guard_enter(guard);
        int status = aws_tls_connection_options_set_server_name(options, awscrt_allocator(), &name.cursor);
        awscrt_guard_leave(guard);
        result = status ? awscrt_raise_last() : awscrt_none();
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
