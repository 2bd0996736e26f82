/* Owns handles: capsules through which Python holds native objects. */

/* Where there is no GIL, an object that another thread than its maker drops is freed by its maker, as soon as that runs
 * Python code, which it may not do for a long time. So what is given up by a call of its own is taken out of the handle. */

#include "module.h"

/* The context of a capsule is the fork generation in which its object was made. The name of a capsule is the first member
 * of its type, so the one leads to the other. */
static void s_give_up(const char *name, void *native, uint32_t generation) {
    const struct awscrt_handle_type *type = (const struct awscrt_handle_type *)(const void *)name;
    if (!awscrt_is_shutting_down() && (generation == awscrt_fork_generation() || type->survives_fork)) {
        type->destroy(native);
    }
}

static void s_destroy(PyObject *handle) {
    const char *name = PyCapsule_GetName(handle);
    s_give_up(name, PyCapsule_GetPointer(handle, name), (uint32_t)(uintptr_t)PyCapsule_GetContext(handle));
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

void *awscrt_binding_acquire(PyObject *resource, const struct awscrt_handle_type *type, void (*acquire)(void *native)) {
    PyObject *handle = PyObject_GetAttrString(resource, "_binding");
    if (handle == NULL) {
        return NULL;
    }
    struct awscrt_guard *guard = awscrt_guard_of(handle);
    awscrt_guard_enter(guard);
    void *native = awscrt_handle_get(handle, type);
    if (native != NULL) {
        acquire(native);
    }
    awscrt_guard_leave(guard);
    Py_DecRef(handle);
    return native;
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

/* Gives up what a handle holds, whoever still refers to the handle: only for types whose users call awscrt_binding_acquire.
 * Without effect if that was done. */
static PyObject *s_release(PyObject *module, PyObject *handle) {
    static const char released[] = "object that was released";
    (void)module;
    struct awscrt_guard *guard = awscrt_guard_of(handle);
    awscrt_guard_enter(guard);
    const char *name = PyCapsule_GetName(handle);
    void *native = name != NULL && name != released ? PyCapsule_GetPointer(handle, name) : NULL;
    if (native != NULL) {
        PyCapsule_SetDestructor(handle, NULL);
        PyCapsule_SetName(handle, released);
    }
    awscrt_guard_leave(guard);
    if (native != NULL) {
        s_give_up(name, native, (uint32_t)(uintptr_t)PyCapsule_GetContext(handle));
    }
    return PyErr_Occurred() == NULL ? awscrt_none() : NULL;
}

PyMethodDef awscrt_handle_methods[] = {
    {"handle_release", s_release, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};
