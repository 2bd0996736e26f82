/* Owns TLS contexts: certificates, trust and what to agree to, shared by many connections. */

#include "io.h"

#include <aws/io/pkcs11.h>
#include <aws/io/tls_channel_handler.h>

/* The handle owns one reference to the context; connection options and connections hold more. A context is made from
 * copies, so nothing of Python's is kept. */

static void s_destroy(void *native) {
    /* The last reference may be the last of a PKCS#11 session too, and log out of its token. */
    AWSCRT_ALLOW_THREADS_BEGIN
    aws_tls_ctx_release(native);
    AWSCRT_ALLOW_THREADS_END
}

static const struct awscrt_handle_type s_handle_type = {.name = "ClientTlsContext", .destroy = s_destroy};

struct aws_tls_ctx *awscrt_tls_context_get(PyObject *context) {
    return awscrt_binding_get(context, &s_handle_type);
}

/* What a TlsContextOptions says: on the stack of s_new, which releases the buffers. `lib` is borrowed from the options. */
struct context_input {
    uint32_t min_version;
    uint32_t cipher_pref;
    bool verify_peer;
    bool no_revocation;
    struct awscrt_buffer protocols;
    struct awscrt_buffer ca_dirpath;
    struct awscrt_buffer ca;
    struct awscrt_buffer certificate;
    struct awscrt_buffer key;
    struct awscrt_buffer pkcs12_path;
    struct awscrt_buffer pkcs12_password;
    struct awscrt_buffer windows_path;
    struct aws_pkcs11_lib *lib;
    struct awscrt_buffer pin;
    struct awscrt_buffer token_label;
    struct awscrt_buffer key_label;
    struct awscrt_buffer pkcs11_certificate_path;
    struct awscrt_buffer pkcs11_certificate;
    bool has_slot;
    uint64_t slot;
};

static void s_input_clean_up(struct context_input *input) {
    struct awscrt_buffer *buffers[] = {
        &input->protocols,
        &input->ca_dirpath,
        &input->ca,
        &input->certificate,
        &input->key,
        &input->pkcs12_path,
        &input->pkcs12_password,
        &input->windows_path,
        &input->pin,
        &input->token_label,
        &input->key_label,
        &input->pkcs11_certificate_path,
        &input->pkcs11_certificate,
    };
    for (size_t i = 0; i < AWS_ARRAY_SIZE(buffers); ++i) {
        awscrt_buffer_release(buffers[i]);
    }
}

static bool s_input_read_pkcs11(struct context_input *input, PyObject *options) {
    PyObject *lib = PyObject_GetAttrString(options, "_pkcs11_lib");
    PyObject *slot = PyObject_GetAttrString(options, "_pkcs11_slot_id");
    bool ok = lib && slot;
    if (ok && !awscrt_is_none(lib)) {
        input->lib = awscrt_pkcs11_lib_get(lib);
        ok = input->lib != NULL;
    }
    if (ok && !awscrt_is_none(slot)) {
        input->has_slot = true;
        ok = awscrt_convert_u64(slot, &input->slot);
    }
    Py_DecRef(lib);
    Py_DecRef(slot);
    return ok && awscrt_attribute_text(&input->pin, options, "_pkcs11_user_pin") &&
           awscrt_attribute_text(&input->token_label, options, "_pkcs11_token_label") &&
           awscrt_attribute_text(&input->key_label, options, "_pkcs11_private_key_label") &&
           awscrt_attribute_path(&input->pkcs11_certificate_path, options, "_pkcs11_cert_file_path") &&
           awscrt_attribute_text(&input->pkcs11_certificate, options, "_pkcs11_cert_file_contents");
}

static bool s_input_read(struct context_input *input, PyObject *options) {
    return awscrt_attribute_u32(&input->min_version, options, "min_tls_ver") &&
           awscrt_attribute_u32(&input->cipher_pref, options, "cipher_pref") &&
           awscrt_attribute_flag(&input->verify_peer, options, "verify_peer") &&
           awscrt_attribute_flag(&input->no_revocation, options, "no_certificate_revocation") &&
           awscrt_attribute_path(&input->ca_dirpath, options, "ca_dirpath") &&
           awscrt_attribute_text(&input->ca, options, "ca_buffer") &&
           awscrt_attribute_text(&input->certificate, options, "certificate_buffer") &&
           awscrt_attribute_text(&input->key, options, "private_key_buffer") &&
           awscrt_attribute_path(&input->pkcs12_path, options, "pkcs12_filepath") &&
           awscrt_attribute_text(&input->pkcs12_password, options, "pkcs12_password") &&
           awscrt_attribute_path(&input->windows_path, options, "_windows_cert_store_path") &&
           s_input_read_pkcs11(input, options);
}

static int s_options_init_pkcs11(struct aws_tls_ctx_options *options, const struct context_input *input) {
    struct aws_tls_ctx_pkcs11_options pkcs11 = {
        .pkcs11_lib = input->lib,
        .user_pin = input->pin.cursor,
        .slot_id = input->has_slot ? &input->slot : NULL,
        .token_label = input->token_label.cursor,
        .private_key_object_label = input->key_label.cursor,
        .cert_file_path = input->pkcs11_certificate_path.cursor,
        .cert_file_contents = input->pkcs11_certificate.cursor,
    };
    return aws_tls_ctx_options_init_client_mtls_with_pkcs11(options, awscrt_allocator(), &pkcs11);
}

/* The start of the options is where the certificate comes from. */
static int s_options_init(struct aws_tls_ctx_options *options, const struct context_input *input) {
    struct aws_allocator *allocator = awscrt_allocator();
    if (input->certificate.cursor.ptr) {
        return aws_tls_ctx_options_init_client_mtls(options, allocator, &input->certificate.cursor, &input->key.cursor);
    }
    if (input->lib) {
        return s_options_init_pkcs11(options, input);
    }
    if (input->pkcs12_path.cursor.ptr) {
        return aws_tls_ctx_options_init_client_mtls_pkcs12_from_path(
            options, allocator, (const char *)input->pkcs12_path.cursor.ptr, &input->pkcs12_password.cursor);
    }
    if (input->windows_path.cursor.ptr) {
        return aws_tls_ctx_options_init_client_mtls_from_system_path(
            options, allocator, (const char *)input->windows_path.cursor.ptr);
    }
    aws_tls_ctx_options_init_default_client(options, allocator);
    return AWS_OP_SUCCESS;
}

/* The libraries' own default agrees to TLS 1.0, which RFC 8996 forbids. */
static enum aws_tls_versions s_min_version(const struct context_input *input) {
    return input->min_version == AWS_IO_TLS_VER_SYS_DEFAULTS ? AWS_IO_TLSv1_2
                                                             : (enum aws_tls_versions)input->min_version;
}

static int s_options_set(struct aws_tls_ctx_options *options, const struct context_input *input) {
    aws_tls_ctx_options_set_minimum_tls_version(options, s_min_version(input));
    aws_tls_ctx_options_set_tls_cipher_preference(options, (enum aws_tls_cipher_pref)input->cipher_pref);
    aws_tls_ctx_options_set_verify_peer(options, input->verify_peer);
    aws_tls_ctx_options_set_no_certificate_revocation(options, input->no_revocation);
    if (input->ca_dirpath.cursor.ptr && aws_tls_ctx_options_override_default_trust_store_from_path(
                                            options, (const char *)input->ca_dirpath.cursor.ptr, NULL)) {
        return AWS_OP_ERR;
    }
    if (input->ca.cursor.ptr && aws_tls_ctx_options_override_default_trust_store(options, &input->ca.cursor)) {
        return AWS_OP_ERR;
    }
    if (input->protocols.cursor.ptr &&
        aws_tls_ctx_options_set_alpn_list(options, (const char *)input->protocols.cursor.ptr)) {
        return AWS_OP_ERR;
    }
    return AWS_OP_SUCCESS;
}

/* Slow (it reads the system's certificates, or talks to a token): without the GIL. */
static struct aws_tls_ctx *s_context_new(const struct context_input *input) {
    /* A failing initializer cleans up what it may not have touched. */
    struct aws_tls_ctx_options options = {0};
    struct aws_tls_ctx *context = NULL;
    if (!s_options_init(&options, input) && !s_options_set(&options, input)) {
        context = aws_tls_client_ctx_new(awscrt_allocator(), &options);
    }
    int code = aws_last_error();
    aws_tls_ctx_options_clean_up(&options);
    if (!context) {
        aws_raise_error(code);
    }
    return context;
}

/* The exception of `code`, with a message that says what is wrong. */
static PyObject *s_raise_fault(int code, const char *fault) {
    awscrt_raise_code(code);
    PyObject *exception = awscrt_exception_take();
    PyObject *message = PyUnicode_FromString(fault);
    if (message != NULL && PyObject_SetAttrString(exception, "message", message) == 0) {
        PyObject *type = PyObject_Type(exception);
        PyErr_SetObject(type, exception);
        Py_DecRef(type);
    }
    Py_DecRef(message);
    Py_DecRef(exception);
    return NULL;
}

static PyObject *s_raise_context_error(int code, const struct context_input *input) {
    const char *fault = NULL;
    if (input->certificate.cursor.ptr) {
        fault = awscrt_tls_identity_fault(input->certificate.cursor, input->key.cursor, false);
    }
    if (!fault && input->ca.cursor.ptr) {
        fault = awscrt_tls_trust_fault(input->ca.cursor);
    }
    return fault ? s_raise_fault(code, fault) : awscrt_raise_code(code);
}

static PyObject *s_new_from_input(const struct context_input *input) {
    /* Not every platform's TLS library looks before the first handshake. */
    const char *fault = NULL;
    if (input->certificate.cursor.ptr) {
        fault = awscrt_tls_identity_fault(input->certificate.cursor, input->key.cursor, true);
    }
    if (fault) {
        return s_raise_fault(AWS_IO_TLS_CTX_ERROR, fault);
    }
    struct aws_tls_ctx *context;
    int code;
    AWSCRT_ALLOW_THREADS_BEGIN
    context = s_context_new(input);
    code = aws_last_error();
    AWSCRT_ALLOW_THREADS_END
    return context ? awscrt_handle_own(&s_handle_type, context) : s_raise_context_error(code, input);
}

static PyObject *s_new(PyObject *module, PyObject *args) {
    (void)module;
    struct context_input input = {0};
    PyObject *options;
    if (!PyArg_ParseTuple(args, "OO&", &options, awscrt_convert_optional_text, &input.protocols)) {
        return NULL;
    }
    PyObject *handle = NULL;
    if (awscrt_start_io() && s_input_read(&input, options)) {
        handle = s_new_from_input(&input);
    }
    s_input_clean_up(&input);
    return handle;
}

static PyObject *s_is_alpn_available(PyObject *module, PyObject *args) {
    (void)module;
    (void)args;
    return awscrt_start_io() ? PyBool_FromLong(aws_tls_is_alpn_available()) : NULL;
}

static PyObject *s_is_cipher_supported(PyObject *module, PyObject *args) {
    (void)module;
    uint32_t cipher_pref;
    if (!PyArg_ParseTuple(args, "O&", awscrt_convert_u32, &cipher_pref) || !awscrt_start_io()) {
        return NULL;
    }
    return PyBool_FromLong(aws_tls_is_cipher_pref_supported((enum aws_tls_cipher_pref)cipher_pref));
}

PyMethodDef awscrt_tls_context_methods[] = {
    {"client_tls_ctx_new", s_new, METH_VARARGS, NULL},
    {"is_alpn_available", s_is_alpn_available, METH_NOARGS, NULL},
    {"is_tls_cipher_supported", s_is_cipher_supported, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
