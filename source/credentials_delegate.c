/* Owns credentials providers that ask a Python function. */

#include "auth.h"

#include <aws/auth/credentials.h>

/* The native provider owns `delegate` until its shutdown callback, which drops it on the thread that dropped the
 * provider's last reference. It is a weak reference, called to be followed: the function itself hangs on the Python
 * object of the provider, so that the cycle collector sees a function that refers to its own provider. */

/* Why the callback that runs on this thread got no credentials; see awscrt_credentials_failure. Owned by the thread. */
static AWS_THREAD_LOCAL PyObject *tl_exception;

PyObject *awscrt_credentials_failure(int code) {
    PyObject *exception = tl_exception;
    tl_exception = NULL;
    return exception ? exception : awscrt_exception_from_code(code ? code : AWS_ERROR_UNKNOWN);
}

void awscrt_credentials_success(void) {
    PyObject *exception = tl_exception;
    tl_exception = NULL;
    Py_DecRef(exception);
}

/* What the Python function returned, a new reference; NULL with an exception set. */
static PyObject *s_ask(PyObject *delegate) {
    PyObject *followed = PyObject_CallObject(delegate, NULL);
    if (!followed) {
        return NULL;
    }
    PyObject *result = NULL;
    if (awscrt_is_none(followed)) {
        PyErr_SetString(PyExc_RuntimeError, "the delegate's AwsCredentialsProvider is gone");
    } else {
        PyObject *function = PyObject_GetAttrString(followed, "get_credentials");
        result = function ? PyObject_CallObject(function, NULL) : NULL;
        Py_DecRef(function);
    }
    Py_DecRef(followed);
    return result;
}

/* The result's credentials, acquired; NULL with an exception set. Takes the reference to the result. */
static struct aws_credentials *s_take_credentials(PyObject *result) {
    if (!result) {
        return NULL;
    }
    struct aws_credentials *credentials = awscrt_credentials_get(result);
    if (!credentials) {
        PyErr_Clear();
        PyObject *type = PyObject_Type(result);
        PyErr_Format(PyExc_TypeError, "get_credentials must return AwsCredentials, not %S", type);
        Py_DecRef(type);
    }
    aws_credentials_acquire(credentials);
    Py_DecRef(result);
    return credentials;
}

/* The callback that was waiting for a delegate has been called. Had the operation ended with it, its waiter would have the
 * exception; a chain may have gone on to its next member instead, or the waiter is no Python future. The delegate itself
 * may be gone. */
static void s_report_unclaimed(void) {
    struct awscrt_callback call;
    if (tl_exception && awscrt_callback_begin(&call)) {
        PyObject *exception = tl_exception;
        tl_exception = NULL;
        PyErr_SetObject((PyObject *)exception->ob_type, exception);
        Py_DecRef(exception);
        awscrt_exception_unraisable(NULL);
        awscrt_callback_end(&call);
    }
}

/* Never fails by itself: a chain takes that for silence and waits forever. */
static int s_get_credentials(void *user_data, aws_on_get_credentials_callback_fn on_complete, void *on_complete_data) {
    PyObject *delegate = user_data;
    struct aws_credentials *credentials = NULL;
    struct awscrt_callback call;
    if (awscrt_callback_begin(&call)) {
        /* Of the chain's member before this one. It is nothing to operations that the function itself waits for. */
        PyObject *previous = tl_exception;
        tl_exception = NULL;
        credentials = s_take_credentials(s_ask(delegate));
        if (!credentials) {
            Py_DecRef(previous);
            previous = awscrt_exception_take();
        }
        tl_exception = previous;
        awscrt_callback_end(&call);
    }
    int code = AWS_ERROR_SUCCESS;
    if (!credentials) {
        code = AWS_AUTH_CREDENTIALS_PROVIDER_DELEGATE_FAILURE;
    }
    on_complete(credentials, code, on_complete_data);
    aws_credentials_release(credentials);
    s_report_unclaimed();
    return AWS_OP_SUCCESS;
}

static void s_on_shutdown(void *user_data) {
    awscrt_reference_drop(user_data);
}

static PyObject *s_new(PyObject *module, PyObject *delegate) {
    (void)module;
    if (!awscrt_start_io()) {
        return NULL;
    }
    struct aws_credentials_provider_delegate_options options = {
        .shutdown_options = {.shutdown_callback = s_on_shutdown, .shutdown_user_data = delegate},
        .get_credentials = s_get_credentials,
        .delegate_user_data = delegate,
    };
    aws_reset_error();
    struct aws_credentials_provider *provider = aws_credentials_provider_new_delegate(awscrt_allocator(), &options);
    if (provider) {
        Py_IncRef(delegate);
    }
    return awscrt_credentials_provider_own(provider, AWS_ERROR_UNKNOWN);
}

PyMethodDef awscrt_credentials_delegate_methods[] = {
    {"credentials_provider_new_delegate", s_new, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};
