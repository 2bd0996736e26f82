/* Owns what the files of I/O give to one another and to those of the protocols: the native side of `awscrt.io`'s objects.
 *
 * Every getter takes the Python object and returns what its handle holds: borrowed, alive as long as the object, to be
 * acquired (aws_..._acquire) by whoever keeps it longer. NULL with TypeError if the object is another, or RuntimeError if
 * it was made before a fork.
 */
#ifndef AWSCRT_IO_H
#define AWSCRT_IO_H

#include "module.h"

struct aws_client_bootstrap;
struct aws_event_loop_group;
struct aws_host_resolver;
struct aws_input_stream;
struct aws_pkcs11_lib;
struct aws_socket_options;
struct aws_tls_connection_options;
struct aws_tls_ctx;

struct aws_event_loop_group *awscrt_event_loop_group_get(PyObject *group);
struct aws_host_resolver *awscrt_host_resolver_get(PyObject *resolver);
struct aws_client_bootstrap *awscrt_client_bootstrap_get(PyObject *bootstrap);
struct aws_tls_ctx *awscrt_tls_context_get(PyObject *context);
/* A copy, for the original may change at any time: of None it stays zeroed, without a context. To be cleaned up in any case,
 * with the GIL. False with an exception set. */
bool awscrt_tls_connection_options_copy(struct aws_tls_connection_options *copy, PyObject *options);
void awscrt_tls_connection_options_clean_up(struct aws_tls_connection_options *copy);
struct aws_pkcs11_lib *awscrt_pkcs11_lib_get(PyObject *lib);

/* Acquire and release it as any native stream: the Python object lives while native code has it. The exception by which the
 * Python stream broke a read, a seek or the question for its length waits in the object's attribute `_exception`. */
struct aws_input_stream *awscrt_input_stream_get(PyObject *stream);

/* Reads an awscrt.io.SocketOptions. False with an exception set. */
bool awscrt_socket_options_from_py(struct aws_socket_options *options, PyObject *py_options);

/* A handle that owns `native` whatever comes: NULL for it raises aws_last_error(), and a failure here destroys it. */
PyObject *awscrt_handle_own(const struct awscrt_handle_type *type, void *native);

/* For shutdown callbacks, which come once, from any thread: calls `callable` (a PyObject *) without arguments and drops
 * the reference that the native object held. */
void awscrt_call_and_drop(void *callable);

/* Attributes of an options object. Buffers are zeroed for None, and to be released. The bytes of a path and of a text
 * are followed by a NUL; a path has none inside. A TypeError names the attribute. False with an exception set. */
bool awscrt_attribute_path(struct awscrt_buffer *buffer, PyObject *object, const char *name);
bool awscrt_attribute_text(struct awscrt_buffer *buffer, PyObject *object, const char *name);
bool awscrt_attribute_u32(uint32_t *number, PyObject *object, const char *name);
bool awscrt_attribute_flag(bool *flag, PyObject *object, const char *name);

/* What is wrong with a certificate and a private key, both PEM: a sentence, or NULL if nothing is, or if only the TLS
 * library can tell. `mismatch_only` leaves out all but a key that is not the certificate's. */
const char *
awscrt_tls_identity_fault(struct aws_byte_cursor certificate, struct aws_byte_cursor key, bool mismatch_only);
/* The same of certificates to trust. */
const char *awscrt_tls_trust_fault(struct aws_byte_cursor certificates);

#endif
