/* Owns handles: capsules through which Python holds native objects. */

#include "module.h"

/* The context of a capsule is the fork generation in which its object was made. The name of a capsule is the first member
 * of its type, so the one leads to the other. */
static void s_destroy(PyObject *handle) {
    const char *name = PyCapsule_GetName(handle);
    const struct awscrt_handle_type *type = (const struct awscrt_handle_type *)(const void *)name;
    uint32_t generation = (uint32_t)(uintptr_t)PyCapsule_GetContext(handle);
    if (awscrt_is_shutting_down()) {
        return;
    }
    if (generation != awscrt_fork_generation() && !type->survives_fork) {
        return;
    }
    type->destroy(PyCapsule_GetPointer(handle, name));
}

PyObject *awscrt_handle_new(const struct awscrt_handle_type *type, void *native) {
    PyObject *handle = PyCapsule_New(native, type->name, s_destroy);
    if (handle == NULL) {
        return NULL;
    }
    PyCapsule_SetContext(handle, (void *)(uintptr_t)awscrt_fork_generation());
    return handle;
}

void *awscrt_handle_get(PyObject *handle, const struct awscrt_handle_type *type) {
    if (!PyCapsule_IsValid(handle, type->name)) {
        PyErr_Format(PyExc_TypeError, "expected a native %s", type->name);
        return NULL;
    }
    uint32_t generation = (uint32_t)(uintptr_t)PyCapsule_GetContext(handle);
    if (generation != awscrt_fork_generation() && !type->survives_fork) {
        awscrt_raise_forked(type->name);
        return NULL;
    }
    return PyCapsule_GetPointer(handle, type->name);
}

void *awscrt_binding_get(PyObject *resource, const struct awscrt_handle_type *type) {
    PyObject *handle = PyObject_GetAttrString(resource, "_binding");
    if (handle == NULL) {
        return NULL;
    }
    void *native = awscrt_handle_get(handle, type);
    Py_DecRef(handle); /* the resource keeps it */
    return native;
}
