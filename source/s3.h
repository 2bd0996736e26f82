/* Owns what the files of S3 give to one another.
 */
#ifndef AWSCRT_S3_H
#define AWSCRT_S3_H

#include "auth.h"

#include <aws/auth/signing_config.h>
#include <aws/s3/s3_client.h>

/* A reference, since others may close the client meanwhile; to be released without the GIL. NULL with TypeError if it is
 * another object or closed, or RuntimeError if it was made before a fork. */
struct aws_s3_client *awscrt_s3_client_acquire(PyObject *client);

/* An awscrt.auth.AwsSigningConfig as native options, none for None. The Python object is kept alive by whoever lets native
 * code have them. `listener`, a Python object, learns by _on_credentials(exception) why there were no credentials to sign
 * with, and with None that there are some again. False with an exception set. To be cleaned up in any case. */
struct awscrt_s3_signing {
    struct aws_signing_config_aws config;
    bool given;
};

bool awscrt_s3_signing_from_py(struct awscrt_s3_signing *signing, PyObject *py_config, PyObject *listener);
void awscrt_s3_signing_clean_up(struct awscrt_s3_signing *signing);

/* How files are read and written; a tuple (should_stream, disk_throughput_gbps, direct_io), or None for the default. */
struct awscrt_s3_file_io {
    struct aws_s3_file_io_options options;
    bool given;
};

/* A converter for the "O&" of PyArg_ParseTuple. */
int awscrt_convert_s3_file_io(PyObject *object, void *file_io);

/* Owned by the native request once there is one, and freed when that has shut down, on the thread that dropped its last
 * reference. Keeps the core alive: a Python object (see awscrt/_s3_request.py) with the user's callbacks, which must not
 * refer to the request's handle, or neither would ever end. */
struct awscrt_s3_events {
    PyObject *core;
    bool wants_headers;
    bool wants_body;
    bool wants_progress;
    /* Of s3_events.c. */
    bool guards_file;
    bool is_empty_file;
};

/* A copy of what is wanted, with a reference to the core; `options`, complete but for that, are set to call it. */
struct awscrt_s3_events *
awscrt_s3_events_new(const struct awscrt_s3_events *wanted, struct aws_s3_meta_request_options *options);
/* Where no request came of it. With the GIL held. */
void awscrt_s3_events_destroy(struct awscrt_s3_events *events);

/* Without the GIL: it takes locks. */
void awscrt_s3_request_cancel(struct aws_s3_meta_request *request);

#endif
