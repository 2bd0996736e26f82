/* Owns borrowed memory: Python's lent to native code, and native code's lent to Python. */

#include "module.h"

static struct aws_byte_cursor s_cursor(const void *memory, Py_ssize_t size) {
    return (struct aws_byte_cursor){.ptr = (uint8_t *)(uintptr_t)memory, .len = (size_t)size};
}

/* An empty exporter may have no address at all, but native code takes NULL for "not given". */
static const void *s_address(const void *memory) {
    static const char nowhere;
    return memory != NULL ? memory : &nowhere;
}

static bool s_acquire_bytes(struct awscrt_buffer *buffer, PyObject *bytes) {
    char *memory = NULL;
    Py_ssize_t size = 0;
    if (PyBytes_AsStringAndSize(bytes, &memory, &size) != 0) {
        return false;
    }
    Py_IncRef(bytes);
    buffer->keeper = bytes;
    buffer->cursor = s_cursor(memory, size);
    return true;
}

static bool s_acquire_view(struct awscrt_buffer *buffer, PyObject *object) {
    PyObject *view = PyMemoryView_FromObject(object);
    if (view == NULL) {
        return false;
    }
    const void *memory = NULL;
    Py_ssize_t size = 0;
    if (PyObject_AsReadBuffer(view, &memory, &size) != 0) {
        Py_DecRef(view);
        return false;
    }
    buffer->keeper = view;
    buffer->cursor = s_cursor(s_address(memory), size);
    return true;
}

bool awscrt_buffer_acquire(struct awscrt_buffer *buffer, PyObject *object) {
    return awscrt_is_bytes(object) ? s_acquire_bytes(buffer, object) : s_acquire_view(buffer, object);
}

bool awscrt_buffer_acquire_text(struct awscrt_buffer *buffer, PyObject *object) {
    if (!awscrt_is_text(object)) {
        return awscrt_buffer_acquire(buffer, object);
    }
    PyObject *bytes = PyUnicode_AsUTF8String(object);
    bool acquired = bytes != NULL && s_acquire_bytes(buffer, bytes);
    Py_DecRef(bytes);
    return acquired;
}

void awscrt_buffer_release(struct awscrt_buffer *buffer) {
    PyObject *keeper = buffer->keeper;
    *buffer = (struct awscrt_buffer){.keeper = NULL};
    Py_DecRef(keeper);
}

static int s_convert(
    PyObject *object,
    struct awscrt_buffer *buffer,
    bool (*acquire)(struct awscrt_buffer *, PyObject *),
    bool optional) {
    if (object == NULL) {
        awscrt_buffer_release(buffer); /* a later argument was refused */
        return 1;
    }
    *buffer = (struct awscrt_buffer){.keeper = NULL};
    if (optional && awscrt_is_none(object)) {
        return Py_CLEANUP_SUPPORTED;
    }
    return acquire(buffer, object) ? Py_CLEANUP_SUPPORTED : 0;
}

int awscrt_convert_buffer(PyObject *object, void *buffer) {
    return s_convert(object, buffer, awscrt_buffer_acquire, false);
}

int awscrt_convert_text(PyObject *object, void *buffer) {
    return s_convert(object, buffer, awscrt_buffer_acquire_text, false);
}

int awscrt_convert_optional_text(PyObject *object, void *buffer) {
    return s_convert(object, buffer, awscrt_buffer_acquire_text, true);
}

PyObject *awscrt_call_with_memory(PyObject *callable, void *memory, size_t size, bool writable) {
    PyObject *view = PyMemoryView_FromMemory(memory, (Py_ssize_t)size, writable ? PyBUF_WRITE : PyBUF_READ);
    if (view == NULL) {
        return NULL;
    }
    PyObject *result = PyObject_CallFunctionObjArgs(callable, view, NULL);
    PyObject *pending = result == NULL ? awscrt_exception_take() : NULL;
    PyObject *released = PyObject_CallMethod(view, "release", NULL);
    if (released == NULL) {
        Py_DecRef(result);
        result = NULL;
    }
    if (pending != NULL) {
        PyErr_Clear();
        PyErr_SetObject((PyObject *)pending->ob_type, pending);
        Py_DecRef(pending);
    }
    Py_DecRef(released);
    Py_DecRef(view);
    return result;
}
