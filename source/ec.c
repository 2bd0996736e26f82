/* Owns elliptic-curve keys: P-256 and P-384, their signatures, and both encodings of a signature. */
#include "module.h"

#include <aws/cal/cal.h>
#include <aws/cal/ecc.h>
#include <aws/common/encoding.h>

#include <string.h>

/* Operations on keys keep the GIL. They take a fraction of a millisecond, and as long as a thread holds the GIL, or without
 * one is attached to the interpreter, no other one can fork: so no lock inside libcrypto is ever held across os.fork, and
 * keys go on working in the child. */

enum {
    MAX_COORDINATE_SIZE = 48,  /* of P-384 */
    MAX_SIGNATURE_SIZE = 128,  /* DER: two integers of up to 49 bytes, and headers */
    MAX_EXPORT_SIZE = 256,     /* PKCS#8 of P-384: 185 bytes */
    MAX_RAW_SIZE = 256,        /* r and s together that can be encoded: those of any curve in use */
    MAX_PADDED_SIZE = 2 * 256, /* what the library pads at most */
};

static void s_destroy(void *key) {
    aws_ecc_key_pair_release(key);
}

/* The handle owns a reference to the key. */
static const struct awscrt_handle_type s_type = {.name = "EC", .destroy = s_destroy, .survives_fork = true};

static PyObject *s_handle(struct aws_ecc_key_pair *key) {
    if (key == NULL) {
        return awscrt_raise_last();
    }
    PyObject *handle = awscrt_handle_new(&s_type, key);
    if (handle == NULL) {
        aws_ecc_key_pair_release(key);
    }
    return handle;
}

static bool s_is_zero(uint8_t byte) {
    return byte == 0;
}

static struct aws_byte_cursor s_without_leading_zeros(struct aws_byte_cursor number) {
    return aws_byte_cursor_left_trim_pred(&number, s_is_zero);
}

/* Writes a big-endian number as exactly `size` bytes; false with an error raised if it is longer. */
static bool s_pad(struct aws_byte_cursor number, uint8_t *out, size_t size) {
    number = s_without_leading_zeros(number);
    if (number.len > size) {
        aws_raise_error(AWS_ERROR_CAL_INVALID_KEY_LENGTH_FOR_ALGORITHM);
        return false;
    }
    memset(out, 0, size - number.len);
    if (number.len > 0) {
        memcpy(out + size - number.len, number.ptr, number.len);
    }
    return true;
}

/* A key whose private number has the full length that RFC 5915 demands and whose public point follows from it. NULL with
 * an error raised. */
static struct aws_ecc_key_pair *s_from_private(enum aws_ecc_curve_name curve, struct aws_byte_cursor number) {
    uint8_t padded[MAX_COORDINATE_SIZE];
    size_t size = aws_ecc_key_coordinate_byte_size_from_curve_name(curve);
    struct aws_ecc_key_pair *key = NULL;
    if (s_pad(number, padded, size)) {
        struct aws_byte_cursor private_number = aws_byte_cursor_from_array(padded, size);
        key = aws_ecc_key_pair_new_from_private_key(awscrt_allocator(), curve, &private_number);
    }
    aws_secure_zero(padded, sizeof(padded));
    if (key != NULL && aws_ecc_key_pair_derive_public_key(key) != AWS_OP_SUCCESS) {
        aws_ecc_key_pair_release(key);
        key = NULL;
    }
    return key;
}

static bool s_same_number(struct aws_byte_cursor first, struct aws_byte_cursor second) {
    first = s_without_leading_zeros(first);
    second = s_without_leading_zeros(second);
    return aws_byte_cursor_eq(&first, &second);
}

/* Takes `key`, and returns a complete one in its place. Needed after the library has made a private key from elsewhere:
 *  - of a generated one it drops leading zeros of the private number, and what it then exports is refused by others;
 *  - for one read without its public point, which is optional, it generates a new pair to sign with;
 *  - one read with another key's public point it takes as it is: nobody could verify what it signs.
 * NULL with an exception set. */
static struct aws_ecc_key_pair *s_complete(struct aws_ecc_key_pair *key) {
    struct aws_byte_cursor number;
    struct aws_byte_cursor x;
    struct aws_byte_cursor y;
    aws_ecc_key_pair_get_private_key(key, &number);
    if (number.len == 0) {
        return key;
    }
    struct aws_ecc_key_pair *complete = s_from_private(key->curve_name, number);
    if (complete == NULL) {
        awscrt_raise_last();
    } else {
        struct aws_byte_cursor own_x;
        struct aws_byte_cursor own_y;
        aws_ecc_key_pair_get_public_key(key, &x, &y);
        aws_ecc_key_pair_get_public_key(complete, &own_x, &own_y);
        if (x.len > 0 && !(s_same_number(x, own_x) && s_same_number(y, own_y))) {
            PyErr_SetString(PyExc_ValueError, "the EC data holds a private key and the public key of another one");
            aws_ecc_key_pair_release(complete);
            complete = NULL;
        }
    }
    aws_ecc_key_pair_release(key);
    return complete;
}

static PyObject *s_ec_new_generate(PyObject *module, PyObject *args) {
    (void)module;
    int curve;
    if (!PyArg_ParseTuple(args, "i", &curve)) {
        return NULL;
    }
    if (curve != AWS_CAL_ECDSA_P256 && curve != AWS_CAL_ECDSA_P384) {
        return awscrt_raise_code(AWS_ERROR_CAL_UNSUPPORTED_ALGORITHM);
    }
    struct aws_ecc_key_pair *key =
        aws_ecc_key_pair_new_generate_random(awscrt_allocator(), (enum aws_ecc_curve_name)curve);
    if (key == NULL) {
        return awscrt_raise_last();
    }
    key = s_complete(key);
    return key != NULL ? s_handle(key) : NULL;
}

static PyObject *s_ec_new_key_from_der_data(PyObject *module, PyObject *argument) {
    (void)module;
    struct awscrt_buffer der = {0};
    if (!awscrt_buffer_acquire(&der, argument)) {
        return NULL;
    }
    struct aws_ecc_key_pair *key = NULL;
    if (awscrt_can_allocate(der.cursor.len)) {
        key = aws_ecc_key_pair_new_from_asn1(awscrt_allocator(), &der.cursor);
        key = key != NULL ? s_complete(key) : (awscrt_raise_last(), NULL);
    }
    awscrt_buffer_release(&der);
    return key != NULL ? s_handle(key) : NULL;
}

static PyObject *s_ec_export_key(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *handle;
    int format;
    if (!PyArg_ParseTuple(args, "Oi", &handle, &format)) {
        return NULL;
    }
    struct aws_ecc_key_pair *key = awscrt_handle_get(handle, &s_type);
    if (key == NULL) {
        return NULL;
    }
    uint8_t memory[MAX_EXPORT_SIZE];
    struct aws_byte_buf out = aws_byte_buf_from_empty_array(memory, sizeof(memory));
    int result = aws_ecc_key_pair_export(key, (enum aws_ecc_key_export_format)format, &out);
    PyObject *exported =
        result == AWS_OP_SUCCESS ? awscrt_bytes_from_cursor(aws_byte_cursor_from_buf(&out)) : awscrt_raise_last();
    aws_secure_zero(memory, sizeof(memory));
    return exported;
}

/* A coordinate as bytes of the full length of the curve (SEC 1, 2.3.5). */
static PyObject *s_coordinate(const struct aws_ecc_key_pair *key, struct aws_byte_cursor number) {
    uint8_t padded[MAX_COORDINATE_SIZE];
    size_t size = aws_ecc_key_coordinate_byte_size_from_curve_name(key->curve_name);
    if (!s_pad(number, padded, size)) {
        return awscrt_raise_last();
    }
    return awscrt_bytes_from_cursor(aws_byte_cursor_from_array(padded, size));
}

static PyObject *s_pair(PyObject *first, PyObject *second) {
    PyObject *pair = first != NULL && second != NULL ? PyTuple_Pack(2, first, second) : NULL;
    Py_DecRef(first);
    Py_DecRef(second);
    return pair;
}

static PyObject *s_ec_get_public_coords(PyObject *module, PyObject *handle) {
    (void)module;
    struct aws_ecc_key_pair *key = awscrt_handle_get(handle, &s_type);
    if (key == NULL) {
        return NULL;
    }
    struct aws_byte_cursor x;
    struct aws_byte_cursor y;
    aws_ecc_key_pair_get_public_key(key, &x, &y);
    PyObject *first = s_coordinate(key, x);
    return s_pair(first, first != NULL ? s_coordinate(key, y) : NULL);
}

static PyObject *s_ec_sign(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *handle;
    struct awscrt_buffer digest = {0};
    if (!PyArg_ParseTuple(args, "OO&", &handle, awscrt_convert_buffer, &digest)) {
        return NULL;
    }
    PyObject *signature = NULL;
    struct aws_ecc_key_pair *key = awscrt_handle_get(handle, &s_type);
    if (key != NULL) {
        uint8_t memory[MAX_SIGNATURE_SIZE];
        struct aws_byte_buf out = aws_byte_buf_from_empty_array(memory, sizeof(memory));
        int result = aws_ecc_key_pair_sign_message(key, &digest.cursor, &out);
        signature =
            result == AWS_OP_SUCCESS ? awscrt_bytes_from_cursor(aws_byte_cursor_from_buf(&out)) : awscrt_raise_last();
    }
    awscrt_buffer_release(&digest);
    return signature;
}

static PyObject *s_ec_verify(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *handle;
    struct awscrt_buffer digest = {0};
    struct awscrt_buffer signature = {0};
    if (!PyArg_ParseTuple(args, "OO&O&", &handle, awscrt_convert_buffer, &digest, awscrt_convert_buffer, &signature)) {
        return NULL;
    }
    PyObject *verdict = NULL;
    struct aws_ecc_key_pair *key = awscrt_handle_get(handle, &s_type);
    if (key != NULL) {
        if (aws_ecc_key_pair_verify_signature(key, &digest.cursor, &signature.cursor) == AWS_OP_SUCCESS) {
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

static PyObject *s_ec_decode_der_signature(PyObject *module, PyObject *argument) {
    (void)module;
    struct awscrt_buffer der = {0};
    if (!awscrt_buffer_acquire(&der, argument)) {
        return NULL;
    }
    PyObject *pair = NULL;
    struct aws_byte_cursor r;
    struct aws_byte_cursor s;
    if (aws_ecc_decode_signature_der_to_raw(awscrt_allocator(), der.cursor, &r, &s) == AWS_OP_SUCCESS) {
        PyObject *first = awscrt_bytes_from_cursor(r);
        pair = s_pair(first, first != NULL ? awscrt_bytes_from_cursor(s) : NULL);
    } else {
        awscrt_raise_last();
    }
    awscrt_buffer_release(&der);
    return pair;
}

static PyObject *s_ec_decode_der_signature_to_padded_pair(PyObject *module, PyObject *args) {
    (void)module;
    size_t pad_to;
    struct awscrt_buffer der = {0};
    if (!PyArg_ParseTuple(args, "O&O&", awscrt_convert_buffer, &der, awscrt_convert_size, &pad_to)) {
        return NULL;
    }
    uint8_t memory[MAX_PADDED_SIZE];
    struct aws_byte_buf out = aws_byte_buf_from_empty_array(memory, sizeof(memory));
    int result = aws_ecc_decode_signature_der_to_raw_padded(awscrt_allocator(), der.cursor, &out, pad_to);
    awscrt_buffer_release(&der);
    return result == AWS_OP_SUCCESS ? awscrt_bytes_from_cursor(aws_byte_cursor_from_buf(&out)) : awscrt_raise_last();
}

static PyObject *s_encode(struct aws_byte_cursor r, struct aws_byte_cursor s) {
    r = s_without_leading_zeros(r);
    s = s_without_leading_zeros(s);
    if (r.len == 0 || s.len == 0) {
        PyErr_SetString(PyExc_ValueError, "r and s of a signature are greater than 0");
        return NULL;
    }
    if (r.len > MAX_RAW_SIZE || s.len > MAX_RAW_SIZE - r.len) {
        return awscrt_raise_code(AWS_ERROR_INVALID_ARGUMENT);
    }
    uint8_t memory[MAX_RAW_SIZE + 16]; /* three headers of up to four bytes, two signs */
    struct aws_byte_buf out = aws_byte_buf_from_empty_array(memory, sizeof(memory));
    if (aws_ecc_encode_signature_raw_to_der(awscrt_allocator(), r, s, &out) != AWS_OP_SUCCESS) {
        return awscrt_raise_last();
    }
    return awscrt_bytes_from_cursor(aws_byte_cursor_from_buf(&out));
}

static PyObject *s_ec_encode_raw_signature(PyObject *module, PyObject *args) {
    (void)module;
    struct awscrt_buffer r = {0};
    struct awscrt_buffer s = {0};
    if (!PyArg_ParseTuple(args, "O&O&", awscrt_convert_buffer, &r, awscrt_convert_buffer, &s)) {
        return NULL;
    }
    PyObject *der = s_encode(r.cursor, s.cursor);
    awscrt_buffer_release(&r);
    awscrt_buffer_release(&s);
    return der;
}

PyMethodDef awscrt_ec_methods[] = {
    {"ec_new_generate", s_ec_new_generate, METH_VARARGS, NULL},
    {"ec_new_key_from_der_data", s_ec_new_key_from_der_data, METH_O, NULL},
    {"ec_export_key", s_ec_export_key, METH_VARARGS, NULL},
    {"ec_get_public_coords", s_ec_get_public_coords, METH_O, NULL},
    {"ec_sign", s_ec_sign, METH_VARARGS, NULL},
    {"ec_verify", s_ec_verify, METH_VARARGS, NULL},
    {"ec_decode_der_signature", s_ec_decode_der_signature, METH_O, NULL},
    {"ec_decode_der_signature_to_padded_pair", s_ec_decode_der_signature_to_padded_pair, METH_VARARGS, NULL},
    {"ec_encode_raw_signature", s_ec_encode_raw_signature, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
