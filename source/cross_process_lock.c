/* Owns locks between processes: a name that one holder at a time can have, on the whole machine. */

#include "io.h"

#include <aws/common/cross_process_lock.h>

#include <string.h>

/* The handle owns the lock, which is an open file. A fork shares that file: the lock is free when the last process has
 * closed it, so a child that drops its copy takes nothing from its parent. */

static void s_destroy(void *native) {
    AWSCRT_ALLOW_THREADS_BEGIN
    aws_cross_process_lock_release(native);
    AWSCRT_ALLOW_THREADS_END
}

static const struct awscrt_handle_type s_handle_type = {
    .name = "CrossProcessLock", .destroy = s_destroy, .survives_fork = true};

/* The name becomes that of a file in a folder of its own. (The native function looks for a slash too, but compares with an
 * error that an earlier call may have left.) */
static bool s_is_file_name(struct aws_byte_cursor name) {
    return !name.len || (!memchr(name.ptr, '/', name.len) && !memchr(name.ptr, 0, name.len));
}

static PyObject *s_acquire(PyObject *module, PyObject *args) {
    (void)module;
    struct awscrt_buffer name = {0};
    if (!PyArg_ParseTuple(args, "O&", awscrt_convert_text, &name)) {
        return NULL;
    }
    if (!s_is_file_name(name.cursor)) {
        awscrt_buffer_release(&name);
        return awscrt_raise_code(AWS_ERROR_INVALID_ARGUMENT);
    }
    struct aws_cross_process_lock *lock;
    /* The native function opens and locks a file. */
    AWSCRT_ALLOW_THREADS_BEGIN
    lock = aws_cross_process_lock_try_acquire(awscrt_allocator(), name.cursor);
    AWSCRT_ALLOW_THREADS_END
    awscrt_buffer_release(&name);
    return awscrt_handle_own(&s_handle_type, lock);
}

PyMethodDef awscrt_cross_process_lock_methods[] = {
    {"cross_process_lock_acquire", s_acquire, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
