/* Owns what the files of I/O share: shutdown callbacks, ownership of handles, and options read from Python objects. */

#include "io.h"

#include <aws/io/socket.h>

#include <string.h>

PyObject *awscrt_handle_own(const struct awscrt_handle_type *type, void *native) {
    if (!native) {
        return awscrt_raise_last();
    }
    PyObject *handle = awscrt_handle_new(type, native);
    if (!handle) {
        type->destroy(native);
    }
    return handle;
}

void awscrt_call_and_drop(void *callable) {
    struct awscrt_callback call;
    if (!awscrt_callback_begin(&call)) {
        return;
    }
    awscrt_finish_call(PyObject_CallObject(callable, NULL), callable);
    Py_DecRef(callable);
    awscrt_callback_end(&call);
}

/* Says which attribute the pending TypeError or OverflowError is about. */
static bool s_blame(PyObject *object, const char *name) {
    if (PyErr_ExceptionMatches(PyExc_TypeError) || PyErr_ExceptionMatches(PyExc_OverflowError)) {
        PyObject *type;
        PyObject *value;
        PyObject *traceback;
        PyErr_Fetch(&type, &value, &traceback);
        PyErr_NormalizeException(&type, &value, &traceback);
        PyObject *owner = PyObject_Type(object);
        PyErr_Format(type, "%s of %S: %S", name, owner, value);
        Py_DecRef(owner);
        Py_DecRef(type);
        Py_DecRef(value);
        Py_DecRef(traceback);
    }
    return false;
}

bool awscrt_attribute_path(struct awscrt_buffer *buffer, PyObject *object, const char *name) {
    PyObject *value = PyObject_GetAttrString(object, name);
    if (!value) {
        return false;
    }
    bool ok = true;
    if (!awscrt_is_none(value)) {
        ok = PyUnicode_FSConverter(value, &buffer->keeper);
        if (ok) {
            buffer->cursor = aws_byte_cursor_from_c_str(PyBytes_AsString(buffer->keeper));
        }
    }
    Py_DecRef(value);
    return ok || s_blame(object, name);
}

bool awscrt_attribute_text(struct awscrt_buffer *buffer, PyObject *object, const char *name) {
    PyObject *value = PyObject_GetAttrString(object, name);
    if (!value) {
        return false;
    }
    bool ok = true;
    if (awscrt_is_text(value) || awscrt_is_bytes(value)) {
        ok = awscrt_buffer_acquire_text(buffer, value);
    } else if (!awscrt_is_none(value)) {
        PyErr_SetString(PyExc_TypeError, "bytes, str or None wanted");
        ok = false;
    }
    Py_DecRef(value);
    return ok || s_blame(object, name);
}

static bool
s_attribute_number(void *number, PyObject *object, const char *name, int (*convert)(PyObject *object, void *number)) {
    PyObject *value = PyObject_GetAttrString(object, name);
    if (!value) {
        return false;
    }
    bool ok = convert(value, number);
    Py_DecRef(value);
    return ok || s_blame(object, name);
}

bool awscrt_attribute_u32(uint32_t *number, PyObject *object, const char *name) {
    return s_attribute_number(number, object, name, awscrt_convert_u32);
}

bool awscrt_attribute_flag(bool *flag, PyObject *object, const char *name) {
    PyObject *value = PyObject_GetAttrString(object, name);
    if (!value) {
        return false;
    }
    int truth = PyObject_IsTrue(value);
    Py_DecRef(value);
    *flag = truth > 0;
    return truth >= 0;
}

bool awscrt_socket_options_from_py(struct aws_socket_options *options, PyObject *py_options) {
    AWS_ZERO_STRUCT(*options);
    uint32_t domain;
    uint32_t type;
    bool tcp_nodelay;
    bool ok = awscrt_attribute_u32(&domain, py_options, "domain") && awscrt_attribute_u32(&type, py_options, "type") &&
              awscrt_attribute_u32(&options->connect_timeout_ms, py_options, "connect_timeout_ms") &&
              awscrt_attribute_flag(&options->keepalive, py_options, "keep_alive") &&
              s_attribute_number(
                  &options->keep_alive_interval_sec, py_options, "keep_alive_interval_secs", awscrt_convert_u16) &&
              s_attribute_number(
                  &options->keep_alive_timeout_sec, py_options, "keep_alive_timeout_secs", awscrt_convert_u16) &&
              s_attribute_number(
                  &options->keep_alive_max_failed_probes, py_options, "keep_alive_max_probes", awscrt_convert_u16) &&
              awscrt_attribute_flag(&tcp_nodelay, py_options, "tcp_nodelay");
    if (!ok) {
        return false;
    }
    if (domain > AWS_SOCKET_LOCAL || type > AWS_SOCKET_DGRAM) {
        PyErr_SetString(PyExc_ValueError, "SocketOptions: not a SocketDomain or not a SocketType");
        return false;
    }
    options->domain = (enum aws_socket_domain)domain;
    options->type = (enum aws_socket_type)type;
    options->tcp_nodelay = tcp_nodelay ? AWS_SOCKET_TCP_NODELAY_ON : AWS_SOCKET_TCP_NODELAY_DEFAULT;
    return true;
}
