/* Owns message authentication codes: HMAC with SHA-256, fed piece by piece. */
#include "digest.h"

#include <aws/cal/hmac.h>

static int s_update(void *native, struct aws_byte_cursor data) {
    return aws_hmac_update(native, &data);
}

static int s_finalize(void *native, struct aws_byte_buf *out, size_t truncate_to) {
    return aws_hmac_finalize(native, out, truncate_to);
}

static void s_destroy(void *native) {
    aws_hmac_destroy(native);
}

static const struct awscrt_digest_functions s_functions = {
    .update = s_update,
    .finalize = s_finalize,
    .destroy = s_destroy,
};
static const struct awscrt_handle_type s_type = AWSCRT_DIGEST_HANDLE_TYPE("HMAC");

static PyObject *s_sha256_hmac_new(PyObject *module, PyObject *secret) {
    (void)module;
    struct awscrt_buffer key = {0};
    if (!awscrt_buffer_acquire_text(&key, secret)) {
        return NULL;
    }
    struct aws_hmac *hmac = aws_sha256_hmac_new(awscrt_allocator(), &key.cursor);
    awscrt_buffer_release(&key);
    return awscrt_digest_new(&s_type, &s_functions, hmac, AWS_SHA256_HMAC_LEN);
}

static PyObject *s_hmac_update(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *handle;
    struct awscrt_buffer data = {0};
    if (!PyArg_ParseTuple(args, "OO&", &handle, awscrt_convert_text, &data)) {
        return NULL;
    }
    PyObject *result = awscrt_digest_update(handle, &s_type, data.cursor);
    awscrt_buffer_release(&data);
    return result;
}

static PyObject *s_hmac_digest(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *handle;
    size_t truncate_to;
    if (!PyArg_ParseTuple(args, "OO&", &handle, awscrt_convert_size, &truncate_to)) {
        return NULL;
    }
    return awscrt_digest_finalize(handle, &s_type, truncate_to);
}

PyMethodDef awscrt_hmac_methods[] = {
    {"sha256_hmac_new", s_sha256_hmac_new, METH_O, NULL},
    {"hmac_update", s_hmac_update, METH_VARARGS, NULL},
    {"hmac_digest", s_hmac_digest, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
