/* Owns signing: of requests, and of the pieces of a body that follow a signed request. */

#include "auth.h"

#include <aws/auth/auth.h>
#include <aws/auth/credentials.h>
#include <aws/auth/signable.h>
#include <aws/auth/signing.h>
#include <aws/auth/signing_config.h>
#include <aws/auth/signing_result.h>
#include <aws/common/string.h>
#include <aws/http/request_response.h>
#include <aws/io/stream.h>

/* One thing being signed. Freed by its end, which may come before the call that starts it returns, or later from the
 * native thread that brought the credentials. Keeps the Python objects that the native ones depend on. */
struct signing {
    PyObject *config;     /* keeps a delegate's function */
    PyObject *py_request; /* NULL for a piece */
    PyObject *set_result; /* one of the two is called, with the future and a result or an exception */
    PyObject *set_exception;
    PyObject *future;
    struct aws_http_message *request; /* NULL for a piece */
    struct aws_signable *signable;
    struct awscrt_buffer data; /* what the signable of a chunk or an event reads */
    struct aws_signing_config_aws native;
};

/* `args` are those that each function of Python's ends with: config, set_result, set_exception, future. */
static struct signing *s_signing_new(PyObject *const *args) {
    const struct aws_signing_config_aws *native = awscrt_signing_config_get(args[0]);
    struct signing *signing = native && awscrt_start_io() ? awscrt_new(sizeof(*signing)) : NULL;
    if (!signing) {
        return NULL;
    }
    signing->config = args[0];
    signing->set_result = args[1];
    signing->set_exception = args[2];
    signing->future = args[3];
    Py_IncRef(signing->config);
    Py_IncRef(signing->set_result);
    Py_IncRef(signing->set_exception);
    Py_IncRef(signing->future);
    signing->native = *native;
    if (native->should_sign_header) {
        signing->native.should_sign_header = awscrt_signable_is_picked;
    }
    return signing;
}

/* With the GIL held. */
static void s_signing_free(struct signing *signing) {
    aws_signable_destroy(signing->signable);
    aws_http_message_release(signing->request);
    awscrt_buffer_release(&signing->data);
    Py_DecRef(signing->config);
    Py_DecRef(signing->py_request);
    Py_DecRef(signing->set_result);
    Py_DecRef(signing->set_exception);
    Py_DecRef(signing->future);
    aws_mem_release(awscrt_allocator(), signing);
}

/* --------------------------------------------------------------------------------------------------- the end */

/* The exception by which the Python stream of the body broke the reading of it; NULL, with nothing set, for none. */
static PyObject *s_take_body_exception(PyObject *py_request) {
    PyObject *exception = NULL;
    PyObject *stream = PyObject_GetAttrString(py_request, "body_stream");
    if (stream && !awscrt_is_none(stream)) {
        exception = PyObject_GetAttrString(stream, "_exception");
    }
    if (exception && awscrt_is_none(exception)) {
        Py_DecRef(exception);
        exception = NULL;
    }
    if (exception) {
        PyObject_SetAttrString(stream, "_exception", &_Py_NoneStruct);
    }
    Py_DecRef(stream);
    PyErr_Clear();
    return exception;
}

/* What the waiter is told of a failure; a new reference. A broken body fails with one of the codes that
 * awscrt_code_from_exception makes. */
static PyObject *s_failure(const struct signing *signing, int code) {
    PyObject *error = NULL;
    bool body = code == AWS_ERROR_UNKNOWN || code == AWS_ERROR_OOM || code == AWS_ERROR_SYS_CALL_FAILURE;
    if (body && signing->py_request) {
        error = s_take_body_exception(signing->py_request);
    }
    error = error ? error : awscrt_credentials_failure(code);
    return error ? error : awscrt_exception_take();
}

/* The signature of a piece, a new reference; anonymous credentials give none. NULL with an exception set. */
static PyObject *s_signature(const struct aws_signing_result *result) {
    struct aws_string *signature = NULL;
    aws_signing_result_get_property(result, g_aws_signature_property_name, &signature);
    return signature ? awscrt_text_from_cursor(aws_byte_cursor_from_string(signature))
                     : awscrt_raise_code(AWS_AUTH_SIGNING_NO_CREDENTIALS);
}

/* One of the two is NULL. */
static void s_settle(const struct signing *signing, PyObject *error, PyObject *value) {
    PyObject *settle = error ? signing->set_exception : signing->set_result;
    awscrt_finish_call(PyObject_CallFunctionObjArgs(settle, signing->future, error ? error : value, NULL), settle);
}

/* Whether the request could be given what signing has made. */
static bool s_apply(const struct signing *signing, const struct aws_signing_result *result) {
    struct awscrt_guard *guard = awscrt_http_message_guard(signing->request);
    awscrt_guard_enter(guard);
    int status = aws_apply_signing_result_to_http_request(signing->request, awscrt_allocator(), result);
    awscrt_guard_leave(guard);
    return status == AWS_OP_SUCCESS;
}

static void s_on_signed(struct aws_signing_result *result, int code, void *user_data) {
    struct signing *signing = user_data;
    struct awscrt_callback call;
    if (!awscrt_callback_begin(&call)) {
        return;
    }
    PyObject *error = NULL;
    PyObject *value = NULL;
    if (!result) {
        error = s_failure(signing, code);
    } else {
        awscrt_credentials_success();
        if (!signing->request) {
            value = s_signature(result);
            error = value ? NULL : awscrt_exception_take();
        } else if (!s_apply(signing, result)) {
            error = s_failure(signing, aws_last_error());
        } else {
            value = signing->py_request;
            Py_IncRef(value);
        }
    }
    s_settle(signing, error, value);
    Py_DecRef(error);
    Py_DecRef(value);
    s_signing_free(signing);
    awscrt_callback_end(&call);
}

/* A piece is signed with explicit credentials only: the native library would not take a provider for it. */
static void s_on_credentials(struct aws_credentials *credentials, int code, void *user_data) {
    struct signing *signing = user_data;
    if (!credentials) {
        s_on_signed(NULL, code ? code : AWS_AUTH_SIGNING_NO_CREDENTIALS, signing);
        return;
    }
    signing->native.credentials = credentials;
    aws_reset_error();
    if (aws_sign_request_aws(
            awscrt_allocator(),
            signing->signable,
            (const struct aws_signing_config_base *)&signing->native,
            s_on_signed,
            signing)) {
        s_on_signed(NULL, aws_last_error(), signing);
    }
}

/* ------------------------------------------------------------------------------------------------- the start */

/* Hands the exception of the user's function, now pending, to the waiter. */
static PyObject *s_fail(struct signing *signing) {
    PyObject *error = awscrt_exception_take();
    s_settle(signing, error, NULL);
    Py_DecRef(error);
    s_signing_free(signing);
    return awscrt_none();
}

/* (request, config, set_result, set_exception, future) */
static PyObject *s_sign_request(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    if (!awscrt_auth_check_count(count, 5)) {
        return NULL;
    }
    struct aws_http_message *request = awscrt_http_message_get(args[0]);
    struct signing *signing = request ? s_signing_new(args + 1) : NULL;
    if (!signing) {
        return NULL;
    }
    signing->request = aws_http_message_acquire(request);
    signing->py_request = args[0];
    Py_IncRef(signing->py_request);
    signing->signable = awscrt_signable_new_request(request, &signing->native);
    if (!signing->signable) {
        return s_fail(signing);
    }
    int status;
    /* The body is read here, credentials may be waited for, and the end may come from this thread. */
    AWSCRT_ALLOW_THREADS_BEGIN
    aws_reset_error();
    status = aws_sign_request_aws(
        awscrt_allocator(),
        signing->signable,
        (const struct aws_signing_config_base *)&signing->native,
        s_on_signed,
        signing);
    AWSCRT_ALLOW_THREADS_END
    if (status) {
        s_signing_free(signing);
        return awscrt_raise_last();
    }
    return awscrt_none();
}

/* Takes the signing, complete but for its type. */
static PyObject *s_sign_piece(struct signing *signing, enum aws_signature_type type) {
    signing->native.signature_type = type;
    /* What the configuration says of the body is meant for the request's header. */
    signing->native.signed_body_value = (struct aws_byte_cursor){.ptr = NULL};
    struct aws_credentials_provider *provider = signing->native.credentials_provider;
    if (!provider) {
        s_signing_free(signing);
        return awscrt_raise_code(AWS_AUTH_SIGNING_INVALID_CONFIGURATION);
    }
    int status;
    AWSCRT_ALLOW_THREADS_BEGIN
    aws_reset_error();
    status = aws_credentials_provider_get_credentials(provider, s_on_credentials, signing);
    AWSCRT_ALLOW_THREADS_END
    if (status) {
        s_signing_free(signing);
        return awscrt_raise_last();
    }
    return awscrt_none();
}

static const struct awscrt_auth_text s_previous_signature = {"previous_signature", AWSCRT_TEXT_REQUIRED};

/* (data, previous signature, config, set_result, set_exception, future) */
static PyObject *s_sign_data(PyObject *const *args, Py_ssize_t count, enum aws_signature_type type) {
    struct awscrt_buffer previous = {.keeper = NULL};
    if (!awscrt_auth_check_count(count, 6) ||
        !awscrt_auth_texts_acquire(&previous, &args[1], &s_previous_signature, 1)) {
        return NULL;
    }
    PyObject *result = NULL;
    struct signing *signing = s_signing_new(args + 2);
    if (signing && !awscrt_buffer_acquire(&signing->data, args[0])) {
        s_signing_free(signing);
        signing = NULL;
    }
    if (signing) {
        struct aws_input_stream *stream = aws_input_stream_new_from_cursor(awscrt_allocator(), &signing->data.cursor);
        signing->signable = aws_signable_new_chunk(awscrt_allocator(), stream, previous.cursor);
        aws_input_stream_release(stream);
        result = s_sign_piece(signing, type);
    }
    awscrt_buffer_release(&previous);
    return result;
}

static PyObject *s_sign_chunk(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    return s_sign_data(args, count, AWS_ST_HTTP_REQUEST_CHUNK);
}

static PyObject *s_sign_event(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    return s_sign_data(args, count, AWS_ST_HTTP_REQUEST_EVENT);
}

/* (headers, previous signature, config, set_result, set_exception, future) */
static PyObject *s_sign_trailing_headers(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    struct awscrt_buffer previous = {.keeper = NULL};
    if (!awscrt_auth_check_count(count, 6) ||
        !awscrt_auth_texts_acquire(&previous, &args[1], &s_previous_signature, 1)) {
        return NULL;
    }
    PyObject *result = NULL;
    const struct aws_http_headers *headers = awscrt_http_headers_get(args[0]);
    struct signing *signing = headers ? s_signing_new(args + 2) : NULL;
    if (signing) {
        signing->signable = awscrt_signable_new_trailer(headers, previous.cursor, &signing->native);
        result = signing->signable ? s_sign_piece(signing, AWS_ST_HTTP_REQUEST_TRAILING_HEADERS) : s_fail(signing);
    }
    awscrt_buffer_release(&previous);
    return result;
}

PyMethodDef awscrt_signing_methods[] = {
    AWSCRT_FASTCALL("sign_request", s_sign_request, NULL),
    AWSCRT_FASTCALL("sign_chunk", s_sign_chunk, NULL),
    AWSCRT_FASTCALL("sign_event", s_sign_event, NULL),
    AWSCRT_FASTCALL("sign_trailing_headers", s_sign_trailing_headers, NULL),
    {NULL, NULL, 0, NULL},
};
