/* Owns the head of a message that is being received: its headers, until Python gets them. */
#ifndef AWSCRT_HTTP_HEAD_H
#define AWSCRT_HTTP_HEAD_H

#include "http.h"

/* Native code hands over one header at a time. They are collected without the GIL, in one piece of memory, and become a
 * list at once. Zeroed before; owned by the stream, and used on the thread of its event loop. */
struct awscrt_http_head {
    struct aws_byte_buf text;
    size_t count;
};

/* AWS_OP_ERR with an error raised, also if there are more than any server sends. */
int awscrt_http_head_append(struct awscrt_http_head *head, const struct aws_http_header *header);

/* Empties it. A list of (name, value), or NULL with an exception set. With the GIL. */
PyObject *awscrt_http_head_take(struct awscrt_http_head *head);

void awscrt_http_head_clean_up(struct awscrt_http_head *head);

#endif
