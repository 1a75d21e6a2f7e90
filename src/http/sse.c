/* SPDX-License-Identifier: Apache-2.0
 *
 * sse.c - finds blank lines, then reads the lines of one event (WHATWG HTML, sections 9.2.5 and
 * 9.2.6). A line ends with LF, CR LF or CR; a CR that is the last byte so far is not looked at
 * before its successor is known, so that the events do not depend on how the stream was cut.
 */
#include "http/sse.h"

#include "base/scan.h"
#include "base/utf8.h"

void nk_sse_init(struct nk_sse *s, size_t max_event)
{
    *s = (struct nk_sse){.max_event = max_event};
    nk_buf_init(&s->pending, max_event + NK_SSE_FEED_MAX);
    nk_buf_init(&s->joined, max_event);
}

void nk_sse_free(struct nk_sse *s)
{
    nk_buf_free(&s->pending);
    nk_buf_free(&s->joined);
    s->consumed = s->scanned = s->line = 0;
    s->began = s->ended = false;
}

void nk_sse_end(struct nk_sse *s)
{
    s->ended = true;
}

size_t nk_sse_pending(const struct nk_sse *s)
{
    return s->pending.n - s->consumed;
}

int nk_sse_feed(struct nk_sse *s, struct nk_str bytes, struct nk_fault *f)
{
    nk_buf_drop(&s->pending, s->consumed);
    s->scanned -= s->consumed;
    s->line -= s->consumed;
    s->consumed = 0;
    if (bytes.n > NK_SSE_FEED_MAX)
        return nk_fault_set(f, NK_ELIMIT, "sse", 0, "a piece of %zu bytes", bytes.n);
    nk_buf_add(&s->pending, bytes);
    if (s->pending.error)
        return nk_fault_set(f, s->pending.error, "sse", 0, "no room for %zu bytes", bytes.n);
    return 0;
}

/* Offset of the first LF or CR at or behind `from`, or in.n. (Two calls of memchr would be
 * quadratic on a hostile mixture.) */
static size_t find_eol(struct nk_str in, size_t from)
{
    return (size_t)(nk_scan_line(in.p + from, in.p + in.n) - in.p);
}

static size_t bom(const struct nk_sse *s, struct nk_str in)
{
    return !s->began && nk_str_starts(in, NK_STR("\xef\xbb\xbf")) ? 3 : 0;
}

/* Looks for the end of the next event: false when it has not come. */
static bool find_blank(struct nk_sse *s, size_t *end)
{
    struct nk_str in = nk_buf_str(&s->pending);
    for (;;) {
        size_t i = find_eol(in, s->scanned);
        s->scanned = i;
        if (i == in.n || (in.p[i] == '\r' && i + 1 == in.n && !s->ended))
            return false;
        size_t eol = in.p[i] == '\r' && i + 1 < in.n && in.p[i + 1] == '\n' ? 2 : 1;
        size_t first = s->line == s->consumed ? bom(s, nk_str_sub(in, s->consumed, in.n)) : 0;
        bool empty = i == s->line + first;
        s->scanned = s->line = i + eol;
        if (empty) {
            *end = i + eol;
            return true;
        }
    }
}

static void take_data(struct nk_sse *s, struct nk_sse_event *out, struct nk_str value)
{
    if (!out->data.p) {
        out->data = value;
        return;
    }
    if (!s->joined.n)
        nk_buf_add(&s->joined, out->data);
    nk_buf_add_char(&s->joined, '\n');
    nk_buf_add(&s->joined, value);
    out->data = nk_buf_str(&s->joined);
}

static void take_line(struct nk_sse *s, struct nk_sse_event *out, struct nk_str line)
{
    ptrdiff_t colon = nk_str_find(line, ':');
    struct nk_str name = nk_str_sub(line, 0, colon < 0 ? line.n : (size_t)colon);
    struct nk_str value = nk_str_sub(line, colon < 0 ? line.n : (size_t)colon + 1, line.n);
    if (value.n && value.p[0] == ' ')
        value = nk_str_sub(value, 1, value.n);
    if (nk_str_eq(name, NK_STR("data")))
        take_data(s, out, value);
    else if (nk_str_eq(name, NK_STR("event")))
        out->event = value;
}

int nk_sse_next(struct nk_sse *s, struct nk_sse_event *out, struct nk_fault *f)
{
    size_t end = 0;
    bool whole = find_blank(s, &end);
    size_t size = (whole ? end : s->pending.n) - s->consumed;
    if (size > s->max_event)
        return nk_fault_set(f, NK_ELIMIT, "sse", s->max_event, "an event over %zu bytes",
                            s->max_event);
    if (!whole)
        return NK_EAGAIN;
    *out = (struct nk_sse_event){.raw = {s->pending.p + s->consumed, size}};
    size_t bad = nk_utf8_check(out->raw);
    ptrdiff_t nul = nk_str_find(out->raw, 0);
    if (bad < size || nul >= 0)
        return nk_fault_set(f, NK_EINVAL, "sse", bad < size ? bad : (size_t)nul,
                            bad < size ? "invalid UTF-8" : "NUL");
    nk_buf_clear(&s->joined);
    for (size_t at = bom(s, out->raw); at < size;) {
        size_t i = find_eol(out->raw, at);
        take_line(s, out, nk_str_sub(out->raw, at, i));
        at = i + (out->raw.p[i] == '\r' && i + 1 < size && out->raw.p[i + 1] == '\n' ? 2 : 1);
    }
    s->began = true;
    s->consumed = end;
    return s->joined.error ? nk_fault_set(f, s->joined.error, "sse", 0, "no memory for an event")
                           : 0;
}
