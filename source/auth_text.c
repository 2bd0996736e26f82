/* Owns the reading of texts that Python gives to auth: they end in headers and paths of requests, or are secrets, or both.
 */

#include "auth.h"

/* Python's own error would carry the text along. */
static void s_hide_text(void) {
    if (PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) {
        PyErr_Clear();
        PyErr_SetString(PyExc_ValueError, "a text has lone surrogates, which UTF-8 cannot express");
    }
}

static bool s_acquire(struct awscrt_buffer *buffer, PyObject *text, const struct awscrt_auth_text *rule) {
    if (awscrt_is_none(text) && (rule->need == AWSCRT_TEXT_OPTIONAL || rule->need == AWSCRT_TEXT_NONE_OR_SOME)) {
        return true;
    }
    if (!awscrt_http_text_acquire(buffer, text, rule->name)) {
        s_hide_text();
        return false;
    }
    if (buffer->cursor.len > 0 || rule->need == AWSCRT_TEXT_ANY) {
        return true;
    }
    awscrt_buffer_release(buffer);
    if (rule->need == AWSCRT_TEXT_OPTIONAL) {
        return true;
    }
    PyErr_Format(PyExc_ValueError, "%s must not be empty", rule->name);
    return false;
}

bool awscrt_auth_texts_acquire(
    struct awscrt_buffer *buffers, PyObject *const *texts, const struct awscrt_auth_text *rules, size_t count) {
    for (size_t i = 0; i < count; ++i) {
        if (!s_acquire(&buffers[i], texts[i], &rules[i])) {
            awscrt_auth_texts_release(buffers, count);
            return false;
        }
    }
    return true;
}

void awscrt_auth_texts_release(struct awscrt_buffer *buffers, size_t count) {
    for (size_t i = 0; i < count; ++i) {
        awscrt_buffer_release(&buffers[i]);
    }
}

bool awscrt_auth_check_count(Py_ssize_t count, Py_ssize_t wanted) {
    if (count != wanted) {
        PyErr_Format(PyExc_TypeError, "%zd arguments wanted, not %zd", wanted, count);
    }
    return count == wanted;
}
