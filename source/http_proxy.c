/* Owns proxies: the options of one, read from Python. */

#include "http.h"

#include <aws/http/proxy.h>

void awscrt_http_proxy_kept_release(struct awscrt_http_proxy_kept *kept) {
    awscrt_buffer_release(&kept->host_name);
    awscrt_buffer_release(&kept->user_name);
    awscrt_buffer_release(&kept->password);
    awscrt_tls_connection_options_clean_up(&kept->tls);
}

static bool s_read_host_name(struct awscrt_http_proxy_kept *kept, PyObject *py_options) {
    PyObject *host_name = PyObject_GetAttrString(py_options, "host_name");
    bool ok = host_name && awscrt_http_text_acquire(&kept->host_name, host_name, "host_name of HttpProxyOptions");
    Py_DecRef(host_name);
    return ok;
}

static bool
s_read_tls(struct aws_http_proxy_options *options, struct awscrt_http_proxy_kept *kept, PyObject *py_options) {
    PyObject *py_tls = PyObject_GetAttrString(py_options, "tls_connection_options");
    bool ok = py_tls && awscrt_tls_connection_options_copy(&kept->tls, py_tls);
    Py_DecRef(py_tls);
    options->tls_options = kept->tls.ctx ? &kept->tls : NULL;
    return ok;
}

/* A number that stands for one of a few things; the highest of them is `highest`. */
static bool s_read_choice(uint32_t *choice, PyObject *py_options, const char *name, uint32_t highest) {
    if (!awscrt_attribute_u32(choice, py_options, name)) {
        return false;
    }
    if (*choice > highest) {
        PyErr_Format(PyExc_ValueError, "%s of HttpProxyOptions must be 0 to %u", name, (unsigned)highest);
        return false;
    }
    return true;
}

static bool s_read(struct aws_http_proxy_options *options, struct awscrt_http_proxy_kept *kept, PyObject *py_options) {
    uint32_t auth_type;
    uint32_t connection_type;
    if (!s_read_host_name(kept, py_options) || !awscrt_attribute_u32(&options->port, py_options, "port") ||
        !s_read_tls(options, kept, py_options) || !s_read_choice(&auth_type, py_options, "auth_type", AWS_HPAT_BASIC) ||
        !awscrt_attribute_text(&kept->user_name, py_options, "auth_username") ||
        !awscrt_attribute_text(&kept->password, py_options, "auth_password") ||
        !s_read_choice(&connection_type, py_options, "connection_type", AWS_HPCT_HTTP_TUNNEL)) {
        return false;
    }
    options->host = kept->host_name.cursor;
    options->auth_type = (enum aws_http_proxy_authentication_type)auth_type;
    options->auth_username = kept->user_name.cursor;
    options->auth_password = kept->password.cursor;
    options->connection_type = (enum aws_http_proxy_connection_type)connection_type;
    return true;
}

bool awscrt_http_proxy_options_from_py(
    struct aws_http_proxy_options *options, struct awscrt_http_proxy_kept *kept, PyObject *py_options) {
    bool ok = s_read(options, kept, py_options);
    if (!ok) {
        awscrt_http_proxy_kept_release(kept);
    }
    return ok;
}
