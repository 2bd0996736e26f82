/* Owns host resolvers: host names to addresses, asked from the system on threads of their own. */

#include "io.h"

#include <aws/io/host_resolver.h>

/* The handle owns one reference to the resolver, which keeps its event loop group alive. */

/* The number of hosts only sizes the table at first, and it grows; the table of a huge number would fill the memory, and
 * the C libraries abort when there is none. */
enum { MAX_INITIAL_HOSTS = 1 << 16 };

static void s_destroy(void *native) {
    /* It takes a lock that its threads may hold while they log into Python. */
    AWSCRT_ALLOW_THREADS_BEGIN
    aws_host_resolver_release(native);
    AWSCRT_ALLOW_THREADS_END
}

static const struct awscrt_handle_type s_handle_type = {.name = "HostResolverBase", .destroy = s_destroy};

struct aws_host_resolver *awscrt_host_resolver_get(PyObject *resolver) {
    return awscrt_binding_get(resolver, &s_handle_type);
}

static PyObject *s_new_default(PyObject *module, PyObject *args) {
    (void)module;
    size_t max_hosts;
    PyObject *py_group;
    if (!PyArg_ParseTuple(args, "O&O", awscrt_convert_size, &max_hosts, &py_group)) {
        return NULL;
    }
    struct aws_event_loop_group *group = awscrt_event_loop_group_get(py_group);
    if (!group) {
        return NULL;
    }
    struct aws_host_resolver_default_options options = {
        .max_entries = max_hosts < MAX_INITIAL_HOSTS ? max_hosts : MAX_INITIAL_HOSTS,
        .el_group = group,
    };
    return awscrt_handle_own(&s_handle_type, aws_host_resolver_new_default(awscrt_allocator(), &options));
}

PyMethodDef awscrt_host_resolver_methods[] = {
    {"host_resolver_new_default", s_new_default, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
