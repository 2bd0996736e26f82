/* Owns xxHash: XXH64, XXH3-64 and XXH3-128, fed piece by piece or of a whole buffer. */
#include "digest.h"

#include <aws/checksums/xxhash.h>

enum {
    XXHASH_64_SIZE = 8,
    XXHASH_128_SIZE = 16,
    /* From this many bytes on, the work (10 to 60 bytes a nanosecond) takes longer than giving the GIL up and taking it
     * back. */
    THREADS_FROM = 64 * 1024,
};

static int s_update(void *native, struct aws_byte_cursor data) {
    return aws_xxhash_update(native, data);
}

static int s_finalize(void *native, struct aws_byte_buf *out, size_t truncate_to) {
    (void)truncate_to;
    return aws_xxhash_finalize(native, out);
}

static void s_destroy(void *native) {
    aws_xxhash_destroy(native);
}

static const struct awscrt_digest_functions s_functions = {
    .update = s_update,
    .finalize = s_finalize,
    .destroy = s_destroy,
};
static const struct awscrt_handle_type s_type = AWSCRT_DIGEST_HANDLE_TYPE("XXHash");

typedef struct aws_xxhash *(xxhash_new)(struct aws_allocator * allocator, uint64_t seed);
typedef int(xxhash_compute)(uint64_t seed, struct aws_byte_cursor data, struct aws_byte_buf *out);

static PyObject *s_new(xxhash_new *function, PyObject *seed, size_t size) {
    uint64_t value;
    if (!awscrt_convert_u64(seed, &value)) {
        return NULL;
    }
    return awscrt_digest_new(&s_type, &s_functions, function(awscrt_allocator(), value), size);
}

static PyObject *s_xxhash64_new(PyObject *module, PyObject *seed) {
    (void)module;
    return s_new(aws_xxhash64_new, seed, XXHASH_64_SIZE);
}

static PyObject *s_xxhash3_64_new(PyObject *module, PyObject *seed) {
    (void)module;
    return s_new(aws_xxhash3_64_new, seed, XXHASH_64_SIZE);
}

static PyObject *s_xxhash3_128_new(PyObject *module, PyObject *seed) {
    (void)module;
    return s_new(aws_xxhash3_128_new, seed, XXHASH_128_SIZE);
}

static PyObject *s_xxhash_update(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *handle;
    struct awscrt_buffer data = {0};
    if (!PyArg_ParseTuple(args, "OO&", &handle, awscrt_convert_buffer, &data)) {
        return NULL;
    }
    PyObject *result = awscrt_digest_update(handle, &s_type, data.cursor);
    awscrt_buffer_release(&data);
    return result;
}

static PyObject *s_xxhash_finalize(PyObject *module, PyObject *handle) {
    (void)module;
    return awscrt_digest_finalize(handle, &s_type, 0);
}

/* args: bytes-like, seed. By METH_FASTCALL: to read them from a tuple takes longer than the hash of a short input. */
static PyObject *s_compute(xxhash_compute *function, PyObject *const *args, Py_ssize_t count) {
    if (count != 2) {
        return PyErr_Format(PyExc_TypeError, "expected 2 arguments, got %zd", count);
    }
    uint64_t seed;
    struct awscrt_buffer input = {0};
    if (!awscrt_convert_u64(args[1], &seed) || !awscrt_buffer_acquire(&input, args[0])) {
        return NULL;
    }
    uint8_t memory[XXHASH_128_SIZE];
    struct aws_byte_buf out = aws_byte_buf_from_empty_array(memory, sizeof(memory));
    int result;
    if (input.cursor.len < THREADS_FROM) {
        result = function(seed, input.cursor, &out);
    } else {
        AWSCRT_ALLOW_THREADS_BEGIN
        result = function(seed, input.cursor, &out);
        AWSCRT_ALLOW_THREADS_END
    }
    awscrt_buffer_release(&input);
    return result == AWS_OP_SUCCESS ? awscrt_bytes_from_cursor(aws_byte_cursor_from_buf(&out)) : awscrt_raise_last();
}

static PyObject *s_xxhash64_compute(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    return s_compute(aws_xxhash64_compute, args, count);
}

static PyObject *s_xxhash3_64_compute(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    return s_compute(aws_xxhash3_64_compute, args, count);
}

static PyObject *s_xxhash3_128_compute(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    return s_compute(aws_xxhash3_128_compute, args, count);
}

PyMethodDef awscrt_xxhash_methods[] = {
    {"xxhash64_new", s_xxhash64_new, METH_O, NULL},
    {"xxhash3_64_new", s_xxhash3_64_new, METH_O, NULL},
    {"xxhash3_128_new", s_xxhash3_128_new, METH_O, NULL},
    {"xxhash_update", s_xxhash_update, METH_VARARGS, NULL},
    {"xxhash_finalize", s_xxhash_finalize, METH_O, NULL},
    AWSCRT_FASTCALL("xxhash64_compute", s_xxhash64_compute, NULL),
    AWSCRT_FASTCALL("xxhash3_64_compute", s_xxhash3_64_compute, NULL),
    AWSCRT_FASTCALL("xxhash3_128_compute", s_xxhash3_128_compute, NULL),
    {NULL, NULL, 0, NULL},
};
