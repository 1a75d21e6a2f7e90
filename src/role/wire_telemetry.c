/* SPDX-License-Identifier: Apache-2.0
 *
 * wire_telemetry.c - the fixed part as it is in memory (both ends are the same binary), the lengths of the
 * texts, the texts. Written on the gate's path: one copy for each part, nothing is formatted.
 */
#include "role/wire_telemetry.h"

#include <string.h>
#include "base/utf8.h"

enum { FIXED = offsetof(struct nk_wire_telemetry, text), LENGTHS = 2 * NK_WIRE_TEXTS };

size_t nk_wire_put_telemetry(const struct nk_wire_telemetry *t, char *to)
{
    uint16_t lengths[NK_WIRE_TEXTS];
    size_t at = FIXED + LENGTHS;
    memcpy(to, t, FIXED);
    for (size_t i = 0; i < NK_WIRE_TEXTS; i++) {
        size_t n = t->text[i].n <= NK_WIRE_TEXT_MAX ? t->text[i].n : 0;
        if (n > NK_WIRE_TELEMETRY_MAX - at)
            return 0;
        lengths[i] = (uint16_t)n;
        if (n)
            memcpy(to + at, t->text[i].p, n);
        at += n;
    }
    memcpy(to + FIXED, lengths, sizeof lengths);
    return at;
}

static bool is_time(int64_t v, int64_t from, int64_t to)
{
    return v == -1 || (v >= from && v <= to);
}

/* A year is longer than any request; what is larger would overflow when it is added up. */
static bool times_ok(const struct nk_wire_telemetry *t)
{
    const int64_t year = (int64_t)366 * 86400 * 1000000;
    return t->end_unix >= year && t->end_unix < 1000 * year && t->took >= 0 && t->took < year &&
           is_time(t->judging, 0, t->took) && is_time(t->judged, 0, t->took) &&
           is_time(t->first_byte, 0, t->took) && (t->judged == -1 || t->judging != -1) &&
           (t->judged == -1 || t->judged >= t->judging);
}

static bool span_ok(const struct nk_wire_telemetry *t)
{
    bool is_part = t->flags & NK_WIRE_PART;
    return is_part ? t->span > 0 && t->span <= 255 && t->judging != -1 : t->span == 0;
}

static bool counts_ok(const struct nk_wire_telemetry *t, uint32_t refusals)
{
    return t->flags < NK_WIRE_FLAGS && t->refusal < refusals && t->status < 1000 &&
           t->upstream_status < 1000 && span_ok(t) && t->input_tokens >= -1 &&
           t->output_tokens >= -1 && t->reply_bytes >= 0 && t->events >= 0 && t->tool_calls >= 0;
}

int nk_wire_get_telemetry(struct nk_str in, uint32_t refusals, struct nk_wire_telemetry *out)
{
    uint16_t lengths[NK_WIRE_TEXTS];
    size_t at = FIXED + LENGTHS;
    memset(out, 0, sizeof *out);
    if (in.n < at || in.n > NK_WIRE_TELEMETRY_MAX)
        return NK_EINVAL;
    memcpy(out, in.p, FIXED);
    memcpy(lengths, in.p + FIXED, sizeof lengths);
    for (size_t i = 0; i < NK_WIRE_TEXTS; i++) {
        if (lengths[i] > NK_WIRE_TEXT_MAX || lengths[i] > in.n - at)
            return NK_EINVAL;
        if (lengths[i])
            out->text[i] = nk_str_sub(in, at, at + lengths[i]);
        at += lengths[i];
        if (nk_utf8_check(out->text[i]) != out->text[i].n)
            return NK_EINVAL;
    }
    return at == in.n && times_ok(out) && counts_ok(out, refusals) ? 0 : NK_EINVAL;
}
