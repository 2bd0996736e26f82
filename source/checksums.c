/* Owns checksums: CRC-32, CRC-32C and CRC-64/NVME of whole buffers, and their combination. */
#include "crc32.h"
#include "module.h"

#include <aws/checksums/crc.h>

/* From this many bytes on, the work (10 to 60 bytes a nanosecond) takes longer than giving the GIL up and taking it back. */
enum { THREADS_FROM = 64 * 1024 };

typedef uint64_t(crc_function)(struct aws_byte_cursor input, uint64_t previous);

static uint64_t s_crc32(struct aws_byte_cursor input, uint64_t previous) {
    return awscrt_crc32(input.ptr, input.len, (uint32_t)previous);
}

static uint64_t s_crc32c(struct aws_byte_cursor input, uint64_t previous) {
    return aws_checksums_crc32c_ex(input.ptr, input.len, (uint32_t)previous);
}

static uint64_t s_crc64nvme(struct aws_byte_cursor input, uint64_t previous) {
    return aws_checksums_crc64nvme_ex(input.ptr, input.len, previous);
}

/* Of an int from 0 to 2**64 - 1; TypeError or OverflowError otherwise. */
static bool s_unsigned(PyObject *object, uint64_t *out) {
    *out = PyLong_AsUnsignedLongLong(object);
    return *out != UINT64_MAX || PyErr_Occurred() == NULL;
}

/* One of the functions: METH_FASTCALL | METH_KEYWORDS, and no Python function around it, as the call takes most of the time
 * that a short input does. */
struct checksum {
    const char *name;
    const char *previous; /* its second parameter */
    crc_function *function;
};

/* Which parameter a keyword names: 0 or 1; -1 with TypeError set. */
static int s_parameter(const struct checksum *self, PyObject *keyword) {
    if (PyUnicode_CompareWithASCIIString(keyword, "input") == 0) {
        return 0;
    }
    if (PyUnicode_CompareWithASCIIString(keyword, self->previous) == 0) {
        return 1;
    }
    PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument '%U'", self->name, keyword);
    return -1;
}

/* The arguments in their order: those by position, then those by keyword. The second may remain NULL. */
static bool s_arguments(
    const struct checksum *self, PyObject *const *args, Py_ssize_t positional, PyObject *keywords, PyObject *out[2]) {
    Py_ssize_t count = positional + (keywords != NULL ? PyTuple_Size(keywords) : 0);
    if (count > 2) {
        PyErr_Format(PyExc_TypeError, "%s() takes 1 or 2 arguments, but %zd were given", self->name, count);
        return false;
    }
    for (Py_ssize_t i = 0; i < count; ++i) {
        int index = i < positional ? (int)i : s_parameter(self, PyTuple_GetItem(keywords, i - positional));
        if (index < 0) {
            return false;
        }
        if (out[index] != NULL) {
            PyErr_Format(PyExc_TypeError, "%s() got an argument twice", self->name);
            return false;
        }
        out[index] = args[i];
    }
    if (out[0] == NULL) {
        PyErr_Format(PyExc_TypeError, "%s() missing 1 required argument: 'input'", self->name);
    }
    return out[0] != NULL;
}

/* str or bytes-like. Of `bytes` no reference is taken, for that would be a good part of a short call: the caller holds one
 * as long as the call lasts. */
static bool s_input(PyObject *object, struct awscrt_buffer *input) {
    if (!awscrt_is_bytes(object)) {
        return awscrt_buffer_acquire_text(input, object);
    }
    input->cursor = aws_byte_cursor_from_array(PyBytes_AsString(object), (size_t)PyBytes_Size(object));
    return true;
}

static PyObject *
s_checksum(const struct checksum *self, PyObject *const *args, Py_ssize_t positional, PyObject *keywords) {
    uint64_t crc = 0;
    PyObject *arguments[2] = {NULL, NULL};
    struct awscrt_buffer input = {0};
    if (!s_arguments(self, args, positional, keywords, arguments) ||
        (arguments[1] != NULL && !s_unsigned(arguments[1], &crc)) || !s_input(arguments[0], &input)) {
        return NULL;
    }
    if (input.cursor.len < THREADS_FROM) {
        crc = self->function(input.cursor, crc);
    } else {
        AWSCRT_ALLOW_THREADS_BEGIN
        crc = self->function(input.cursor, crc);
        AWSCRT_ALLOW_THREADS_END
    }
    if (input.keeper != NULL) {
        awscrt_buffer_release(&input);
    }
    return PyLong_FromUnsignedLongLong(crc);
}

static PyObject *s_checksums_crc32(PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *keywords) {
    static const struct checksum self = {.name = "crc32", .previous = "previous_crc32", .function = s_crc32};
    (void)module;
    return s_checksum(&self, args, count, keywords);
}

static PyObject *s_checksums_crc32c(PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *keywords) {
    static const struct checksum self = {.name = "crc32c", .previous = "previous_crc32c", .function = s_crc32c};
    (void)module;
    return s_checksum(&self, args, count, keywords);
}

static PyObject *s_checksums_crc64nvme(PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *keywords) {
    static const struct checksum self = {
        .name = "crc64nvme", .previous = "previous_crc64nvme", .function = s_crc64nvme};
    (void)module;
    return s_checksum(&self, args, count, keywords);
}

static PyObject *s_checksums_crc32_by_each(PyObject *module, PyObject *args) {
    (void)module;
    uint32_t previous;
    struct awscrt_buffer input = {0};
    if (!PyArg_ParseTuple(args, "O&O&", awscrt_convert_buffer, &input, awscrt_convert_u32, &previous)) {
        return NULL;
    }
    uint32_t results[AWSCRT_CRC32_MAX_IMPLEMENTATIONS];
    size_t count = awscrt_crc32_by_each(input.cursor.ptr, input.cursor.len, previous, results);
    awscrt_buffer_release(&input);
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list != NULL && i < count; ++i) {
        PyObject *result = PyLong_FromUnsignedLong(results[i]);
        bool appended = result != NULL && PyList_Append(list, result) == 0;
        Py_DecRef(result);
        if (!appended) {
            Py_DecRef(list);
            list = NULL;
        }
    }
    return list;
}

/* An unsigned int of 64 bits; else ValueError that names it as one of `bits` bits. Of a longer one than `bits` bits the
 * lower bits count, as with the previous value of a checksum. */
static bool s_operand(PyObject *object, const char *name, int bits, uint64_t *out) {
    if (s_unsigned(object, out)) {
        return true;
    }
    PyErr_Clear();
    PyErr_Format(PyExc_ValueError, "%s is not a valid unsigned %d-bit integer", name, bits);
    return false;
}

static PyObject *s_combine_crc32(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *first, *second, *length;
    uint64_t crc1, crc2, length2;
    if (!PyArg_ParseTuple(args, "OOO", &first, &second, &length) || !s_operand(first, "crc32_result1", 32, &crc1) ||
        !s_operand(second, "crc32_result2", 32, &crc2) || !s_operand(length, "data_length2", 64, &length2)) {
        return NULL;
    }
    return PyLong_FromUnsignedLongLong(aws_checksums_crc32_combine((uint32_t)crc1, (uint32_t)crc2, length2));
}

static PyObject *s_combine_crc32c(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *first, *second, *length;
    uint64_t crc1, crc2, length2;
    if (!PyArg_ParseTuple(args, "OOO", &first, &second, &length) || !s_operand(first, "crc32c_result1", 32, &crc1) ||
        !s_operand(second, "crc32c_result2", 32, &crc2) || !s_operand(length, "data_length2", 64, &length2)) {
        return NULL;
    }
    return PyLong_FromUnsignedLongLong(aws_checksums_crc32c_combine((uint32_t)crc1, (uint32_t)crc2, length2));
}

static PyObject *s_combine_crc64nvme(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *first, *second, *length;
    uint64_t crc1, crc2, length2;
    if (!PyArg_ParseTuple(args, "OOO", &first, &second, &length) || !s_operand(first, "crc64nvme_result1", 64, &crc1) ||
        !s_operand(second, "crc64nvme_result2", 64, &crc2) || !s_operand(length, "data_length2", 64, &length2)) {
        return NULL;
    }
    /* On AArch64 the library takes the length for a signed number. */
    for (; length2 > INT64_MAX; length2 -= INT64_MAX) {
        crc1 = aws_checksums_crc64nvme_combine(crc1, 0, INT64_MAX);
    }
    return PyLong_FromUnsignedLongLong(aws_checksums_crc64nvme_combine(crc1, crc2, length2));
}

/* The lines up to "--" give the signature to `inspect`. */
#define CHECKSUM_DOC(name, previous, what, lower_bits)                                                                 \
    name "($module, input, " previous "=0)\n--\n\n" what "\n\nArgs:\n"                                                 \
         "    input: bytes-like, C-contiguous; or str, which is encoded as UTF-8.\n"                                   \
         "    " previous ": the checksum of what comes before, to go on from there." lower_bits "\n"                   \
         "\nRaises:\n"                                                                                                 \
         "    TypeError: an argument has the wrong type.\n"                                                            \
         "    OverflowError: " previous " is negative or has more than 64 bits.\n"                                     \
         "    BufferError: input is not contiguous.\n"
#define LOWER_BITS " Its lower 32 bits count."

static const char s_crc32_doc[] = CHECKSUM_DOC(
    "crc32",
    "previous_crc32",
    "CRC-32 of zlib, gzip, PNG and Ethernet (ISO/IEC 13239): the same as zlib.crc32.",
    LOWER_BITS);
static const char s_crc32c_doc[] = CHECKSUM_DOC(
    "crc32c",
    "previous_crc32c",
    "CRC-32C, the Castagnoli polynomial, of iSCSI (RFC 3720, appendix B.4) and Amazon S3.",
    LOWER_BITS);
static const char s_crc64nvme_doc[] = CHECKSUM_DOC(
    "crc64nvme",
    "previous_crc64nvme",
    "CRC-64/NVME (NVM Express NVM Command Set Specification 1.0, 5.2.1.3.4), Amazon S3's default.",
    "");

#define CHECKSUM(name)                                                                                                 \
    {#name, (PyCFunction)(void (*)(void))s_checksums_##name, METH_FASTCALL | METH_KEYWORDS, s_##name##_doc}

PyMethodDef awscrt_checksums_methods[] = {
    CHECKSUM(crc32),
    CHECKSUM(crc32c),
    CHECKSUM(crc64nvme),
    {"checksums_crc32_by_each", s_checksums_crc32_by_each, METH_VARARGS, NULL},
    {"checksums_combine_crc32", s_combine_crc32, METH_VARARGS, NULL},
    {"checksums_combine_crc32c", s_combine_crc32c, METH_VARARGS, NULL},
    {"checksums_combine_crc64nvme", s_combine_crc64nvme, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
