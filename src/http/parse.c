/* SPDX-License-Identifier: Apache-2.0
 *
 * parse.c - one message from a stream of bytes:
 *
 *   HEAD     gather bytes to the empty line; check them line by line (grammar.c, rules.c)
 *   BODY     counted, or to the end of the connection; llhttp, in strict mode, finds the pieces of a
 *            chunked one, whose framing has no slack, and reads its head as well: both must see the
 *            same message
 *   TRAILER  the lines behind the last chunk: checked like header lines and dropped
 *   DONE     whatever follows is not consumed
 *
 * Why gather: then a head is one contiguous text, so nothing depends on how the network cut it, and
 * its slices need no second copy. Until the head is complete it costs at most twice
 * max_head_bytes of the arena.
 *
 * Where chunks are not, llhttp is not asked: grammar.c takes less than it does, and a second reading
 * of each head cost a request as much as the judge. tests/fuzz/http.c holds the two against each other.
 */
#include "http/grammar.h"

#include <llhttp/llhttp.h>
#include <string.h>

enum state { HEAD, BODY, TRAILER, DONE };
/* What llhttp's callbacks saw in the last call. */
enum mark { MARK_NONE, MARK_HEAD, MARK_CHUNK, MARK_CHUNK_END, MARK_END };

enum {
    FIRST_GATHER = 512,
    INTERIM_MAX = 8,     /* 1xx answers before the real one */
    CHUNK_LINE_MAX = 18, /* 16 digits and CRLF */
};

struct nk_http_parser {
    llhttp_t ll;
    struct nk_arena *arena;
    struct nk_http_limits lim;
    struct nk_http_head head;
    struct nk_str body;
    uint64_t body_bytes;
    enum state state;
    enum mark mark;
    bool request, no_body, any;
    int skipped;    /* interim answers, or empty lines before a request */
    size_t offset;  /* bytes of the message consumed so far */
    size_t framing; /* bytes of the running chunk-size line */
    /* HEAD and TRAILER: the text so far. */
    char *text;
    size_t text_n, text_cap;
    size_t line;  /* bytes of the line that is not yet complete */
    size_t lines; /* complete ones */
};

static struct nk_http_parser *owner(llhttp_t *ll)
{
    return NK_OF(ll, struct nk_http_parser, ll);
}

static int on_head(llhttp_t *ll)
{
    owner(ll)->mark = MARK_HEAD;
    return HPE_PAUSED;
}

static int on_body(llhttp_t *ll, const char *p, size_t n)
{
    owner(ll)->body = (struct nk_str){p, n};
    return 0;
}

static int on_chunk(llhttp_t *ll)
{
    owner(ll)->mark = MARK_CHUNK;
    return HPE_PAUSED;
}

static int on_chunk_end(llhttp_t *ll)
{
    owner(ll)->mark = MARK_CHUNK_END;
    return HPE_PAUSED;
}

static int on_extension(llhttp_t *ll, const char *p, size_t n)
{
    (void)ll, (void)p, (void)n;
    return -1;
}

static int on_end(llhttp_t *ll)
{
    owner(ll)->mark = MARK_END;
    return HPE_PAUSED;
}

static const llhttp_settings_t callbacks = {
    .on_headers_complete = on_head,
    .on_body = on_body,
    .on_chunk_header = on_chunk,
    .on_chunk_complete = on_chunk_end,
    .on_chunk_extension_name = on_extension,
    .on_message_complete = on_end,
};

struct nk_http_parser *nk_http_parser_new(struct nk_arena *a, bool request,
                                          const struct nk_http_limits *lim)
{
    struct nk_http_parser *p = nk_arena_alloc(a, sizeof *p);
    if (!p)
        return NULL;
    p->arena = a;
    p->lim = *lim;
    p->request = request;
    return p;
}

bool nk_http_method_known(struct nk_str method)
{
    if (nk_str_eq(method, NK_STR("POST")) || nk_str_eq(method, NK_STR("GET")))
        return true;
    for (int m = HTTP_DELETE; m <= HTTP_SOURCE; m++)
        if (nk_str_eq(method, nk_str(llhttp_method_name((llhttp_method_t)m))))
            return true;
    return false;
}

void nk_http_parser_expect_no_body(struct nk_http_parser *p)
{
    p->no_body = true;
}

const struct nk_http_head *nk_http_parser_head(const struct nk_http_parser *p)
{
    return &p->head;
}

struct nk_str nk_http_parser_body(const struct nk_http_parser *p)
{
    return p->body;
}

/* Makes room for n more bytes of text; text_n + n <= max_head_bytes. */
static int room(struct nk_http_parser *p, size_t n)
{
    if (p->text_cap - p->text_n >= n)
        return 0;
    size_t cap = p->text_cap ? p->text_cap * 2 : FIRST_GATHER;
    if (cap > p->lim.max_head_bytes)
        cap = p->lim.max_head_bytes;
    if (cap < p->text_n + n)
        cap = p->text_n + n;
    char *text = nk_arena_alloc(p->arena, cap);
    if (!text)
        return NK_ENOMEM;
    if (p->text_n)
        memcpy(text, p->text, p->text_n);
    p->text = text;
    p->text_cap = cap;
    return 0;
}

/* Looks at the bytes of `in` line by line. Sets *end behind the empty line, or to 0. */
static int find_end(struct nk_http_parser *p, struct nk_str in, size_t *end, struct nk_fault *f)
{
    char last = p->text_n ? p->text[p->text_n - 1] : 0;
    *end = 0;
    for (size_t at = 0; at < in.n;) {
        const char *lf = memchr(in.p + at, '\n', in.n - at);
        if (!lf) {
            p->line += in.n - at;
            return 0;
        }
        size_t i = (size_t)(lf - in.p);
        if ((i ? in.p[i - 1] : last) != '\r')
            return nk_fault_set(f, NK_EINVAL, "http", p->offset + i, "a line ends with a bare LF");
        p->line += i - at + 1;
        at = i + 1;
        bool empty = p->line == 2;
        p->line = 0;
        if (empty) {
            *end = at;
            return 0;
        }
        p->lines++;
    }
    return 0;
}

/* Moves bytes from *in to the text until the empty line: 0, or NK_EAGAIN. */
static int gather(struct nk_http_parser *p, struct nk_str *in, struct nk_fault *f)
{
    size_t left = p->lim.max_head_bytes - p->text_n;
    struct nk_str part = nk_str_sub(*in, 0, left);
    size_t end;
    int rc = find_end(p, part, &end, f);
    if (rc)
        return rc;
    if (end)
        part.n = end;
    else if (part.n == left)
        return nk_fault_set(f, NK_ELIMIT, "http", p->offset + left, "the head is over %u bytes",
                            p->lim.max_head_bytes);
    if (room(p, part.n))
        return nk_fault_set(f, NK_ENOMEM, "http", p->offset, "no memory for the head");
    if (part.n)
        memcpy(p->text + p->text_n, part.p, part.n);
    p->text_n += part.n;
    p->offset += part.n;
    *in = nk_str_sub(*in, part.n, in->n);
    return end ? 0 : NK_EAGAIN;
}

static void forget_text(struct nk_http_parser *p)
{
    p->text = NULL;
    p->text_n = p->text_cap = p->line = p->lines = 0;
}

/* Cuts a line that ends with CRLF off the text. The bytes inside are still to be checked; none of
 * the sets in grammar.c has a CR. */
static struct nk_str cut_line(struct nk_str *rest)
{
    struct nk_str line = nk_str_cut(rest, '\n');
    return nk_str_sub(line, 0, line.n - 1);
}

/* The field lines in `rest`, up to the empty line. `keep` NULL: they are checked and dropped. */
static int take_fields(struct nk_http_parser *p, struct nk_str rest, struct nk_http_header *keep,
                       struct nk_fault *f)
{
    const char *at = rest.p, *end = rest.p + rest.n;
    while (*at != '\r' || at[1] != '\n') {
        struct nk_http_header x;
        const char *next = nk_http_field(at, end, &x);
        if (!next) {
            rest = (struct nk_str){at, (size_t)(end - at)};
            struct nk_str line = cut_line(&rest);
            int rc = nk_http_field_line(line, (size_t)(at - p->text), &x, f);
            if (rc)
                return rc;
            next = rest.p;
        }
        if (keep)
            *keep++ = x;
        at = next;
    }
    return 0;
}

static int over_body(const struct nk_http_parser *p, struct nk_fault *f)
{
    return nk_fault_set(f, NK_ELIMIT, "http", p->offset, "the body is over %llu bytes",
                        (unsigned long long)p->lim.max_body_bytes);
}

/* The second opinion: llhttp, which will read the chunks, must see the head that we saw. */
static int agree(struct nk_http_parser *p, struct nk_fault *f)
{
    const struct nk_http_head *h = &p->head;
    p->mark = MARK_NONE;
    llhttp_init(&p->ll, p->request ? HTTP_REQUEST : HTTP_RESPONSE, &callbacks);
    llhttp_errno_t e = llhttp_execute(&p->ll, p->text, p->text_n);
    bool same = e == HPE_PAUSED && p->mark == MARK_HEAD &&
                llhttp_get_error_pos(&p->ll) == p->text + p->text_n && p->ll.flags & F_CHUNKED &&
                !(p->ll.flags & F_CONTENT_LENGTH) && (p->request || p->ll.status_code == h->status);
    if (!same)
        return nk_fault_set(f, NK_EINVAL, "http", 0, "ambiguous head (%s)",
                            e == HPE_PAUSED ? "framing" : llhttp_errno_name(e));
    p->ll.upgrade = 0; /* an offer of h2c is not taken up; see rules.c */
    return 0;
}

/* What comes behind a head that was accepted. */
static int settle_body(struct nk_http_parser *p, struct nk_fault *f)
{
    struct nk_http_head *h = &p->head;
    bool until_close = !p->request && h->content_length < 0 && !h->chunked;
    bool none = p->no_body || h->content_length == 0 ||
                (p->request && !h->chunked && h->content_length < 0) ||
                (!p->request && !nk_http_has_body(h->status));
    p->state = none ? DONE : BODY;
    if (none)
        return 0;
    if (until_close)
        h->keep_alive = false;
    if (h->content_length > 0 && (uint64_t)h->content_length > p->lim.max_body_bytes)
        return over_body(p, f);
    if (h->chunked)
        llhttp_resume(&p->ll);
    return 0;
}

static int take_head(struct nk_http_parser *p, struct nk_fault *f)
{
    struct nk_http_head *h = &p->head;
    size_t count = p->lines - 1;
    if (count > p->lim.max_headers)
        return nk_fault_set(f, NK_ELIMIT, "http", p->offset, "over %u header fields",
                            p->lim.max_headers);
    *h = (struct nk_http_head){.header_count = count};
    h->headers = nk_arena_array(p->arena, count ? count : 1, sizeof *h->headers);
    if (!h->headers)
        return nk_fault_set(f, NK_ENOMEM, "http", p->offset, "no memory for the head");
    struct nk_str rest = {p->text, p->text_n}, line = cut_line(&rest);
    int minor = 0;
    int rc = p->request ? nk_http_request_line(line, h, &minor, f)
                        : nk_http_status_line(line, h, &minor, f);
    if (!rc)
        rc = take_fields(p, rest, h->headers, f);
    if (!rc)
        rc = nk_http_rules(h, p->request, minor, f);
    if (!rc && p->request && !nk_http_method_known(h->method))
        rc = nk_fault_set(f, NK_EUNSUPPORTED, "http", 0, "the method is not supported");
    if (!rc && h->chunked)
        rc = agree(p, f);
    return rc ? rc : settle_body(p, f);
}

/* 0: a head to report; NK_EAGAIN: go on gathering, if there is input. */
static int step_head(struct nk_http_parser *p, struct nk_str *in, struct nk_fault *f)
{
    if (in->n)
        p->any = true;
    int rc = gather(p, in, f);
    if (rc)
        return rc;
    if (p->lines == 0) {
        /* One empty line before a request is to be ignored (RFC 9112, section 2.2). */
        if (!p->request || p->skipped++)
            return nk_fault_set(f, NK_EINVAL, "http", 0, "an empty line instead of a message");
        forget_text(p);
        p->any = false;
        return NK_EAGAIN;
    }
    rc = take_head(p, f);
    if (rc)
        return rc;
    forget_text(p);
    if (p->request || p->head.status >= 200)
        return 0;
    if (++p->skipped > INTERIM_MAX)
        return nk_fault_set(f, NK_ELIMIT, "http", p->offset, "too many interim answers");
    p->state = HEAD;
    return NK_EAGAIN;
}

static int step_trailer(struct nk_http_parser *p, struct nk_str *in, struct nk_fault *f)
{
    int rc = gather(p, in, f);
    if (rc)
        return rc;
    if (p->lines > p->lim.max_headers)
        return nk_fault_set(f, NK_ELIMIT, "http", p->offset, "over %u trailer fields",
                            p->lim.max_headers);
    rc = take_fields(p, (struct nk_str){p->text, p->text_n}, NULL, f);
    p->state = DONE;
    return rc;
}

/* After one call of llhttp: limits, and what its mark means. */
static int settle_piece(struct nk_http_parser *p, size_t consumed, struct nk_fault *f)
{
    p->framing += consumed - p->body.n;
    p->body_bytes += p->body.n;
    if (p->body_bytes > p->lim.max_body_bytes)
        return over_body(p, f);
    if (p->framing > CHUNK_LINE_MAX)
        return nk_fault_set(f, NK_EINVAL, "http", p->offset, "an overlong chunk size");
    if (p->mark == MARK_NONE)
        return 0;
    p->framing = 0;
    if (p->mark == MARK_END) {
        p->state = DONE;
        return 0;
    }
    if (p->mark == MARK_CHUNK && p->ll.content_length == 0)
        p->state = TRAILER;
    if (p->mark == MARK_CHUNK && p->ll.content_length > p->lim.max_body_bytes - p->body_bytes)
        return over_body(p, f);
    llhttp_resume(&p->ll);
    return 0;
}

/* A body of a known length, or one that goes on until the connection ends. */
static int step_counted(struct nk_http_parser *p, struct nk_str *in, struct nk_fault *f)
{
    bool known = p->head.content_length >= 0;
    uint64_t left = known ? (uint64_t)p->head.content_length - p->body_bytes : UINT64_MAX;
    p->body = nk_str_sub(*in, 0, in->n < left ? in->n : (size_t)left);
    p->body_bytes += p->body.n;
    p->offset += p->body.n;
    *in = nk_str_sub(*in, p->body.n, in->n);
    if (p->body_bytes > p->lim.max_body_bytes)
        return over_body(p, f);
    if (known && p->body.n == left)
        p->state = DONE;
    return 0;
}

/* 0: p->body has a piece or the state has changed; NK_EAGAIN: more input is needed. */
static int step_chunked(struct nk_http_parser *p, struct nk_str *in, struct nk_fault *f)
{
    while (in->n) {
        p->mark = MARK_NONE;
        p->body = (struct nk_str){NULL, 0};
        llhttp_errno_t e = llhttp_execute(&p->ll, in->p, in->n);
        if (e != HPE_OK && (e != HPE_PAUSED || p->mark == MARK_NONE))
            return nk_fault_set(f, NK_EINVAL, "http", p->offset, "malformed chunked body (%s)",
                                llhttp_errno_name(e));
        size_t consumed = e == HPE_OK ? in->n : (size_t)(llhttp_get_error_pos(&p->ll) - in->p);
        p->offset += consumed;
        *in = nk_str_sub(*in, consumed, in->n);
        int rc = settle_piece(p, consumed, f);
        if (rc || p->body.n || p->state != BODY)
            return rc;
    }
    return NK_EAGAIN;
}

static int step(struct nk_http_parser *p, struct nk_str *in, enum nk_http_event *event,
                struct nk_fault *f)
{
    int rc = 0;
    switch (p->state) {
    case HEAD:
        rc = step_head(p, in, f);
        *event = NK_HTTP_HEAD;
        return rc;
    case BODY:
        rc = p->head.chunked ? step_chunked(p, in, f) : step_counted(p, in, f);
        *event = NK_HTTP_BODY;
        return rc || p->body.n ? rc : NK_EAGAIN;
    case TRAILER:
        rc = step_trailer(p, in, f);
        return rc ? rc : NK_EAGAIN;
    case DONE:
        break;
    }
    *event = NK_HTTP_END;
    return 0;
}

int nk_http_parse(struct nk_http_parser *p, struct nk_str *in, enum nk_http_event *event,
                  struct nk_fault *f)
{
    p->body = (struct nk_str){NULL, 0};
    int rc;
    do {
        rc = step(p, in, event, f);
    } while (rc == NK_EAGAIN && (in->n || p->state == DONE));
    if (rc != NK_EAGAIN)
        return rc;
    *event = NK_HTTP_MORE;
    return 0;
}

int nk_http_parse_eof(struct nk_http_parser *p, enum nk_http_event *event)
{
    if (p->state == HEAD && !p->any)
        return NK_EAGAIN;
    bool until_close =
        !p->request && p->state == BODY && p->head.content_length < 0 && !p->head.chunked;
    if (p->state != DONE && !until_close)
        return NK_EINVAL;
    p->state = DONE;
    *event = NK_HTTP_END;
    return 0;
}
