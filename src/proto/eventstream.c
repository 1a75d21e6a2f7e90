/* SPDX-License-Identifier: Apache-2.0
 *
 * eventstream.c - see eventstream.h. A message is looked at only when all of it is there and both of its checksums hold;
 * its length is believed, within the limit, as soon as the checksum of the prelude holds.
 */
#include "proto/eventstream.h"

#include <string.h>
#include "base/crc.h"
#include "base/reader.h"
#include "base/utf8.h"

enum { PRELUDE = 12, CRC = 4, NAME_MAX_BYTES = 255, UUID = 16 };

static const char stage[] = "eventstream";

static void put_u16(struct nk_buf *b, unsigned v)
{
    const char bytes[] = {(char)(v >> 8), (char)v};
    nk_buf_add(b, (struct nk_str){bytes, sizeof bytes});
}

static void put_u32(struct nk_buf *b, uint32_t v)
{
    put_u16(b, v >> 16);
    put_u16(b, v & 0xffff);
}

/* Bytes of a number of this type; 0: it is no number. */
static unsigned width(enum nk_eventstream_type type)
{
    switch (type) {
    case NK_EVENTSTREAM_BYTE:
        return 1;
    case NK_EVENTSTREAM_SHORT:
        return 2;
    case NK_EVENTSTREAM_INT:
        return 4;
    case NK_EVENTSTREAM_LONG:
    case NK_EVENTSTREAM_TIMESTAMP:
        return 8;
    default:
        return 0;
    }
}

static bool is_sized(enum nk_eventstream_type type)
{
    return type == NK_EVENTSTREAM_BYTES || type == NK_EVENTSTREAM_STRING;
}

static bool is_text(struct nk_str s)
{
    return nk_utf8_check(s) == s.n;
}

/* Bytes of the header on the wire; 0: the format cannot hold it. */
static size_t header_size(const struct nk_eventstream_header *h)
{
    size_t size = 1 + h->name.n + 1 + width(h->type);
    if (h->name.n == 0 || h->name.n > NAME_MAX_BYTES || !is_text(h->name))
        return 0;
    if (width(h->type) && width(h->type) < 8) {
        int64_t half = (int64_t)1 << (8 * width(h->type) - 1);
        if (h->number < -half || h->number >= half)
            return 0;
    }
    if (h->type == NK_EVENTSTREAM_UUID)
        return h->value.n == UUID ? size + UUID : 0;
    if (!is_sized(h->type))
        return h->type <= NK_EVENTSTREAM_UUID ? size : 0;
    bool fits = h->value.n <= NK_EVENTSTREAM_VALUE &&
                (h->type == NK_EVENTSTREAM_BYTES || is_text(h->value));
    return fits ? size + 2 + h->value.n : 0;
}

static bool has_name(const struct nk_eventstream_header *headers, size_t n, struct nk_str name)
{
    for (size_t i = 0; i < n; i++)
        if (nk_str_eq(headers[i].name, name))
            return true;
    return false;
}

static void put_header(const struct nk_eventstream_header *h, struct nk_buf *out)
{
    nk_buf_add_char(out, (char)h->name.n);
    nk_buf_add(out, h->name);
    nk_buf_add_char(out, (char)h->type);
    for (unsigned i = width(h->type); i > 0; i--)
        nk_buf_add_char(out, (char)((uint64_t)h->number >> (8 * (i - 1))));
    if (is_sized(h->type))
        put_u16(out, (unsigned)h->value.n);
    if (is_sized(h->type) || h->type == NK_EVENTSTREAM_UUID)
        nk_buf_add(out, h->value);
}

static int headers_size(const struct nk_eventstream_message *m, size_t *out)
{
    *out = 0;
    if (m->header_count > NK_EVENTSTREAM_HEADERS)
        return NK_ELIMIT;
    for (size_t i = 0; i < m->header_count; i++) {
        size_t n = header_size(&m->headers[i]);
        if (n == 0 || has_name(m->headers, i, m->headers[i].name))
            return NK_EINVAL;
        *out += n;
    }
    return *out > NK_EVENTSTREAM_HEADER_BYTES || m->payload.n > NK_EVENTSTREAM_PAYLOAD ? NK_ELIMIT
                                                                                       : 0;
}

int nk_eventstream_put(const struct nk_eventstream_message *m, struct nk_buf *out)
{
    size_t headers, begin = out->n;
    int rc = headers_size(m, &headers);
    if (rc)
        return rc;
    size_t total = NK_EVENTSTREAM_OVERHEAD + headers + m->payload.n;
    if (!nk_buf_reserve(out, total))
        return out->error;
    put_u32(out, (uint32_t)total);
    put_u32(out, (uint32_t)headers);
    put_u32(out, nk_crc32(0, (struct nk_str){out->p + begin, 8}));
    for (size_t i = 0; i < m->header_count; i++)
        put_header(&m->headers[i], out);
    nk_buf_add(out, m->payload);
    put_u32(out, nk_crc32(0, (struct nk_str){out->p + begin, out->n - begin}));
    NK_MUST(out->n - begin == total);
    return 0;
}

static void put_json(struct nk_str kind, struct nk_str of, struct nk_str type, struct nk_str json,
                     struct nk_buf *out)
{
    const struct nk_eventstream_header headers[] = {
        {.name = of, .type = NK_EVENTSTREAM_STRING, .value = type},
        {.name = NK_STR(":content-type"),
         .type = NK_EVENTSTREAM_STRING,
         .value = NK_STR("application/json")},
        {.name = NK_STR(":message-type"), .type = NK_EVENTSTREAM_STRING, .value = kind},
    };
    int rc =
        nk_eventstream_put(&(struct nk_eventstream_message){headers, NK_COUNT(headers), json}, out);
    if (rc && !out->error)
        out->error = rc;
}

void nk_eventstream_put_event(struct nk_str type, struct nk_str json, struct nk_buf *out)
{
    put_json(NK_STR("event"), NK_STR(":event-type"), type, json, out);
}

void nk_eventstream_put_exception(struct nk_str type, struct nk_str json, struct nk_buf *out)
{
    put_json(NK_STR("exception"), NK_STR(":exception-type"), type, json, out);
}

void nk_eventstream_init(struct nk_eventstream *s, size_t max_message)
{
    NK_MUST(max_message >= NK_EVENTSTREAM_OVERHEAD);
    s->consumed = 0;
    s->max_message = max_message;
    nk_buf_init(&s->pending, max_message * 2);
}

void nk_eventstream_free(struct nk_eventstream *s)
{
    nk_buf_free(&s->pending);
}

size_t nk_eventstream_pending(const struct nk_eventstream *s)
{
    return s->pending.n - s->consumed;
}

int nk_eventstream_feed(struct nk_eventstream *s, struct nk_str bytes, struct nk_fault *f)
{
    nk_buf_drop(&s->pending, s->consumed);
    s->consumed = 0;
    nk_buf_add(&s->pending, bytes);
    return s->pending.error
               ? nk_fault_set(f, s->pending.error, stage, 0, "no room for bytes of an event stream")
               : 0;
}

static int64_t read_number(struct nk_reader *r, unsigned bytes)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < bytes; i++)
        v = v << 8 | nk_read_u8(r);
    unsigned unused = 64 - 8 * bytes;
    return (int64_t)(v << unused) >> unused;
}

/* NK_EINVAL on a type that there is not; a short input is the reader's error. */
static int read_header(struct nk_reader *r, struct nk_eventstream_header *h)
{
    *h = (struct nk_eventstream_header){.name = nk_read_bytes(r, nk_read_u8(r))};
    unsigned type = nk_read_u8(r);
    if (r->error || h->name.n == 0 || !is_text(h->name) || type > NK_EVENTSTREAM_UUID)
        return NK_EINVAL;
    h->type = (enum nk_eventstream_type)type;
    if (width(h->type))
        h->number = read_number(r, width(h->type));
    else if (is_sized(h->type))
        h->value = nk_read_bytes(r, nk_read_u16be(r));
    else if (h->type == NK_EVENTSTREAM_UUID)
        h->value = nk_read_bytes(r, UUID);
    bool valid = h->value.n <= NK_EVENTSTREAM_VALUE &&
                 (h->type != NK_EVENTSTREAM_STRING || is_text(h->value));
    return valid && !r->error ? 0 : NK_EINVAL;
}

static int read_headers(struct nk_eventstream *s, struct nk_str bytes,
                        struct nk_eventstream_message *out, struct nk_fault *f)
{
    struct nk_reader r = nk_reader(bytes);
    out->headers = s->headers;
    while (nk_read_left(&r)) {
        size_t at = r.at;
        if (out->header_count == NK_EVENTSTREAM_HEADERS)
            return nk_fault_set(f, NK_ELIMIT, stage, at, "more than %d headers in one message",
                                NK_EVENTSTREAM_HEADERS);
        struct nk_eventstream_header *h = &s->headers[out->header_count];
        if (read_header(&r, h))
            return nk_fault_set(f, NK_EINVAL, stage, at, "a header of a message is malformed");
        if (has_name(s->headers, out->header_count, h->name))
            return nk_fault_set(f, NK_EINVAL, stage, at, "a header comes twice");
        out->header_count++;
    }
    return 0;
}

/* The lengths of the message that begins the input, once its prelude is there. */
static int read_prelude(const struct nk_eventstream *s, struct nk_str in, size_t *total,
                        size_t *headers, struct nk_fault *f)
{
    struct nk_reader r = nk_reader(in);
    if (in.n < PRELUDE)
        return NK_EAGAIN;
    *total = nk_read_u32be(&r);
    *headers = nk_read_u32be(&r);
    if (nk_crc32(0, nk_str_sub(in, 0, 8)) != nk_read_u32be(&r))
        return nk_fault_set(f, NK_EINVAL, stage, 8, "the checksum of a prelude does not hold");
    if (*total > s->max_message || *headers > NK_EVENTSTREAM_HEADER_BYTES)
        return nk_fault_set(f, NK_ELIMIT, stage, 0, "a message of more than %zu bytes",
                            s->max_message);
    if (*total < NK_EVENTSTREAM_OVERHEAD || *headers > *total - NK_EVENTSTREAM_OVERHEAD)
        return nk_fault_set(f, NK_EINVAL, stage, 0, "the lengths of a message do not fit together");
    return in.n < *total ? NK_EAGAIN : 0;
}

int nk_eventstream_next(struct nk_eventstream *s, struct nk_eventstream_message *out,
                        struct nk_fault *f)
{
    size_t total = 0, headers = 0;
    struct nk_str in = nk_str_sub(nk_buf_str(&s->pending), s->consumed, s->pending.n);
    *out = (struct nk_eventstream_message){0};
    int rc = read_prelude(s, in, &total, &headers, f);
    if (rc)
        return rc;
    struct nk_reader r = nk_reader(nk_str_sub(in, total - CRC, total));
    if (nk_crc32(0, nk_str_sub(in, 0, total - CRC)) != nk_read_u32be(&r))
        return nk_fault_set(f, NK_EINVAL, stage, total - CRC,
                            "the checksum of a message does not hold");
    rc = read_headers(s, nk_str_sub(in, PRELUDE, PRELUDE + headers), out, f);
    if (rc)
        return rc;
    out->payload = nk_str_sub(in, PRELUDE + headers, total - CRC);
    s->consumed += total;
    return 0;
}

struct nk_str nk_eventstream_text(const struct nk_eventstream_message *m, struct nk_str name)
{
    for (size_t i = 0; i < m->header_count; i++)
        if (m->headers[i].type == NK_EVENTSTREAM_STRING && nk_str_eq(m->headers[i].name, name))
            return m->headers[i].value;
    return (struct nk_str){NULL, 0};
}
