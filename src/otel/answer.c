/* SPDX-License-Identifier: Apache-2.0
 *
 * answer.c - ExportPartialSuccess in both forms: {1: {1: rejected, 2: message}}. Unknown fields are passed
 * over, as protocol buffers want it. See answer.h.
 */
#include "otel/answer.h"

#include "base/reader.h"
#include "base/utf8.h"
#include "json/json.h"

enum nk_otel_verdict nk_otel_verdict(int status)
{
    if (status >= 200 && status < 300)
        return NK_OTEL_ACCEPTED;
    return status == 429 || (status >= 502 && status <= 504) ? NK_OTEL_AGAIN : NK_OTEL_NEVER;
}

int64_t nk_otel_wait_ms(unsigned attempt, struct nk_str retry_after, uint64_t random)
{
    enum { LONGEST_S = 300, DOUBLINGS = 5 };
    int64_t s;
    if (retry_after.p && !nk_str_to_i64(retry_after, &s) && s >= 0)
        return (s < LONGEST_S ? s : LONGEST_S) * 1000;
    unsigned doublings = attempt > DOUBLINGS ? DOUBLINGS : attempt ? attempt - 1 : 0;
    int64_t ms = (int64_t)1000 << doublings;
    return ms + (int64_t)(random % (uint64_t)(ms / 2));
}

struct field {
    uint64_t number, value;
    struct nk_str bytes; /* absent: `value` is it */
};

static uint64_t varint(struct nk_reader *r)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t b = nk_read_u8(r);
        v |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80))
            return v;
    }
    r->error = NK_EINVAL;
    return 0;
}

/* The next field; false at the end. r->error tells of what is none. */
static bool next(struct nk_reader *r, struct field *f)
{
    *f = (struct field){0};
    if (!nk_read_left(r))
        return false;
    uint64_t tag = varint(r), n;
    f->number = tag >> 3;
    switch (tag & 7) {
    case 0:
        f->value = varint(r);
        break;
    case 1:
        f->value = nk_read_u64le(r);
        break;
    case 2:
        n = varint(r);
        f->bytes = n > nk_read_left(r) ? nk_read_bytes(r, SIZE_MAX) : nk_read_bytes(r, (size_t)n);
        break;
    case 5:
        f->value = nk_read_u32le(r);
        break;
    default:
        r->error = NK_EINVAL;
    }
    if (f->number == 0)
        r->error = NK_EINVAL;
    return !r->error;
}

static int read_protobuf(struct nk_str body, struct nk_otel_partial *out)
{
    struct nk_reader r = nk_reader(body);
    struct field f, inner;
    while (next(&r, &f)) {
        if (f.number != 1 || !f.bytes.p)
            continue;
        struct nk_reader in = nk_reader(f.bytes);
        while (next(&in, &inner)) {
            if (inner.number == 1 && !inner.bytes.p)
                out->rejected = (int64_t)inner.value;
            if (inner.number == 2 && inner.bytes.p)
                out->message = inner.bytes;
        }
        if (in.error)
            return in.error;
    }
    if (r.error || out->rejected < 0)
        return NK_EINVAL;
    return out->message.p && nk_utf8_check(out->message) != out->message.n ? NK_EINVAL : 0;
}

/* A 64-bit integer is a string in this form, but a number is taken as well (ProtoJSON). */
static int read_count(const struct nk_json *doc, uint32_t at, struct nk_arena *a, int64_t *out)
{
    if (at == NK_JSON_NONE)
        return 0;
    if (nk_json_type(doc, at) == NK_JSON_STRING)
        return nk_str_to_i64(nk_json_string(doc, at, a), out);
    return nk_json_i64(doc, at, out);
}

static int read_json(enum nk_otel_signal signal, struct nk_str body, struct nk_arena *a,
                     struct nk_otel_partial *out)
{
    static const char *const rejected[] = {
        [NK_OTEL_TRACES] = "rejectedSpans",
        [NK_OTEL_LOGS] = "rejectedLogRecords",
        [NK_OTEL_METRICS] = "rejectedDataPoints",
    };
    const struct nk_json_limits lim = {65536, 16, 1024};
    struct nk_json doc;
    struct nk_fault f = {0};
    int rc = nk_json_parse(&lim, body, a, &doc, &f);
    if (rc)
        return rc == NK_ENOMEM ? rc : NK_EINVAL;
    if (nk_json_type(&doc, 0) != NK_JSON_OBJECT)
        return NK_EINVAL;
    uint32_t partial = nk_json_get(&doc, 0, NK_STR("partialSuccess"));
    uint32_t message = nk_json_get(&doc, partial, NK_STR("errorMessage"));
    if (read_count(&doc, nk_json_get(&doc, partial, nk_str(rejected[signal])), a, &out->rejected) ||
        out->rejected < 0 ||
        (message != NK_JSON_NONE && nk_json_type(&doc, message) != NK_JSON_STRING))
        return NK_EINVAL;
    out->message = nk_json_string(&doc, message, a);
    return message != NK_JSON_NONE && !out->message.p ? NK_ENOMEM : 0;
}

int nk_otel_read_partial(enum nk_otel_signal signal, enum nk_otel_form form, struct nk_str body,
                         struct nk_arena *a, struct nk_otel_partial *out)
{
    *out = (struct nk_otel_partial){0};
    if (body.n == 0)
        return 0;
    return form == NK_OTEL_JSON ? read_json(signal, body, a, out) : read_protobuf(body, out);
}
