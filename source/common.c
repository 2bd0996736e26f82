/* Owns facts about the machine. */

#include "module.h"

#include <aws/common/system_info.h>

static PyObject *s_get_cpu_group_count(PyObject *module, PyObject *unused) {
    (void)module;
    (void)unused;
    return PyLong_FromUnsignedLong(aws_get_cpu_group_count());
}

static PyObject *s_get_cpu_count_for_group(PyObject *module, PyObject *argument) {
    (void)module;
    uint16_t group = 0;
    if (!awscrt_convert_u16(argument, &group)) {
        return NULL;
    }
    return PyLong_FromSize_t(aws_get_cpu_count_for_group(group));
}

PyMethodDef awscrt_common_methods[] = {
    {"get_cpu_group_count", s_get_cpu_group_count, METH_NOARGS, NULL},
    {"get_cpu_count_for_group", s_get_cpu_count_for_group, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};
