/* Owns the declaration of CBOR decoders: their struct, and what reads from it. */
#ifndef AWSCRT_CBOR_DECODER_H
#define AWSCRT_CBOR_DECODER_H

#include "module.h"

#include <aws/common/cbor.h>

/* Owned by its handle, which owns `native` and a reference to `source`, the bytes that `native` reads. All functions keep
 * the GIL, which guards all, but a callback may use the decoder, and even give it other bytes: what `native` points to is
 * copied into a Python object before any Python code runs. */
struct awscrt_cbor_decoder {
    struct awscrt_guard guard;
    struct aws_cbor_decoder *native;
    PyObject *source;
    /* Data items inside one another that are being read, those of callbacks included. */
    unsigned depth;
};

/* Each of these returns a new reference, or NULL with an exception set. To be called within the guard. */

/* Single elements. */
PyObject *awscrt_cbor_pop_unsigned_int(struct awscrt_cbor_decoder *self);
PyObject *awscrt_cbor_pop_negative_int(struct awscrt_cbor_decoder *self);
PyObject *awscrt_cbor_pop_double(struct awscrt_cbor_decoder *self);
PyObject *awscrt_cbor_pop_bool(struct awscrt_cbor_decoder *self);
PyObject *awscrt_cbor_pop_bytes(struct awscrt_cbor_decoder *self);
PyObject *awscrt_cbor_pop_text(struct awscrt_cbor_decoder *self);
PyObject *awscrt_cbor_pop_array_start(struct awscrt_cbor_decoder *self);
PyObject *awscrt_cbor_pop_map_start(struct awscrt_cbor_decoder *self);
PyObject *awscrt_cbor_pop_tag_val(struct awscrt_cbor_decoder *self);
PyObject *awscrt_cbor_peek_type(struct awscrt_cbor_decoder *self);
PyObject *awscrt_cbor_consume_element(struct awscrt_cbor_decoder *self);
PyObject *awscrt_cbor_consume_item(struct awscrt_cbor_decoder *self);

/* Whole data items. `on_epoch_time` is a callable or None, borrowed. */
PyObject *awscrt_cbor_pop_data_item(struct awscrt_cbor_decoder *self, PyObject *on_epoch_time);
PyObject *awscrt_cbor_pop_list(struct awscrt_cbor_decoder *self, PyObject *on_epoch_time);
PyObject *awscrt_cbor_pop_map(struct awscrt_cbor_decoder *self, PyObject *on_epoch_time);

#endif
