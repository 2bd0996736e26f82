/* Owns what the S3 library knows of the machine that it runs on, and of those that it is tuned for. */

#include "module.h"

#include <aws/common/array_list.h>
#include <aws/s3/s3.h>

/* The first question looks at the hardware and may wait a second for the EC2 metadata service, with the library's own lock
 * held; the answers are kept. */

static PyObject *s_get_ec2_instance_type(PyObject *module, PyObject *unused) {
    (void)module;
    (void)unused;
    if (!awscrt_start_io()) {
        return NULL;
    }
    struct aws_byte_cursor name;
    AWSCRT_ALLOW_THREADS_BEGIN
    name = aws_s3_get_current_platform_ec2_intance_type(false);
    AWSCRT_ALLOW_THREADS_END
    return name.len ? awscrt_text_from_cursor(name) : awscrt_none();
}

static const struct aws_s3_platform_info *s_current(void) {
    if (!awscrt_start_io()) {
        return NULL;
    }
    const struct aws_s3_platform_info *info;
    AWSCRT_ALLOW_THREADS_BEGIN
    info = aws_s3_get_current_platform_info();
    AWSCRT_ALLOW_THREADS_END
    return info;
}

static PyObject *s_is_optimized_for_system(PyObject *module, PyObject *unused) {
    (void)module;
    (void)unused;
    const struct aws_s3_platform_info *info = s_current();
    return info ? PyBool_FromLong(info->has_recommended_configuration) : NULL;
}

static PyObject *s_get_recommended_throughput(PyObject *module, PyObject *unused) {
    (void)module;
    (void)unused;
    const struct aws_s3_platform_info *info = s_current();
    if (!info) {
        return NULL;
    }
    return info->max_throughput_gbps > 0 ? PyFloat_FromDouble(info->max_throughput_gbps) : awscrt_none();
}

static PyObject *s_list_names(const struct aws_array_list *names) {
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list && i < aws_array_list_length(names); ++i) {
        struct aws_byte_cursor name;
        aws_array_list_get_at(names, &name, i);
        PyObject *text = awscrt_text_from_cursor(name);
        if (!text || PyList_Append(list, text)) {
            Py_DecRef(list);
            list = NULL;
        }
        Py_DecRef(text);
    }
    return list;
}

static PyObject *s_get_optimized_platforms(PyObject *module, PyObject *unused) {
    (void)module;
    (void)unused;
    if (!awscrt_start_io()) {
        return NULL;
    }
    struct aws_array_list names = aws_s3_get_platforms_with_recommended_config();
    PyObject *list = s_list_names(&names);
    aws_array_list_clean_up(&names);
    return list;
}

PyMethodDef awscrt_s3_platform_methods[] = {
    {"s3_get_ec2_instance_type", s_get_ec2_instance_type, METH_NOARGS, NULL},
    {"s3_is_optimized_for_system", s_is_optimized_for_system, METH_NOARGS, NULL},
    {"s3_get_optimized_platforms", s_get_optimized_platforms, METH_NOARGS, NULL},
    {"s3_get_recommended_throughput_target_gbps", s_get_recommended_throughput, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};
