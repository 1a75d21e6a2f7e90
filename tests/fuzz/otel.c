/* SPDX-License-Identifier: Apache-2.0
 *
 * otel.c - what others say to telemetry: a client's traceparent, a collector's answer, a gate's record. The
 * first byte chooses. What is taken of a trace is written again as it came (but for flags and later
 * versions); a count is not negative and a message is UTF-8; a record is put again into the same bytes.
 */
#include <stdlib.h>
#include <string.h>
#include "base/utf8.h"
#include "otel/answer.h"
#include "role/wire_telemetry.h"

enum { REFUSALS = 23 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(bool cond)
{
    if (!cond)
        abort();
}

static void traceparent(struct nk_str in)
{
    struct nk_trace t, again;
    char room[NK_TRACEPARENT_SIZE];
    struct nk_buf b = {.p = room, .cap = sizeof room, .max = sizeof room};
    if (nk_trace_parse(in, &t))
        return;
    nk_trace_write(&t, &b);
    must(!b.error && b.n == NK_TRACEPARENT_SIZE);
    must(memcmp(room + 2, in.p + 2, NK_TRACEPARENT_SIZE - 4) == 0);
    must(nk_trace_parse(nk_buf_str(&b), &again) == 0 && again.flags == (t.flags & 1));
    must(nk_trace_is_one_in(&t, 1));
}

static void answer(struct nk_str in, unsigned which)
{
    struct nk_arena a;
    struct nk_otel_partial p;
    nk_arena_init(&a, 1 << 20);
    int rc = nk_otel_read_partial((enum nk_otel_signal)(which >> 1 & 3) % NK_OTEL_SIGNALS,
                                  which & 1 ? NK_OTEL_JSON : NK_OTEL_PROTOBUF, in, &a, &p);
    must(rc || (p.rejected >= 0 && nk_utf8_check(p.message) == p.message.n));
    int64_t ms = nk_otel_wait_ms(which, in, which * 7919u);
    must(ms >= 0 && ms <= 300000);
    nk_arena_free(&a);
}

static void record(struct nk_str in)
{
    struct nk_wire_telemetry t;
    char again[NK_WIRE_TELEMETRY_MAX];
    if (nk_wire_get_telemetry(in, REFUSALS, &t))
        return;
    must(t.refusal < REFUSALS && t.took >= 0 && t.judged <= t.took);
    for (size_t i = 0; i < NK_WIRE_TEXTS; i++)
        must(nk_utf8_check(t.text[i]) == t.text[i].n);
    must(nk_wire_put_telemetry(&t, again) == in.n && memcmp(again, in.p, in.n) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 1)
        return 0;
    struct nk_str in = {(const char *)data + 1, n - 1};
    if (data[0] == 'c')
        traceparent(in);
    else if (data[0] == 'w')
        record(in);
    else
        answer(in, data[0]);
    return 0;
}
