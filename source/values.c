/* Owns the translation of plain values: numbers, text and bytes. */

#include "module.h"

PyObject *awscrt_none(void) {
    Py_IncRef(&_Py_NoneStruct);
    return &_Py_NoneStruct;
}

bool awscrt_is_none(PyObject *object) {
    return object == &_Py_NoneStruct;
}

static bool s_has_type_flag(PyObject *object, unsigned long flag) {
    return (PyType_GetFlags(object->ob_type) & flag) != 0;
}

bool awscrt_is_bytes(PyObject *object) {
    return s_has_type_flag(object, Py_TPFLAGS_BYTES_SUBCLASS);
}

bool awscrt_is_text(PyObject *object) {
    return s_has_type_flag(object, Py_TPFLAGS_UNICODE_SUBCLASS);
}

PyObject *awscrt_bytes_from_cursor(struct aws_byte_cursor cursor) {
    return PyBytes_FromStringAndSize((const char *)cursor.ptr, (Py_ssize_t)cursor.len);
}

PyObject *awscrt_text_from_cursor(struct aws_byte_cursor cursor) {
    return PyUnicode_DecodeUTF8((const char *)cursor.ptr, (Py_ssize_t)cursor.len, "strict");
}

/* 0 with an exception set on failure, as converters report it. */
static int s_convert_unsigned(PyObject *object, uint64_t highest, uint64_t *out) {
    PyObject *integer = PyNumber_Index(object);
    if (integer == NULL) {
        return 0;
    }
    unsigned long long value = PyLong_AsUnsignedLongLong(integer);
    Py_DecRef(integer);
    bool failed = value == (unsigned long long)-1 && PyErr_Occurred() != NULL;
    if (failed && !PyErr_ExceptionMatches(PyExc_OverflowError)) {
        return 0;
    }
    if (failed || value > highest) {
        PyErr_Clear();
        PyErr_Format(
            PyExc_OverflowError, "the integer must be in the range from 0 to %llu", (unsigned long long)highest);
        return 0;
    }
    *out = value;
    return 1;
}

int awscrt_convert_u8(PyObject *object, void *uint8_out) {
    uint64_t value = 0;
    int converted = s_convert_unsigned(object, UINT8_MAX, &value);
    *(uint8_t *)uint8_out = (uint8_t)value;
    return converted;
}

int awscrt_convert_u16(PyObject *object, void *uint16_out) {
    uint64_t value = 0;
    int converted = s_convert_unsigned(object, UINT16_MAX, &value);
    *(uint16_t *)uint16_out = (uint16_t)value;
    return converted;
}

int awscrt_convert_u32(PyObject *object, void *uint32_out) {
    uint64_t value = 0;
    int converted = s_convert_unsigned(object, UINT32_MAX, &value);
    *(uint32_t *)uint32_out = (uint32_t)value;
    return converted;
}

int awscrt_convert_u64(PyObject *object, void *uint64_out) {
    return s_convert_unsigned(object, UINT64_MAX, uint64_out);
}

int awscrt_convert_size(PyObject *object, void *size_out) {
    uint64_t value = 0;
    int converted = s_convert_unsigned(object, SIZE_MAX, &value);
    *(size_t *)size_out = (size_t)value;
    return converted;
}
