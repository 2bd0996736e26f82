/* Owns what only HTTP/2 connections do: settings, pings, the window of the connection, and the farewell. */

#include "http.h"

#include <aws/http/connection.h>

#include <inttypes.h>

/* The C library ends the process if it is asked for such a thing on an HTTP/1.1 connection. */
static struct aws_http_connection *s_http2_get(PyObject *py_connection) {
    struct aws_http_connection *connection = awscrt_http_connection_get(py_connection);
    if (connection && aws_http_connection_get_version(connection) != AWS_HTTP_VERSION_2) {
        PyErr_SetString(PyExc_TypeError, "an HTTP/2 connection is wanted");
        return NULL;
    }
    return connection;
}

/* ------------------------------------------------------------------------------------------------- settings */

PyObject *awscrt_http2_settings_to_py(const struct aws_http2_setting *settings, size_t count) {
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (size_t i = 0; list && i < count; ++i) {
        PyObject *pair = Py_BuildValue("iI", (int)settings[i].id, (unsigned)settings[i].value);
        if (!pair || PyList_SetItem(list, (Py_ssize_t)i, pair)) {
            Py_DecRef(list);
            return NULL;
        }
    }
    return list;
}

bool awscrt_http2_settings_from_py(struct aws_http2_setting *settings, size_t *count, PyObject *pairs) {
    Py_ssize_t size = PyList_Size(pairs);
    if (size < 0) {
        return false;
    }
    if (size > AWSCRT_HTTP2_MAX_SETTINGS) {
        PyErr_Format(PyExc_ValueError, "there are more than %d settings", AWSCRT_HTTP2_MAX_SETTINGS);
        return false;
    }
    for (Py_ssize_t i = 0; i < size; ++i) {
        uint8_t id;
        PyObject *pair = PyList_GetItem(pairs, i);
        if (!PyArg_ParseTuple(pair, "O&O&", awscrt_convert_u8, &id, awscrt_convert_u32, &settings[i].value)) {
            return false;
        }
        settings[i].id = (enum aws_http2_settings_id)id;
    }
    *count = (size_t)size;
    return true;
}

/* Ends an operation: `user_data` is a reference to its callable, which native code has owned since it began. Comes once, on
 * the thread of the connection's event loop. */
static void s_on_settings_changed(struct aws_http_connection *connection, int error_code, void *user_data) {
    (void)connection;
    awscrt_http_finish(user_data, error_code);
}

void awscrt_http_finish(PyObject *callable, int error_code) {
    struct awscrt_callback call;
    if (!awscrt_callback_begin(&call)) {
        return;
    }
    PyObject *error = awscrt_exception_from_code(error_code);
    if (error) {
        awscrt_finish_call(PyObject_CallFunctionObjArgs(callable, error, NULL), callable);
    }
    Py_DecRef(error);
    Py_DecRef(callable);
    awscrt_callback_end(&call);
}

static PyObject *s_change_settings(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *py_connection;
    PyObject *pairs;
    PyObject *on_complete;
    struct aws_http2_setting settings[AWSCRT_HTTP2_MAX_SETTINGS];
    size_t count;
    if (!PyArg_ParseTuple(args, "OOO", &py_connection, &pairs, &on_complete)) {
        return NULL;
    }
    struct aws_http_connection *connection = s_http2_get(py_connection);
    if (!connection || !awscrt_http2_settings_from_py(settings, &count, pairs)) {
        return NULL;
    }
    int status;
    Py_IncRef(on_complete);
    AWSCRT_ALLOW_THREADS_BEGIN
    status = aws_http2_connection_change_settings(connection, settings, count, s_on_settings_changed, on_complete);
    AWSCRT_ALLOW_THREADS_END
    if (status) {
        Py_DecRef(on_complete);
        return awscrt_raise_last();
    }
    return awscrt_none();
}

/* ----------------------------------------------------------------------------------------------------- ping */

/* As above; the callable gets the round trip in nanoseconds too. */
static void s_on_ping(struct aws_http_connection *connection, uint64_t round_trip_ns, int error_code, void *user_data) {
    (void)connection;
    PyObject *callable = user_data;
    struct awscrt_callback call;
    if (!awscrt_callback_begin(&call)) {
        return;
    }
    PyObject *error = awscrt_exception_from_code(error_code);
    PyObject *round_trip = error ? PyLong_FromUnsignedLongLong(round_trip_ns) : NULL;
    if (round_trip) {
        awscrt_finish_call(PyObject_CallFunctionObjArgs(callable, round_trip, error, NULL), callable);
    }
    Py_DecRef(round_trip);
    Py_DecRef(error);
    Py_DecRef(callable);
    awscrt_callback_end(&call);
}

static PyObject *s_ping(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *py_connection;
    struct awscrt_buffer data = {0};
    PyObject *on_complete;
    if (!PyArg_ParseTuple(args, "OO&O", &py_connection, awscrt_convert_buffer, &data, &on_complete)) {
        return NULL;
    }
    struct aws_http_connection *connection = s_http2_get(py_connection);
    PyObject *result = NULL;
    if (connection) {
        int status;
        Py_IncRef(on_complete);
        AWSCRT_ALLOW_THREADS_BEGIN
        status = aws_http2_connection_ping(connection, &data.cursor, s_on_ping, on_complete);
        AWSCRT_ALLOW_THREADS_END
        if (status) {
            Py_DecRef(on_complete);
            awscrt_raise_last();
        } else {
            result = awscrt_none();
        }
    }
    awscrt_buffer_release(&data);
    return result;
}

/* ------------------------------------------------------------------------------------------ window, farewell */

static PyObject *s_update_window(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *py_connection;
    uint32_t increment;
    if (!PyArg_ParseTuple(args, "OO&", &py_connection, awscrt_convert_u32, &increment)) {
        return NULL;
    }
    struct aws_http_connection *connection = s_http2_get(py_connection);
    if (!connection) {
        return NULL;
    }
    AWSCRT_ALLOW_THREADS_BEGIN
    aws_http2_connection_update_window(connection, increment);
    AWSCRT_ALLOW_THREADS_END
    return awscrt_none();
}

static PyObject *s_send_goaway(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *py_connection;
    uint32_t error;
    int allow_more_streams;
    struct awscrt_buffer data = {0};
    if (!PyArg_ParseTuple(
            args,
            "OO&pO&",
            &py_connection,
            awscrt_convert_u32,
            &error,
            &allow_more_streams,
            awscrt_convert_buffer,
            &data)) {
        return NULL;
    }
    struct aws_http_connection *connection = s_http2_get(py_connection);
    if (connection) {
        AWSCRT_ALLOW_THREADS_BEGIN
        aws_http2_connection_send_goaway(connection, error, allow_more_streams, &data.cursor);
        AWSCRT_ALLOW_THREADS_END
    }
    awscrt_buffer_release(&data);
    return connection ? awscrt_none() : NULL;
}

PyMethodDef awscrt_http2_connection_methods[] = {
    {"http2_connection_change_settings", s_change_settings, METH_VARARGS, NULL},
    {"http2_connection_ping", s_ping, METH_VARARGS, NULL},
    {"http2_connection_update_window", s_update_window, METH_VARARGS, NULL},
    {"http2_connection_send_goaway", s_send_goaway, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
