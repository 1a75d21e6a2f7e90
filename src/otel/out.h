/* SPDX-License-Identifier: Apache-2.0
 *
 * out.h - one writer, two forms: what is written is said once, field by field, and comes out as protobuf
 * (encoding of protocol buffers, wire types 0, 1, 2 and 5) or as the JSON of OTLP: names in lowerCamelCase,
 * enumerations as numbers, 64-bit integers as strings, trace and span ids in hexadecimal. Private to this
 * module.
 */
#pragma once

#include "otel/otel.h"

struct nk_otel_out {
    struct nk_buf *b;
    enum nk_otel_form form;
};

struct nk_otel_field {
    unsigned number;
    const char *name;
};

/* Scalars. In protobuf a zero is left out where its absence says the same. */
void nk_out_text(struct nk_otel_out *o, struct nk_otel_field f, struct nk_str v);
void nk_out_id(struct nk_otel_out *o, struct nk_otel_field f, const unsigned char *p, size_t n);
void nk_out_number(struct nk_otel_out *o, struct nk_otel_field f, uint32_t v); /* varint */
void nk_out_flags(struct nk_otel_out *o, struct nk_otel_field f, uint32_t v);  /* fixed32 */
void nk_out_bool(struct nk_otel_out *o, struct nk_otel_field f, bool v);       /* varint */
void nk_out_int(struct nk_otel_out *o, struct nk_otel_field f, int64_t v);     /* varint */
void nk_out_fixed(struct nk_otel_out *o, struct nk_otel_field f, uint64_t v);  /* fixed64 */
void nk_out_double(struct nk_otel_out *o, struct nk_otel_field f, uint64_t v, uint64_t scale);
/* Lists of numbers, packed. */
void nk_out_fixeds(struct nk_otel_out *o, struct nk_otel_field f, const uint64_t *v, size_t n);
void nk_out_doubles(struct nk_otel_out *o, struct nk_otel_field f, const uint64_t *v, size_t n,
                    uint64_t scale);
/* A message as a field: what is written between the two is in it. */
size_t nk_out_open(struct nk_otel_out *o, struct nk_otel_field f) NK_CHECKED;
void nk_out_close(struct nk_otel_out *o, size_t mark);
/* A list of messages: open, for each item nk_out_item … nk_out_close (or nk_out_whole), close. */
void nk_out_list(struct nk_otel_out *o, struct nk_otel_field f);
size_t nk_out_item(struct nk_otel_out *o, struct nk_otel_field f) NK_CHECKED;
void nk_out_whole(struct nk_otel_out *o, struct nk_otel_field f, struct nk_str item);
void nk_out_list_end(struct nk_otel_out *o);
