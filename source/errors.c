/* Owns the translation between error codes and exceptions, both ways. */

#include "module.h"

#include <stdlib.h>

enum {
    PACKAGE_ID = 10, /* no C library has it */
    AWS_ERROR_CRT_CALLBACK_EXCEPTION = AWS_ERROR_ENUM_BEGIN_RANGE(PACKAGE_ID),
};

/* Read by native code as long as the process lives. */
static const struct aws_error_info s_own_errors[] = {
    AWS_DEFINE_ERROR_INFO(AWS_ERROR_CRT_CALLBACK_EXCEPTION, "Callback raised an exception.", "awscrt"),
};

static const struct aws_error_info_list s_own_list = {
    .error_list = s_own_errors,
    .count = AWS_ARRAY_SIZE(s_own_errors),
};

void awscrt_errors_start(void) {
    aws_register_error_info(&s_own_list);
}

static PyObject *s_new_exception(const char *factory, int code) {
    PyObject *module = PyImport_ImportModule("awscrt.exceptions");
    if (module == NULL) {
        return NULL;
    }
    PyObject *exception = PyObject_CallMethod(module, factory, "i", code);
    Py_DecRef(module);
    return exception;
}

PyObject *awscrt_exception_from_code(int code) {
    return code == AWS_ERROR_SUCCESS ? awscrt_none() : s_new_exception("from_code", code);
}

PyObject *awscrt_raise_code(int code) {
    if (code == AWS_ERROR_OOM) {
        return PyErr_NoMemory();
    }
    PyObject *exception =
        s_new_exception("runtime_error_from_code", code != AWS_ERROR_SUCCESS ? code : AWS_ERROR_UNKNOWN);
    if (exception != NULL) {
        PyErr_SetObject((PyObject *)exception->ob_type, exception);
        Py_DecRef(exception);
    }
    return NULL;
}

PyObject *awscrt_raise_last(void) {
    return awscrt_raise_code(aws_last_error_or_unknown_error());
}

PyObject *awscrt_exception_take(void) {
    PyObject *type = NULL;
    PyObject *value = NULL;
    PyObject *traceback = NULL;
    PyErr_Fetch(&type, &value, &traceback);
    if (type == NULL) {
        return NULL;
    }
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback != NULL) {
        PyException_SetTraceback(value, traceback);
    }
    Py_DecRef(type);
    Py_DecRef(traceback);
    return value;
}

int awscrt_code_from_exception(PyObject *exception) {
    if (PyErr_GivenExceptionMatches(exception, PyExc_MemoryError)) {
        return AWS_ERROR_OOM;
    }
    if (PyErr_GivenExceptionMatches(exception, PyExc_OSError)) {
        return AWS_ERROR_SYS_CALL_FAILURE;
    }
    return AWS_ERROR_UNKNOWN;
}

void awscrt_exception_unraisable(PyObject *context) {
    if (PyErr_Occurred() != NULL) {
        PyErr_WriteUnraisable(context);
    }
}

int awscrt_environment_switch(const char *name, int highest) {
    const char *text = getenv(name);
    if (text == NULL || text[0] == '\0') {
        return 0;
    }
    if (text[1] == '\0' && text[0] >= '0' && text[0] <= '0' + highest) {
        return text[0] - '0';
    }
    if (PyErr_WarnFormat(
            PyExc_RuntimeWarning,
            1,
            "the environment variable %s must be an integer from 0 to %i, not '%.40s': taken for 0",
            name,
            highest,
            text) != 0) {
        return -1;
    }
    return 0;
}

/* Each library brings the names of its own codes when it starts, and all but two start with the first use. */
static bool s_know_code(int code) {
    bool known_at_import = code < (int)AWS_ERROR_ENUM_BEGIN_RANGE(AWS_C_COMMON_PACKAGE_ID + 1);
    return known_at_import || awscrt_start_io();
}

static PyObject *s_get_error_name(PyObject *module, PyObject *arguments) {
    (void)module;
    int code = 0;
    if (!PyArg_ParseTuple(arguments, "i", &code) || !s_know_code(code)) {
        return NULL;
    }
    return PyUnicode_FromString(aws_error_name(code));
}

static PyObject *s_get_error_message(PyObject *module, PyObject *arguments) {
    (void)module;
    int code = 0;
    if (!PyArg_ParseTuple(arguments, "i", &code) || !s_know_code(code)) {
        return NULL;
    }
    return PyUnicode_FromString(aws_error_str(code));
}

PyMethodDef awscrt_errors_methods[] = {
    {"get_error_name", s_get_error_name, METH_VARARGS, NULL},
    {"get_error_message", s_get_error_message, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
