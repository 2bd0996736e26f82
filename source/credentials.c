/* Owns AWS credentials. */

#include "auth.h"

#include <aws/auth/credentials.h>

/* The handle owns one reference to the credentials. They never change, and no thread or lock belongs to them. */

static void s_destroy(void *native) {
    aws_credentials_release(native);
}

static const struct awscrt_handle_type s_handle_type = {
    .name = "AwsCredentials", .destroy = s_destroy, .survives_fork = true};

struct aws_credentials *awscrt_credentials_get(PyObject *credentials) {
    return awscrt_binding_get(credentials, &s_handle_type);
}

PyObject *awscrt_credentials_to_py(struct aws_credentials *credentials) {
    aws_credentials_acquire(credentials);
    return awscrt_handle_own(&s_handle_type, credentials);
}

static const struct awscrt_auth_text s_texts[] = {
    {"access_key_id", AWSCRT_TEXT_REQUIRED},
    {"secret_access_key", AWSCRT_TEXT_REQUIRED},
    {"session_token", AWSCRT_TEXT_OPTIONAL},
};

static PyObject *s_new(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    uint64_t expiration;
    struct awscrt_buffer texts[AWS_ARRAY_SIZE(s_texts)] = {{.keeper = NULL}};
    if (!awscrt_auth_check_count(count, 4) || !awscrt_convert_u64(args[3], &expiration) ||
        !awscrt_auth_texts_acquire(texts, args, s_texts, AWS_ARRAY_SIZE(s_texts))) {
        return NULL;
    }
    struct aws_credentials *credentials =
        aws_credentials_new(awscrt_allocator(), texts[0].cursor, texts[1].cursor, texts[2].cursor, expiration);
    awscrt_auth_texts_release(texts, AWS_ARRAY_SIZE(s_texts));
    return awscrt_handle_own(&s_handle_type, credentials);
}

/* Anonymous credentials have none of the texts. What came from a file or a service may be no UTF-8: Python's own error
 * would carry the text along. */
static PyObject *s_text(
    PyObject *py_credentials,
    struct aws_byte_cursor (*get)(const struct aws_credentials *credentials),
    const char *name) {
    const struct aws_credentials *credentials = awscrt_credentials_get(py_credentials);
    if (!credentials) {
        return NULL;
    }
    struct aws_byte_cursor text = get(credentials);
    if (text.len == 0) {
        return awscrt_none();
    }
    PyObject *py_text = awscrt_text_from_cursor(text);
    if (!py_text && !PyErr_ExceptionMatches(PyExc_MemoryError)) {
        PyErr_Clear();
        PyErr_Format(PyExc_ValueError, "%s is not UTF-8", name);
    }
    return py_text;
}

static PyObject *s_access_key_id(PyObject *module, PyObject *credentials) {
    (void)module;
    return s_text(credentials, aws_credentials_get_access_key_id, "access_key_id");
}

static PyObject *s_secret_access_key(PyObject *module, PyObject *credentials) {
    (void)module;
    return s_text(credentials, aws_credentials_get_secret_access_key, "secret_access_key");
}

static PyObject *s_session_token(PyObject *module, PyObject *credentials) {
    (void)module;
    return s_text(credentials, aws_credentials_get_session_token, "session_token");
}

static PyObject *s_expiration(PyObject *module, PyObject *py_credentials) {
    (void)module;
    const struct aws_credentials *credentials = awscrt_credentials_get(py_credentials);
    return credentials ? PyLong_FromUnsignedLongLong(aws_credentials_get_expiration_timepoint_seconds(credentials))
                       : NULL;
}

PyMethodDef awscrt_credentials_methods[] = {
    AWSCRT_FASTCALL("credentials_new", s_new, NULL),
    {"credentials_access_key_id", s_access_key_id, METH_O, NULL},
    {"credentials_secret_access_key", s_secret_access_key, METH_O, NULL},
    {"credentials_session_token", s_session_token, METH_O, NULL},
    {"credentials_expiration", s_expiration, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};
