/* Owns the relay between S3's signing and the credentials that it asks for: why there are none is known only where the
 * provider answers, and S3 forgets it. */

#include "s3.h"

#include <aws/auth/credentials.h>
#include <aws/common/atomics.h>

/* Owned by the provider that asks on its behalf, and freed by that one's shutdown callback, on the thread that dropped its
 * last reference. Keeps alive the provider that it asks, and `listener`, a Python object that is told of failures by
 * _on_credentials(exception), or with None that they are over. */
struct relay {
    struct aws_credentials_provider *asked;
    PyObject *listener;
    struct aws_atomic_var has_failed;
};

/* Owned by the answer that it waits for. */
struct relayed_question {
    struct relay *relay;
    aws_on_get_credentials_callback_fn *callback;
    void *user_data;
};

static void s_tell(struct relay *relay, bool failed, int code) {
    struct awscrt_callback call;
    if (!awscrt_callback_begin(&call)) {
        return;
    }
    PyObject *error = failed ? awscrt_credentials_failure(code) : awscrt_none();
    PyObject *told = error ? PyObject_CallMethod(relay->listener, "_on_credentials", "O", error) : NULL;
    awscrt_finish_call(told, relay->listener);
    Py_DecRef(error);
    aws_atomic_store_int(&relay->has_failed, failed);
    awscrt_callback_end(&call);
}

static void s_on_credentials(struct aws_credentials *credentials, int code, void *user_data) {
    struct relayed_question question = *(struct relayed_question *)user_data;
    aws_mem_release(awscrt_allocator(), user_data);
    if (!credentials || aws_atomic_load_int(&question.relay->has_failed)) {
        s_tell(question.relay, !credentials, code);
    }
    question.callback(credentials, code, question.user_data);
}

static int s_get_credentials(void *user_data, aws_on_get_credentials_callback_fn callback, void *callback_user_data) {
    struct relayed_question *question = aws_mem_calloc(awscrt_allocator(), 1, sizeof(*question));
    question->relay = user_data;
    question->callback = callback;
    question->user_data = callback_user_data;
    if (aws_credentials_provider_get_credentials(question->relay->asked, s_on_credentials, question)) {
        aws_mem_release(awscrt_allocator(), question);
        return AWS_OP_ERR;
    }
    return AWS_OP_SUCCESS;
}

static void s_on_shutdown(void *user_data) {
    struct relay *relay = user_data;
    aws_credentials_provider_release(relay->asked);
    awscrt_reference_drop(relay->listener);
    aws_mem_release(awscrt_allocator(), relay);
}

static struct aws_credentials_provider *s_relay_new(struct aws_credentials_provider *asked, PyObject *listener) {
    struct relay *relay = awscrt_new(sizeof(*relay));
    if (!relay) {
        return NULL;
    }
    relay->asked = aws_credentials_provider_acquire(asked);
    relay->listener = listener;
    aws_atomic_init_int(&relay->has_failed, false);
    Py_IncRef(listener);
    struct aws_credentials_provider_delegate_options options = {
        .shutdown_options = {.shutdown_callback = s_on_shutdown, .shutdown_user_data = relay},
        .get_credentials = s_get_credentials,
        .delegate_user_data = relay,
    };
    struct aws_credentials_provider *provider = aws_credentials_provider_new_delegate(awscrt_allocator(), &options);
    if (!provider) {
        s_on_shutdown(relay);
        awscrt_raise_last();
    }
    return provider;
}

bool awscrt_s3_signing_from_py(struct awscrt_s3_signing *signing, PyObject *py_config, PyObject *listener) {
    AWS_ZERO_STRUCT(*signing);
    if (awscrt_is_none(py_config)) {
        return true;
    }
    const struct aws_signing_config_aws *config = awscrt_signing_config_get(py_config);
    if (!config) {
        return false;
    }
    signing->config = *config;
    signing->given = true;
    if (config->credentials_provider) {
        signing->config.credentials_provider = s_relay_new(config->credentials_provider, listener);
        return signing->config.credentials_provider != NULL;
    }
    return true;
}

void awscrt_s3_signing_clean_up(struct awscrt_s3_signing *signing) {
    AWSCRT_ALLOW_THREADS_BEGIN
    aws_credentials_provider_release(signing->config.credentials_provider);
    AWSCRT_ALLOW_THREADS_END
    AWS_ZERO_STRUCT(*signing);
}
