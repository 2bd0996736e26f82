/* Owns the queue of log lines on their way to Python: native threads put them in, a Python thread takes them out. */

#include "log_queue.h"
#include "module.h"

#include <aws/common/clock.h>
#include <aws/common/condition_variable.h>
#include <aws/common/mutex.h>
#include <aws/common/thread.h>

#include <stdlib.h>
#include <string.h>

#ifdef __linux__
#    include <sys/prctl.h>
#endif

enum {
    THREAD_NAME_SIZE = 16,         /* with the terminator; Linux has no longer names */
    QUEUE_LIMIT = 8 * 1024 * 1024, /* bytes; what comes while it is full is counted and dropped */
};

/* A line on its way to Python. Owned by the queue, then by whoever takes it. */
struct record {
    struct record *next;
    enum aws_log_level level;
    aws_log_subject_t subject;
    uint64_t timestamp_ns; /* since the epoch */
    unsigned long long thread;
    char thread_name[THREAD_NAME_SIZE];
    size_t size; /* of the whole struct */
    char message[];
};

/* Guards all below. */
static struct aws_mutex s_lock = AWS_MUTEX_INIT;
static struct record *s_first;
static struct record **s_last = &s_first;
static size_t s_queued;  /* bytes */
static size_t s_dropped; /* lines */
static struct aws_condition_variable s_arrived = AWS_CONDITION_VARIABLE_INIT;
static size_t s_waiting; /* threads in s_wait_for_log_records */
static bool s_woken;     /* one of them is to return, though there is no line */

static void s_get_thread_name(char name[THREAD_NAME_SIZE]) {
    memset(name, 0, THREAD_NAME_SIZE);
#ifdef __linux__
    prctl(PR_GET_NAME, name, 0, 0, 0);
#elif defined(__APPLE__)
    pthread_getname_np(pthread_self(), name, THREAD_NAME_SIZE);
#endif
}

static struct record *
s_new_record(enum aws_log_level level, aws_log_subject_t subject, const char *format, va_list arguments) {
    va_list measured;
    va_copy(measured, arguments);
    int length = vsnprintf(NULL, 0, format, measured);
    va_end(measured);
    if (length < 0) {
        return NULL;
    }
    size_t size = sizeof(struct record) + (size_t)length + 1;
    struct record *record = malloc(size);
    if (record == NULL) {
        return NULL;
    }
    record->next = NULL;
    record->level = level;
    record->subject = subject;
    record->size = size;
    aws_sys_clock_get_ticks(&record->timestamp_ns);
    record->thread = (unsigned long long)(uintptr_t)aws_thread_current_thread_id();
    s_get_thread_name(record->thread_name);
    vsnprintf(record->message, (size_t)length + 1, format, arguments);
    return record;
}

/* Takes the record over, unless it is to be dropped. Called with the lock held. */
static bool s_enqueue(struct record *record) {
    if (record == NULL || s_queued + record->size > QUEUE_LIMIT) {
        ++s_dropped;
        return false;
    }
    s_queued += record->size;
    *s_last = record;
    s_last = &record->next;
    if (s_waiting > 0) {
        aws_condition_variable_notify_one(&s_arrived);
    }
    return true;
}

void awscrt_log_queue_put(enum aws_log_level level, aws_log_subject_t subject, const char *format, va_list arguments) {
    struct record *record = s_new_record(level, subject, format, arguments);
    aws_mutex_lock(&s_lock);
    bool queued = s_enqueue(record);
    aws_mutex_unlock(&s_lock);
    if (!queued) {
        free(record);
    }
}

/* Empties the queue into the caller's hands. Called with the lock held. */
static struct record *s_take_queue(void) {
    struct record *records = s_first;
    s_first = NULL;
    s_last = &s_first;
    s_queued = 0;
    return records;
}

static void s_free_records(struct record *records) {
    while (records != NULL) {
        struct record *next = records->next;
        free(records);
        records = next;
    }
}

void awscrt_log_queue_fork_prepare(void) {
    aws_mutex_lock(&s_lock);
}

void awscrt_log_queue_fork_done(bool in_child) {
    if (in_child) {
        s_free_records(s_take_queue()); /* the parent delivers them */
        s_dropped = 0;
        s_arrived = (struct aws_condition_variable)AWS_CONDITION_VARIABLE_INIT;
        s_waiting = 0;
        s_woken = false;
    }
    aws_mutex_unlock(&s_lock);
}

/* A line in Python: (level, subject, nanoseconds since the epoch, thread, name of the thread, message). */
static PyObject *s_record_to_tuple(const struct record *record) {
    PyObject *message = PyUnicode_DecodeUTF8(record->message, (Py_ssize_t)strlen(record->message), "replace");
    PyObject *name = PyUnicode_DecodeUTF8(record->thread_name, (Py_ssize_t)strlen(record->thread_name), "replace");
    PyObject *tuple = NULL;
    if (message != NULL && name != NULL) {
        tuple = Py_BuildValue(
            "(iIKKOO)",
            (int)record->level,
            (unsigned int)record->subject,
            (unsigned long long)record->timestamp_ns,
            record->thread,
            name,
            message);
    }
    Py_DecRef(message);
    Py_DecRef(name);
    return tuple;
}

static PyObject *s_take_log_records(PyObject *module, PyObject *unused) {
    (void)module;
    (void)unused;
    aws_mutex_lock(&s_lock);
    struct record *records = s_take_queue();
    size_t dropped = s_dropped;
    s_dropped = 0;
    aws_mutex_unlock(&s_lock);
    PyObject *list = PyList_New(0);
    for (const struct record *record = records; list != NULL && record != NULL; record = record->next) {
        PyObject *tuple = s_record_to_tuple(record);
        if (tuple == NULL || PyList_Append(list, tuple) != 0) {
            Py_DecRef(list);
            list = NULL;
        }
        Py_DecRef(tuple);
    }
    s_free_records(records);
    PyObject *result = list != NULL ? Py_BuildValue("(OK)", list, (unsigned long long)dropped) : NULL;
    Py_DecRef(list);
    return result;
}

/* Waits until there is a line to take, or somebody calls wake_log_reader. */
static PyObject *s_wait_for_log_records(PyObject *module, PyObject *unused) {
    (void)module;
    (void)unused;
    AWSCRT_ALLOW_THREADS_BEGIN
    aws_mutex_lock(&s_lock);
    ++s_waiting;
    while (s_first == NULL && !s_woken) {
        aws_condition_variable_wait(&s_arrived, &s_lock);
    }
    --s_waiting;
    s_woken = false;
    aws_mutex_unlock(&s_lock);
    AWSCRT_ALLOW_THREADS_END
    return awscrt_none();
}

static PyObject *s_wake_log_reader(PyObject *module, PyObject *unused) {
    (void)module;
    (void)unused;
    aws_mutex_lock(&s_lock);
    s_woken = true;
    aws_condition_variable_notify_all(&s_arrived);
    aws_mutex_unlock(&s_lock);
    return awscrt_none();
}

PyMethodDef awscrt_log_queue_methods[] = {
    {"take_log_records", s_take_log_records, METH_NOARGS, NULL},
    {"wait_for_log_records", s_wait_for_log_records, METH_NOARGS, NULL},
    {"wake_log_reader", s_wake_log_reader, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};
