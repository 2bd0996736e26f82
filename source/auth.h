/* Owns what the files of auth give to one another and to those above them (s3): the native side of `awscrt.auth`'s
 * objects.
 *
 * Every getter takes the Python object and returns what its handle holds: borrowed, alive as long as the object. NULL with
 * TypeError if the object is another, or RuntimeError if it was made before a fork.
 */
#ifndef AWSCRT_AUTH_H
#define AWSCRT_AUTH_H

#include "http.h"

struct aws_credentials;
struct aws_credentials_provider;
struct aws_http_headers;
struct aws_http_message;
struct aws_input_stream;
struct aws_signable;
struct aws_signing_config_aws;

struct aws_credentials *awscrt_credentials_get(PyObject *credentials);
/* Whoever lets a native user have the provider keeps the Python object alive as long as that user: the Python function of
 * a delegate hangs on it, and so do the members of a chain. */
struct aws_credentials_provider *awscrt_credentials_provider_get(PyObject *provider);
/* What it points to lives as long as the Python object; so do the provider in it and the function that picks headers. */
const struct aws_signing_config_aws *awscrt_signing_config_get(PyObject *config);

/* ------------------------------------------------------------------------------------------------ within auth */

/* What a text that Python gives must be: a str without CR, LF and NUL, and more. */
enum awscrt_auth_need {
    AWSCRT_TEXT_ANY,          /* it may be empty */
    AWSCRT_TEXT_REQUIRED,     /* it may not */
    AWSCRT_TEXT_OPTIONAL,     /* or None, which an empty one is taken for; gives a zeroed buffer */
    AWSCRT_TEXT_NONE_OR_SOME, /* or None, but not empty */
};

struct awscrt_auth_text {
    const char *name; /* of the argument, for errors, which never show the text */
    enum awscrt_auth_need need;
};

/* `count` texts at a time into zeroed buffers. False with TypeError or ValueError, and nothing acquired. */
bool awscrt_auth_texts_acquire(
    struct awscrt_buffer *buffers, PyObject *const *texts, const struct awscrt_auth_text *rules, size_t count);
void awscrt_auth_texts_release(struct awscrt_buffer *buffers, size_t count);

/* How many arguments a METH_FASTCALL function got. False with TypeError. */
bool awscrt_auth_check_count(Py_ssize_t count, Py_ssize_t wanted);

/* A handle that owns one more reference to native credentials; NULL with an exception set. */
PyObject *awscrt_credentials_to_py(struct aws_credentials *credentials);

/* A handle that owns the provider. NULL for it raises aws_last_error(), or `code` where a factory set none: call
 * aws_reset_error() before the factory. */
PyObject *awscrt_credentials_provider_own(struct aws_credentials_provider *provider, int code);

/* What a waiter is told of a failure: the exception of the delegate that caused it, or that of the code. A new reference,
 * or NULL with an exception set.
 *
 * A delegate that raises completes its callback at once, on its own thread. So while that callback runs, the exception
 * waits in a variable of the thread, and the operation that ends there is the one that the exception is for. */
PyObject *awscrt_credentials_failure(int code);
/* For a waiter that got credentials, from another member of a chain: no exception waits any more. */
void awscrt_credentials_success(void);

/* Asks the Python function that a configuration with `should_sign_header` stands for: a list of names gives a list of
 * whether to sign each, a new reference; NULL with the exception set that the function raised. With the GIL held. */
PyObject *awscrt_signing_config_pick(const struct aws_signing_config_aws *config, PyObject *names);

/* What is to be signed: a copy, but for the body, with which headers to sign decided already; aws_signable_destroy it with
 * the GIL held. NULL with an exception set, which may be one of the user's function. */
struct aws_signable *
awscrt_signable_new_request(const struct aws_http_message *request, const struct aws_signing_config_aws *config);
struct aws_signable *awscrt_signable_new_trailer(
    const struct aws_http_headers *headers,
    struct aws_byte_cursor previous_signature,
    const struct aws_signing_config_aws *config);
/* The aws_should_sign_header_fn of these two, in place of the configuration's own. */
bool awscrt_signable_is_picked(const struct aws_byte_cursor *name, void *unused);

#endif
