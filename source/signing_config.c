/* Owns signing configurations: how to sign, for which service, and with whose credentials. */

#include "auth.h"

#include <aws/auth/credentials.h>
#include <aws/auth/signing_config.h>

#include <string.h>

/* The handle owns the struct, which never changes and holds one reference to the provider. `pick` is borrowed: it hangs on
 * the Python object whose handle this is, so that the cycle collector sees a function that refers to its own
 * configuration. */
struct config_binding {
    struct aws_signing_config_aws native;
    PyObject *pick; /* list of names → list of whether to sign; NULL for none */
    uint8_t texts[];
};

static void s_destroy(void *native) {
    struct config_binding *binding = native;
    AWSCRT_ALLOW_THREADS_BEGIN
    aws_credentials_provider_release(binding->native.credentials_provider);
    AWSCRT_ALLOW_THREADS_END
    aws_mem_release(awscrt_allocator(), binding);
}

static const struct awscrt_handle_type s_handle_type = {.name = "AwsSigningConfig", .destroy = s_destroy};

const struct aws_signing_config_aws *awscrt_signing_config_get(PyObject *config) {
    const struct config_binding *binding = awscrt_binding_get(config, &s_handle_type);
    return binding ? &binding->native : NULL;
}

/* ------------------------------------------------------------------------------------------- which headers to sign */

PyObject *awscrt_signing_config_pick(const struct aws_signing_config_aws *config, PyObject *names) {
    const struct config_binding *binding = config->should_sign_header_ud;
    return PyObject_CallFunctionObjArgs(binding->pick, names, NULL);
}

static bool s_pick_one(struct config_binding *binding, struct aws_byte_cursor name) {
    PyObject *text = awscrt_text_from_cursor(name);
    PyObject *names = text ? PyList_New(0) : NULL;
    PyObject *picks = NULL;
    if (names && PyList_Append(names, text) == 0) {
        picks = awscrt_signing_config_pick(&binding->native, names);
    }
    PyObject *pick = picks ? PyList_GetItem(picks, 0) : NULL; /* the list is nobody else's */
    int truth = pick ? PyObject_IsTrue(pick) : -1;
    awscrt_exception_unraisable(binding->pick);
    Py_DecRef(text);
    Py_DecRef(names);
    Py_DecRef(picks);
    return truth > 0;
}

/* For users that sign by themselves, on their own threads (s3): there is nobody to give an exception to. */
static bool s_should_sign_header(const struct aws_byte_cursor *name, void *user_data) {
    struct awscrt_callback call;
    if (!awscrt_callback_begin(&call)) {
        return false;
    }
    bool picked = s_pick_one(user_data, *name);
    awscrt_callback_end(&call);
    return picked;
}

/* --------------------------------------------------------------------------------------------------- making one */

/* What the Python constructor says: on the stack of s_new, which releases the texts. */
struct config_input {
    struct awscrt_buffer texts[3]; /* region, service, signed_body_value */
    PyObject *provider;
    PyObject *pick;
    int algorithm;
    int signature_type;
    int body_header;
    int use_double_uri_encode;
    int should_normalize_uri_path;
    int omit_session_token;
    uint64_t date_ms;
    uint64_t expiration_sec;
};

static struct aws_byte_cursor s_copy(uint8_t **end, struct aws_byte_cursor text) {
    struct aws_byte_cursor copy = {.ptr = *end, .len = text.len};
    if (text.len) {
        memcpy(*end, text.ptr, text.len);
        *end += text.len;
    }
    return copy;
}

static struct config_binding *s_binding_new(const struct config_input *input) {
    size_t size = 0;
    for (size_t i = 0; i < AWS_ARRAY_SIZE(input->texts); ++i) {
        size += input->texts[i].cursor.len;
    }
    struct config_binding *binding = awscrt_new(sizeof(*binding) + size);
    if (!binding) {
        return NULL;
    }
    uint8_t *end = binding->texts;
    binding->native = (struct aws_signing_config_aws){
        .config_type = AWS_SIGNING_CONFIG_AWS,
        .algorithm = (enum aws_signing_algorithm)input->algorithm,
        .signature_type = (enum aws_signature_type)input->signature_type,
        .flags =
            {
                .use_double_uri_encode = input->use_double_uri_encode != 0,
                .should_normalize_uri_path = input->should_normalize_uri_path != 0,
                .omit_session_token = input->omit_session_token != 0,
            },
        .signed_body_header = (enum aws_signed_body_header_type)input->body_header,
        .expiration_in_seconds = input->expiration_sec,
    };
    binding->native.region = s_copy(&end, input->texts[0].cursor);
    binding->native.service = s_copy(&end, input->texts[1].cursor);
    binding->native.signed_body_value = s_copy(&end, input->texts[2].cursor);
    aws_date_time_init_epoch_millis(&binding->native.date, input->date_ms);
    return binding;
}

static PyObject *s_new_from(const struct config_input *input) {
    struct aws_credentials_provider *provider = NULL;
    if (!awscrt_is_none(input->provider)) {
        provider = awscrt_credentials_provider_get(input->provider);
        if (!provider) {
            return NULL;
        }
    }
    struct config_binding *binding = s_binding_new(input);
    if (!binding) {
        return NULL;
    }
    binding->native.credentials_provider = aws_credentials_provider_acquire(provider);
    if (!awscrt_is_none(input->pick)) {
        binding->pick = input->pick;
        binding->native.should_sign_header = s_should_sign_header;
        binding->native.should_sign_header_ud = binding;
    }
    return awscrt_handle_own(&s_handle_type, binding);
}

/* (algorithm, signature type, provider, region, service, milliseconds, pick, double encode, normalize, body value, body
 * header, expiration, omit token); numbers and flags are checked by the Python class. False with an exception set. */
static bool s_read(struct config_input *input, PyObject *const *args) {
    static const struct awscrt_auth_text rules[] = {
        {"region", AWSCRT_TEXT_ANY},
        {"service", AWSCRT_TEXT_ANY},
        {"signed_body_value", AWSCRT_TEXT_NONE_OR_SOME},
    };
    input->algorithm = (int)PyLong_AsLongLong(args[0]);
    input->signature_type = (int)PyLong_AsLongLong(args[1]);
    input->provider = args[2];
    input->pick = args[6];
    input->use_double_uri_encode = PyObject_IsTrue(args[7]);
    input->should_normalize_uri_path = PyObject_IsTrue(args[8]);
    input->body_header = (int)PyLong_AsLongLong(args[10]);
    input->omit_session_token = PyObject_IsTrue(args[12]);
    PyObject *texts[] = {args[3], args[4], args[9]};
    return !PyErr_Occurred() && awscrt_convert_u64(args[5], &input->date_ms) &&
           awscrt_convert_u64(args[11], &input->expiration_sec) &&
           awscrt_auth_texts_acquire(input->texts, texts, rules, AWS_ARRAY_SIZE(rules));
}

static PyObject *s_new(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    struct config_input input = {.provider = NULL};
    if (!awscrt_auth_check_count(count, 13) || !s_read(&input, args)) {
        return NULL;
    }
    PyObject *handle = s_new_from(&input);
    awscrt_auth_texts_release(input.texts, AWS_ARRAY_SIZE(input.texts));
    return handle;
}

PyMethodDef awscrt_signing_config_methods[] = {
    AWSCRT_FASTCALL("signing_config_new", s_new, NULL),
    {NULL, NULL, 0, NULL},
};
