/* Owns cryptographic hashes: MD5, SHA-1 and SHA-256, fed piece by piece. */
#include "digest.h"

#include <aws/cal/hash.h>

static int s_update(void *native, struct aws_byte_cursor data) {
    return aws_hash_update(native, &data);
}

static int s_finalize(void *native, struct aws_byte_buf *out, size_t truncate_to) {
    return aws_hash_finalize(native, out, truncate_to);
}

static void s_destroy(void *native) {
    aws_hash_destroy(native);
}

static const struct awscrt_digest_functions s_functions = {
    .update = s_update,
    .finalize = s_finalize,
    .destroy = s_destroy,
};
static const struct awscrt_handle_type s_type = AWSCRT_DIGEST_HANDLE_TYPE("Hash");

static PyObject *s_new(struct aws_hash *hash) {
    return awscrt_digest_new(&s_type, &s_functions, hash, hash != NULL ? hash->digest_size : 0);
}

static PyObject *s_md5_new(PyObject *module, PyObject *unused) {
    (void)module;
    (void)unused;
    return s_new(aws_md5_new(awscrt_allocator()));
}

static PyObject *s_sha1_new(PyObject *module, PyObject *unused) {
    (void)module;
    (void)unused;
    return s_new(aws_sha1_new(awscrt_allocator()));
}

static PyObject *s_sha256_new(PyObject *module, PyObject *unused) {
    (void)module;
    (void)unused;
    return s_new(aws_sha256_new(awscrt_allocator()));
}

static PyObject *s_hash_update(PyObject *module, PyObject *args) {
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

static PyObject *s_hash_digest(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *handle;
    size_t truncate_to;
    if (!PyArg_ParseTuple(args, "OO&", &handle, awscrt_convert_size, &truncate_to)) {
        return NULL;
    }
    return awscrt_digest_finalize(handle, &s_type, truncate_to);
}

PyMethodDef awscrt_hash_methods[] = {
    {"md5_new", s_md5_new, METH_NOARGS, NULL},
    {"sha1_new", s_sha1_new, METH_NOARGS, NULL},
    {"sha256_new", s_sha256_new, METH_NOARGS, NULL},
    {"hash_update", s_hash_update, METH_VARARGS, NULL},
    {"hash_digest", s_hash_digest, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
