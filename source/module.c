/* Owns the start of the extension: what it is, in which interpreter it may live, and the functions it is made of. */

#include "module.h"

#include <stdlib.h>

#ifdef _WIN32
#    include <windows.h>
#else
#    include <dlfcn.h>
#endif

typedef PyInterpreterState *(*current_interpreter)(void);

/* The function that tells the running interpreter is stable from 3.9 on; 3.8 has it under another name. */
static current_interpreter s_find_current_interpreter(void) {
    static const char *const names[] = {"PyInterpreterState_Get", "_PyInterpreterState_Get"};
    for (size_t i = 0; i < AWS_ARRAY_SIZE(names); ++i) {
        current_interpreter found = NULL;
#ifdef _WIN32
        HMODULE python = NULL;
        if (GetModuleHandleExA(
                GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT,
                (const char *)(const void *)PyExc_ImportError,
                &python)) {
            found = (current_interpreter)(void (*)(void))GetProcAddress(python, names[i]);
        }
#else
        *(void **)(&found) = dlsym(RTLD_DEFAULT, names[i]);
#endif
        if (found != NULL) {
            return found;
        }
    }
    return NULL;
}

/* Native threads reach Python through PyGILState_Ensure, which always enters the main interpreter: an object of another one
 * would be touched under the wrong GIL. */
static bool s_is_main_interpreter(void) {
    current_interpreter current = s_find_current_interpreter();
    if (current == NULL || PyInterpreterState_GetID(current()) == 0) {
        return true;
    }
    PyErr_SetString(
        PyExc_ImportError,
        "awscrt cannot be used in a sub-interpreter: its native threads can call back into the main interpreter only. "
        "Use it in the main interpreter, or in a process of its own");
    return false;
}

static bool s_start_once(void) {
    static bool started; /* guarded by the GIL */
    if (awscrt_is_shutting_down()) {
        PyErr_SetString(PyExc_ImportError, "awscrt cannot be imported again: the interpreter it served has shut down");
        return false;
    }
    if (started) {
        return true;
    }
    if (!awscrt_memory_start()) {
        return false;
    }
    awscrt_libraries_start();
    awscrt_errors_start();
    if (!awscrt_logging_start() || !awscrt_fork_start() || !awscrt_crash_start()) {
        return false;
    }
    started = true;
    return true;
}

static int s_exec(PyObject *module) {
    static struct awscrt_guard guard;
    if (!s_is_main_interpreter()) {
        return -1;
    }
    awscrt_guard_enter(&guard);
    bool started = s_start_once();
    awscrt_guard_leave(&guard);
    if (!started) {
        return -1;
    }
#define ADD_METHODS(noun)                                                                                              \
    if (PyModule_AddFunctions(module, awscrt_##noun##_methods) != 0) {                                                 \
        return -1;                                                                                                     \
    }
    AWSCRT_NOUNS(ADD_METHODS)
#undef ADD_METHODS
    return 0;
}

/* A slot takes a function as void *; the union is the conversion that ISO C knows. */
union slot_function {
    int (*exec)(PyObject *);
    void *value;
};

PyMODINIT_FUNC PyInit__awscrt(void) {
    static const union slot_function exec = {.exec = s_exec};
    static PyModuleDef_Slot slots[4];
    static PyModuleDef definition = {
        .m_name = "awscrt._awscrt",
        .m_doc = "Native half of awscrt. Private: use the modules of the package.",
        .m_slots = slots,
    };
    size_t count = 0;
    slots[count++] = (PyModuleDef_Slot){Py_mod_exec, exec.value};
    /* 3.12 refuses other interpreters by itself, in words that name no way out, unless told that they are welcome;
     * s_exec then refuses every one of them in its own. */
    const char *version = Py_GetVersion();
    if (strtol(version, NULL, 10) > 3 || strtol(version + 2, NULL, 10) >= 12) {
        slots[count++] = (PyModuleDef_Slot){Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED};
    }
#ifdef Py_GIL_DISABLED
    /* A module that does not say so makes a free-threaded Python turn its GIL on. */
    slots[count++] = (PyModuleDef_Slot){Py_mod_gil, Py_MOD_GIL_NOT_USED};
#endif
    slots[count] = (PyModuleDef_Slot){0, NULL};
    return PyModuleDef_Init(&definition);
}
