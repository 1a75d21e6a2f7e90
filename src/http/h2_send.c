/* SPDX-License-Identifier: Apache-2.0
 *
 * h2_send.c - heads and bodies to send. Like write.c, it checks each byte again, drops what belongs
 * to one connection and writes the length itself. Bodies are pulled from the caller as windows and
 * nk_h2_output allow, so nothing of them waits here.
 */
#include "http/grammar.h"
#include "http/h2_own.h"

enum { PSEUDO_MAX = 4, DIGITS = 20 };

/* A list of fields for nghttp2, which copies them and makes names lower-case. */
struct list {
    struct nk_buf nv; /* nghttp2_nv each */
    size_t bytes;
    char length[DIGITS];
};

static struct nk_str decimal(uint64_t v, char room[DIGITS])
{
    size_t at = DIGITS;
    do
        room[--at] = (char)('0' + v % 10);
    while (v /= 10);
    return (struct nk_str){room + at, DIGITS - at};
}

/* What may have come from elsewhere is never indexed: an intermediary keeps that form where the sender chose it (RFC 7541,
 * sections 6.2.3 and 7.1.3), and secrets, which are among these fields, should have it. What is of our own may be. */
static void list_put(struct list *l, struct nk_str name, struct nk_str value, uint8_t flags)
{
    nghttp2_nv nv = {(uint8_t *)(uintptr_t)name.p, (uint8_t *)(uintptr_t)value.p, name.n, value.n,
                     flags};
    nk_buf_add(&l->nv, (struct nk_str){(const char *)&nv, sizeof nv});
    l->bytes += name.n + value.n + 2;
}

static void list_add(struct list *l, struct nk_str name, struct nk_str value)
{
    list_put(l, name, value, NGHTTP2_NV_FLAG_NONE);
}

static const nghttp2_nv *list_items(const struct list *l, size_t *n)
{
    *n = l->nv.n / sizeof(nghttp2_nv);
    return (const nghttp2_nv *)(const void *)l->nv.p;
}

static void list_begin(struct list *l, const struct nk_http_head *head)
{
    *l = (struct list){0};
    nk_buf_init(&l->nv, (head->header_count + PSEUDO_MAX + 1) * sizeof(nghttp2_nv));
}

/* The fields of a head; *host takes the one Host of a request, which is not among them. */
static int list_fields(struct list *l, const struct nk_http_head *head, struct nk_str *host)
{
    struct nk_str connection = nk_http_get(head, NK_STR("Connection"));
    for (size_t i = 0; i < head->header_count; i++) {
        const struct nk_http_header *x = &head->headers[i];
        if (!nk_http_token_ok(x->name) || !nk_http_value_ok(x->value))
            return NK_EINVAL;
        if (host && nk_str_eq_nocase(x->name, NK_STR("Host"))) {
            if (host->p || !nk_http_host_ok(x->value))
                return NK_EINVAL;
            *host = x->value;
        } else if (!nk_http_is_hop_by_hop(x->name, connection)) {
            list_put(l, x->name, nk_str_trim(x->value), NGHTTP2_NV_FLAG_NO_INDEX);
        }
    }
    if (head->content_length >= 0) {
        list_add(l, NK_STR("content-length"), decimal((uint64_t)head->content_length, l->length));
    }
    return l->nv.error;
}

/* Room in the queue for a head, at its largest? */
static bool has_room(const struct nk_h2 *h, const struct list *l)
{
    return h->queue.n <= h->lim.max_queued && l->bytes <= h->lim.max_queued - h->queue.n;
}

ssize_t nk_h2_read_body(nghttp2_session *session, int32_t id, uint8_t *p, size_t n, uint32_t *flags,
                        nghttp2_data_source *source, void *owner)
{
    struct nk_h2 *h = owner;
    struct nk_h2_stream *s = source->ptr;
    bool end = false;
    (void)session, (void)id;
    if (!h->pulling || !h->room)
        return NGHTTP2_ERR_PAUSE;
    if (s->silent)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    n = n < h->room ? n : h->room;
    ptrdiff_t got = h->handler->take(h->owner, s->call, s->id, (char *)p, n, &end);
    NK_MUST(got <= (ptrdiff_t)n);
    if (got < 0 || (s->left >= 0 && got > s->left) || (s->left > got && end)) {
        s->why = "the body to send broke off";
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    if (!got && !end) {
        s->waits = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    if (s->left >= 0)
        s->left -= got;
    if (end)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    h->room -= (size_t)got;
    return got;
}

static nghttp2_data_provider provider(struct nk_h2_stream *s)
{
    return (nghttp2_data_provider){.source.ptr = s, .read_callback = nk_h2_read_body};
}

/* As nk_http_write_response has it; and END_STREAM may not contradict content_length. */
static bool answer_ok(const struct nk_http_head *head, const struct nk_h2_stream *s, bool has_body)
{
    bool may = nk_http_has_body(head->status), none = s->head_method || head->status == 304;
    if (head->status < 200 || head->status > 599 || (head->chunked && head->content_length >= 0))
        return false;
    if (has_body)
        return may && !s->head_method;
    return head->content_length <= 0 ? may || head->content_length < 0 : none;
}

int nk_h2_answer(struct nk_h2 *h, uint32_t stream, const struct nk_http_head *head, bool has_body)
{
    struct nk_h2_stream *s = nk_h2_find(h, stream);
    struct list l;
    if (!s || s->silent)
        return NK_ENOTFOUND;
    if (!h->server || s->answered || !answer_ok(head, s, has_body))
        return NK_EINVAL;
    char status[DIGITS];
    list_begin(&l, head);
    list_add(&l, NK_STR(":status"), decimal((uint64_t)head->status, status));
    int rc = list_fields(&l, head, NULL);
    if (!rc && !has_room(h, &l))
        rc = NK_ELIMIT;
    if (!rc) {
        size_t n;
        const nghttp2_nv *nv = list_items(&l, &n);
        nghttp2_data_provider body = provider(s);
        if (nghttp2_submit_response(h->session, (int32_t)stream, nv, n, has_body ? &body : NULL))
            rc = NK_ENOMEM;
    }
    nk_buf_free(&l.nv);
    if (rc)
        return rc;
    s->answered = true;
    s->left = head->content_length;
    return 0;
}

int nk_h2_interim(struct nk_h2 *h, uint32_t stream, int status)
{
    struct nk_h2_stream *s = nk_h2_find(h, stream);
    if (!s || s->silent)
        return NK_ENOTFOUND;
    if (!h->server || s->answered || (status != 100 && status != 103))
        return NK_EINVAL;
    struct list l;
    struct nk_http_head none = {.content_length = -1};
    list_begin(&l, &none);
    list_add(&l, NK_STR(":status"), status == 100 ? NK_STR("100") : NK_STR("103"));
    size_t n;
    const nghttp2_nv *nv = list_items(&l, &n);
    int rc = l.nv.error || nghttp2_submit_headers(h->session, NGHTTP2_FLAG_NONE, (int32_t)stream,
                                                  NULL, nv, n, NULL);
    nk_buf_free(&l.nv);
    return rc ? NK_ENOMEM : 0;
}

bool nk_h2_may_request(const struct nk_h2 *h)
{
    if (h->server || h->fault.code || h->leaving || h->goaway_got)
        return false;
    return h->stream_count < nghttp2_session_get_remote_settings(
                                 h->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS) &&
           nghttp2_session_get_next_stream_id(h->session) <= INT32_MAX;
}

static int list_request(struct list *l, const char *scheme, const struct nk_http_head *head)
{
    struct nk_str host = {NULL, 0};
    if (!nk_http_token_ok(head->method) || nk_str_eq(head->method, NK_STR("CONNECT")) ||
        !nk_http_target_ok(head->target) || (head->chunked && head->content_length >= 0))
        return NK_EINVAL;
    list_begin(l, head);
    list_add(l, NK_STR(":method"), head->method);
    list_add(l, NK_STR(":scheme"), nk_str(scheme));
    size_t at = l->nv.n;
    list_add(l, NK_STR(":authority"), NK_STR(""));
    list_add(l, NK_STR(":path"), head->target);
    int rc = list_fields(l, head, &host);
    if (!rc && !host.p)
        rc = NK_EINVAL;
    if (rc)
        return rc;
    nghttp2_nv *authority = (nghttp2_nv *)(void *)(l->nv.p + at);
    authority->value = (uint8_t *)(uintptr_t)host.p;
    authority->valuelen = host.n;
    l->bytes += host.n;
    return 0;
}

static int submit_request(struct nk_h2 *h, const struct list *l, struct nk_h2_stream *s,
                          bool has_body)
{
    size_t n;
    const nghttp2_nv *nv = list_items(l, &n);
    nghttp2_data_provider body = provider(s);
    int32_t id = nghttp2_submit_request(h->session, NULL, nv, n, has_body ? &body : NULL, s);
    if (id < 0)
        return id == NGHTTP2_ERR_STREAM_ID_NOT_AVAILABLE ? NK_EFULL : NK_ENOMEM;
    s->id = (uint32_t)id;
    nk_h2_begun(h, s->id);
    return 0;
}

int nk_h2_request(struct nk_h2 *h, const char *scheme, const struct nk_http_head *head,
                  bool has_body, struct nk_arena *arena, void *call, uint32_t *stream)
{
    struct list l = {0};
    if (!nk_h2_may_request(h))
        return NK_EFULL;
    int rc = list_request(&l, scheme, head);
    if (!rc && !has_body && head->content_length > 0)
        rc = NK_EINVAL;
    if (!rc && !has_room(h, &l))
        rc = NK_ELIMIT;
    struct nk_h2_stream *s = rc ? NULL : nk_h2_stream_new(h);
    if (!rc && !s)
        rc = NK_ENOMEM;
    if (!rc)
        rc = submit_request(h, &l, s, has_body);
    nk_buf_free(&l.nv);
    if (rc) {
        if (s)
            nk_h2_stream_free(h, s);
        return rc;
    }
    s->arena = arena;
    s->call = call;
    s->answered = true;
    s->left = has_body ? head->content_length : -1;
    s->head_method = nk_str_eq(head->method, NK_STR("HEAD"));
    *stream = s->id;
    return 0;
}

void nk_h2_resume(struct nk_h2 *h, uint32_t stream)
{
    struct nk_h2_stream *s = nk_h2_find(h, stream);
    if (!s || !s->waits)
        return;
    s->waits = false;
    if (nghttp2_session_resume_data(h->session, (int32_t)stream) == NGHTTP2_ERR_NOMEM)
        nk_h2_fail(h, NK_ENOMEM, NK_H2_INTERNAL_ERROR, "out of memory for a body");
}

void nk_h2_consumed(struct nk_h2 *h, uint32_t stream, size_t n)
{
    struct nk_h2_stream *s = nk_h2_find(h, stream);
    if (!s)
        return;
    n = n < s->unused ? n : s->unused;
    s->unused -= n;
    if (n && nghttp2_session_consume(h->session, (int32_t)stream, n))
        nk_h2_fail(h, NK_ENOMEM, NK_H2_INTERNAL_ERROR, "out of memory for a window");
}

void nk_h2_reset(struct nk_h2 *h, uint32_t stream, enum nk_h2_code code)
{
    struct nk_h2_stream *s = nk_h2_find(h, stream);
    if (!s || s->silent)
        return;
    s->silent = true;
    s->dropped = true;
    if (nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, (int32_t)stream, code))
        nk_h2_fail(h, NK_ENOMEM, NK_H2_INTERNAL_ERROR, "out of memory for a reset");
}

bool nk_h2_is_stalled(const struct nk_h2 *h, uint32_t stream)
{
    const struct nk_h2_stream *s = nk_h2_find(h, stream);
    if (!s || s->silent || !s->answered || s->here_done || s->waits)
        return false;
    return nghttp2_session_get_stream_remote_window_size(h->session, (int32_t)stream) <= 0 ||
           nghttp2_session_get_remote_window_size(h->session) <= 0;
}
