/* Owns what the files of HTTP give to one another and to those above them (auth, s3, websocket): the native side of
 * `awscrt.http`'s objects.
 *
 * Every getter takes the Python object and returns what its handle holds: borrowed, alive as long as the object, to be
 * acquired (aws_http_..._acquire) by whoever keeps it longer. NULL with TypeError if the object is another, or RuntimeError
 * if it was made before a fork.
 */
#ifndef AWSCRT_HTTP_H
#define AWSCRT_HTTP_H

#include "io.h"

#include <aws/io/tls_channel_handler.h>

struct aws_http2_setting;
struct aws_http_connection;
struct aws_http_header;
struct aws_http_headers;
struct aws_http_message;
struct aws_http_proxy_options;

struct aws_http_connection *awscrt_http_connection_get(PyObject *connection);
/* Both, and what they point to, are guarded by the GIL: see awscrt_http_message_guard. */
struct aws_http_headers *awscrt_http_headers_get(PyObject *headers);
struct aws_http_message *awscrt_http_message_get(PyObject *request);

/* The guard of a message and of its headers, which is awscrt_guard_of them. */
struct awscrt_guard *awscrt_http_message_guard(const struct aws_http_message *message);
/* A copy of the request, with the same stream for its body, for whoever reads it on threads of its own; to be released. NULL
 * with an exception set. */
struct aws_http_message *awscrt_http_message_copy(PyObject *request);

/* Adds copies of all headers. The caller sees to the guards. */
void awscrt_http_headers_append(struct aws_http_headers *to, const struct aws_http_headers *from);

/* A str without CR, LF and NUL, which would end a line of HTTP/1.1 where the caller did not mean it to (RFC 9112, 2.2; RFC
 * 9110, 5.5). False with TypeError or ValueError, which name `what` and not the text: it may be a secret. */
bool awscrt_http_text_acquire(struct awscrt_buffer *buffer, PyObject *text, const char *what);

/* Text that a peer sent: UTF-8, or else ISO-8859-1, as RFC 9110, 5.5 has it. */
PyObject *awscrt_http_text_to_py(struct aws_byte_cursor text);

/* (name, value), both str. A new reference, or NULL with an exception set. */
PyObject *awscrt_http_header_to_py(const struct aws_http_header *header);
/* A list of such. A new reference, or NULL with an exception set. */
PyObject *awscrt_http_headers_to_py(const struct aws_http_header *headers, size_t count);

/* Ends an operation that native code reports once: calls `callable`, a reference that native code has owned since it began,
 * with the exception of the code, or None, and drops it. On any thread. */
void awscrt_http_finish(PyObject *callable, int error_code);

/* HTTP/2 settings as (id, value): a list of them, and an array of at most so many from such a list. */
enum { AWSCRT_HTTP2_MAX_SETTINGS = 64 };
PyObject *awscrt_http2_settings_to_py(const struct aws_http2_setting *settings, size_t count);
bool awscrt_http2_settings_from_py(struct aws_http2_setting *settings, size_t *count, PyObject *pairs);

/* An awscrt.http.HttpProxyOptions as native options, whose texts borrow from `kept`. Both start zeroed. False with an
 * exception set, and nothing kept. */
struct awscrt_http_proxy_kept {
    struct awscrt_buffer host_name;
    struct awscrt_buffer user_name;
    struct awscrt_buffer password;
    struct aws_tls_connection_options tls;
};

bool awscrt_http_proxy_options_from_py(
    struct aws_http_proxy_options *options, struct awscrt_http_proxy_kept *kept, PyObject *py_options);
void awscrt_http_proxy_kept_release(struct awscrt_http_proxy_kept *kept); /* idempotent */

#endif
