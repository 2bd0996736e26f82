/* Owns the one logger of the C libraries: lines go nowhere, to a stream, or into a queue that Python empties.
 *
 * The logger is installed once and never replaced, since a native thread may be inside it at any moment; only where its
 * lines go changes, under a lock that guards nothing else. Nothing here takes the GIL or native memory that is traced: a line
 * may be logged with any lock of the C libraries held, and by a thread that holds the GIL as well as by one that does not.
 */

#include "module.h"

#include <aws/common/atomics.h>
#include <aws/common/clock.h>
#include <aws/common/condition_variable.h>
#include <aws/common/file.h>
#include <aws/common/log_formatter.h>
#include <aws/common/logging.h>
#include <aws/common/mutex.h>
#include <aws/common/thread.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#ifdef __linux__
#    include <sys/prctl.h>
#endif

enum {
    LINE_SIZE = 8192,              /* longer lines of a stream are cut */
    THREAD_NAME_SIZE = 16,         /* with the terminator; Linux has no longer names */
    QUEUE_LIMIT = 8 * 1024 * 1024, /* bytes; what comes while it is full is counted and dropped */
};

/* Processes that are started must not inherit a log. */
#ifdef _WIN32
#    define APPEND_MODE "aN"
#else
#    define APPEND_MODE "ae"
#endif

enum sink { SINK_NONE, SINK_STREAM, SINK_QUEUE };

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

static struct aws_atomic_var s_level = AWS_ATOMIC_INIT_INT(AWS_LL_NONE);

/* Guards all below. */
static struct aws_mutex s_lock = AWS_MUTEX_INIT;
static enum sink s_sink = SINK_NONE;
static FILE *s_stream;
static bool s_owns_stream; /* false for stdout and stderr */
static struct record *s_first;
static struct record **s_last = &s_first;
static size_t s_queued;  /* bytes */
static size_t s_dropped; /* lines */
static struct aws_condition_variable s_arrived = AWS_CONDITION_VARIABLE_INIT;
static size_t s_waiting; /* threads in s_wait_for_log_records */
static bool s_woken;     /* one of them is to return, though there is no line */

static AWS_THREAD_LOCAL bool tl_diverted;

void awscrt_logging_divert(bool diverted) {
    tl_diverted = diverted;
}

/* ------------------------------------------------------------------------------------------------ the logger */

static enum aws_log_level s_get_level(struct aws_logger *logger, aws_log_subject_t subject) {
    (void)logger;
    (void)subject;
    return tl_diverted ? AWS_LL_TRACE : (enum aws_log_level)aws_atomic_load_int(&s_level);
}

static int s_set_level(struct aws_logger *logger, enum aws_log_level level) {
    (void)logger;
    aws_atomic_store_int(&s_level, (size_t)level);
    return AWS_OP_SUCCESS;
}

static void s_clean_up(struct aws_logger *logger) {
    (void)logger; /* static */
}

static void
s_write_line(FILE *stream, enum aws_log_level level, aws_log_subject_t subject, const char *format, va_list arguments) {
    char line[LINE_SIZE];
    struct aws_logging_standard_formatting_data data = {
        .log_line_buffer = line,
        .total_length = sizeof(line),
        .level = level,
        .subject_name = aws_log_subject_name(subject),
        .format = format,
        .date_format = AWS_DATE_FORMAT_ISO_8601,
        .allocator = aws_default_allocator(),
    };
    if (aws_format_standard_log_line(&data, arguments) == AWS_OP_SUCCESS) {
        /* Of a line that is cut, the formatter counts the terminator in place of the newline. */
        line[data.amount_written - 1] = '\n';
        fwrite(line, 1, data.amount_written, stream);
        fflush(stream);
    }
}

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

/* Takes the record over. Called with the lock held. */
static void s_enqueue(struct record *record) {
    if (record == NULL || s_queued + record->size > QUEUE_LIMIT) {
        ++s_dropped;
        free(record);
        return;
    }
    s_queued += record->size;
    *s_last = record;
    s_last = &record->next;
    if (s_waiting > 0) {
        aws_condition_variable_notify_one(&s_arrived);
    }
}

#ifdef __GNUC__
__attribute__((format(printf, 4, 5)))
#endif
static int
s_log(struct aws_logger *logger, enum aws_log_level level, aws_log_subject_t subject, const char *format, ...) {
    (void)logger;
    /* Formatting may change them, and the caller may be about to report a failure of its own. */
    int saved_errno = errno;
    int saved_error = aws_last_error();
    va_list arguments;
    va_start(arguments, format);
    if (tl_diverted) {
        s_write_line(stderr, level, subject, format, arguments);
    } else {
        aws_mutex_lock(&s_lock);
        if (s_sink == SINK_STREAM) {
            s_write_line(s_stream, level, subject, format, arguments);
        } else if (s_sink == SINK_QUEUE) {
            s_enqueue(s_new_record(level, subject, format, arguments));
        }
        aws_mutex_unlock(&s_lock);
    }
    va_end(arguments);
    aws_reset_error();
    if (saved_error != AWS_ERROR_SUCCESS) {
        aws_raise_error(saved_error);
    }
    errno = saved_errno;
    return AWS_OP_SUCCESS;
}

bool awscrt_logging_start(void) {
    static struct aws_logger_vtable vtable = {
        .log = s_log,
        .get_log_level = s_get_level,
        .clean_up = s_clean_up,
        .set_log_level = s_set_level,
    };
    static struct aws_logger logger = {.vtable = &vtable};
    aws_logger_set(&logger);
    return true;
}

/* -------------------------------------------------------------------------------------------- where lines go */

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

/* All libraries are started before the first line is let through: each brings the names of its subjects, and its start
 * would log in the middle of naming one. */
static void s_switch(enum sink sink, enum aws_log_level level, FILE *stream, bool owns_stream) {
    aws_mutex_lock(&s_lock);
    FILE *closing = s_owns_stream ? s_stream : NULL;
    aws_atomic_store_int(&s_level, (size_t)level);
    s_sink = sink;
    s_stream = stream;
    s_owns_stream = owns_stream;
    aws_mutex_unlock(&s_lock);
    if (closing != NULL) {
        fclose(closing);
    }
}

void awscrt_logging_fork_prepare(void) {
    aws_mutex_lock(&s_lock);
}

void awscrt_logging_fork_done(bool in_child) {
    if (in_child) {
        s_free_records(s_take_queue()); /* the parent delivers them */
        s_dropped = 0;
        s_arrived = (struct aws_condition_variable)AWS_CONDITION_VARIABLE_INIT;
        s_waiting = 0;
        s_woken = false;
    }
    aws_mutex_unlock(&s_lock);
}

/* ------------------------------------------------------------------------------------------------ for Python */

/* "O&" of PyArg_ParseTuple. */
static int s_convert_level(PyObject *object, void *level_out) {
    uint8_t level = 0;
    if (!awscrt_convert_u8(object, &level)) {
        return 0;
    }
    if (level > AWS_LL_TRACE) {
        PyErr_Format(PyExc_ValueError, "a native log level is an integer from 0 to %i, not %i", AWS_LL_TRACE, level);
        return 0;
    }
    *(enum aws_log_level *)level_out = (enum aws_log_level)level;
    return 1;
}

static FILE *s_open(const char *path, bool *owned) {
    *owned = false;
    if (strcmp(path, "stdout") == 0) {
        return stdout;
    }
    if (strcmp(path, "stderr") == 0) {
        return stderr;
    }
    *owned = true;
    return aws_fopen(path, APPEND_MODE);
}

static PyObject *s_init_logging(PyObject *module, PyObject *arguments) {
    (void)module;
    enum aws_log_level level = AWS_LL_NONE;
    PyObject *name = NULL;
    PyObject *path = NULL;
    if (!PyArg_ParseTuple(arguments, "O&O", s_convert_level, &level, &name) || !awscrt_start_io() ||
        !PyUnicode_FSConverter(name, &path)) {
        return NULL;
    }
    bool owned = false;
    FILE *stream = NULL;
    const char *native_path = PyBytes_AsString(path);
    AWSCRT_ALLOW_THREADS_BEGIN
    stream = s_open(native_path, &owned);
    if (stream != NULL) {
        s_switch(SINK_STREAM, level, stream, owned);
    }
    AWSCRT_ALLOW_THREADS_END
    Py_DecRef(path);
    return stream != NULL ? awscrt_none() : PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, name);
}

static PyObject *s_log_to_queue(PyObject *module, PyObject *argument) {
    (void)module;
    enum aws_log_level level = AWS_LL_NONE;
    if (!s_convert_level(argument, &level) || !awscrt_start_io()) {
        return NULL;
    }
    AWSCRT_ALLOW_THREADS_BEGIN
    s_switch(SINK_QUEUE, level, NULL, false);
    AWSCRT_ALLOW_THREADS_END
    return awscrt_none();
}

static PyObject *s_set_log_level(PyObject *module, PyObject *argument) {
    (void)module;
    enum aws_log_level level = AWS_LL_NONE;
    if (!s_convert_level(argument, &level)) {
        return NULL;
    }
    aws_mutex_lock(&s_lock);
    if (s_sink != SINK_NONE) {
        aws_atomic_store_int(&s_level, (size_t)level);
    }
    aws_mutex_unlock(&s_lock);
    return awscrt_none();
}

/* False if the line would go into the queue: the caller hands it to Python's logging at once, instead of waiting for it
 * to come out again. */
static PyObject *s_log_message(PyObject *module, PyObject *arguments) {
    (void)module;
    enum aws_log_level level = AWS_LL_NONE;
    uint32_t subject = 0;
    struct awscrt_buffer message = {.keeper = NULL};
    if (!PyArg_ParseTuple(
            arguments,
            "O&O&O&",
            s_convert_level,
            &level,
            awscrt_convert_u32,
            &subject,
            awscrt_convert_text,
            &message)) {
        return NULL;
    }
    bool consumed = true;
    if (s_get_level(NULL, subject) >= level) {
        AWSCRT_ALLOW_THREADS_BEGIN
        aws_mutex_lock(&s_lock);
        consumed = s_sink != SINK_QUEUE;
        aws_mutex_unlock(&s_lock);
        if (consumed) {
            s_log(NULL, level, subject, PRInSTR, AWS_BYTE_CURSOR_PRI(message.cursor));
        }
        AWSCRT_ALLOW_THREADS_END
    }
    awscrt_buffer_release(&message);
    return PyBool_FromLong(consumed);
}

static PyObject *s_get_log_subject_name(PyObject *module, PyObject *argument) {
    (void)module;
    uint32_t subject = 0;
    if (!awscrt_convert_u32(argument, &subject)) {
        return NULL;
    }
    return PyUnicode_FromString(aws_log_subject_name(subject));
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

PyMethodDef awscrt_logging_methods[] = {
    {"init_logging", s_init_logging, METH_VARARGS, NULL},
    {"log_to_queue", s_log_to_queue, METH_O, NULL},
    {"set_log_level", s_set_log_level, METH_O, NULL},
    {"log_message", s_log_message, METH_VARARGS, NULL},
    {"get_log_subject_name", s_get_log_subject_name, METH_O, NULL},
    {"take_log_records", s_take_log_records, METH_NOARGS, NULL},
    {"wait_for_log_records", s_wait_for_log_records, METH_NOARGS, NULL},
    {"wake_log_reader", s_wake_log_reader, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};
