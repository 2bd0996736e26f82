/* Owns HTTP headers: blocks of (name, value), and their translation to lists. */

#include "http.h"

#include <aws/http/request_response.h>

#include <string.h>

/* The handle owns one reference to the block; messages made with it have their own. Plain memory, guarded by the GIL:
 * native code that keeps a message copies what it sends while the call that hands it over holds the GIL. */

static void s_destroy(void *native) {
    aws_http_headers_release(native);
}

static const struct awscrt_handle_type s_handle_type = {
    .name = "HttpHeaders", .destroy = s_destroy, .survives_fork = true};

struct aws_http_headers *awscrt_http_headers_get(PyObject *headers) {
    return awscrt_binding_get(headers, &s_handle_type);
}

/* ---------------------------------------------------------------------------------------------------- text */

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

PyObject *awscrt_http_header_to_py(const struct aws_http_header *header) {
    PyObject *name = awscrt_http_text_to_py(header->name);
    PyObject *value = name ? awscrt_http_text_to_py(header->value) : NULL;
    PyObject *pair = value ? PyTuple_Pack(2, name, value) : NULL;
    Py_DecRef(name);
    Py_DecRef(value);
    return pair;
}

/* The list takes the reference to `item`, which may be NULL with an exception set: the list is gone then. */
static bool s_fill(PyObject *list, size_t index, PyObject *item) {
    if (!item || PyList_SetItem(list, (Py_ssize_t)index, item)) {
        Py_DecRef(list);
        return false;
    }
    return true;
}

PyObject *awscrt_http_headers_to_py(const struct aws_http_header *headers, size_t count) {
    PyObject *list = PyList_New((Py_ssize_t)count);
    if (!list) {
        return NULL;
    }
    for (size_t i = 0; i < count; ++i) {
        if (!s_fill(list, i, awscrt_http_header_to_py(&headers[i]))) {
            return NULL;
        }
    }
    return list;
}

/* ---------------------------------------------------------------------------------------------------- pairs */

/* A name and a value that Python gave. Zeroed before, released after. */
struct pair {
    struct awscrt_buffer name;
    struct awscrt_buffer value;
};

static void s_pair_release(struct pair *pair) {
    awscrt_buffer_release(&pair->name);
    awscrt_buffer_release(&pair->value);
}

static bool s_name_acquire(struct awscrt_buffer *buffer, PyObject *name) {
    if (!awscrt_http_text_acquire(buffer, name, "name of a header")) {
        return false;
    }
    if (buffer->cursor.len == 0) {
        awscrt_buffer_release(buffer);
        PyErr_SetString(PyExc_ValueError, "name of a header must not be empty");
        return false;
    }
    return true;
}

static bool s_pair_acquire(struct pair *pair, PyObject *name, PyObject *value) {
    if (!s_name_acquire(&pair->name, name)) {
        return false;
    }
    if (!awscrt_http_text_acquire(&pair->value, value, "value of a header")) {
        s_pair_release(pair);
        return false;
    }
    return true;
}

static bool s_add_pair(struct aws_http_headers *headers, PyObject *name, PyObject *value) {
    struct pair pair;
    AWS_ZERO_STRUCT(pair);
    if (!s_pair_acquire(&pair, name, value)) {
        return false;
    }
    bool added = aws_http_headers_add(headers, pair.name.cursor, pair.value.cursor) == AWS_OP_SUCCESS;
    if (!added) {
        awscrt_raise_last();
    }
    s_pair_release(&pair);
    return added;
}

static bool s_add_item(struct aws_http_headers *headers, PyObject *item) {
    bool is_pair = (PyType_GetFlags(item->ob_type) & Py_TPFLAGS_TUPLE_SUBCLASS) != 0 && PyTuple_Size(item) == 2;
    if (!is_pair) {
        PyErr_SetString(PyExc_TypeError, "name_value_pairs must hold tuples of a name and a value");
        return false;
    }
    return s_add_pair(headers, PyTuple_GetItem(item, 0), PyTuple_GetItem(item, 1));
}

static bool s_add_items(struct aws_http_headers *headers, PyObject *pairs) {
    PyObject *iterator = PyObject_GetIter(pairs);
    if (!iterator) {
        return false;
    }
    bool ok = true;
    PyObject *item;
    while (ok && (item = PyIter_Next(iterator)) != NULL) {
        ok = s_add_item(headers, item);
        Py_DecRef(item);
    }
    Py_DecRef(iterator);
    return ok && !PyErr_Occurred();
}

static struct aws_http_headers *s_block_of(PyObject *pairs) {
    struct aws_http_headers *block = aws_http_headers_new(awscrt_allocator());
    if (!block) {
        return awscrt_raise_last(), NULL;
    }
    if (!awscrt_is_none(pairs) && !s_add_items(block, pairs)) {
        aws_http_headers_release(block);
        return NULL;
    }
    return block;
}

/* ------------------------------------------------------------------------------------------------ functions */

static PyObject *s_new(PyObject *module, PyObject *pairs) {
    (void)module;
    struct aws_http_headers *block = s_block_of(pairs);
    return block ? awscrt_handle_own(&s_handle_type, block) : NULL;
}

static PyObject *s_add(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *py_headers;
    PyObject *name;
    PyObject *value;
    if (!PyArg_ParseTuple(args, "OOO", &py_headers, &name, &value)) {
        return NULL;
    }
    struct aws_http_headers *headers = awscrt_http_headers_get(py_headers);
    return headers && s_add_pair(headers, name, value) ? awscrt_none() : NULL;
}

/* All of them or none. */
static PyObject *s_add_pairs(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *py_headers;
    PyObject *pairs;
    if (!PyArg_ParseTuple(args, "OO", &py_headers, &pairs)) {
        return NULL;
    }
    struct aws_http_headers *headers = awscrt_http_headers_get(py_headers);
    struct aws_http_headers *block = headers ? s_block_of(pairs) : NULL;
    if (!block) {
        return NULL;
    }
    for (size_t i = 0; i < aws_http_headers_count(block); ++i) {
        struct aws_http_header header;
        aws_http_headers_get_index(block, i, &header);
        aws_http_headers_add_header(headers, &header);
    }
    aws_http_headers_release(block);
    return awscrt_none();
}

static PyObject *s_set(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *py_headers;
    PyObject *name;
    PyObject *value;
    if (!PyArg_ParseTuple(args, "OOO", &py_headers, &name, &value)) {
        return NULL;
    }
    struct aws_http_headers *headers = awscrt_http_headers_get(py_headers);
    struct pair pair;
    AWS_ZERO_STRUCT(pair);
    if (!headers || !s_pair_acquire(&pair, name, value)) {
        return NULL;
    }
    PyObject *result =
        aws_http_headers_set(headers, pair.name.cursor, pair.value.cursor) ? awscrt_raise_last() : awscrt_none();
    s_pair_release(&pair);
    return result;
}

static PyObject *s_get(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *py_headers;
    PyObject *py_name;
    PyObject *fallback;
    if (!PyArg_ParseTuple(args, "OOO", &py_headers, &py_name, &fallback)) {
        return NULL;
    }
    struct aws_http_headers *headers = awscrt_http_headers_get(py_headers);
    struct awscrt_buffer name = {0};
    if (!headers || !s_name_acquire(&name, py_name)) {
        return NULL;
    }
    struct aws_byte_cursor value;
    bool found = aws_http_headers_get(headers, name.cursor, &value) == AWS_OP_SUCCESS;
    awscrt_buffer_release(&name);
    if (!found) {
        Py_IncRef(fallback);
        return fallback;
    }
    return awscrt_http_text_to_py(value);
}

/* A list of the values of one name, in their order. */
static PyObject *s_get_values(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *py_headers;
    PyObject *py_name;
    if (!PyArg_ParseTuple(args, "OO", &py_headers, &py_name)) {
        return NULL;
    }
    struct aws_http_headers *headers = awscrt_http_headers_get(py_headers);
    struct awscrt_buffer name = {0};
    if (!headers || !s_name_acquire(&name, py_name)) {
        return NULL;
    }
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list && i < aws_http_headers_count(headers); ++i) {
        struct aws_http_header header;
        aws_http_headers_get_index(headers, i, &header);
        if (!aws_http_header_name_eq(header.name, name.cursor)) {
            continue;
        }
        PyObject *value = awscrt_http_text_to_py(header.value);
        if (!value || PyList_Append(list, value)) {
            Py_DecRef(list);
            list = NULL;
        }
        Py_DecRef(value);
    }
    awscrt_buffer_release(&name);
    return list;
}

static PyObject *s_get_pairs(PyObject *module, PyObject *py_headers) {
    (void)module;
    struct aws_http_headers *headers = awscrt_http_headers_get(py_headers);
    if (!headers) {
        return NULL;
    }
    size_t count = aws_http_headers_count(headers);
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (size_t i = 0; list && i < count; ++i) {
        struct aws_http_header header;
        aws_http_headers_get_index(headers, i, &header);
        if (!s_fill(list, i, awscrt_http_header_to_py(&header))) {
            return NULL;
        }
    }
    return list;
}

/* Both tell whether there was such a header. */
static PyObject *s_remove(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *py_headers;
    PyObject *py_name;
    if (!PyArg_ParseTuple(args, "OO", &py_headers, &py_name)) {
        return NULL;
    }
    struct aws_http_headers *headers = awscrt_http_headers_get(py_headers);
    struct awscrt_buffer name = {0};
    if (!headers || !s_name_acquire(&name, py_name)) {
        return NULL;
    }
    bool found = aws_http_headers_erase(headers, name.cursor) == AWS_OP_SUCCESS;
    awscrt_buffer_release(&name);
    return PyBool_FromLong(found);
}

static PyObject *s_remove_value(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *py_headers;
    PyObject *name;
    PyObject *value;
    if (!PyArg_ParseTuple(args, "OOO", &py_headers, &name, &value)) {
        return NULL;
    }
    struct aws_http_headers *headers = awscrt_http_headers_get(py_headers);
    struct pair pair;
    AWS_ZERO_STRUCT(pair);
    if (!headers || !s_pair_acquire(&pair, name, value)) {
        return NULL;
    }
    bool found = aws_http_headers_erase_value(headers, pair.name.cursor, pair.value.cursor) == AWS_OP_SUCCESS;
    s_pair_release(&pair);
    return PyBool_FromLong(found);
}

static PyObject *s_clear(PyObject *module, PyObject *py_headers) {
    (void)module;
    struct aws_http_headers *headers = awscrt_http_headers_get(py_headers);
    if (!headers) {
        return NULL;
    }
    aws_http_headers_clear(headers);
    return awscrt_none();
}

PyMethodDef awscrt_http_headers_methods[] = {
    {"http_headers_new", s_new, METH_O, NULL},
    {"http_headers_add", s_add, METH_VARARGS, NULL},
    {"http_headers_add_pairs", s_add_pairs, METH_VARARGS, NULL},
    {"http_headers_set", s_set, METH_VARARGS, NULL},
    {"http_headers_get", s_get, METH_VARARGS, NULL},
    {"http_headers_get_values", s_get_values, METH_VARARGS, NULL},
    {"http_headers_get_pairs", s_get_pairs, METH_O, NULL},
    {"http_headers_remove", s_remove, METH_VARARGS, NULL},
    {"http_headers_remove_value", s_remove_value, METH_VARARGS, NULL},
    {"http_headers_clear", s_clear, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};
