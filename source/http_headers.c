/* Owns HTTP headers: blocks of (name, value), and their translation to lists. */

#include "http.h"

#include <aws/http/request_response.h>

/* The handle owns one reference to the block; messages made with it have their own. Plain memory, guarded by the GIL: no
 * native thread gets to see it, for what sends a message is handed a copy, or copies it within a call that holds the GIL. */

static void s_destroy(void *native) {
    aws_http_headers_release(native);
}

static const struct awscrt_handle_type s_handle_type = {
    .name = "HttpHeaders", .destroy = s_destroy, .survives_fork = true};

struct aws_http_headers *awscrt_http_headers_get(PyObject *headers) {
    return awscrt_binding_get(headers, &s_handle_type);
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
    struct awscrt_guard *guard = awscrt_guard_of(headers);
    awscrt_guard_enter(guard);
    bool added = aws_http_headers_add(headers, pair.name.cursor, pair.value.cursor) == AWS_OP_SUCCESS;
    awscrt_guard_leave(guard);
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

void awscrt_http_headers_append(struct aws_http_headers *to, const struct aws_http_headers *from) {
    for (size_t i = 0; i < aws_http_headers_count(from); ++i) {
        struct aws_http_header header;
        aws_http_headers_get_index(from, i, &header);
        aws_http_headers_add_header(to, &header);
    }
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
    struct awscrt_guard *guard = awscrt_guard_of(headers);
    awscrt_guard_enter(guard);
    awscrt_http_headers_append(headers, block);
    awscrt_guard_leave(guard);
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
    struct awscrt_guard *guard = awscrt_guard_of(headers);
    awscrt_guard_enter(guard);
    bool set = aws_http_headers_set(headers, pair.name.cursor, pair.value.cursor) == AWS_OP_SUCCESS;
    awscrt_guard_leave(guard);
    PyObject *result = set ? awscrt_none() : awscrt_raise_last();
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
    PyObject *text = NULL;
    struct awscrt_guard *guard = awscrt_guard_of(headers);
    awscrt_guard_enter(guard);
    bool found = aws_http_headers_get(headers, name.cursor, &value) == AWS_OP_SUCCESS;
    if (found) {
        text = awscrt_http_text_to_py(value);
    }
    awscrt_guard_leave(guard);
    awscrt_buffer_release(&name);
    if (!found) {
        Py_IncRef(fallback);
        text = fallback;
    }
    return text;
}

/* In their order. */
static PyObject *s_list_values(const struct aws_http_headers *headers, struct aws_byte_cursor name) {
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list && i < aws_http_headers_count(headers); ++i) {
        struct aws_http_header header;
        aws_http_headers_get_index(headers, i, &header);
        if (!aws_http_header_name_eq(header.name, name)) {
            continue;
        }
        PyObject *value = awscrt_http_text_to_py(header.value);
        if (!value || PyList_Append(list, value)) {
            Py_DecRef(list);
            list = NULL;
        }
        Py_DecRef(value);
    }
    return list;
}

/* A list of the values of one name. */
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
    struct awscrt_guard *guard = awscrt_guard_of(headers);
    awscrt_guard_enter(guard);
    PyObject *list = s_list_values(headers, name.cursor);
    awscrt_guard_leave(guard);
    awscrt_buffer_release(&name);
    return list;
}

static PyObject *s_list_pairs(const struct aws_http_headers *headers) {
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

static PyObject *s_get_pairs(PyObject *module, PyObject *py_headers) {
    (void)module;
    struct aws_http_headers *headers = awscrt_http_headers_get(py_headers);
    if (!headers) {
        return NULL;
    }
    struct awscrt_guard *guard = awscrt_guard_of(headers);
    awscrt_guard_enter(guard);
    PyObject *list = s_list_pairs(headers);
    awscrt_guard_leave(guard);
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
    struct awscrt_guard *guard = awscrt_guard_of(headers);
    awscrt_guard_enter(guard);
    bool found = aws_http_headers_erase(headers, name.cursor) == AWS_OP_SUCCESS;
    awscrt_guard_leave(guard);
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
    struct awscrt_guard *guard = awscrt_guard_of(headers);
    awscrt_guard_enter(guard);
    bool found = aws_http_headers_erase_value(headers, pair.name.cursor, pair.value.cursor) == AWS_OP_SUCCESS;
    awscrt_guard_leave(guard);
    s_pair_release(&pair);
    return PyBool_FromLong(found);
}

static PyObject *s_clear(PyObject *module, PyObject *py_headers) {
    (void)module;
    struct aws_http_headers *headers = awscrt_http_headers_get(py_headers);
    if (!headers) {
        return NULL;
    }
    struct awscrt_guard *guard = awscrt_guard_of(headers);
    awscrt_guard_enter(guard);
    aws_http_headers_clear(headers);
    awscrt_guard_leave(guard);
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
