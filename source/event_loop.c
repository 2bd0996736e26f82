/* Owns event loop groups: the threads on which sockets and timers are served. */

#include "io.h"

#include <aws/common/shutdown_types.h>
#include <aws/io/event_loop.h>

/* The handle owns one reference to the group. The group owns `on_shutdown` until it has called it, on the thread that
 * waited for the group's threads to end. */

static void s_destroy(void *native) {
    /* Releasing may wait for native threads, and these for a callback that wants the GIL. */
    AWSCRT_ALLOW_THREADS_BEGIN
    aws_event_loop_group_release(native);
    AWSCRT_ALLOW_THREADS_END
}

static const struct awscrt_handle_type s_handle_type = {.name = "EventLoopGroup", .destroy = s_destroy};

struct aws_event_loop_group *awscrt_event_loop_group_get(PyObject *group) {
    return awscrt_binding_get(group, &s_handle_type);
}

static struct aws_event_loop_group *s_new_group(uint16_t threads, const uint16_t *cpu_group, PyObject *on_shutdown) {
    struct aws_shutdown_callback_options shutdown = {
        .shutdown_callback_fn = awscrt_call_and_drop,
        .shutdown_callback_user_data = on_shutdown,
    };
    struct aws_event_loop_group_options options = {
        .loop_count = threads,
        .cpu_group = cpu_group,
        .shutdown_options = &shutdown,
    };
    struct aws_event_loop_group *group;
    Py_IncRef(on_shutdown);
    /* A failure half way waits for the threads that run already, and they may want the GIL. */
    AWSCRT_ALLOW_THREADS_BEGIN
    group = aws_event_loop_group_new(awscrt_allocator(), &options);
    AWSCRT_ALLOW_THREADS_END
    if (!group) {
        Py_DecRef(on_shutdown);
        return awscrt_raise_last(), NULL;
    }
    if (aws_event_loop_group_get_loop_count(group) == 0) {
        /* Every core of the processor group is taken for a hyper-thread: the first connection would have no thread. */
        s_destroy(group);
        PyErr_SetString(PyExc_ValueError, "no core of cpu_group can be used by num_threads threads; ask for more");
        return NULL;
    }
    return group;
}

static PyObject *s_new(PyObject *module, PyObject *args) {
    (void)module;
    uint16_t threads;
    PyObject *py_cpu_group;
    PyObject *on_shutdown;
    uint16_t cpu_group = 0;
    if (!PyArg_ParseTuple(args, "O&OO", awscrt_convert_u16, &threads, &py_cpu_group, &on_shutdown)) {
        return NULL;
    }
    bool pinned = !awscrt_is_none(py_cpu_group);
    if (pinned && !awscrt_convert_u16(py_cpu_group, &cpu_group)) {
        return NULL;
    }
    if (!awscrt_start_io()) {
        return NULL;
    }
    struct aws_event_loop_group *group = s_new_group(threads, pinned ? &cpu_group : NULL, on_shutdown);
    return group ? awscrt_handle_own(&s_handle_type, group) : NULL;
}

PyMethodDef awscrt_event_loop_methods[] = {
    {"event_loop_group_new", s_new, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
