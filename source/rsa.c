/* Owns RSA keys: read from PEM or DER, to encrypt, decrypt, sign and verify. */
#include "module.h"

#include <aws/cal/cal.h>
#include <aws/cal/rsa.h>
#include <aws/common/math.h>
#include <aws/io/pem.h>

/* Operations on keys keep the GIL, for the reason given in ec.c: the longest, of a private key of 4096 bits, takes a few
 * milliseconds, about as long as the interpreter lets a thread run anyway. */

static void s_destroy(void *key) {
    aws_rsa_key_pair_release(key);
}

/* The handle owns a reference to the key. */
static const struct awscrt_handle_type s_type = {.name = "RSA", .destroy = s_destroy, .survives_fork = true};

static PyObject *s_handle(struct aws_rsa_key_pair *key) {
    if (key == NULL) {
        return awscrt_raise_last();
    }
    PyObject *handle = awscrt_handle_new(&s_type, key);
    if (handle == NULL) {
        aws_rsa_key_pair_release(key);
    }
    return handle;
}

/* --------------------------------------------------------------------------------------------------- reading */

typedef struct aws_rsa_key_pair *(key_reader)(struct aws_allocator * allocator, struct aws_byte_cursor key);

/* What the library reads a PEM object of this type with; NULL if it is not such a key. */
static key_reader *s_private_reader(enum aws_pem_object_type type) {
    switch (type) {
    case AWS_PEM_TYPE_PRIVATE_RSA_PKCS1:
        return aws_rsa_key_pair_new_from_private_key_pkcs1;
    case AWS_PEM_TYPE_PRIVATE_PKCS8:
        return aws_rsa_key_pair_new_from_private_key_pkcs8;
    default:
        return NULL;
    }
}

static key_reader *s_public_reader(enum aws_pem_object_type type) {
    return type == AWS_PEM_TYPE_PUBLIC_RSA_PKCS1 ? aws_rsa_key_pair_new_from_public_key_pkcs1 : NULL;
}

/* ValueError that says what is wanted and what is there. */
static PyObject *s_raise_not_found(const struct aws_array_list *objects, const char *kind, const char *wanted) {
    struct aws_pem_object *first = NULL;
    aws_array_list_get_at_ptr(objects, (void **)&first, 0);
    return PyErr_Format(
        PyExc_ValueError,
        "RSA %s key not found in PEM: expected %s, found '%s'",
        kind,
        wanted,
        first->type_string != NULL ? aws_string_c_str(first->type_string) : "unknown");
}

enum { PEM_WORKSPACE = 64 }; /* bytes that a byte of PEM may take while it is read */

/* The first object that `choose` knows a reader for. */
static PyObject *
s_from_pem(PyObject *text, key_reader *(*choose)(enum aws_pem_object_type type), const char *kind, const char *wanted) {
    struct awscrt_buffer pem = {0};
    struct aws_array_list objects;
    if (!awscrt_buffer_acquire_text(&pem, text)) {
        return NULL;
    }
    /* The library aborts where memory ends, and takes 16 bytes a line, in a list that is copied as it doubles. */
    if (!awscrt_can_allocate(aws_mul_size_saturating(pem.cursor.len, PEM_WORKSPACE))) {
        awscrt_buffer_release(&pem);
        return NULL;
    }
    int result = aws_pem_objects_init_from_file_contents(&objects, awscrt_allocator(), pem.cursor);
    awscrt_buffer_release(&pem);
    if (result != AWS_OP_SUCCESS) {
        return awscrt_raise_last();
    }
    key_reader *read = NULL;
    struct aws_pem_object *object = NULL;
    for (size_t i = 0; read == NULL && i < aws_array_list_length(&objects); ++i) {
        aws_array_list_get_at_ptr(&objects, (void **)&object, i);
        read = choose(object->type);
    }
    PyObject *handle = read != NULL ? s_handle(read(awscrt_allocator(), aws_byte_cursor_from_buf(&object->data)))
                                    : s_raise_not_found(&objects, kind, wanted);
    aws_pem_objects_clean_up(&objects);
    return handle;
}

static PyObject *s_from_der(PyObject *argument, key_reader *read) {
    struct awscrt_buffer der = {0};
    if (!awscrt_buffer_acquire(&der, argument)) {
        return NULL;
    }
    PyObject *handle = NULL;
    if (awscrt_can_allocate(der.cursor.len)) {
        handle = s_handle(read(awscrt_allocator(), der.cursor));
    }
    awscrt_buffer_release(&der);
    return handle;
}

static PyObject *s_rsa_private_key_from_pem_data(PyObject *module, PyObject *pem) {
    (void)module;
    return s_from_pem(pem, s_private_reader, "private", "'RSA PRIVATE KEY' (PKCS#1) or 'PRIVATE KEY' (PKCS#8)");
}

static PyObject *s_rsa_public_key_from_pem_data(PyObject *module, PyObject *pem) {
    (void)module;
    return s_from_pem(pem, s_public_reader, "public", "'RSA PUBLIC KEY' (PKCS#1)");
}

static PyObject *s_rsa_private_key_from_der_data(PyObject *module, PyObject *der) {
    (void)module;
    return s_from_der(der, aws_rsa_key_pair_new_from_private_key_pkcs1);
}

static PyObject *s_rsa_public_key_from_der_data(PyObject *module, PyObject *der) {
    (void)module;
    return s_from_der(der, aws_rsa_key_pair_new_from_public_key_pkcs1);
}

/* ----------------------------------------------------------------------------------------------------- using */

typedef int(transform_function)(
    const struct aws_rsa_key_pair *key, int algorithm, struct aws_byte_cursor input, struct aws_byte_buf *out);

static int
s_encrypt(const struct aws_rsa_key_pair *key, int algorithm, struct aws_byte_cursor input, struct aws_byte_buf *out) {
    return aws_rsa_key_pair_encrypt(key, (enum aws_rsa_encryption_algorithm)algorithm, input, out);
}

static int
s_decrypt(const struct aws_rsa_key_pair *key, int algorithm, struct aws_byte_cursor input, struct aws_byte_buf *out) {
    return aws_rsa_key_pair_decrypt(key, (enum aws_rsa_encryption_algorithm)algorithm, input, out);
}

static int
s_sign(const struct aws_rsa_key_pair *key, int algorithm, struct aws_byte_cursor input, struct aws_byte_buf *out) {
    return aws_rsa_key_pair_sign_message(key, (enum aws_rsa_signature_algorithm)algorithm, input, out);
}

/* Both enumerations have the values 0 to 2, and some functions of the library abort for any other. */
static bool s_check_algorithm(int algorithm) {
    _Static_assert(
        AWS_CAL_RSA_ENCRYPTION_PKCS1_5 == 0 && AWS_CAL_RSA_ENCRYPTION_OAEP_SHA512 == 2,
        "the Python enum has the values of the C one");
    _Static_assert(
        AWS_CAL_RSA_SIGNATURE_PKCS1_5_SHA256 == 0 && AWS_CAL_RSA_SIGNATURE_PSS_SHA256 == 2,
        "the Python enum has the values of the C one");
    if (algorithm < 0 || algorithm > 2) {
        awscrt_raise_code(AWS_ERROR_CAL_UNSUPPORTED_ALGORITHM);
        return false;
    }
    return true;
}

/* args: handle, algorithm, bytes-like. The result is one block of the key at most. */
static PyObject *s_transform(PyObject *args, transform_function *function) {
    PyObject *handle;
    int algorithm;
    struct awscrt_buffer input = {0};
    if (!PyArg_ParseTuple(args, "OiO&", &handle, &algorithm, awscrt_convert_buffer, &input)) {
        return NULL;
    }
    PyObject *output = NULL;
    struct aws_rsa_key_pair *key = awscrt_handle_get(handle, &s_type);
    if (key != NULL && s_check_algorithm(algorithm)) {
        struct aws_byte_buf out;
        aws_byte_buf_init(&out, awscrt_allocator(), aws_rsa_key_pair_block_length(key));
        output = function(key, algorithm, input.cursor, &out) == AWS_OP_SUCCESS
                     ? awscrt_bytes_from_cursor(aws_byte_cursor_from_buf(&out))
                     : awscrt_raise_last();
        aws_byte_buf_clean_up_secure(&out);
    }
    awscrt_buffer_release(&input);
    return output;
}

static PyObject *s_rsa_encrypt(PyObject *module, PyObject *args) {
    (void)module;
    return s_transform(args, s_encrypt);
}

static PyObject *s_rsa_decrypt(PyObject *module, PyObject *args) {
    (void)module;
    return s_transform(args, s_decrypt);
}

static PyObject *s_rsa_sign(PyObject *module, PyObject *args) {
    (void)module;
    return s_transform(args, s_sign);
}

static PyObject *s_rsa_verify(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *handle;
    int algorithm;
    struct awscrt_buffer digest = {0};
    struct awscrt_buffer signature = {0};
    if (!PyArg_ParseTuple(
            args, "OiO&O&", &handle, &algorithm, awscrt_convert_buffer, &digest, awscrt_convert_buffer, &signature)) {
        return NULL;
    }
    PyObject *verdict = NULL;
    struct aws_rsa_key_pair *key = awscrt_handle_get(handle, &s_type);
    if (key != NULL && s_check_algorithm(algorithm)) {
        int result = aws_rsa_key_pair_verify_signature(
            key, (enum aws_rsa_signature_algorithm)algorithm, digest.cursor, signature.cursor);
        if (result == AWS_OP_SUCCESS) {
            verdict = PyBool_FromLong(1);
        } else if (aws_last_error() == AWS_ERROR_CAL_SIGNATURE_VALIDATION_FAILED) {
            verdict = PyBool_FromLong(0);
        } else {
            awscrt_raise_last();
        }
    }
    awscrt_buffer_release(&digest);
    awscrt_buffer_release(&signature);
    return verdict;
}

PyMethodDef awscrt_rsa_methods[] = {
    {"rsa_private_key_from_pem_data", s_rsa_private_key_from_pem_data, METH_O, NULL},
    {"rsa_public_key_from_pem_data", s_rsa_public_key_from_pem_data, METH_O, NULL},
    {"rsa_private_key_from_der_data", s_rsa_private_key_from_der_data, METH_O, NULL},
    {"rsa_public_key_from_der_data", s_rsa_public_key_from_der_data, METH_O, NULL},
    {"rsa_encrypt", s_rsa_encrypt, METH_VARARGS, NULL},
    {"rsa_decrypt", s_rsa_decrypt, METH_VARARGS, NULL},
    {"rsa_sign", s_rsa_sign, METH_VARARGS, NULL},
    {"rsa_verify", s_rsa_verify, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
