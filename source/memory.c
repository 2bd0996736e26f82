/* Owns native memory: the allocator, its tracing, and the questions that keep an allocation failure from aborting. */

#include "module.h"

#include <stdlib.h>

#ifndef _WIN32
#    include <pthread.h>
#endif

enum { FRAMES_PER_STACK = 16 };

static struct aws_allocator *s_allocator;
static struct aws_allocator *s_tracer; /* NULL unless tracing */

#ifndef _WIN32
/* The tracer's own lock must be free in a forked child, but only the tracer can take it. So each of its calls holds this
 * lock for reading, and a fork holds it for writing. */
static pthread_rwlock_t s_tracer_gate = PTHREAD_RWLOCK_INITIALIZER;
#    define GATE_ENTER() pthread_rwlock_rdlock(&s_tracer_gate)
#    define GATE_LEAVE() pthread_rwlock_unlock(&s_tracer_gate)
#else
#    define GATE_ENTER() ((void)0)
#    define GATE_LEAVE() ((void)0)
#endif

static void *s_gated_acquire(struct aws_allocator *allocator, size_t size) {
    (void)allocator;
    GATE_ENTER();
    void *memory = s_tracer->mem_acquire(s_tracer, size);
    GATE_LEAVE();
    return memory;
}

static void s_gated_release(struct aws_allocator *allocator, void *memory) {
    (void)allocator;
    GATE_ENTER();
    s_tracer->mem_release(s_tracer, memory);
    GATE_LEAVE();
}

static void *s_gated_realloc(struct aws_allocator *allocator, void *memory, size_t old_size, size_t new_size) {
    (void)allocator;
    GATE_ENTER();
    void *moved = s_tracer->mem_realloc(s_tracer, memory, old_size, new_size);
    GATE_LEAVE();
    return moved;
}

static void *s_gated_calloc(struct aws_allocator *allocator, size_t count, size_t size) {
    (void)allocator;
    GATE_ENTER();
    void *memory = s_tracer->mem_calloc(s_tracer, count, size);
    GATE_LEAVE();
    return memory;
}

static struct aws_allocator s_gated_tracer = {
    .mem_acquire = s_gated_acquire,
    .mem_release = s_gated_release,
    .mem_realloc = s_gated_realloc,
    .mem_calloc = s_gated_calloc,
};

void awscrt_memory_fork_prepare(void) {
#ifndef _WIN32
    pthread_rwlock_wrlock(&s_tracer_gate);
#endif
}

void awscrt_memory_fork_done(bool in_child) {
#ifndef _WIN32
    if (in_child) {
        /* A lock is unlocked by the thread that locked it, and POSIX does not say that the child's one is that. */
        s_tracer_gate = (pthread_rwlock_t)PTHREAD_RWLOCK_INITIALIZER;
    } else {
        pthread_rwlock_unlock(&s_tracer_gate);
    }
#else
    (void)in_child;
#endif
}

bool awscrt_memory_start(void) {
    int level = awscrt_environment_switch("AWS_CRT_MEMORY_TRACING", AWS_MEMTRACE_STACKS);
    if (level < 0) {
        return false;
    }
    s_allocator = aws_default_allocator();
    if (level > AWS_MEMTRACE_NONE) {
        s_tracer = aws_mem_tracer_new(s_allocator, NULL, (enum aws_mem_trace_level)level, FRAMES_PER_STACK);
        s_allocator = &s_gated_tracer;
    }
    return true;
}

struct aws_allocator *awscrt_allocator(void) {
    return s_allocator;
}

bool awscrt_can_allocate(size_t size) {
    void *volatile probe = malloc(size > 0 ? size : 1); /* volatile: or the pair of calls is optimised away */
    if (probe == NULL) {
        PyErr_NoMemory();
        return false;
    }
    free(probe);
    return true;
}

void *awscrt_new(size_t size) {
    return awscrt_can_allocate(size) ? aws_mem_calloc(s_allocator, 1, size) : NULL;
}

static PyObject *s_native_memory_usage(PyObject *module, PyObject *unused) {
    (void)module;
    (void)unused;
    return PyLong_FromSize_t(s_tracer != NULL ? aws_mem_tracer_bytes(s_tracer) : 0);
}

static PyObject *s_dump_native_memory(PyObject *module, PyObject *unused) {
    (void)module;
    (void)unused;
    if (s_tracer != NULL) {
        AWSCRT_ALLOW_THREADS_BEGIN
        awscrt_logging_divert(true);
        GATE_ENTER();
        aws_mem_tracer_dump(s_tracer);
        GATE_LEAVE();
        awscrt_logging_divert(false);
        AWSCRT_ALLOW_THREADS_END
    }
    return awscrt_none();
}

PyMethodDef awscrt_memory_methods[] = {
    {"native_memory_usage", s_native_memory_usage, METH_NOARGS, NULL},
    {"dump_native_memory", s_dump_native_memory, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};
