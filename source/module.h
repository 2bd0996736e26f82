/* Owns the vocabulary that every file of the extension shares.
 *
 * A file owns one noun of the runtime and ends in the table of functions that it adds to the module; AWSCRT_NOUNS below
 * lists the nouns. Functions of the C libraries are never called while they could wait for a native thread that wants
 * the GIL: release it around them (AWSCRT_ALLOW_THREADS).
 */
#ifndef AWSCRT_MODULE_H
#define AWSCRT_MODULE_H

#include "python_abi.h"

#include <aws/common/atomics.h>
#include <aws/common/byte_buf.h>
#include <aws/common/common.h>
#include <aws/common/error.h>
#include <aws/common/mutex.h>

#include <stdbool.h>

/* --------------------------------------------------------------------------------------------------- nouns */

/* Each X(noun) stands for a file that defines `PyMethodDef awscrt_noun_methods[]`, ended by an empty entry. */
#define AWSCRT_NOUNS(X)                                                                                                \
    X(common)                                                                                                          \
    X(errors)                                                                                                          \
    X(memory)                                                                                                          \
    X(handle)                                                                                                          \
    X(callback)                                                                                                        \
    X(threads)                                                                                                         \
    X(logging)                                                                                                         \
    X(log_queue)                                                                                                       \
    X(checksums)                                                                                                       \
    X(xxhash)                                                                                                          \
    X(hash)                                                                                                            \
    X(hmac)                                                                                                            \
    X(ec)                                                                                                              \
    X(rsa)                                                                                                             \
    X(ed25519)                                                                                                         \
    X(cbor_encoder)                                                                                                    \
    X(cbor_decoder)                                                                                                    \
    X(event_loop)                                                                                                      \
    X(host_resolver)                                                                                                   \
    X(client_bootstrap)                                                                                                \
    X(tls_context)                                                                                                     \
    X(tls_connection)                                                                                                  \
    X(pkcs11)                                                                                                          \
    X(input_stream)                                                                                                    \
    X(http_headers)                                                                                                    \
    X(http_message)                                                                                                    \
    X(http_connection)                                                                                                 \
    X(http2_connection)                                                                                                \
    X(http_stream)                                                                                                     \
    X(credentials)                                                                                                     \
    X(credentials_provider)                                                                                            \
    X(credentials_delegate)                                                                                            \
    X(credentials_service)                                                                                             \
    X(signing_config)                                                                                                  \
    X(signing)                                                                                                         \
    X(websocket)                                                                                                       \
    X(s3_client)                                                                                                       \
    X(s3_meta_request)                                                                                                 \
    X(cross_process_lock)                                                                                              \
    X(event_stream_continuation)                                                                                       \
    X(s3_platform)                                                                                                     \
    X(event_stream_rpc)

#define AWSCRT_DECLARE_METHODS(noun) extern PyMethodDef awscrt_##noun##_methods[];
AWSCRT_NOUNS(AWSCRT_DECLARE_METHODS)
#undef AWSCRT_DECLARE_METHODS

/* An entry of a METH_FASTCALL function in such a table: the cast goes through void(*)(void), the one function pointer
 * type that compilers let stand for any other. */
#define AWSCRT_FASTCALL(name, function, doc) {(name), (PyCFunction)(void (*)(void))(function), METH_FASTCALL, (doc)}

/* -------------------------------------------------------------------------------------------------- memory */

/* The allocator of everything native: the default one, or a tracer around it (AWS_CRT_MEMORY_TRACING). */
struct aws_allocator *awscrt_allocator(void);

/* Zeroed memory for a binding's own struct; released by aws_mem_release(awscrt_allocator(), ...).
 * NULL with MemoryError set when there is none. */
void *awscrt_new(size_t size);

/* The C libraries abort the process when an allocation fails. Ask here before handing them a size that the caller of
 * the Python function chose. False with MemoryError set when `size` bytes are not to be had. */
bool awscrt_can_allocate(size_t size);

/* Starts the part of the C libraries that event loops, sockets, TLS and all protocols need. Importing the package does
 * not do it, for it takes tens of milliseconds (the TLS library seeds and tests itself): every function that creates
 * something of theirs calls it first; later calls cost nothing. False with MemoryError set. */
bool awscrt_start_io(void);

/* -------------------------------------------------------------------------------------------------- errors */

/* Native → Python, of a call that fails: returns NULL with an exception set. AWS_ERROR_OOM becomes MemoryError, any other
 * code an awscrt.exceptions.AwsCrtRuntimeError (an AwsCrtError and a RuntimeError) with code, name and message. */
PyObject *awscrt_raise_last(void);     /* of aws_last_error() */
PyObject *awscrt_raise_code(int code); /* of this code; 0 is taken for AWS_ERROR_UNKNOWN */

/* Native → Python, of an operation that ends later: what awscrt.exceptions.from_code gives, as an object, not raised.
 * A new reference, or NULL with an exception set. 0 gives None. */
PyObject *awscrt_exception_from_code(int code);

/* Python → native: takes the pending exception away from Python and returns it as an object with its traceback
 * (a new reference). NULL, with nothing set, if none was pending.
 *
 * So that an exception raised in a callback reaches whoever waits as itself: take it, keep it in an attribute of the Python
 * object that the operation belongs to (there the cycle collector sees it, with the frames that it holds), and fail the
 * callback with aws_raise_error(awscrt_code_from_exception(...)). When the operation ends, the Python side prefers what was
 * kept to the exception of the code. */
PyObject *awscrt_exception_take(void);

/* What a callback reports to C for a Python exception: AWS_ERROR_OOM for MemoryError, AWS_ERROR_SYS_CALL_FAILURE for
 * OSError, else AWS_ERROR_UNKNOWN. Never AWS_ERROR_SUCCESS. */
int awscrt_code_from_exception(PyObject *exception);

/* For a Python exception with nobody waiting for it: sys.unraisablehook gets it, with `context` as the object in
 * which it arose (may be NULL). Nothing is pending afterwards. */
void awscrt_exception_unraisable(PyObject *context);

/* ------------------------------------------------------------------------------------------ values both ways */

PyObject *awscrt_none(void); /* a new reference to None */
bool awscrt_is_none(PyObject *object);
bool awscrt_is_bytes(PyObject *object);
bool awscrt_is_text(PyObject *object);

PyObject *awscrt_bytes_from_cursor(struct aws_byte_cursor cursor);
PyObject *awscrt_text_from_cursor(struct aws_byte_cursor cursor); /* strict UTF-8 */

/* Converters for the "O&" of PyArg_ParseTuple: an int (or an object with __index__) within range; TypeError or
 * OverflowError otherwise. PyArg_ParseTuple's own I, K and H do not look at the range. */
int awscrt_convert_u8(PyObject *object, void *uint8_out);
int awscrt_convert_u16(PyObject *object, void *uint16_out);
int awscrt_convert_u32(PyObject *object, void *uint32_out);
int awscrt_convert_u64(PyObject *object, void *uint64_out);
int awscrt_convert_size(PyObject *object, void *size_out);

/* ------------------------------------------------------------------------------------------------- buffers */

/* Bytes borrowed from a Python object without a copy.
 *
 * Owned by whoever acquired it, freed by awscrt_buffer_release with the GIL held. Keeps the exporter alive and, where it
 * is mutable, locked against resizing.
 *
 * `bytes` are immutable, so a reference and their address suffice. For any other exporter a memoryview is held: it keeps
 * the export open (PEP 3118), so the address stays valid until the view is let go. The Py_buffer functions are in the
 * stable ABI from 3.11 only; the address is therefore read by PyObject_AsReadBuffer, which is in it since 3.2 and remains
 * exported for it. It was deprecated because it closes the export that it opened before it returns: harmless here, where
 * the object it is asked about is the memoryview, whose own export is still open.
 *
 * Start from a zeroed struct. */
struct awscrt_buffer {
    struct aws_byte_cursor cursor;
    PyObject *keeper; /* the bytes object, or the memoryview */
};

/* bytes-like, C-contiguous; TypeError or BufferError otherwise. */
bool awscrt_buffer_acquire(struct awscrt_buffer *buffer, PyObject *object);
/* str, as UTF-8 (this one is a copy), or bytes-like. */
bool awscrt_buffer_acquire_text(struct awscrt_buffer *buffer, PyObject *object);
/* Idempotent; also good for a buffer that was never acquired. */
void awscrt_buffer_release(struct awscrt_buffer *buffer);

/* The same as converters for the "O&" of PyArg_ParseTuple. If parsing fails at a later argument Python releases what was
 * acquired; if it succeeds the caller releases. The `optional` one leaves a zeroed buffer (cursor.ptr == NULL) for None. */
int awscrt_convert_buffer(PyObject *object, void *buffer);
int awscrt_convert_text(PyObject *object, void *buffer);
int awscrt_convert_optional_text(PyObject *object, void *buffer);

/* Native memory lent to Python for the length of one call: calls callable(memoryview of the memory) and releases the view
 * afterwards, so that Python code which kept it gets ValueError instead of freed memory. (Not so for a slice taken of it:
 * Python offers no way to take that back. Lend memory only to code that is asked to fill or read it at once.) Returns the
 * call's result, or NULL with an exception set; BufferError if something still exports the view. */
PyObject *awscrt_call_with_memory(PyObject *callable, void *memory, size_t size, bool writable);

/* ------------------------------------------------------------------------------------------------- handles */

/* A kind of native object held by Python. `name` is what a wrong handle is told; it must be static, as `destroy` finds
 * the type by it. */
struct awscrt_handle_type {
    char name[40];
    /* Gives the native object up. Called at most once, with the GIL held, on whichever thread dropped the last reference
     * (any Python thread, or a native one inside awscrt_reference_drop). Must not wait for a native thread without
     * releasing the GIL. Not called in a forked child unless `survives_fork`, nor once the interpreter shuts down:
     * the object is leaked then. */
    void (*destroy)(void *native);
    /* True for plain memory that no native thread touches and no lock guards: usable on both sides of a fork. */
    bool survives_fork;
};

/* A new handle (a capsule) that owns `native`, or NULL with an exception set, and `native` still the caller's. */
PyObject *awscrt_handle_new(const struct awscrt_handle_type *type, void *native);

/* The native object of a handle: borrowed, valid while the handle lives. NULL with TypeError if it is not of this type,
 * or RuntimeError if it belongs to the process that this one was forked from. */
void *awscrt_handle_get(PyObject *handle, const struct awscrt_handle_type *type);

/* The same of a NativeResource, by its attribute `_binding`, which is set once: valid while the resource lives. */
void *awscrt_binding_get(PyObject *resource, const struct awscrt_handle_type *type);

/* The same of one that another thread may release at any time: with a reference of the caller's own, by `acquire`. */
void *awscrt_binding_acquire(PyObject *resource, const struct awscrt_handle_type *type, void (*acquire)(void *native));

/* ----------------------------------------------------------------------------------------- threads and the GIL */

#define AWSCRT_ALLOW_THREADS_BEGIN                                                                                     \
    {                                                                                                                  \
        PyThreadState *awscrt_saved_thread = PyEval_SaveThread();
#define AWSCRT_ALLOW_THREADS_END                                                                                       \
    PyEval_RestoreThread(awscrt_saved_thread);                                                                         \
    }

/* Where a comment says that the GIL guards something, a guard does so in an interpreter without one: a single thread is
 * between enter and leave, which it may nest. With a GIL all of this is nothing.
 *
 * Like the GIL, it is for native memory that Python threads share, and held only by a thread that is attached to the
 * interpreter: no AWSCRT_ALLOW_THREADS in between, and as little of Python's own as can be, for whoever waits for a thread
 * that runs Python code may wait for itself. So leave before a callback. Thus nobody forks while another is inside.
 *
 * A zeroed one is ready; clean it up with the struct that it is in. */
#ifdef Py_GIL_DISABLED
struct awscrt_guard {
    struct aws_mutex mutex;
    struct aws_atomic_var holder;  /* a thread, or 0 */
    struct aws_atomic_var process; /* the one that it was last made ready in: its fork generation and 1 */
    unsigned depth;                /* how often the holder has entered */
};

void awscrt_guard_enter(struct awscrt_guard *guard);
void awscrt_guard_leave(struct awscrt_guard *guard);
void awscrt_guard_clean_up(struct awscrt_guard *guard);

/* The guard of an object of a C library, which other objects may share: do not enter that of one within that of another. */
struct awscrt_guard *awscrt_guard_of(const void *native);
#else
struct awscrt_guard {
    char nothing;
};

static inline void awscrt_guard_enter(struct awscrt_guard *guard) {
    (void)guard;
}

static inline void awscrt_guard_leave(struct awscrt_guard *guard) {
    (void)guard;
}

static inline void awscrt_guard_clean_up(struct awscrt_guard *guard) {
    (void)guard;
}

static inline struct awscrt_guard *awscrt_guard_of(const void *native) {
    (void)native;
    return NULL;
}
#endif

/* A call from native code into Python: on the caller's stack, between begin and end.
 *
 *     struct awscrt_callback call;
 *     if (!awscrt_callback_begin(&call)) {
 *         return ...;   // the interpreter is gone: touch no Python object, free no reference
 *     }
 *     ...
 *     awscrt_callback_end(&call);
 *
 * Works on every thread, whether it holds the GIL already or not; may nest. An exception that is pending when it begins
 * (a destructor may run during one) is put aside and back; one that the callback leaves pending is handed to
 * sys.unraisablehook, so deal with it before.
 */
struct awscrt_callback {
    PyGILState_STATE gil;
    PyObject *pending[3];
};

bool awscrt_callback_begin(struct awscrt_callback *call);
void awscrt_callback_end(struct awscrt_callback *call);

/* Ends a call whose result nobody wants: drops it, or hands the exception to sys.unraisablehook if it is NULL. */
void awscrt_finish_call(PyObject *result, PyObject *callable);

/* Drops a reference that native code held, on any thread. Leaks it once the interpreter is gone. NULL is fine. */
void awscrt_reference_drop(PyObject *object);

/* True from the moment at which Python must not be called any more (atexit). */
bool awscrt_is_shutting_down(void);

/* ---------------------------------------------------------------------------------------------------- fork */

/* How many forks lie between this process and the one that loaded the extension. A native object that threads work on
 * belongs to the generation in which it was made. */
uint32_t awscrt_fork_generation(void);

/* Sets the RuntimeError that a resource of the parent gets in the child. Returns NULL. */
PyObject *awscrt_raise_forked(const char *what);

/* ------------------------------------------------------------------------------------------- start of the module */

/* The one symbol that the extension exports. */
PyMODINIT_FUNC PyInit__awscrt(void);

/* What each file does once, while the module is imported for the first time, with the GIL held; false with an exception
 * set. In this order. */
bool awscrt_memory_start(void);
void awscrt_libraries_start(void);
void awscrt_errors_start(void);
bool awscrt_logging_start(void);
bool awscrt_fork_start(void);
bool awscrt_crash_start(void);

/* A switch that a person sets in the environment: its value, an int of 0 to `highest`, or 0 if it is unset or empty.
 * Any other text is reported by RuntimeWarning and counts as 0. -1 with an exception set if warnings are errors. */
int awscrt_environment_switch(const char *name, int highest);

/* The part of a file in a fork: `prepare` takes its locks just before, the others give them back just after, in either
 * process. `forked` also resets what belonged to threads that the child does not have. No Python in any of them. */
void awscrt_threads_fork_prepare(void);
void awscrt_threads_fork_done(bool in_child);
void awscrt_memory_fork_prepare(void);
void awscrt_memory_fork_done(bool in_child);
void awscrt_logging_fork_prepare(void);
void awscrt_logging_fork_done(void);
void awscrt_log_queue_fork_prepare(void);
void awscrt_log_queue_fork_done(bool in_child);
void awscrt_callback_forked(void);

/* While the calling thread is between true and false, its log lines go to stderr, at every level. */
void awscrt_logging_divert(bool diverted);

#endif
