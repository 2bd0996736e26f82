/* Owns what the extension knows of Python: the part of the stable ABI that it uses, in place of Python.h.
 *
 * No header of any Python is needed to build, so a bare `python3` or a foreign target serves as well as a full install.
 * What stands here is frozen by the stable ABI (PEP 384, https://docs.python.org/3/c-api/stable.html): every function
 * and datum belongs to it since 3.8 at the latest, and the layouts never change within it.
 *
 * The compiler proves each line: included after Python.h, the functions and data are redeclarations, which must agree,
 * and the layouts are compared with Python's (tests/build/test_python_abi.py does it for every Python with headers).
 *
 * To use one more function, add its declaration here, exactly as documented; the same test refuses one that entered the
 * stable ABI after the floor.
 */
#ifndef AWSCRT_PYTHON_ABI_H
#define AWSCRT_PYTHON_ABI_H

#include <stddef.h>
#include <stdint.h>

/* The oldest Python that the extension loads into; the only place that says so in C. */
#define AWSCRT_PYTHON_FLOOR 0x03080000

#ifdef Py_PYTHON_H
/* The headers of a free-threaded build know no limited API. */
#    if !defined(Py_GIL_DISABLED) && (!defined(Py_LIMITED_API) || Py_LIMITED_API + 0 != AWSCRT_PYTHON_FLOOR)
#        error "define Py_LIMITED_API as AWSCRT_PYTHON_FLOOR before Python.h is included"
#    endif
/* Python's own types are in force: ours get other names, to be compared with them below. */
#    define ABI_TYPE(name) awscrt_abi_##name
#else
#    define ABI_TYPE(name) name
typedef intptr_t Py_ssize_t;
typedef struct _object PyObject;
typedef struct _typeobject PyTypeObject;
typedef struct _ts PyThreadState;
typedef struct _is PyInterpreterState;
typedef PyObject *(*PyCFunction)(PyObject *, PyObject *);
typedef void (*PyCapsule_Destructor)(PyObject *);
typedef enum { PyGILState_LOCKED, PyGILState_UNLOCKED } PyGILState_STATE;

#    define METH_VARARGS 0x0001
#    define METH_KEYWORDS 0x0002
#    define METH_NOARGS 0x0004
#    define METH_O 0x0008

#    define Py_mod_exec 2

#    define Py_CLEANUP_SUPPORTED 0x20000

#    define PyMODINIT_FUNC ABI_EXPORT PyObject *
#endif

/* METH_FASTCALL entered the limited API in 3.10, but flag and calling convention are those that 3.8 and 3.9, which will
 * never change again, have: `function(self, args, count)`. */
#ifndef METH_FASTCALL
#    define METH_FASTCALL 0x0080
#endif
typedef PyObject *(*awscrt_fastcall)(PyObject *, PyObject *const *, Py_ssize_t);

/* Flags of PyMemoryView_FromMemory: its header shows them to the limited API of 3.11 and later only. */
#ifndef PyBUF_READ
#    define PyBUF_READ 0x100
#    define PyBUF_WRITE 0x200
#endif

/* Slots of later Pythons; an older one refuses a slot that it does not know, so they are added at run time. */
#ifndef Py_mod_multiple_interpreters
#    define Py_mod_multiple_interpreters 3
#    define Py_MOD_PER_INTERPRETER_GIL_SUPPORTED ((void *)2)
#endif
#ifndef Py_mod_gil
#    define Py_mod_gil 4
#    define Py_MOD_GIL_NOT_USED ((void *)1)
#endif

/* Bits of PyType_GetFlags() for int, list, tuple, bytes, str and dict and their subclasses. */
#ifndef Py_PYTHON_H
#    define Py_TPFLAGS_LONG_SUBCLASS (1UL << 24)
#    define Py_TPFLAGS_LIST_SUBCLASS (1UL << 25)
#    define Py_TPFLAGS_TUPLE_SUBCLASS (1UL << 26)
#    define Py_TPFLAGS_BYTES_SUBCLASS (1UL << 27)
#    define Py_TPFLAGS_UNICODE_SUBCLASS (1UL << 28)
#    define Py_TPFLAGS_DICT_SUBCLASS (1UL << 29)
#endif

#ifdef _WIN32
#    define ABI_EXPORT __declspec(dllexport)
#    define ABI_DATA extern __declspec(dllimport)
#else
#    define ABI_EXPORT __attribute__((visibility("default")))
#    define ABI_DATA extern
#endif

/* -------------------------------------------------------------------------------------------------- layouts */

/* A free-threaded build has another object head; its ABI is not abi3, so the extension is compiled for it apart. */
#ifdef Py_GIL_DISABLED
struct ABI_TYPE(_object) {
    uintptr_t ob_tid;
    uint16_t ob_flags;
    uint8_t ob_mutex;
    uint8_t ob_gc_bits;
    uint32_t ob_ref_local;
    Py_ssize_t ob_ref_shared;
    PyTypeObject *ob_type;
};
#else
struct ABI_TYPE(_object) {
    Py_ssize_t ob_refcnt;
    PyTypeObject *ob_type;
};
#endif

struct ABI_TYPE(PyMethodDef) {
    const char *ml_name;
    PyCFunction ml_meth;
    int ml_flags;
    const char *ml_doc;
};

struct ABI_TYPE(PyModuleDef_Base) {
    struct ABI_TYPE(_object) ob_base;
    PyObject *(*m_init)(void);
    Py_ssize_t m_index;
    PyObject *m_copy;
};

struct ABI_TYPE(PyModuleDef_Slot) {
    int slot;
    void *value;
};

struct ABI_TYPE(PyModuleDef) {
    struct ABI_TYPE(PyModuleDef_Base) m_base;
    const char *m_name;
    const char *m_doc;
    Py_ssize_t m_size;
    struct ABI_TYPE(PyMethodDef) * m_methods;
    struct ABI_TYPE(PyModuleDef_Slot) * m_slots;
    int (*m_traverse)(PyObject *, int (*)(PyObject *, void *), void *);
    int (*m_clear)(PyObject *);
    void (*m_free)(void *);
};

#ifdef Py_PYTHON_H
#    define ABI_SAME_SIZE(ours, theirs) _Static_assert(sizeof(struct awscrt_abi_##ours) == sizeof(theirs), #ours)
#    define ABI_SAME_FIELD(type, ours, theirs)                                                                         \
        _Static_assert(                                                                                                \
            offsetof(struct awscrt_abi_##type, ours) == offsetof(type, theirs) &&                                      \
                sizeof(((struct awscrt_abi_##type *)0)->ours) == sizeof(((type *)0)->theirs),                          \
            #type "." #ours)
typedef struct _object _object;
ABI_SAME_SIZE(_object, PyObject);
ABI_SAME_FIELD(_object, ob_type, ob_type);
ABI_SAME_SIZE(PyMethodDef, PyMethodDef);
ABI_SAME_FIELD(PyMethodDef, ml_name, ml_name);
ABI_SAME_FIELD(PyMethodDef, ml_meth, ml_meth);
ABI_SAME_FIELD(PyMethodDef, ml_flags, ml_flags);
ABI_SAME_FIELD(PyMethodDef, ml_doc, ml_doc);
ABI_SAME_SIZE(PyModuleDef_Base, PyModuleDef_Base);
ABI_SAME_FIELD(PyModuleDef_Base, m_index, m_index);
ABI_SAME_SIZE(PyModuleDef_Slot, PyModuleDef_Slot);
ABI_SAME_FIELD(PyModuleDef_Slot, slot, slot);
ABI_SAME_FIELD(PyModuleDef_Slot, value, value);
ABI_SAME_SIZE(PyModuleDef, PyModuleDef);
ABI_SAME_FIELD(PyModuleDef, m_base, m_base);
ABI_SAME_FIELD(PyModuleDef, m_name, m_name);
ABI_SAME_FIELD(PyModuleDef, m_doc, m_doc);
ABI_SAME_FIELD(PyModuleDef, m_size, m_size);
ABI_SAME_FIELD(PyModuleDef, m_methods, m_methods);
ABI_SAME_FIELD(PyModuleDef, m_slots, m_slots);
ABI_SAME_FIELD(PyModuleDef, m_traverse, m_traverse);
ABI_SAME_FIELD(PyModuleDef, m_clear, m_clear);
ABI_SAME_FIELD(PyModuleDef, m_free, m_free);
_Static_assert(METH_VARARGS == 0x0001 && METH_KEYWORDS == 0x0002 && METH_NOARGS == 0x0004 && METH_O == 0x0008, "METH");
_Static_assert(METH_FASTCALL == 0x0080, "METH_FASTCALL");
_Static_assert(Py_mod_exec == 2 && Py_mod_multiple_interpreters == 3 && Py_mod_gil == 4, "Py_mod");
_Static_assert(Py_CLEANUP_SUPPORTED == 0x20000, "Py_CLEANUP_SUPPORTED");
_Static_assert(PyGILState_LOCKED == 0 && PyGILState_UNLOCKED == 1, "PyGILState_STATE");
_Static_assert(Py_TPFLAGS_BYTES_SUBCLASS == 1UL << 27 && Py_TPFLAGS_UNICODE_SUBCLASS == 1UL << 28, "Py_TPFLAGS");
_Static_assert(Py_TPFLAGS_LONG_SUBCLASS == 1UL << 24 && Py_TPFLAGS_LIST_SUBCLASS == 1UL << 25, "Py_TPFLAGS");
_Static_assert(Py_TPFLAGS_TUPLE_SUBCLASS == 1UL << 26 && Py_TPFLAGS_DICT_SUBCLASS == 1UL << 29, "Py_TPFLAGS");
#else
typedef struct PyMethodDef PyMethodDef;
typedef struct PyModuleDef_Slot PyModuleDef_Slot;
typedef struct PyModuleDef PyModuleDef;
#endif

/* ----------------------------------------------------------------------------------------------------- data */

struct _longobject;
ABI_DATA PyObject _Py_NoneStruct;
ABI_DATA struct _longobject _Py_TrueStruct;
ABI_DATA struct _longobject _Py_FalseStruct;
ABI_DATA PyTypeObject PyFloat_Type;

ABI_DATA PyObject *PyExc_ImportError;
ABI_DATA PyObject *PyExc_MemoryError;
ABI_DATA PyObject *PyExc_OSError;
ABI_DATA PyObject *PyExc_OverflowError;
ABI_DATA PyObject *PyExc_RecursionError;
ABI_DATA PyObject *PyExc_RuntimeError;
ABI_DATA PyObject *PyExc_RuntimeWarning;
ABI_DATA PyObject *PyExc_TypeError;
ABI_DATA PyObject *PyExc_UnicodeEncodeError;
ABI_DATA PyObject *PyExc_ValueError;

/* ------------------------------------------------------------------------------------------------- functions */

/* Reference counts are left to Python's own functions: their layout differs between versions and builds.
 * Both accept NULL. */
void Py_IncRef(PyObject *);
void Py_DecRef(PyObject *);

const char *Py_GetVersion(void);

PyObject *PyObject_GetAttrString(PyObject *, const char *);
int PyObject_SetAttrString(PyObject *, const char *, PyObject *);
PyObject *PyObject_Call(PyObject *, PyObject *, PyObject *);
PyObject *PyObject_CallObject(PyObject *, PyObject *);
PyObject *PyObject_CallFunctionObjArgs(PyObject *, ...);
PyObject *PyObject_CallMethod(PyObject *, const char *, const char *, ...);
PyObject *PyObject_GetIter(PyObject *);
PyObject *PyIter_Next(PyObject *);
PyObject *PyObject_Type(PyObject *);
int PyObject_IsTrue(PyObject *);
int PyObject_AsReadBuffer(PyObject *, const void **, Py_ssize_t *);
unsigned long PyType_GetFlags(PyTypeObject *);
int PyType_IsSubtype(PyTypeObject *, PyTypeObject *);

PyObject *PyBool_FromLong(long);

PyObject *PyLong_FromLong(long);
PyObject *PyLong_FromUnsignedLong(unsigned long);
PyObject *PyLong_FromLongLong(long long);
PyObject *PyLong_FromUnsignedLongLong(unsigned long long);
PyObject *PyLong_FromSize_t(size_t);
long long PyLong_AsLongLong(PyObject *);
long long PyLong_AsLongLongAndOverflow(PyObject *, int *);
unsigned long long PyLong_AsUnsignedLongLong(PyObject *);
unsigned long long PyLong_AsUnsignedLongLongMask(PyObject *);
double PyLong_AsDouble(PyObject *);
PyObject *PyNumber_Index(PyObject *);
PyObject *PyNumber_Invert(PyObject *);

PyObject *PyFloat_FromDouble(double);
double PyFloat_AsDouble(PyObject *);

PyObject *PyBytes_FromStringAndSize(const char *, Py_ssize_t);
char *PyBytes_AsString(PyObject *);
int PyBytes_AsStringAndSize(PyObject *, char **, Py_ssize_t *);
Py_ssize_t PyBytes_Size(PyObject *);

PyObject *PyUnicode_FromString(const char *);
PyObject *PyUnicode_FromStringAndSize(const char *, Py_ssize_t);
PyObject *PyUnicode_DecodeLatin1(const char *, Py_ssize_t, const char *);
PyObject *PyUnicode_DecodeUTF8(const char *, Py_ssize_t, const char *);
PyObject *PyUnicode_AsUTF8String(PyObject *);
int PyUnicode_CompareWithASCIIString(PyObject *, const char *);
int PyUnicode_FSConverter(PyObject *, void *);

PyObject *PyMemoryView_FromObject(PyObject *);
PyObject *PyMemoryView_FromMemory(char *, Py_ssize_t, int);

PyObject *PyTuple_Pack(Py_ssize_t, ...);
PyObject *PyTuple_GetItem(PyObject *, Py_ssize_t);
Py_ssize_t PyTuple_Size(PyObject *);

PyObject *PyList_New(Py_ssize_t);
PyObject *PyList_GetSlice(PyObject *, Py_ssize_t, Py_ssize_t);
PyObject *PyList_GetItem(PyObject *, Py_ssize_t);
int PyList_SetItem(PyObject *, Py_ssize_t, PyObject *);
int PyList_Append(PyObject *, PyObject *);
Py_ssize_t PyList_Size(PyObject *);

PyObject *PyDict_New(void);
PyObject *PyDict_Copy(PyObject *);
Py_ssize_t PyDict_Size(PyObject *);
int PyDict_SetItem(PyObject *, PyObject *, PyObject *);
int PyDict_Next(PyObject *, Py_ssize_t *, PyObject **, PyObject **);

PyObject *PyCapsule_New(void *, const char *, PyCapsule_Destructor);
int PyCapsule_IsValid(PyObject *, const char *);
void *PyCapsule_GetPointer(PyObject *, const char *);
const char *PyCapsule_GetName(PyObject *);
void *PyCapsule_GetContext(PyObject *);
int PyCapsule_SetContext(PyObject *, void *);
int PyCapsule_SetDestructor(PyObject *, PyCapsule_Destructor);
int PyCapsule_SetName(PyObject *, const char *);

/* `#` in a format is banned: its C type changed between versions, and the buffers of module.h say more. */
int PyArg_ParseTuple(PyObject *, const char *, ...);
PyObject *Py_BuildValue(const char *, ...);

void PyErr_SetObject(PyObject *, PyObject *);
void PyErr_SetString(PyObject *, const char *);
PyObject *PyErr_Format(PyObject *, const char *, ...);
PyObject *PyErr_NoMemory(void);
PyObject *PyErr_Occurred(void);
int PyErr_ExceptionMatches(PyObject *);
int PyErr_GivenExceptionMatches(PyObject *, PyObject *);
void PyErr_Clear(void);
void PyErr_Fetch(PyObject **, PyObject **, PyObject **);
void PyErr_Restore(PyObject *, PyObject *, PyObject *);
void PyErr_NormalizeException(PyObject **, PyObject **, PyObject **);
void PyErr_WriteUnraisable(PyObject *);
int PyErr_WarnFormat(PyObject *, Py_ssize_t, const char *, ...);
PyObject *PyErr_SetFromErrnoWithFilenameObject(PyObject *, PyObject *);
int PyException_SetTraceback(PyObject *, PyObject *);

PyObject *PyImport_ImportModule(const char *);
PyObject *PyModuleDef_Init(struct PyModuleDef *);
int PyModule_AddFunctions(PyObject *, PyMethodDef *);

PyGILState_STATE PyGILState_Ensure(void);
void PyGILState_Release(PyGILState_STATE);
PyThreadState *PyGILState_GetThisThreadState(void);
PyThreadState *PyEval_SaveThread(void);
void PyEval_RestoreThread(PyThreadState *);
int64_t PyInterpreterState_GetID(PyInterpreterState *);

#endif
