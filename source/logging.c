/* Owns the one logger of the C libraries: lines go nowhere, to a stream, or into the queue that Python empties.
 *
 * The logger is installed once and never replaced, since a native thread may be inside it at any moment; only where its
 * lines go changes, under a lock that guards nothing else. Nothing here takes the GIL or native memory that is traced: a line
 * may be logged with any lock of the C libraries held, and by a thread that holds the GIL as well as by one that does not.
 */

#include "log_queue.h"
#include "module.h"

#include <aws/common/atomics.h>
#include <aws/common/file.h>
#include <aws/common/log_formatter.h>
#include <aws/common/logging.h>
#include <aws/common/mutex.h>

#include <errno.h>
#include <string.h>

/* Longer lines of a stream are cut. */
enum { LINE_SIZE = 8192 };

/* Processes that are started must not inherit a log. */
#ifdef _WIN32
#    define APPEND_MODE "aN"
#else
#    define APPEND_MODE "ae"
#endif

enum sink { SINK_NONE, SINK_STREAM, SINK_QUEUE };

static struct aws_atomic_var s_level = AWS_ATOMIC_INIT_INT(AWS_LL_NONE);

/* Guards all below. */
static struct aws_mutex s_lock = AWS_MUTEX_INIT;
static enum sink s_sink = SINK_NONE;
static FILE *s_stream;
static bool s_owns_stream; /* false for stdout and stderr */
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
            awscrt_log_queue_put(level, subject, format, arguments);
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

void awscrt_logging_fork_done(void) {
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

PyMethodDef awscrt_logging_methods[] = {
    {"init_logging", s_init_logging, METH_VARARGS, NULL},
    {"log_to_queue", s_log_to_queue, METH_O, NULL},
    {"set_log_level", s_set_log_level, METH_O, NULL},
    {"log_message", s_log_message, METH_VARARGS, NULL},
    {"get_log_subject_name", s_get_log_subject_name, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};
