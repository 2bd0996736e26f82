/* Owns the texts of HTTP: what Python may give, and what a peer may have sent. */

#include "http.h"

#include <string.h>

enum { PROBED_SIZE = 64 * 1024 };

static bool s_breaks_line(struct aws_byte_cursor text) {
    return memchr(text.ptr, '\r', text.len) || memchr(text.ptr, '\n', text.len) || memchr(text.ptr, '\0', text.len);
}

bool awscrt_http_text_acquire(struct awscrt_buffer *buffer, PyObject *text, const char *what) {
    if (!awscrt_is_text(text)) {
        PyObject *type = PyObject_Type(text);
        PyErr_Format(PyExc_TypeError, "%s must be str, not %S", what, type);
        Py_DecRef(type);
        return false;
    }
    if (!awscrt_buffer_acquire_text(buffer, text)) {
        return false;
    }
    bool breaks_line = s_breaks_line(buffer->cursor);
    if (breaks_line) {
        PyErr_Format(PyExc_ValueError, "%s must not contain CR, LF or NUL", what);
    }
    /* Native code makes its own copy, and would end the process if it could not. */
    if (breaks_line || (buffer->cursor.len > PROBED_SIZE && !awscrt_can_allocate(buffer->cursor.len))) {
        awscrt_buffer_release(buffer);
        return false;
    }
    return true;
}

PyObject *awscrt_http_text_to_py(struct aws_byte_cursor text) {
    PyObject *decoded = awscrt_text_from_cursor(text);
    if (!decoded && PyErr_ExceptionMatches(PyExc_ValueError)) { /* UnicodeDecodeError is one */
        PyErr_Clear();
        decoded = PyUnicode_DecodeLatin1((const char *)text.ptr, (Py_ssize_t)text.len, "strict");
    }
    return decoded;
}
