/* Owns input streams: Python streams that native code reads from its own threads. */

#include "io.h"

#include <aws/common/atomics.h>
#include <aws/io/stream.h>

/* Owned by the handle of `self`, an awscrt.io.InputStream, so it lives as long as `self` does; freed where the last
 * reference to `self` is dropped. Native users hold references to `self`, not to a count of their own, so that the cycle
 * collector sees all there is between the stream of the user and what refers to it. */
struct stream_binding {
    struct aws_input_stream base;
    PyObject *self;               /* borrowed */
    struct aws_atomic_var at_end; /* a bool, asked for on any thread */
};

static struct stream_binding *s_binding(struct aws_input_stream *stream) {
    return AWS_CONTAINER_OF(stream, struct stream_binding, base);
}

static void s_acquire(struct aws_input_stream *stream) {
    struct awscrt_callback call;
    if (awscrt_callback_begin(&call)) {
        Py_IncRef(s_binding(stream)->self);
        awscrt_callback_end(&call);
    }
}

static void s_release(struct aws_input_stream *stream) {
    awscrt_reference_drop(s_binding(stream)->self);
}

/* The whole error path of a callback: the exception waits on the Python object, where the cycle collector sees it. */
static int s_fail(struct stream_binding *binding) {
    PyObject *exception = awscrt_exception_take();
    int code = awscrt_code_from_exception(exception);
    if (PyObject_SetAttrString(binding->self, "_exception", exception)) {
        awscrt_exception_unraisable(binding->self);
    }
    Py_DecRef(exception);
    return aws_raise_error(code);
}

/* A number that Python code returned; takes the reference. False with an exception set. */
static bool s_take_number(PyObject *result, int64_t *number) {
    if (!result) {
        return false;
    }
    *number = PyLong_AsLongLong(result);
    Py_DecRef(result);
    return !PyErr_Occurred();
}

static bool s_read_into(struct stream_binding *binding, struct aws_byte_buf *dest) {
    size_t space = dest->capacity - dest->len;
    PyObject *read = PyObject_GetAttrString(binding->self, "_read_into_memoryview");
    PyObject *result = read ? awscrt_call_with_memory(read, dest->buffer + dest->len, space, true) : NULL;
    Py_DecRef(read);
    if (result && awscrt_is_none(result)) {
        /* Nothing to be had at the moment, as a stream that does not block says it. */
        Py_DecRef(result);
        return true;
    }
    int64_t count = 0;
    if (!s_take_number(result, &count)) {
        return false;
    }
    if (count < 0 || (uint64_t)count > space) {
        PyErr_Format(PyExc_ValueError, "readinto() returned %lld for %zu bytes of room", (long long)count, space);
        return false;
    }
    dest->len += (size_t)count;
    aws_atomic_store_int(&binding->at_end, count == 0);
    return true;
}

static int s_read(struct aws_input_stream *stream, struct aws_byte_buf *dest) {
    struct awscrt_callback call;
    if (!awscrt_callback_begin(&call)) {
        return aws_raise_error(AWS_ERROR_INVALID_STATE);
    }
    int status = s_read_into(s_binding(stream), dest) ? AWS_OP_SUCCESS : s_fail(s_binding(stream));
    awscrt_callback_end(&call);
    return status;
}

static int s_seek(struct aws_input_stream *stream, int64_t offset, enum aws_stream_seek_basis basis) {
    struct stream_binding *binding = s_binding(stream);
    struct awscrt_callback call;
    if (!awscrt_callback_begin(&call)) {
        return aws_raise_error(AWS_ERROR_INVALID_STATE);
    }
    PyObject *result = PyObject_CallMethod(binding->self, "_seek", "Li", (long long)offset, (int)basis);
    if (result) {
        aws_atomic_store_int(&binding->at_end, false);
    }
    int status = result ? AWS_OP_SUCCESS : s_fail(binding);
    Py_DecRef(result);
    awscrt_callback_end(&call);
    return status;
}

static int s_get_length(struct aws_input_stream *stream, int64_t *length) {
    struct stream_binding *binding = s_binding(stream);
    struct awscrt_callback call;
    if (!awscrt_callback_begin(&call)) {
        return aws_raise_error(AWS_ERROR_INVALID_STATE);
    }
    bool ok = s_take_number(PyObject_CallMethod(binding->self, "_length", NULL), length);
    int status = ok ? AWS_OP_SUCCESS : s_fail(binding);
    awscrt_callback_end(&call);
    return status;
}

static int s_get_status(struct aws_input_stream *stream, struct aws_stream_status *status) {
    status->is_end_of_stream = aws_atomic_load_int(&s_binding(stream)->at_end) != 0;
    status->is_valid = true;
    return AWS_OP_SUCCESS;
}

static const struct aws_input_stream_vtable s_vtable = {
    .seek = s_seek,
    .read = s_read,
    .get_status = s_get_status,
    .get_length = s_get_length,
    .acquire = s_acquire,
    .release = s_release,
};

static void s_destroy(void *native) {
    aws_mem_release(awscrt_allocator(), native);
}

/* No thread works on it by itself: whoever was forked may go on with its own copy of the Python stream. */
static const struct awscrt_handle_type s_handle_type = {
    .name = "InputStream", .destroy = s_destroy, .survives_fork = true};

struct aws_input_stream *awscrt_input_stream_get(PyObject *stream) {
    struct stream_binding *binding = awscrt_binding_get(stream, &s_handle_type);
    return binding ? &binding->base : NULL;
}

static PyObject *s_new(PyObject *module, PyObject *self) {
    (void)module;
    struct stream_binding *binding = awscrt_new(sizeof(*binding));
    if (!binding) {
        return NULL;
    }
    binding->base.vtable = &s_vtable;
    aws_atomic_init_int(&binding->at_end, false);
    binding->self = self;
    return awscrt_handle_own(&s_handle_type, binding);
}

PyMethodDef awscrt_input_stream_methods[] = {
    {"input_stream_new", s_new, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};
