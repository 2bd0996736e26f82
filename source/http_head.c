/* Owns the collecting of the headers that a peer sends. */

#include "http_head.h"

#include <aws/http/http.h>
#include <aws/http/request_response.h>

/* What stands before each name, which its value follows. */
struct header_size {
    size_t name;
    size_t value;
};

enum {
    HEAD_CAPACITY = 1024,
    /* More than any server sends: a guard against one that never ends (Go's client has the same). */
    HEAD_LIMIT = 10 * 1024 * 1024,
};

int awscrt_http_head_append(struct awscrt_http_head *head, const struct aws_http_header *header) {
    struct header_size size = {.name = header->name.len, .value = header->value.len};
    struct aws_byte_cursor size_bytes = aws_byte_cursor_from_array(&size, sizeof(size));
    if (head->text.len + size.name + size.value > HEAD_LIMIT) {
        return aws_raise_error(AWS_ERROR_HTTP_PROTOCOL_ERROR);
    }
    if (!head->text.buffer) {
        aws_byte_buf_init(&head->text, awscrt_allocator(), HEAD_CAPACITY);
    }
    ++head->count;
    return aws_byte_buf_append_dynamic(&head->text, &size_bytes) ||
                   aws_byte_buf_append_dynamic(&head->text, &header->name) ||
                   aws_byte_buf_append_dynamic(&head->text, &header->value)
               ? AWS_OP_ERR
               : AWS_OP_SUCCESS;
}

PyObject *awscrt_http_head_take(struct awscrt_http_head *head) {
    struct aws_byte_cursor rest = aws_byte_cursor_from_buf(&head->text);
    PyObject *list = PyList_New((Py_ssize_t)head->count);
    for (size_t i = 0; list && i < head->count; ++i) {
        struct header_size size;
        aws_byte_cursor_read(&rest, &size, sizeof(size));
        struct aws_http_header header = {.name = aws_byte_cursor_advance(&rest, size.name)};
        header.value = aws_byte_cursor_advance(&rest, size.value);
        PyObject *pair = awscrt_http_header_to_py(&header);
        if (!pair || PyList_SetItem(list, (Py_ssize_t)i, pair)) {
            Py_DecRef(list);
            list = NULL;
        }
    }
    awscrt_http_head_clean_up(head);
    return list;
}

void awscrt_http_head_clean_up(struct awscrt_http_head *head) {
    aws_byte_buf_clean_up(&head->text);
    head->count = 0;
}
