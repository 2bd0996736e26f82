/* Owns credentials providers: those of one process and its files, and asking any of them. */

#include "auth.h"

#include <aws/auth/credentials.h>

/* The handle owns one reference to the provider, which keeps alive what it was made of. Its last reference may be dropped
 * by an operation of its own, on a native thread. */

static void s_destroy(void *native) {
    /* It may end connections, and drops what a delegate holds of Python's. */
    AWSCRT_ALLOW_THREADS_BEGIN
    aws_credentials_provider_release(native);
    AWSCRT_ALLOW_THREADS_END
}

static const struct awscrt_handle_type s_handle_type = {.name = "AwsCredentialsProvider", .destroy = s_destroy};

struct aws_credentials_provider *awscrt_credentials_provider_get(PyObject *provider) {
    return awscrt_binding_get(provider, &s_handle_type);
}

PyObject *awscrt_credentials_provider_own(struct aws_credentials_provider *provider, int code) {
    int last = aws_last_error();
    /* The one is what reading a profile leaves behind when all is well. */
    if (!provider && (last == AWS_ERROR_STRING_MATCH_NOT_FOUND || last == AWS_ERROR_SUCCESS)) {
        return awscrt_raise_code(code);
    }
    return awscrt_handle_own(&s_handle_type, provider);
}

/* ------------------------------------------------------------------------------------------------- factories */

static PyObject *s_new_static(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    static const struct awscrt_auth_text rules[] = {
        {"access_key_id", AWSCRT_TEXT_REQUIRED},
        {"secret_access_key", AWSCRT_TEXT_REQUIRED},
        {"session_token", AWSCRT_TEXT_OPTIONAL},
    };
    (void)module;
    struct awscrt_buffer texts[AWS_ARRAY_SIZE(rules)] = {{.keeper = NULL}};
    if (!awscrt_auth_check_count(count, 3) || !awscrt_start_io() ||
        !awscrt_auth_texts_acquire(texts, args, rules, AWS_ARRAY_SIZE(rules))) {
        return NULL;
    }
    struct aws_credentials_provider_static_options options = {
        .access_key_id = texts[0].cursor,
        .secret_access_key = texts[1].cursor,
        .session_token = texts[2].cursor,
    };
    aws_reset_error();
    struct aws_credentials_provider *provider = aws_credentials_provider_new_static(awscrt_allocator(), &options);
    awscrt_auth_texts_release(texts, AWS_ARRAY_SIZE(rules));
    return awscrt_credentials_provider_own(provider, AWS_ERROR_INVALID_ARGUMENT);
}

static PyObject *s_new_environment(PyObject *module, PyObject *unused) {
    (void)module;
    (void)unused;
    if (!awscrt_start_io()) {
        return NULL;
    }
    struct aws_credentials_provider_environment_options options = {0};
    aws_reset_error();
    return awscrt_credentials_provider_own(
        aws_credentials_provider_new_environment(awscrt_allocator(), &options), AWS_ERROR_UNKNOWN);
}

/* The paths are bytes, or None. */
static PyObject *s_new_profile(PyObject *module, PyObject *args) {
    static const struct awscrt_auth_text rule = {"profile_name", AWSCRT_TEXT_OPTIONAL};
    (void)module;
    PyObject *py_bootstrap;
    PyObject *py_profile_name;
    struct awscrt_buffer profile_name = {0};
    struct awscrt_buffer config_path = {0};
    struct awscrt_buffer credentials_path = {0};
    if (!PyArg_ParseTuple(
            args,
            "OOO&O&",
            &py_bootstrap,
            &py_profile_name,
            awscrt_convert_optional_text,
            &config_path,
            awscrt_convert_optional_text,
            &credentials_path)) {
        return NULL;
    }
    PyObject *handle = NULL;
    struct aws_client_bootstrap *bootstrap = awscrt_client_bootstrap_get(py_bootstrap);
    if (bootstrap && awscrt_auth_texts_acquire(&profile_name, &py_profile_name, &rule, 1) && awscrt_start_io()) {
        struct aws_credentials_provider_profile_options options = {
            .bootstrap = bootstrap,
            .profile_name_override = profile_name.cursor,
            .config_file_name_override = config_path.cursor,
            .credentials_file_name_override = credentials_path.cursor,
        };
        struct aws_credentials_provider *provider;
        /* It reads the files, and may make a TLS context and other providers that they ask for. */
        AWSCRT_ALLOW_THREADS_BEGIN
        aws_reset_error();
        provider = aws_credentials_provider_new_profile(awscrt_allocator(), &options);
        AWSCRT_ALLOW_THREADS_END
        handle = awscrt_credentials_provider_own(provider, AWS_AUTH_CREDENTIALS_PROVIDER_PROFILE_SOURCE_FAILURE);
    }
    awscrt_buffer_release(&profile_name);
    awscrt_buffer_release(&config_path);
    awscrt_buffer_release(&credentials_path);
    return handle;
}

static PyObject *s_new_process(PyObject *module, PyObject *py_profile_name) {
    static const struct awscrt_auth_text rule = {"profile_to_use", AWSCRT_TEXT_OPTIONAL};
    (void)module;
    struct awscrt_buffer profile_name = {0};
    if (!awscrt_start_io() || !awscrt_auth_texts_acquire(&profile_name, &py_profile_name, &rule, 1)) {
        return NULL;
    }
    struct aws_credentials_provider_process_options options = {.profile_to_use = profile_name.cursor};
    struct aws_credentials_provider *provider;
    /* It reads the file. */
    AWSCRT_ALLOW_THREADS_BEGIN
    aws_reset_error();
    provider = aws_credentials_provider_new_process(awscrt_allocator(), &options);
    AWSCRT_ALLOW_THREADS_END
    awscrt_buffer_release(&profile_name);
    return awscrt_credentials_provider_own(provider, AWS_AUTH_CREDENTIALS_PROVIDER_PROCESS_SOURCE_FAILURE);
}

static PyObject *s_new_default_chain(PyObject *module, PyObject *py_bootstrap) {
    (void)module;
    struct aws_credentials_provider_chain_default_options options = {
        .bootstrap = awscrt_client_bootstrap_get(py_bootstrap),
    };
    if (!options.bootstrap || !awscrt_start_io()) {
        return NULL;
    }
    struct aws_credentials_provider *provider;
    /* It reads files and makes a TLS context. */
    AWSCRT_ALLOW_THREADS_BEGIN
    aws_reset_error();
    provider = aws_credentials_provider_new_chain_default(awscrt_allocator(), &options);
    AWSCRT_ALLOW_THREADS_END
    return awscrt_credentials_provider_own(provider, AWS_ERROR_UNKNOWN);
}

static PyObject *s_new_chain(PyObject *module, PyObject *py_providers) {
    (void)module;
    Py_ssize_t count = PyTuple_Size(py_providers);
    if (count < 0 || !awscrt_start_io()) {
        return NULL;
    }
    struct aws_credentials_provider **providers = awscrt_new((size_t)(count + 1) * sizeof(*providers));
    if (!providers) {
        return NULL;
    }
    bool ok = true;
    for (Py_ssize_t i = 0; ok && i < count; ++i) {
        providers[i] = awscrt_credentials_provider_get(PyTuple_GetItem(py_providers, i));
        ok = providers[i] != NULL;
    }
    PyObject *handle = NULL;
    if (ok) {
        struct aws_credentials_provider_chain_options options = {
            .providers = providers,
            .provider_count = (size_t)count,
        };
        aws_reset_error();
        handle = awscrt_credentials_provider_own(
            aws_credentials_provider_new_chain(awscrt_allocator(), &options), AWS_ERROR_INVALID_ARGUMENT);
    }
    aws_mem_release(awscrt_allocator(), providers);
    return handle;
}

/* --------------------------------------------------------------------------------------------------- asking */

/* One question. Freed by its answer, which may come before the call that asks returns, or later from a native thread.
 * Keeps the Python object of the provider, and with it the function of a delegate. */
struct question {
    PyObject *provider;
    PyObject *settle; /* called with the future, the exception or None, and the handle or None */
    PyObject *future;
};

static void s_question_free(struct question *question) {
    Py_DecRef(question->provider);
    Py_DecRef(question->settle);
    Py_DecRef(question->future);
    aws_mem_release(awscrt_allocator(), question);
}

static void s_on_credentials(struct aws_credentials *credentials, int code, void *user_data) {
    struct question *question = user_data;
    struct awscrt_callback call;
    if (!awscrt_callback_begin(&call)) {
        return;
    }
    PyObject *error = NULL;
    PyObject *handle = NULL;
    if (credentials) {
        awscrt_credentials_success();
        handle = awscrt_credentials_to_py(credentials);
    } else {
        error = awscrt_credentials_failure(code);
    }
    if (!handle && !error) {
        error = awscrt_exception_take();
    }
    PyObject *none = &_Py_NoneStruct;
    awscrt_finish_call(
        PyObject_CallFunctionObjArgs(
            question->settle, question->future, error ? error : none, handle ? handle : none, NULL),
        question->settle);
    Py_DecRef(error);
    Py_DecRef(handle);
    s_question_free(question);
    awscrt_callback_end(&call);
}

/* (provider, settle, future) */
static PyObject *s_get_credentials(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    if (!awscrt_auth_check_count(count, 3)) {
        return NULL;
    }
    struct aws_credentials_provider *provider = awscrt_credentials_provider_get(args[0]);
    struct question *question = provider ? awscrt_new(sizeof(*question)) : NULL;
    if (!question) {
        return NULL;
    }
    question->provider = args[0];
    question->settle = args[1];
    question->future = args[2];
    Py_IncRef(question->provider);
    Py_IncRef(question->settle);
    Py_IncRef(question->future);
    int status;
    /* A process is run here, a file read, and the answer may come from this thread. */
    AWSCRT_ALLOW_THREADS_BEGIN
    aws_reset_error();
    status = aws_credentials_provider_get_credentials(provider, s_on_credentials, question);
    AWSCRT_ALLOW_THREADS_END
    if (status) {
        s_question_free(question);
        return awscrt_raise_last();
    }
    return awscrt_none();
}

PyMethodDef awscrt_credentials_provider_methods[] = {
    AWSCRT_FASTCALL("credentials_provider_new_static", s_new_static, NULL),
    {"credentials_provider_new_environment", s_new_environment, METH_NOARGS, NULL},
    {"credentials_provider_new_profile", s_new_profile, METH_VARARGS, NULL},
    {"credentials_provider_new_process", s_new_process, METH_O, NULL},
    {"credentials_provider_new_default_chain", s_new_default_chain, METH_O, NULL},
    {"credentials_provider_new_chain", s_new_chain, METH_O, NULL},
    AWSCRT_FASTCALL("credentials_provider_get_credentials", s_get_credentials, NULL),
    {NULL, NULL, 0, NULL},
};
