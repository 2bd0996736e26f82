/* Owns calls from native code into Python, and the end of them when the interpreter shuts down. */

#include "module.h"

#include <aws/common/atomics.h>
#include <aws/common/clock.h>
#include <aws/common/thread.h>

enum {
    SHUTDOWN_WAIT_MS = 3000,
    SHUTDOWN_POLL_MS = 1,
};

static struct aws_atomic_var s_shutting_down = AWS_ATOMIC_INIT_INT(0);
static struct aws_atomic_var s_in_progress = AWS_ATOMIC_INIT_INT(0);

bool awscrt_is_shutting_down(void) {
    return aws_atomic_load_int(&s_shutting_down) != 0;
}

bool awscrt_callback_begin(struct awscrt_callback *call) {
    /* First counted, then asked; the shutdown first tells, then counts. Whatever the order between threads, either this
     * call sees that it is over, or the shutdown sees this call and waits for it. */
    aws_atomic_fetch_add(&s_in_progress, 1);
    if (awscrt_is_shutting_down()) {
        aws_atomic_fetch_sub(&s_in_progress, 1);
        return false;
    }
    call->gil = PyGILState_Ensure();
    PyErr_Fetch(&call->pending[0], &call->pending[1], &call->pending[2]);
    return true;
}

void awscrt_callback_end(struct awscrt_callback *call) {
    awscrt_exception_unraisable(NULL);
    PyErr_Restore(call->pending[0], call->pending[1], call->pending[2]);
    PyGILState_Release(call->gil);
    aws_atomic_fetch_sub(&s_in_progress, 1);
}

void awscrt_finish_call(PyObject *result, PyObject *callable) {
    if (result == NULL) {
        awscrt_exception_unraisable(callable);
    } else {
        Py_DecRef(result);
    }
}

void awscrt_reference_drop(PyObject *object) {
    struct awscrt_callback call;
    if (object != NULL && awscrt_callback_begin(&call)) {
        Py_DecRef(object);
        awscrt_callback_end(&call);
    }
}

void awscrt_callback_forked(void) {
    aws_atomic_store_int(&s_in_progress, 0);
}

/* Registered with atexit by the package: the last moment at which a thread that asks for the GIL is sure to get it. Later it would be hung or
 * ended in the middle of native code, with native locks held. */
static PyObject *s_shut_down(PyObject *module, PyObject *unused) {
    (void)module;
    (void)unused;
    aws_atomic_store_int(&s_shutting_down, 1);
    AWSCRT_ALLOW_THREADS_BEGIN
    for (int waited = 0; waited < SHUTDOWN_WAIT_MS && aws_atomic_load_int(&s_in_progress) != 0;
         waited += SHUTDOWN_POLL_MS) {
        aws_thread_current_sleep(
            aws_timestamp_convert(SHUTDOWN_POLL_MS, AWS_TIMESTAMP_MILLIS, AWS_TIMESTAMP_NANOS, NULL));
    }
    AWSCRT_ALLOW_THREADS_END
    return awscrt_none();
}

PyMethodDef awscrt_callback_methods[] = {
    {"shut_down", s_shut_down, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};
