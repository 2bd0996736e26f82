/* Owns Ed25519 keys: made at random, and exported. */
#include "module.h"

#include <aws/cal/cal.h>
#include <aws/cal/ed25519.h>

enum { MAX_EXPORT_SIZE = 512 }; /* OpenSSH private key in base64: 312 bytes */

static void s_destroy(void *key) {
    aws_ed25519_key_pair_release(key);
}

/* The handle owns a reference to the key. */
static const struct awscrt_handle_type s_type = {.name = "ED25519", .destroy = s_destroy, .survives_fork = true};

static PyObject *s_ed25519_new_generate(PyObject *module, PyObject *unused) {
    (void)module;
    (void)unused;
    struct aws_ed25519_key_pair *key = aws_ed25519_key_pair_new_generate(awscrt_allocator());
    if (key == NULL) {
        return awscrt_raise_last();
    }
    PyObject *handle = awscrt_handle_new(&s_type, key);
    if (handle == NULL) {
        aws_ed25519_key_pair_release(key);
    }
    return handle;
}

typedef int(export_function)(
    const struct aws_ed25519_key_pair *key, enum aws_ed25519_key_export_format format, struct aws_byte_buf *out);

static PyObject *s_export(PyObject *args, export_function *function) {
    PyObject *handle;
    int format;
    if (!PyArg_ParseTuple(args, "Oi", &handle, &format)) {
        return NULL;
    }
    struct aws_ed25519_key_pair *key = awscrt_handle_get(handle, &s_type);
    if (key == NULL) {
        return NULL;
    }
    uint8_t memory[MAX_EXPORT_SIZE];
    struct aws_byte_buf out = aws_byte_buf_from_empty_array(memory, sizeof(memory));
    int result = function(key, (enum aws_ed25519_key_export_format)format, &out);
    PyObject *exported =
        result == AWS_OP_SUCCESS ? awscrt_bytes_from_cursor(aws_byte_cursor_from_buf(&out)) : awscrt_raise_last();
    aws_secure_zero(memory, sizeof(memory));
    return exported;
}

static PyObject *s_ed25519_export_public_key(PyObject *module, PyObject *args) {
    (void)module;
    return s_export(args, aws_ed25519_key_pair_get_public_key);
}

static PyObject *s_ed25519_export_private_key(PyObject *module, PyObject *args) {
    (void)module;
    return s_export(args, aws_ed25519_key_pair_get_private_key);
}

PyMethodDef awscrt_ed25519_methods[] = {
    {"ed25519_new_generate", s_ed25519_new_generate, METH_NOARGS, NULL},
    {"ed25519_export_public_key", s_ed25519_export_public_key, METH_VARARGS, NULL},
    {"ed25519_export_private_key", s_ed25519_export_private_key, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
