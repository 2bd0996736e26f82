/* Owns credentials providers that ask a service: Cognito, IoT Core (X.509) and STS. */

#include "auth.h"

#include <aws/auth/credentials.h>
#include <aws/io/tls_channel_handler.h>

/* The native providers copy their texts and keep their bootstrap, TLS context and source alive by themselves. Making one
 * takes locks and starts timers of event loops, so the GIL is released. */

/* Where a service is and by what way: borrowed from Python's arguments, but for the proxy. On the stack of a factory, which
 * releases the proxy. */
struct route {
    struct aws_tls_ctx *tls_ctx;
    struct aws_client_bootstrap *bootstrap;
    struct aws_http_proxy_options proxy_options;
    struct awscrt_http_proxy_kept proxy_kept;
    const struct aws_http_proxy_options *proxy; /* NULL for none */
};

static bool s_route_init(struct route *route, PyObject *py_tls_ctx, PyObject *py_bootstrap, PyObject *py_proxy) {
    route->tls_ctx = awscrt_tls_context_get(py_tls_ctx);
    route->bootstrap = route->tls_ctx ? awscrt_client_bootstrap_get(py_bootstrap) : NULL;
    if (!route->bootstrap) {
        return false;
    }
    if (!awscrt_is_none(py_proxy)) {
        if (!awscrt_http_proxy_options_from_py(&route->proxy_options, &route->proxy_kept, py_proxy)) {
            return false;
        }
        route->proxy = &route->proxy_options;
    }
    return true;
}

static void s_route_clean_up(struct route *route) {
    awscrt_http_proxy_kept_release(&route->proxy_kept);
}

/* --------------------------------------------------------------------------------------------------- Cognito */

/* On the stack of a factory, which cleans it up. The buffers keep the texts of the pairs: two for each. */
struct logins {
    size_t count;
    struct aws_cognito_identity_provider_token_pair *pairs;
    struct awscrt_buffer *texts;
};

static void s_logins_clean_up(struct logins *logins) {
    if (logins->texts) {
        awscrt_auth_texts_release(logins->texts, 2 * logins->count);
    }
    aws_mem_release(awscrt_allocator(), logins->pairs);
    aws_mem_release(awscrt_allocator(), logins->texts);
}

/* A tuple of pairs. False with an exception set, to be cleaned up all the same. */
static bool s_logins_init(struct logins *logins, PyObject *py_logins) {
    static const struct awscrt_auth_text rules[] = {
        {"the name of a login", AWSCRT_TEXT_REQUIRED},
        {"the token of a login", AWSCRT_TEXT_REQUIRED},
    };
    Py_ssize_t count = PyTuple_Size(py_logins);
    if (count < 0) {
        return false;
    }
    logins->count = (size_t)count;
    logins->pairs = awscrt_new((logins->count + 1) * sizeof(*logins->pairs));
    logins->texts = logins->pairs ? awscrt_new((2 * logins->count + 1) * sizeof(*logins->texts)) : NULL;
    bool ok = logins->texts != NULL;
    for (Py_ssize_t i = 0; ok && i < count; ++i) {
        struct awscrt_buffer *texts = &logins->texts[2 * i];
        PyObject *pair[2];
        ok = PyArg_ParseTuple(PyTuple_GetItem(py_logins, i), "OO:login", &pair[0], &pair[1]) &&
             awscrt_auth_texts_acquire(texts, pair, rules, 2);
        logins->pairs[i].identity_provider_name = texts[0].cursor;
        logins->pairs[i].identity_provider_token = texts[1].cursor;
    }
    return ok;
}

static struct aws_credentials_provider *
s_new_cognito_at(const struct route *route, const struct awscrt_buffer *texts, const struct logins *logins) {
    struct aws_byte_cursor custom_role_arn = texts[2].cursor;
    struct aws_credentials_provider_cognito_options options = {
        .endpoint = texts[0].cursor,
        .identity = texts[1].cursor,
        .custom_role_arn = custom_role_arn.ptr ? &custom_role_arn : NULL,
        .logins = logins->pairs,
        .login_count = logins->count,
        .bootstrap = route->bootstrap,
        .tls_ctx = route->tls_ctx,
        .http_proxy_options = route->proxy,
    };
    struct aws_credentials_provider *provider;
    AWSCRT_ALLOW_THREADS_BEGIN
    aws_reset_error();
    provider = aws_credentials_provider_new_cognito(awscrt_allocator(), &options);
    AWSCRT_ALLOW_THREADS_END
    return provider;
}

static PyObject *s_new_cognito(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    static const struct awscrt_auth_text rules[] = {
        {"endpoint", AWSCRT_TEXT_REQUIRED},
        {"identity", AWSCRT_TEXT_REQUIRED},
        {"custom_role_arn", AWSCRT_TEXT_OPTIONAL},
    };
    (void)module;
    struct awscrt_buffer texts[AWS_ARRAY_SIZE(rules)] = {{.keeper = NULL}};
    if (!awscrt_auth_check_count(count, 7) || !awscrt_auth_texts_acquire(texts, args, rules, AWS_ARRAY_SIZE(rules))) {
        return NULL;
    }
    struct route route = {.tls_ctx = NULL};
    struct logins logins = {.count = 0};
    PyObject *handle = NULL;
    if (s_logins_init(&logins, args[3]) && s_route_init(&route, args[4], args[5], args[6])) {
        handle = awscrt_credentials_provider_own(
            s_new_cognito_at(&route, texts, &logins), AWS_AUTH_CREDENTIALS_PROVIDER_COGNITO_SOURCE_FAILURE);
    }
    s_logins_clean_up(&logins);
    s_route_clean_up(&route);
    awscrt_auth_texts_release(texts, AWS_ARRAY_SIZE(rules));
    return handle;
}

/* ------------------------------------------------------------------------------------------------------ X.509 */

static struct aws_credentials_provider *s_new_x509_at(const struct route *route, const struct awscrt_buffer *texts) {
    struct aws_tls_connection_options tls;
    struct aws_credentials_provider_x509_options options = {
        .endpoint = texts[0].cursor,
        .thing_name = texts[1].cursor,
        .role_alias = texts[2].cursor,
        .bootstrap = route->bootstrap,
        .tls_connection_options = &tls,
        .proxy_options = route->proxy,
    };
    struct aws_credentials_provider *provider;
    AWSCRT_ALLOW_THREADS_BEGIN
    aws_tls_connection_options_init_from_ctx(&tls, route->tls_ctx);
    aws_reset_error();
    provider = aws_credentials_provider_new_x509(awscrt_allocator(), &options);
    aws_tls_connection_options_clean_up(&tls);
    AWSCRT_ALLOW_THREADS_END
    return provider;
}

static PyObject *s_new_x509(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    static const struct awscrt_auth_text rules[] = {
        {"endpoint", AWSCRT_TEXT_REQUIRED},
        {"thing_name", AWSCRT_TEXT_REQUIRED},
        {"role_alias", AWSCRT_TEXT_REQUIRED},
    };
    (void)module;
    struct awscrt_buffer texts[AWS_ARRAY_SIZE(rules)] = {{.keeper = NULL}};
    if (!awscrt_auth_check_count(count, 6) || !awscrt_auth_texts_acquire(texts, args, rules, AWS_ARRAY_SIZE(rules))) {
        return NULL;
    }
    struct route route = {.tls_ctx = NULL};
    PyObject *handle = NULL;
    if (s_route_init(&route, args[3], args[4], args[5])) {
        handle = awscrt_credentials_provider_own(
            s_new_x509_at(&route, texts), AWS_AUTH_CREDENTIALS_PROVIDER_X509_SOURCE_FAILURE);
    }
    s_route_clean_up(&route);
    awscrt_auth_texts_release(texts, AWS_ARRAY_SIZE(rules));
    return handle;
}

/* -------------------------------------------------------------------------------------------------------- STS */

static PyObject *s_new_sts(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    static const struct awscrt_auth_text rules[] = {
        {"role_arn", AWSCRT_TEXT_REQUIRED},
        {"session_name", AWSCRT_TEXT_REQUIRED},
        {"external_id", AWSCRT_TEXT_OPTIONAL},
    };
    (void)module;
    uint16_t duration_sec;
    struct awscrt_buffer texts[AWS_ARRAY_SIZE(rules)] = {{.keeper = NULL}};
    if (!awscrt_auth_check_count(count, 8) || !awscrt_convert_u16(args[4], &duration_sec) ||
        !awscrt_auth_texts_acquire(texts, args, rules, AWS_ARRAY_SIZE(rules))) {
        return NULL;
    }
    struct route route = {.tls_ctx = NULL};
    PyObject *handle = NULL;
    struct aws_credentials_provider *source = awscrt_credentials_provider_get(args[3]);
    if (source && s_route_init(&route, args[5], args[6], args[7])) {
        struct aws_credentials_provider_sts_options options = {
            .role_arn = texts[0].cursor,
            .session_name = texts[1].cursor,
            .external_id = texts[2].cursor,
            .creds_provider = source,
            .duration_seconds = duration_sec,
            .bootstrap = route.bootstrap,
            .tls_ctx = route.tls_ctx,
            .http_proxy_options = route.proxy,
        };
        /* The GIL stays: it changes what the source calls when it ends, and nothing else guards that. */
        struct awscrt_guard *guard = awscrt_guard_of(source);
        awscrt_guard_enter(guard);
        aws_reset_error();
        struct aws_credentials_provider *provider = aws_credentials_provider_new_sts(awscrt_allocator(), &options);
        awscrt_guard_leave(guard);
        handle = awscrt_credentials_provider_own(provider, AWS_AUTH_CREDENTIALS_PROVIDER_STS_SOURCE_FAILURE);
    }
    s_route_clean_up(&route);
    awscrt_auth_texts_release(texts, AWS_ARRAY_SIZE(rules));
    return handle;
}

static struct aws_credentials_provider *s_new_sts_web_identity_at(
    const struct route *route, const struct awscrt_buffer *texts, struct aws_byte_cursor token_path) {
    struct aws_credentials_provider_sts_web_identity_options options = {
        .role_arn = texts[0].cursor,
        .role_session_name = texts[1].cursor,
        .region = texts[2].cursor,
        .profile_name_override = texts[3].cursor,
        .token_file_path = token_path,
        .bootstrap = route->bootstrap,
        .tls_ctx = route->tls_ctx,
    };
    struct aws_credentials_provider *provider;
    AWSCRT_ALLOW_THREADS_BEGIN
    aws_reset_error();
    provider = aws_credentials_provider_new_sts_web_identity(awscrt_allocator(), &options);
    AWSCRT_ALLOW_THREADS_END
    return provider;
}

/* The path is bytes, or None. */
static PyObject *s_new_sts_web_identity(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    static const struct awscrt_auth_text rules[] = {
        {"role_arn", AWSCRT_TEXT_OPTIONAL},
        {"session_name", AWSCRT_TEXT_OPTIONAL},
        {"region", AWSCRT_TEXT_OPTIONAL},
        {"profile_name", AWSCRT_TEXT_OPTIONAL},
    };
    (void)module;
    struct awscrt_buffer token_path = {.keeper = NULL};
    struct awscrt_buffer texts[AWS_ARRAY_SIZE(rules)] = {{.keeper = NULL}};
    if (!awscrt_auth_check_count(count, 7) || !awscrt_convert_optional_text(args[4], &token_path)) {
        return NULL;
    }
    struct route route = {.tls_ctx = NULL};
    PyObject *handle = NULL;
    if (awscrt_auth_texts_acquire(texts, args, rules, AWS_ARRAY_SIZE(rules)) &&
        s_route_init(&route, args[5], args[6], &_Py_NoneStruct)) {
        handle = awscrt_credentials_provider_own(
            s_new_sts_web_identity_at(&route, texts, token_path.cursor),
            AWS_AUTH_CREDENTIALS_PROVIDER_STS_WEB_IDENTITY_SOURCE_FAILURE);
    }
    awscrt_auth_texts_release(texts, AWS_ARRAY_SIZE(rules));
    awscrt_buffer_release(&token_path);
    return handle;
}

PyMethodDef awscrt_credentials_service_methods[] = {
    AWSCRT_FASTCALL("credentials_provider_new_cognito", s_new_cognito, NULL),
    AWSCRT_FASTCALL("credentials_provider_new_x509", s_new_x509, NULL),
    AWSCRT_FASTCALL("credentials_provider_new_sts", s_new_sts, NULL),
    AWSCRT_FASTCALL("credentials_provider_new_sts_web_identity", s_new_sts_web_identity, NULL),
    {NULL, NULL, 0, NULL},
};
