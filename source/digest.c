/* Owns running digests: who may work on their state, and for how long the GIL is kept meanwhile. */
#include "digest.h"

#include <stdatomic.h>

/* Owned by its handle, and owns `native`. One thread at a time works on it, also while the GIL is released: `in_use` says
 * so. It is a mark and not a lock, for nobody could know in which order two threads would be served, and a process that
 * is forked while a thread is at work gets a half-updated state with the mark still set: an error, never a hang. */
struct digest {
    const struct awscrt_digest_functions *functions;
    void *native;
    size_t size;
    atomic_flag in_use;
};

/* What one native call is given at most: some platforms count in 32 bits. */
enum { PIECE = 1 << 30 };

void awscrt_digest_destroy(void *digest) {
    struct digest *self = digest;
    self->functions->destroy(self->native);
    aws_mem_release(awscrt_allocator(), self);
}

PyObject *awscrt_digest_new(
    const struct awscrt_handle_type *type, const struct awscrt_digest_functions *functions, void *native, size_t size) {
    if (native == NULL) {
        return awscrt_raise_last();
    }
    struct digest *self = awscrt_new(sizeof(*self));
    if (self == NULL) {
        functions->destroy(native);
        return NULL;
    }
    self->functions = functions;
    self->native = native;
    self->size = size;
    atomic_flag_clear(&self->in_use);
    PyObject *handle = awscrt_handle_new(type, self);
    if (handle == NULL) {
        awscrt_digest_destroy(self);
    }
    return handle;
}

/* The digest of a handle, marked as in use; NULL with an exception set. */
static struct digest *s_begin(PyObject *handle, const struct awscrt_handle_type *type) {
    struct digest *self = awscrt_handle_get(handle, type);
    if (self == NULL) {
        return NULL;
    }
    if (atomic_flag_test_and_set(&self->in_use)) {
        PyErr_Format(PyExc_RuntimeError, "another thread is using this %s", type->name);
        return NULL;
    }
    return self;
}

static void s_end(struct digest *self) {
    atomic_flag_clear(&self->in_use);
}

static int s_update(struct digest *self, struct aws_byte_cursor data) {
    do {
        struct aws_byte_cursor piece = aws_byte_cursor_advance(&data, data.len < PIECE ? data.len : PIECE);
        if (self->functions->update(self->native, piece) != AWS_OP_SUCCESS) {
            return aws_last_error();
        }
    } while (data.len > 0);
    return AWS_ERROR_SUCCESS;
}

PyObject *awscrt_digest_update(PyObject *handle, const struct awscrt_handle_type *type, struct aws_byte_cursor data) {
    struct digest *self = s_begin(handle, type);
    if (self == NULL) {
        return NULL;
    }
    int error;
    if (data.len < AWSCRT_DIGEST_THREADS_FROM) {
        error = s_update(self, data);
    } else {
        AWSCRT_ALLOW_THREADS_BEGIN
        error = s_update(self, data);
        AWSCRT_ALLOW_THREADS_END
    }
    s_end(self);
    return error == AWS_ERROR_SUCCESS ? awscrt_none() : awscrt_raise_code(error);
}

PyObject *awscrt_digest_finalize(PyObject *handle, const struct awscrt_handle_type *type, size_t truncate_to) {
    struct digest *self = s_begin(handle, type);
    if (self == NULL) {
        return NULL;
    }
    uint8_t memory[AWSCRT_DIGEST_MAX_SIZE];
    struct aws_byte_buf value = aws_byte_buf_from_empty_array(memory, self->size);
    int result = self->functions->finalize(self->native, &value, truncate_to);
    s_end(self);
    if (result != AWS_OP_SUCCESS) {
        return awscrt_raise_last();
    }
    return awscrt_bytes_from_cursor(aws_byte_cursor_from_buf(&value));
}
