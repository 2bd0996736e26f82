/* Owns what a fork does to native objects: the child knows them by their generation, and has no native threads.
 *
 * Only the thread that forks exists in the child. The event loops' threads are gone, and the locks of objects stay as they
 * were at that moment, so an object that other threads worked on can be neither used nor freed. Locks that belong to no
 * object are taken before the fork, and so are free after it.
 */

#include "module.h"

#include <aws/common/atomics.h>

#ifndef _WIN32
#    include <pthread.h>
#endif

static struct aws_atomic_var s_generation = AWS_ATOMIC_INIT_INT(0);

uint32_t awscrt_fork_generation(void) {
    return (uint32_t)aws_atomic_load_int(&s_generation);
}

PyObject *awscrt_raise_forked(const char *what) {
    return PyErr_Format(
        PyExc_RuntimeError,
        "this %s belongs to the process that this one was forked from, and its threads do not exist here. Create it anew "
        "in the child; or, before forking, release all resources and call awscrt.common.join_all_native_threads(); or "
        "start the child by 'spawn' or 'forkserver' instead of 'fork'",
        what);
}

#ifndef _WIN32
/* The order of the locks is that in which other threads take two of them: the tracer's report is logged, and what is
 * logged is queued. */
static void s_prepare(void) {
    awscrt_threads_fork_prepare();
    awscrt_memory_fork_prepare();
    awscrt_logging_fork_prepare();
    awscrt_log_queue_fork_prepare();
}

static void s_parent(void) {
    awscrt_log_queue_fork_done(false);
    awscrt_logging_fork_done();
    awscrt_memory_fork_done(false);
    awscrt_threads_fork_done(false);
}

static void s_child(void) {
    aws_atomic_fetch_add(&s_generation, 1);
    awscrt_callback_forked();
    awscrt_log_queue_fork_done(true);
    awscrt_logging_fork_done();
    awscrt_memory_fork_done(true);
    awscrt_threads_fork_done(true);
}
#endif

bool awscrt_fork_start(void) {
#ifndef _WIN32
    if (pthread_atfork(s_prepare, s_parent, s_child) != 0) {
        PyErr_NoMemory(); /* the one error that POSIX knows here */
        return false;
    }
#endif
    return true;
}
