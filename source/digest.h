/* Owns the declaration of running digests: native state that is fed piece by piece and then asked for its value. */
#ifndef AWSCRT_DIGEST_H
#define AWSCRT_DIGEST_H

#include "module.h"

/* The native functions of one kind of state. All return AWS_OP_SUCCESS, or AWS_OP_ERR with an error raised. */
struct awscrt_digest_functions {
    int (*update)(void *native, struct aws_byte_cursor data);
    /* Appends the value to `out`, shortened to `truncate_to` bytes unless that is 0. */
    int (*finalize)(void *native, struct aws_byte_buf *out, size_t truncate_to);
    void (*destroy)(void *native);
};

enum {
    /* Of any kind of digest here, in bytes: SHA-256. */
    AWSCRT_DIGEST_MAX_SIZE = 32,
    /* From this many bytes on, the work takes longer than giving the GIL up and taking it back: a few microseconds for the
     * functions of aws-c-cal. */
    AWSCRT_DIGEST_THREADS_FROM = 4096,
};

/* Defines a handle type for digests. Plain memory, so it survives a fork. */
#define AWSCRT_DIGEST_HANDLE_TYPE(type_name)                                                                           \
    {.name = (type_name), .destroy = awscrt_digest_destroy, .survives_fork = true}
void awscrt_digest_destroy(void *digest);

/* A handle that owns `native`, whose value has `size` bytes. A NULL `native` is the failure to make it: raises the last
 * error. On failure `native` is destroyed. */
PyObject *awscrt_digest_new(
    const struct awscrt_handle_type *type, const struct awscrt_digest_functions *functions, void *native, size_t size);

/* Feeds the data, without the GIL where it is long. None, or NULL with an exception set: RuntimeError if another thread is
 * feeding this digest at the moment. */
PyObject *awscrt_digest_update(PyObject *handle, const struct awscrt_handle_type *type, struct aws_byte_cursor data);

/* The value, as bytes. */
PyObject *awscrt_digest_finalize(PyObject *handle, const struct awscrt_handle_type *type, size_t truncate_to);

#endif
