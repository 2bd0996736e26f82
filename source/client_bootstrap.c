/* Owns client bootstraps: an event loop group and a host resolver, as connections want them. */

#include "io.h"

#include <aws/io/channel_bootstrap.h>

/* The handle owns one reference to the bootstrap, which keeps its group and its resolver alive. The bootstrap owns
 * `on_shutdown` until it has called it, on the thread that dropped its last reference. */

static void s_destroy(void *native) {
    /* It may be the last user of its resolver; see there. */
    AWSCRT_ALLOW_THREADS_BEGIN
    aws_client_bootstrap_release(native);
    AWSCRT_ALLOW_THREADS_END
}

static const struct awscrt_handle_type s_handle_type = {.name = "ClientBootstrap", .destroy = s_destroy};

struct aws_client_bootstrap *awscrt_client_bootstrap_get(PyObject *bootstrap) {
    return awscrt_binding_get(bootstrap, &s_handle_type);
}

static PyObject *s_new(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *py_group;
    PyObject *py_resolver;
    PyObject *on_shutdown;
    if (!PyArg_ParseTuple(args, "OOO", &py_group, &py_resolver, &on_shutdown)) {
        return NULL;
    }
    struct aws_event_loop_group *group = awscrt_event_loop_group_get(py_group);
    struct aws_host_resolver *resolver = group ? awscrt_host_resolver_get(py_resolver) : NULL;
    if (!resolver) {
        return NULL;
    }
    struct aws_client_bootstrap_options options = {
        .event_loop_group = group,
        .host_resolver = resolver,
        .on_shutdown_complete = awscrt_call_and_drop,
        .user_data = on_shutdown,
    };
    Py_IncRef(on_shutdown);
    struct aws_client_bootstrap *bootstrap = aws_client_bootstrap_new(awscrt_allocator(), &options);
    if (!bootstrap) {
        Py_DecRef(on_shutdown);
        return awscrt_raise_last();
    }
    return awscrt_handle_own(&s_handle_type, bootstrap);
}

PyMethodDef awscrt_client_bootstrap_methods[] = {
    {"client_bootstrap_new", s_new, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
