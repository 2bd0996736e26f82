/* Owns what aws-c-common calls of its own book of threads, and declares only in headers that it does not install. */
#ifndef AWSCRT_THREADS_H
#define AWSCRT_THREADS_H

#include <aws/common/linked_list.h>

void aws_thread_initialize_thread_management(void);
void aws_thread_pending_join_add(struct aws_linked_list_node *node);
size_t aws_thread_get_managed_thread_count(void);

/* Joins the threads of a list, frees their nodes, and counts each of them off; stays that library's own. */
void aws_thread_join_and_free_wrapper_list(struct aws_linked_list *wrapper_list);

#endif
