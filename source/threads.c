/* Owns the book of native threads: how many there are, and which of them have finished and wait to be joined.
 *
 * aws-c-common keeps such a book of its own, but in variables of one file that no fork handler can reach: a child would
 * inherit its lock as it happened to be, a count of threads that it does not have, and a finished thread that it would try
 * to join. The functions here take the place of all that file defines, so the linker leaves it out of the archive; a new
 * one there shows as a duplicate or missing symbol. What each has to do is said in aws/common/thread.h and in the headers
 * private to that library.
 *
 * Linking aws-c-common as a shared library would bring its own book back, and this file could not stand.
 */

#include "threads.h"

#include "module.h"

#include <aws/common/clock.h>
#include <aws/common/condition_variable.h>
#include <aws/common/mutex.h>
#include <aws/common/thread.h>

static struct aws_mutex s_lock = AWS_MUTEX_INIT;
static struct aws_condition_variable s_changed = AWS_CONDITION_VARIABLE_INIT;
static size_t s_count;
static struct aws_linked_list s_finished;
static uint64_t s_timeout_ns; /* of aws_thread_join_all_managed; 0 for none */

void aws_thread_initialize_thread_management(void) {
    aws_linked_list_init(&s_finished);
}

void aws_thread_increment_unjoined_count(void) {
    aws_mutex_lock(&s_lock);
    ++s_count;
    aws_mutex_unlock(&s_lock);
}

void aws_thread_decrement_unjoined_count(void) {
    aws_mutex_lock(&s_lock);
    --s_count;
    aws_condition_variable_notify_all(&s_changed);
    aws_mutex_unlock(&s_lock);
}

size_t aws_thread_get_managed_thread_count(void) {
    aws_mutex_lock(&s_lock);
    size_t count = s_count;
    aws_mutex_unlock(&s_lock);
    return count;
}

void aws_thread_set_managed_join_timeout_ns(uint64_t timeout_in_ns) {
    aws_mutex_lock(&s_lock);
    s_timeout_ns = timeout_in_ns;
    aws_mutex_unlock(&s_lock);
}

/* The last thing that a thread does. No thread can join itself, so each joins those that finished before. */
void aws_thread_pending_join_add(struct aws_linked_list_node *node) {
    struct aws_linked_list before;
    aws_linked_list_init(&before);
    aws_mutex_lock(&s_lock);
    aws_linked_list_swap_contents(&before, &s_finished);
    aws_linked_list_push_back(&s_finished, node);
    aws_condition_variable_notify_all(&s_changed);
    aws_mutex_unlock(&s_lock);
    aws_thread_join_and_free_wrapper_list(&before);
}

static bool s_something_to_do(void *unused) {
    (void)unused;
    return s_count == 0 || !aws_linked_list_empty(&s_finished);
}

static uint64_t s_now_ns(void) {
    uint64_t now = 0;
    aws_high_res_clock_get_ticks(&now);
    return now;
}

/* Joins threads as they finish, until none is left or the time is over; says whether none is. */
static bool s_join_all(bool forever, uint64_t timeout_ns) {
    uint64_t end = aws_add_u64_saturating(s_now_ns(), timeout_ns);
    while (true) {
        struct aws_linked_list finished;
        aws_linked_list_init(&finished);
        aws_mutex_lock(&s_lock);
        if (forever) {
            aws_condition_variable_wait_pred(&s_changed, &s_lock, s_something_to_do, NULL);
        } else {
            uint64_t left = aws_sub_u64_saturating(end, s_now_ns());
            aws_condition_variable_wait_for_pred(
                &s_changed, &s_lock, (int64_t)aws_min_u64(left, INT64_MAX), s_something_to_do, NULL);
        }
        aws_linked_list_swap_contents(&finished, &s_finished);
        bool none_left = s_count == 0;
        aws_mutex_unlock(&s_lock);
        if (none_left) {
            return true;
        }
        if (aws_linked_list_empty(&finished)) {
            return false;
        }
        aws_thread_join_and_free_wrapper_list(&finished);
    }
}

int aws_thread_join_all_managed(void) {
    aws_mutex_lock(&s_lock);
    uint64_t timeout_ns = s_timeout_ns;
    aws_mutex_unlock(&s_lock);
    return s_join_all(timeout_ns == 0, timeout_ns) ? AWS_OP_SUCCESS : AWS_OP_ERR;
}

void awscrt_threads_fork_prepare(void) {
    aws_mutex_lock(&s_lock);
}

void awscrt_threads_fork_done(bool in_child) {
    if (in_child) {
        s_count = 0;
        s_changed = (struct aws_condition_variable)AWS_CONDITION_VARIABLE_INIT;
        aws_linked_list_init(&s_finished); /* what stood in it stays the parent's */
    }
    aws_mutex_unlock(&s_lock);
}

/* Waits for all native threads to end, for a number of milliseconds at most; says whether they have. */
static PyObject *s_join_native_threads(PyObject *module, PyObject *argument) {
    (void)module;
    uint32_t timeout_ms = 0;
    if (!awscrt_convert_u32(argument, &timeout_ms)) {
        return NULL;
    }
    bool joined = false;
    AWSCRT_ALLOW_THREADS_BEGIN
    joined = s_join_all(false, aws_timestamp_convert(timeout_ms, AWS_TIMESTAMP_MILLIS, AWS_TIMESTAMP_NANOS, NULL));
    AWSCRT_ALLOW_THREADS_END
    return PyBool_FromLong(joined);
}

PyMethodDef awscrt_threads_methods[] = {
    {"join_native_threads", s_join_native_threads, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};
