/* SPDX-License-Identifier: Apache-2.0
 *
 * trace.c - `traceparent`: "<2 hex version>-<32 hex trace id>-<16 hex parent id>-<2 hex flags>". See trace.h.
 */
#include "otel/trace.h"

#include <string.h>
#include "base/encode.h"

static bool is_zero(const unsigned char *p, size_t n)
{
    unsigned char all = 0;
    for (size_t i = 0; i < n; i++)
        all |= p[i];
    return all == 0;
}

int nk_trace_parse(struct nk_str v, struct nk_trace *out)
{
    unsigned char version, flags;
    if (v.n < NK_TRACEPARENT_SIZE || v.p[2] != '-' || v.p[35] != '-' || v.p[52] != '-' ||
        nk_hex_decode(nk_str_sub(v, 0, 2), &version, 1) ||
        nk_hex_decode(nk_str_sub(v, 3, 35), out->id, sizeof out->id) ||
        nk_hex_decode(nk_str_sub(v, 36, 52), out->span, sizeof out->span) ||
        nk_hex_decode(nk_str_sub(v, 53, 55), &flags, 1))
        return NK_EINVAL;
    bool longer = v.n > NK_TRACEPARENT_SIZE;
    if (version == 0xff || (longer && (version == 0 || v.p[NK_TRACEPARENT_SIZE] != '-')))
        return NK_EINVAL;
    out->flags = flags;
    return is_zero(out->id, sizeof out->id) || is_zero(out->span, sizeof out->span) ? NK_EINVAL : 0;
}

void nk_trace_write(const struct nk_trace *t, struct nk_buf *out)
{
    unsigned char flags = t->flags & NK_TRACE_SAMPLED;
    nk_buf_add(out, NK_STR("00-"));
    nk_buf_add_hex(out, t->id, sizeof t->id);
    nk_buf_add_char(out, '-');
    nk_buf_add_hex(out, t->span, sizeof t->span);
    nk_buf_add_char(out, '-');
    nk_buf_add_hex(out, &flags, 1);
}

void nk_trace_start(const uint64_t random[3], const struct nk_trace *parent, struct nk_trace *out)
{
    uint64_t span = random[2] ? random[2] : 1, id[2] = {random[0] ? random[0] : 1, random[1]};
    if (parent)
        memcpy(out->id, parent->id, sizeof out->id);
    else
        memcpy(out->id, id, sizeof out->id);
    memcpy(out->span, &span, sizeof out->span);
    out->flags = parent ? parent->flags & NK_TRACE_SAMPLED : 0;
}

void nk_trace_child(const struct nk_trace *t, unsigned char n, struct nk_trace *out)
{
    *out = *t;
    out->span[NK_SPAN_ID_SIZE - 1] ^= n;
    out->span[0] |= is_zero(out->span, sizeof out->span);
}

bool nk_trace_is_one_in(const struct nk_trace *t, uint64_t n)
{
    uint64_t random = 0;
    for (size_t i = NK_TRACE_ID_SIZE - 7; i < NK_TRACE_ID_SIZE; i++)
        random = random << 8 | t->id[i];
    return n > 0 && random <= ((uint64_t)1 << 56) / n - (n > 1);
}
