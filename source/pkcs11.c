/* Owns PKCS#11 libraries: loaded drivers of tokens. */

#include "io.h"

#include <aws/io/pkcs11.h>

/* The handle owns one reference to the library; contexts made with it hold more. */

static void s_destroy(void *native) {
    /* The last reference may call C_Finalize(), foreign code that can take its time. */
    AWSCRT_ALLOW_THREADS_BEGIN
    aws_pkcs11_lib_release(native);
    AWSCRT_ALLOW_THREADS_END
}

static const struct awscrt_handle_type s_handle_type = {.name = "Pkcs11Lib", .destroy = s_destroy};

struct aws_pkcs11_lib *awscrt_pkcs11_lib_get(PyObject *lib) {
    return awscrt_binding_get(lib, &s_handle_type);
}

static PyObject *s_new(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *file;
    uint32_t behavior;
    if (!PyArg_ParseTuple(args, "O&O&", awscrt_convert_u32, &behavior, PyUnicode_FSConverter, &file)) {
        return NULL;
    }
    PyObject *handle = NULL;
    if (awscrt_start_io()) {
        struct aws_pkcs11_lib_options options = {
            .filename = aws_byte_cursor_from_c_str(PyBytes_AsString(file)),
            .initialize_finalize_behavior = (enum aws_pkcs11_lib_behavior)behavior,
        };
        struct aws_pkcs11_lib *lib;
        AWSCRT_ALLOW_THREADS_BEGIN
        lib = aws_pkcs11_lib_new(awscrt_allocator(), &options);
        AWSCRT_ALLOW_THREADS_END
        handle = awscrt_handle_own(&s_handle_type, lib);
    }
    Py_DecRef(file);
    return handle;
}

PyMethodDef awscrt_pkcs11_methods[] = {
    {"pkcs11_lib_new", s_new, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
