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

static bool s_begin(void) {
    /* First counted, then asked; the shutdown first tells, then counts. Whatever the order between threads, either this
     * call sees that it is over, or the shutdown sees this call and waits for it. */
    aws_atomic_fetch_add(&s_in_progress, 1);
    if (awscrt_is_shutting_down()) {
        aws_atomic_fetch_sub(&s_in_progress, 1);
        return false;
    }
    return true;
}

static void s_end(void) {
    aws_atomic_fetch_sub(&s_in_progress, 1);
}

#ifndef Py_GIL_DISABLED
/* At the end of a native thread: undoes the second Ensure of s_enter(), and then its own one, the last. */
static void s_forget_thread(void *unused) {
    (void)unused;
    if (s_begin()) {
        PyGILState_STATE last = PyGILState_Ensure();
        PyGILState_Release(PyGILState_LOCKED);
        PyGILState_Release(last);
        s_end();
    }
}

/* True if the thread will s_forget_thread(). It may be at its end already when it calls for the first time, for the end of
 * an event loop group is reported from there, and what is registered then is never called. So not before the second. */
static bool s_remember_thread(void) {
    static AWS_THREAD_LOCAL bool called;
    bool again = called;
    called = true;
    return again && aws_thread_current_at_exit(s_forget_thread, NULL) == AWS_OP_SUCCESS;
}

static PyGILState_STATE s_enter(void) {
    /* Python makes a thread state for a thread that it does not know, and a stack for its frames, and would free both in
     * the Release of this one Ensure: for each call memory would be mapped and unmapped, which costs more than the rest of
     * it. So the state is kept as long as the thread lives. */
    bool unknown = PyGILState_GetThisThreadState() == NULL;
    PyGILState_STATE state = PyGILState_Ensure();
    if (unknown && s_remember_thread()) {
        PyGILState_Ensure();
    }
    return state;
}
#else
/* Without a GIL, an object that was made by a thread with a state is freed by no other one (PEP 703, biased reference
 * counting): a connection that the user drops would stay open until its event loop calls into Python again, if ever. */
static PyGILState_STATE s_enter(void) {
    return PyGILState_Ensure();
}
#endif

bool awscrt_callback_begin(struct awscrt_callback *call) {
    if (!s_begin()) {
        return false;
    }
    call->gil = s_enter();
    PyErr_Fetch(&call->pending[0], &call->pending[1], &call->pending[2]);
    return true;
}

void awscrt_callback_end(struct awscrt_callback *call) {
    awscrt_exception_unraisable(NULL);
    PyErr_Restore(call->pending[0], call->pending[1], call->pending[2]);
    PyGILState_Release(call->gil);
    s_end();
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
