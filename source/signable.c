/* Owns what is signed: a copy of a request's text, as it was when signing was asked for.
 *
 * Signing may wait for credentials, and runs without the GIL. The request itself may change meanwhile, under the GIL. */

#include "auth.h"

#include <aws/auth/signable.h>
#include <aws/auth/signing_config.h>
#include <aws/common/string.h>
#include <aws/http/request_response.h>
#include <aws/io/stream.h>

#include <string.h>

/* Owned by the operation, which destroys it with the GIL held. One piece of memory: the text follows the pairs, and each
 * name of a header in it follows a byte that says whether to sign that header. Holds one reference to the body. */
struct snapshot {
    struct aws_signable base;
    struct aws_byte_cursor method;
    struct aws_byte_cursor path;
    struct aws_byte_cursor previous_signature;
    struct aws_input_stream *body; /* NULL for none */
    struct aws_array_list headers; /* of `pairs` */
    struct aws_signable_property_list_pair pairs[];
};

static struct snapshot *s_snapshot(const struct aws_signable *signable) {
    return AWS_CONTAINER_OF(signable, struct snapshot, base);
}

static int
s_get_property(const struct aws_signable *signable, const struct aws_string *name, struct aws_byte_cursor *value) {
    const struct snapshot *snapshot = s_snapshot(signable);
    if (aws_string_eq(name, g_aws_http_uri_property_name)) {
        *value = snapshot->path;
    } else if (aws_string_eq(name, g_aws_http_method_property_name)) {
        *value = snapshot->method;
    } else if (aws_string_eq(name, g_aws_previous_signature_property_name)) {
        *value = snapshot->previous_signature;
    } else {
        return aws_raise_error(AWS_ERROR_INVALID_ARGUMENT);
    }
    return AWS_OP_SUCCESS;
}

static int
s_get_property_list(const struct aws_signable *signable, const struct aws_string *name, struct aws_array_list **list) {
    if (!aws_string_eq(name, g_aws_http_headers_property_list_name)) {
        return aws_raise_error(AWS_ERROR_UNSUPPORTED_OPERATION);
    }
    *list = &s_snapshot(signable)->headers;
    return AWS_OP_SUCCESS;
}

static int s_get_payload_stream(const struct aws_signable *signable, struct aws_input_stream **stream) {
    *stream = s_snapshot(signable)->body;
    return AWS_OP_SUCCESS;
}

static void s_destroy(struct aws_signable *signable) {
    struct snapshot *snapshot = s_snapshot(signable);
    aws_input_stream_release(snapshot->body);
    aws_mem_release(signable->allocator, snapshot);
}

static struct aws_signable_vtable s_vtable = {
    .get_property = s_get_property,
    .get_property_list = s_get_property_list,
    .get_payload_stream = s_get_payload_stream,
    .destroy = s_destroy,
};

bool awscrt_signable_is_picked(const struct aws_byte_cursor *name, void *unused) {
    (void)unused;
    return name->ptr[-1] != 0;
}

static struct aws_byte_cursor s_copy(uint8_t **end, struct aws_byte_cursor text) {
    struct aws_byte_cursor copy = {.ptr = *end, .len = text.len};
    if (text.len) {
        memcpy(*end, text.ptr, text.len);
        *end += text.len;
    }
    return copy;
}

static struct aws_http_header s_header(const struct aws_http_headers *headers, size_t index) {
    struct aws_http_header header = {.value = {.ptr = NULL}};
    aws_http_headers_get_index(headers, index, &header);
    return header;
}

/* The GIL is held and no Python runs in here, so the headers stay as they are between the two passes. The caller is in their
 * guard. */
static struct snapshot *
s_snapshot_new(const struct aws_http_headers *headers, const struct aws_byte_cursor *texts, size_t text_count) {
    size_t count = aws_http_headers_count(headers);
    size_t size = 0;
    for (size_t i = 0; i < count; ++i) {
        struct aws_http_header header = s_header(headers, i);
        size += 1 + header.name.len + header.value.len;
    }
    for (size_t i = 0; i < text_count; ++i) {
        size += texts[i].len;
    }
    /* One pair more: the list may not be empty memory. */
    struct snapshot *snapshot = awscrt_new(sizeof(*snapshot) + (count + 1) * sizeof(snapshot->pairs[0]) + size);
    if (!snapshot) {
        return NULL;
    }
    snapshot->base = (struct aws_signable){.allocator = awscrt_allocator(), .vtable = &s_vtable};
    uint8_t *end = (uint8_t *)&snapshot->pairs[count + 1];
    for (size_t i = 0; i < count; ++i) {
        struct aws_http_header header = s_header(headers, i);
        *end++ = true;
        snapshot->pairs[i].name = s_copy(&end, header.name);
        snapshot->pairs[i].value = s_copy(&end, header.value);
    }
    aws_array_list_init_static(&snapshot->headers, snapshot->pairs, count + 1, sizeof(snapshot->pairs[0]));
    snapshot->headers.length = count;
    struct aws_byte_cursor *copies[] = {&snapshot->method, &snapshot->path, &snapshot->previous_signature};
    for (size_t i = 0; i < text_count; ++i) {
        *copies[i] = s_copy(&end, texts[i]);
    }
    return snapshot;
}

static PyObject *s_names(const struct snapshot *snapshot) {
    PyObject *names = PyList_New(0);
    for (size_t i = 0; names && i < snapshot->headers.length; ++i) {
        PyObject *name = awscrt_text_from_cursor(snapshot->pairs[i].name);
        if (!name || PyList_Append(names, name) != 0) {
            Py_DecRef(names);
            names = NULL;
        }
        Py_DecRef(name);
    }
    return names;
}

/* Asks the user's function: here, where the thread has the GIL and an exception has a caller. */
static bool s_pick(struct snapshot *snapshot, const struct aws_signing_config_aws *config) {
    PyObject *names = s_names(snapshot);
    PyObject *picks = names ? awscrt_signing_config_pick(config, names) : NULL;
    bool ok = picks != NULL;
    for (size_t i = 0; ok && i < snapshot->headers.length; ++i) {
        PyObject *pick = PyList_GetItem(picks, (Py_ssize_t)i);
        int truth = pick ? PyObject_IsTrue(pick) : -1;
        snapshot->pairs[i].name.ptr[-1] = truth > 0;
        ok = truth >= 0;
    }
    Py_DecRef(names);
    Py_DecRef(picks);
    return ok;
}

static struct aws_signable *s_finish(struct snapshot *snapshot, const struct aws_signing_config_aws *config) {
    if (!snapshot) {
        return NULL;
    }
    if (config->should_sign_header && !s_pick(snapshot, config)) {
        s_destroy(&snapshot->base);
        return NULL;
    }
    return &snapshot->base;
}

struct aws_signable *
awscrt_signable_new_request(const struct aws_http_message *request, const struct aws_signing_config_aws *config) {
    struct aws_byte_cursor texts[2] = {{.ptr = NULL}};
    struct awscrt_guard *guard = awscrt_http_message_guard(request);
    awscrt_guard_enter(guard);
    aws_http_message_get_request_method(request, &texts[0]);
    aws_http_message_get_request_path(request, &texts[1]);
    struct snapshot *snapshot = s_snapshot_new(aws_http_message_get_headers(request), texts, AWS_ARRAY_SIZE(texts));
    if (snapshot) {
        snapshot->body = aws_input_stream_acquire(aws_http_message_get_body_stream(request));
    }
    awscrt_guard_leave(guard);
    return s_finish(snapshot, config);
}

struct aws_signable *awscrt_signable_new_trailer(
    const struct aws_http_headers *headers,
    struct aws_byte_cursor previous_signature,
    const struct aws_signing_config_aws *config) {
    struct aws_byte_cursor texts[3] = {{.ptr = NULL}, {.ptr = NULL}, previous_signature};
    struct awscrt_guard *guard = awscrt_guard_of(headers);
    awscrt_guard_enter(guard);
    struct snapshot *snapshot = s_snapshot_new(headers, texts, AWS_ARRAY_SIZE(texts));
    awscrt_guard_leave(guard);
    return s_finish(snapshot, config);
}
