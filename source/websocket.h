/* Owns what the files of WebSockets share. */
#ifndef AWSCRT_WEBSOCKET_H
#define AWSCRT_WEBSOCKET_H

#include "http.h"

#include <aws/http/websocket.h>

/* As the getters of http.h. */
struct aws_websocket *awscrt_websocket_get(PyObject *websocket);

/* A function of the module; see the stub. */
PyObject *awscrt_websocket_send_frame(PyObject *module, PyObject *args);

/* The exception for a code, to be told to Python (None for 0), or the one that came up while it was made. */
PyObject *awscrt_websocket_exception(int code);

/* What a callback of Python's answered: whether the connection goes on. Takes the reference; NULL, with an exception set,
 * goes to sys.unraisablehook, with `context`, and means no. */
bool awscrt_websocket_goes_on(PyObject *answer, PyObject *context);

#endif
