/* Owns guards: what one thread at a time may do with a native object where no GIL sees to it. */

#include "module.h"

#ifdef Py_GIL_DISABLED

#    include <aws/common/thread.h>

/* Guards of objects that have no room for one: more than threads that can run at a time, or nearly so. */
enum { SHARED_GUARDS = 64 };

/* The address of a thread's own variable: no two threads that live have the same, and a fork leaves it as it is. */
static size_t s_this_thread(void) {
    static AWS_THREAD_LOCAL char here;
    return (size_t)(uintptr_t)&here;
}

/* Makes a guard ready that was never entered in this process: in a new object, or in a forked child. There the thread that
 * was inside may not exist; but a fork waits until every other thread has come to a halt in Python code or out of it, never
 * in the middle of a native function, so what it guards is as that thread's last native call has left it. */
static void s_make_ready(struct awscrt_guard *guard, size_t self) {
    static struct aws_mutex lock = AWS_MUTEX_INIT;
    size_t process = (size_t)awscrt_fork_generation() + 1;
    if (aws_atomic_load_int(&guard->process) == process) {
        return;
    }
    aws_mutex_lock(&lock);
    if (aws_atomic_load_int(&guard->process) != process) {
        if (aws_atomic_load_int(&guard->holder) != self) {
            guard->mutex = (struct aws_mutex)AWS_MUTEX_INIT;
            guard->depth = 0;
            aws_atomic_store_int(&guard->holder, 0);
        }
        aws_atomic_store_int(&guard->process, process);
    }
    aws_mutex_unlock(&lock);
}

void awscrt_guard_enter(struct awscrt_guard *guard) {
    size_t self = s_this_thread();
    s_make_ready(guard, self);
    if (aws_atomic_load_int(&guard->holder) != self) {
        /* It is taken only by a thread that is attached to the interpreter already: one that took it and then had to wait
         * for that would keep out the thread that it has to wait for, as in a fork. */
        while (aws_mutex_try_lock(&guard->mutex) != AWS_OP_SUCCESS) {
            AWSCRT_ALLOW_THREADS_BEGIN
            aws_mutex_lock(&guard->mutex);
            aws_mutex_unlock(&guard->mutex);
            AWSCRT_ALLOW_THREADS_END
        }
        aws_atomic_store_int(&guard->holder, self);
    }
    ++guard->depth;
}

void awscrt_guard_leave(struct awscrt_guard *guard) {
    if (--guard->depth == 0) {
        aws_atomic_store_int(&guard->holder, 0);
        aws_mutex_unlock(&guard->mutex);
    }
}

void awscrt_guard_clean_up(struct awscrt_guard *guard) {
    aws_mutex_clean_up(&guard->mutex);
}

struct awscrt_guard *awscrt_guard_of(const void *native) {
    static struct awscrt_guard guards[SHARED_GUARDS];
    /* Allocations lie 16 bytes apart at least, and those of one kind often at multiples of some power of two. */
    uint64_t mixed = ((uint64_t)(uintptr_t)native >> 4) * 0x9E3779B97F4A7C15;
    return &guards[(mixed >> 32) % SHARED_GUARDS];
}

#endif
