/* Owns what the logger sees of the queue of lines for Python. */
#ifndef AWSCRT_LOG_QUEUE_H
#define AWSCRT_LOG_QUEUE_H

#include <aws/common/logging.h>

#include <stdarg.h>

/* Adds a line. Takes neither the GIL nor traced memory. */
void awscrt_log_queue_put(enum aws_log_level level, aws_log_subject_t subject, const char *format, va_list arguments);

#endif
