/* SPDX-License-Identifier: Apache-2.0
 *
 * courier_call.c - calls of the gate. A slot is a stream number; its generation tells a late record
 * from one that is meant. The gate is believed in nothing: heads are copied out of the ring before
 * they are looked at, each byte of a header is checked when the request is written, lengths come
 * from our own count.
 *
 * The answer goes into the ring as it is read: one record a read. Two things hold a read back: the
 * credit of the stream (counted in bytes of body), and room in the ring for all that the read may
 * bring.
 */
#include "role/courier.h"
#include "role/courier_token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CALL_ARENA = 524288, CALL_HEADERS = 256, WHY_MAX = 200, SPARE_MAX = 64 };
static const int64_t credit_max = (int64_t)1 << 40;

struct call {
    struct exchange x;
    uint32_t stream, generation;
    uint32_t tokens; /* made for it: one for each attempt */
    int64_t credit, expected, seen;
    struct nk_http_head head; /* of the request, as the gate gave it */
    struct courier_wait wait; /* for an access token; meanwhile the body is in `held` */
    struct nk_buf held;
    bool held_end;
    struct nk_str subject,
        token;     /* who asks, by a token; "Bearer …" for the upstream: overwritten at the end */
    uint64_t said; /* bytes of the answer's body that are in the ring */
    /* In c->blocked: wants to read (fail 0) or to say that it failed. */
    struct call *next, **at;
    int fail;
    bool freed; /* nk_loop_later came while a failure was still to be said */
    char why[WHY_MAX];
};

static void block(struct call *k)
{
    struct courier *c = k->x.c;
    if (k->at)
        return;
    k->next = c->blocked;
    k->at = &c->blocked;
    if (k->next)
        k->next->at = &k->next;
    c->blocked = k;
}

static void unblock(struct call *k)
{
    if (!k->at)
        return;
    *k->at = k->next;
    if (k->next)
        k->next->at = k->at;
    k->at = NULL;
    k->next = NULL;
}

static void leave_slot(struct call *k)
{
    struct courier *c = k->x.c;
    if (c->slots[k->stream] != k)
        return;
    c->slots[k->stream] = NULL;
    c->live--;
    if (k->x.retries || k->x.resent)
        courier_telemetry_resent(c, k->stream, k->generation);
}

static bool say_fail(struct courier *c, uint32_t stream, uint32_t generation, int code,
                     const struct nk_route *route, const char *why)
{
    struct nk_ring_record r = {
        .type = NK_WIRE_FAIL, .stream = stream, .generation = generation, .flags = NK_WIRE_END};
    nk_buf_clear(&c->scratch);
    nk_wire_put_fail((uint32_t)code, route, &c->scratch);
    r.head_size = (uint32_t)c->scratch.n;
    nk_buf_add(&c->scratch, (struct nk_str){why, strnlen(why, WHY_MAX)});
    r.payload = nk_buf_str(&c->scratch);
    return !c->scratch.error && nk_ring_put(c->answers, &r) == 0;
}

/* A few calls are kept for the next ones, each with one block of its arena. */
static void give_back(struct call *k)
{
    struct courier *c = k->x.c;
    nk_buf_free(&k->held);
    if (k->token.n)
        nk_secret_wipe((void *)(uintptr_t)k->token.p, k->token.n);
    if (k->subject.n)
        nk_secret_wipe((void *)(uintptr_t)k->subject.p, k->subject.n);
    if (c->spare_count >= SPARE_MAX) {
        nk_arena_free(&k->x.arena);
        free(k);
        return;
    }
    nk_arena_reset(&k->x.arena);
    k->next = c->spare;
    c->spare = k;
    c->spare_count++;
}

static void call_free(struct nk_later *l)
{
    struct call *k = NK_OF(NK_OF(l, struct exchange, later), struct call, x);
    k->freed = true;
    if (!k->at)
        give_back(k);
}

static size_t call_allow(struct exchange *x)
{
    struct call *k = NK_OF(x, struct call, x);
    if (k->credit <= 0)
        return 0;
    if (nk_ring_space(x->c->answers) < COURIER_ROOM) {
        nk_stats_add(&x->c->stats, NK_STAT_RING_FULL_ANSWERS, 1);
        block(k);
        return 0;
    }
    return (size_t)k->credit;
}

/* Without what belongs to one connection alone (RFC 9110, section 7.6.1). */
static int encode_head(struct call *k, const struct nk_http_head *h, struct nk_buf *out)
{
    struct nk_http_head kept = *h;
    kept.header_count = 0;
    kept.headers = nk_arena_array(&k->x.arena, h->header_count + 1, sizeof *kept.headers);
    if (!kept.headers)
        return NK_ENOMEM;
    for (size_t i = 0; i < h->header_count; i++) {
        bool drop = nk_http_is_hop_by_hop(h->headers[i].name, (struct nk_str){NULL, 0});
        for (size_t j = 0; !drop && j < h->header_count; j++)
            drop = nk_str_eq_nocase(h->headers[j].name, NK_STR("Connection")) &&
                   nk_http_is_hop_by_hop(h->headers[i].name, h->headers[j].value);
        if (!drop)
            kept.headers[kept.header_count++] = h->headers[i];
    }
    nk_buf_clear(out);
    nk_wire_put_answer(&kept, &k->x.route, out);
    return out->error;
}

static void call_answer(struct exchange *x, const struct nk_http_head *head, struct nk_str body,
                        bool end)
{
    struct call *k = NK_OF(x, struct call, x);
    struct courier *c = x->c;
    nk_buf_clear(&c->scratch);
    if (head && head->status == 401 && k->token.n)
        courier_token_spoil(x->to, k->token);
    int rc = head ? encode_head(k, head, &c->scratch) : 0;
    size_t head_n = c->scratch.n;
    char *to = rc ? NULL : nk_ring_reserve(c->answers, head_n + body.n);
    if (!to) {
        exchange_fail(x, NK_WIRE_FAIL_BUSY, "no room for the answer");
        return;
    }
    if (head_n)
        memcpy(to, c->scratch.p, head_n);
    if (body.n)
        memcpy(to + head_n, body.p, body.n);
    struct nk_ring_record r = {.type = head ? NK_WIRE_HEAD : NK_WIRE_DATA,
                               .stream = k->stream,
                               .generation = k->generation,
                               .flags = nk_wire_flags(k->said, end),
                               .head_size = (uint32_t)head_n};
    nk_ring_commit(c->answers, &r, head_n + body.n);
    k->said += body.n;
    k->credit -= (int64_t)body.n;
    if (end)
        leave_slot(k);
}

static void call_fail(struct exchange *x, int code, const char *why)
{
    static const enum nk_stat stats[] = {
        [NK_WIRE_FAIL_CONNECT] = NK_STAT_UPSTREAM_CONNECT,
        [NK_WIRE_FAIL_TLS] = NK_STAT_UPSTREAM_TLS,
        [NK_WIRE_FAIL_PROTOCOL] = NK_STAT_UPSTREAM_PROTOCOL,
        [NK_WIRE_FAIL_TIMEOUT] = NK_STAT_UPSTREAM_TIMEOUT,
        [NK_WIRE_FAIL_BUSY] = NK_STAT_UPSTREAM_BUSY,
        [NK_WIRE_FAIL_NO_CONNECTION] = NK_STAT_UPSTREAM_NO_CONNECTION,
        [NK_WIRE_FAIL_STALLED] = NK_STAT_UPSTREAM_STALLED,
        [NK_WIRE_FAIL_TOO_LONG] = NK_STAT_UPSTREAM_TOO_LONG,
    };
    struct call *k = NK_OF(x, struct call, x);
    nk_stats_add(&x->c->stats, stats[code], 1);
    nk_stats_up_add(&x->c->stats, x->to->stats, NK_STAT_UP_FAILED, 1);
    unblock(k);
    if (say_fail(x->c, k->stream, k->generation, code, &x->route, why)) {
        leave_slot(k);
        return;
    }
    k->fail = code;
    snprintf(k->why, sizeof k->why, "%s", why);
    block(k);
}

bool courier_unblock(struct courier *c)
{
    bool any = false;
    while (c->blocked && nk_ring_space(c->answers) >= COURIER_ROOM) {
        struct call *k = c->blocked;
        if (k->fail && !say_fail(c, k->stream, k->generation, k->fail, &k->x.route, k->why))
            return any;
        unblock(k);
        any = true;
        if (!k->fail) {
            exchange_resume(&k->x);
            continue;
        }
        leave_slot(k);
        if (k->freed)
            nk_loop_later(c->loop, &k->x.later);
    }
    return any;
}

/* Ends a call without a word to the gate. */
static void drop(struct call *k)
{
    leave_slot(k);
    unblock(k);
    courier_token_leave(&k->wait);
    if (!k->x.over)
        exchange_cancel(&k->x);
    else if (k->freed)
        nk_loop_later(k->x.c->loop, &k->x.later);
}

static struct call *find(struct courier *c, const struct nk_ring_record *r)
{
    struct call *k = r->stream < COURIER_STREAMS ? c->slots[r->stream] : NULL;
    return k && k->generation == r->generation && !k->fail ? k : NULL;
}

void courier_abort_all(struct courier *c)
{
    for (size_t i = 0; c->live && i < COURIER_STREAMS; i++)
        if (c->slots[i])
            drop(c->slots[i]);
}

/* The token that says for whom the tool is called: the gate said who asks, all else is said here. */
static int sign_token(struct call *k, struct nk_str coded, struct nk_str *out)
{
    struct exchange *x = &k->x;
    const struct upstream *to = x->to;
    bool bearer = nk_str_eq(to->token_header, NK_STR("authorization"));
    const struct nk_token_frame frame = {.issuer = to->config->config.token.issuer,
                                         .audience = to->token_audience,
                                         .more = nk_arena_printf(&x->arena, ".%u", ++k->tokens),
                                         .now_ms = nk_loop_unix_ms(x->c->loop),
                                         .lifetime_ms = to->config->config.token.lifetime};
    struct nk_buf claims, token;
    nk_buf_init(&claims, NK_TOKEN_CLAIMS);
    nk_buf_init(&token, (size_t)2 * NK_TOKEN_CLAIMS);
    nk_buf_add(&token, bearer ? NK_STR("Bearer ") : NK_STR(""));
    int rc = nk_base64url_decode(coded, &claims);
    if (!rc)
        rc = frame.more.p
                 ? nk_token_sign(&to->config->token, &frame, nk_buf_str(&claims), &x->arena, &token)
                 : NK_ENOMEM;
    if (!rc) {
        *out = nk_arena_copy(&x->arena, nk_buf_str(&token));
        rc = out->p ? 0 : NK_ENOMEM;
    }
    nk_buf_free(&claims);
    nk_buf_free(&token);
    return rc;
}

/* A header of the gate that goes on: it is of no connection, and not ours to say. */
static bool goes_on(struct nk_str name, struct nk_str credential, struct nk_str token)
{
    return !nk_http_is_hop_by_hop(name, (struct nk_str){NULL, 0}) &&
           !nk_str_is_nocase(name, "host") && !nk_str_is_nocase(name, "expect") &&
           !nk_str_is_nocase(name, nk_token_header) &&
           !(credential.p && nk_str_eq_nocase(name, credential)) &&
           !(token.p && nk_str_eq_nocase(name, token));
}

/* The request as it will be sent: the gate's headers but those that are ours to say. */
static int call_head(struct exchange *x, struct nk_http_head *out)
{
    struct call *k = NK_OF(x, struct call, x);
    const struct endpoint *up = x->up;
    struct nk_http_head r = k->head;
    struct nk_http_header *headers = nk_arena_array(&x->arena, r.header_count + 3, sizeof *headers);
    if (!headers)
        return NK_ENOMEM;
    size_t n = 0;
    struct nk_str claims = nk_http_get(&r, nk_str(nk_token_header)), token = {NULL, 0};
    bool tells = claims.p && x->to->token_audience.p && x->to->config->token.kid.p;
    int rc = tells ? sign_token(k, claims, &token) : 0;
    if (rc)
        return rc;
    struct nk_str credential = up->auth_name.p ? up->auth_name
                               : k->token.n    ? NK_STR("authorization")
                                               : (struct nk_str){NULL, 0};
    struct nk_str name = token.p ? x->to->token_header : (struct nk_str){NULL, 0};
    headers[n++] = (struct nk_http_header){NK_STR("host"), up->origin.host_header};
    if (name.p)
        headers[n++] = (struct nk_http_header){name, token};
    if (credential.p)
        headers[n++] =
            (struct nk_http_header){credential, up->auth_name.p ? up->auth_value : k->token};
    for (size_t i = 0; i < r.header_count; i++)
        if (goes_on(r.headers[i].name, credential, name))
            headers[n++] = r.headers[i];
    r.headers = headers;
    r.header_count = n;
    r.keep_alive = true;
    r.chunked = false;
    r.content_length = k->expected || !x->safe ? k->expected : -1;
    *out = r;
    return 0;
}

static const struct exchange_kind call_kind = {call_head, call_allow, call_answer, call_fail,
                                               call_free};

static bool is_safe(struct nk_str method)
{
    return nk_str_eq(method, NK_STR("GET")) || nk_str_eq(method, NK_STR("HEAD")) ||
           nk_str_eq(method, NK_STR("OPTIONS"));
}

/* A gate that went wrong must not delete or change what the credential could, but where that is what the upstream is
 * for: an MCP session is ended by DELETE, and a tool may be any request. */
static bool is_method_of_calls(struct nk_str method, const struct nk_config_upstream *to)
{
    static const char *const of_tools[] = {"PUT", "PATCH", "OPTIONS"};
    if (nk_str_eq(method, NK_STR("POST")) || nk_str_eq(method, NK_STR("GET")) ||
        nk_str_eq(method, NK_STR("HEAD")))
        return true;
    if (nk_str_eq(method, NK_STR("DELETE")))
        return nk_config_serves_tools(to);
    for (size_t i = 0; i < NK_COUNT(of_tools); i++)
        if (nk_str_eq(method, nk_str(of_tools[i])))
            return nk_str_eq(to->dialect, NK_STR("http"));
    return false;
}

/* Copies the head out of the ring and reads it. The reason, when it cannot be. */
static const char *read_call(struct courier *c, struct call *k, struct nk_str head)
{
    struct nk_wire_call_head h;
    struct nk_str own = nk_arena_copy(&k->x.arena, head);
    if (!own.p)
        return "no memory for the call";
    if (nk_wire_get_call(own, CALL_HEADERS, &k->x.arena, &h))
        return "a call that cannot be read";
    struct courier_config *g = courier_config_find(c, h.config);
    if (!g)
        return "a call under an unknown configuration";
    if (h.upstream >= g->config.upstream_count ||
        h.body_bytes > g->config.limits.body_bytes + CALL_ARENA)
        return "a call that the configuration does not know";
    if (!is_method_of_calls(h.http.method, &g->config.upstreams[h.upstream]))
        return "a method that no call has";
    if (g == c->current) { /* the gate has heard of it: nothing comes under the one before */
        courier_config_drop(c->previous);
        c->previous = NULL;
    }
    k->x.to = &g->upstreams[h.upstream];
    k->x.safe = is_safe(h.http.method);
    k->x.is_head = nk_str_eq(h.http.method, NK_STR("HEAD"));
    k->expected = h.body_bytes;
    k->head = h.http;
    k->subject = h.subject;
    nk_buf_init(&k->x.out, (size_t)h.body_bytes + CALL_ARENA);
    return NULL;
}

static struct call *call_new(struct courier *c, const struct nk_ring_record *rec)
{
    struct nk_arena arena;
    struct call *k = c->spare;
    if (k) {
        c->spare = k->next;
        c->spare_count--;
        arena = k->x.arena;
    } else {
        k = malloc(sizeof *k);
        nk_arena_init(&arena, CALL_ARENA);
    }
    if (!k)
        return NULL;
    memset(k, 0, offsetof(struct call, why) + 1); /* the rest of a message is not worth its time */
    k->stream = rec->stream;
    k->generation = rec->generation;
    k->credit = NK_WIRE_FIRST_CREDIT;
    k->x.kind = &call_kind;
    k->x.c = c;
    k->x.max_body = UINT64_MAX;
    k->x.arena = arena;
    return k;
}

/* Refuses a call that got no slot. If even that has no room, the gate's own time limit ends it. */
static void refuse(struct courier *c, const struct nk_ring_record *rec, int code, const char *why)
{
    static const struct nk_route nowhere = {.endpoint = NK_ROUTE_NOWHERE};
    if (!say_fail(c, rec->stream, rec->generation, code, &nowhere, why))
        nk_stats_add(&c->stats, NK_STAT_RING_FULL_ANSWERS, 1);
}

/* With a token it begins. Without one it never does: nothing is sent that the upstream would refuse, or take for
 * somebody else's. The generation was held meanwhile as an exchange holds it. */
static void begin(struct call *k, struct nk_str token, const char *why)
{
    if (token.p)
        k->token = nk_arena_copy(&k->x.arena, token);
    if (!k->token.p) {
        exchange_fail(&k->x, NK_WIRE_FAIL_CONNECT, why ? why : "no memory for a token");
        return;
    }
    struct nk_buf held = k->held;
    k->held = (struct nk_buf){0};
    exchange_start(&k->x, nk_buf_str(&held), k->held_end);
    courier_config_drop(k->x.to->config);
    nk_buf_free(&held);
}

static void on_token(struct courier_wait *w, struct nk_str token, const char *why)
{
    begin(NK_OF(w, struct call, wait), token, why);
}

static void start_with_token(struct call *k, struct nk_str body, bool end)
{
    k->x.to->config->refs++;
    nk_buf_init(&k->held, (size_t)k->expected + 1);
    nk_buf_add(&k->held, body);
    k->held_end = end;
    k->wait.ready = on_token;
    courier_token_get(k->x.c, k->x.to, k->subject, &k->wait);
}

void courier_call(struct courier *c, const struct nk_ring_record *rec)
{
    bool known = rec->stream < COURIER_STREAMS;
    struct call *k = known ? c->slots[rec->stream] : NULL;
    if (known && c->newest[rec->stream] == rec->generation)
        return; /* the same call twice: what it does must not be done twice */
    if (k)
        drop(k); /* the gate uses the slot anew */
    if (known)
        c->newest[rec->stream] = rec->generation;
    k = known && !c->draining ? call_new(c, rec) : NULL;
    if (!k) {
        refuse(c, rec, NK_WIRE_FAIL_BUSY, "the courier takes no more calls");
        return;
    }
    struct nk_str body = nk_str_sub(rec->payload, rec->head_size, rec->payload.n);
    bool end = rec->flags & NK_WIRE_END;
    const char *why = read_call(c, k, nk_str_sub(rec->payload, 0, rec->head_size));
    k->seen = (int64_t)body.n;
    if (!why && !nk_wire_flags_ok(rec->flags, 0))
        why = "a call that does not begin where it begins";
    if (!why && (k->seen > k->expected || (end && k->seen != k->expected)))
        why = "the body is not as long as announced";
    if (why) {
        refuse(c, rec, NK_WIRE_FAIL_PROTOCOL, why);
        give_back(k);
        return;
    }
    c->slots[k->stream] = k;
    c->live++;
    nk_stats_add(&c->stats, NK_STAT_UPSTREAM_REQUESTS, 1);
    if (k->x.to->tokens)
        start_with_token(k, body, end);
    else
        exchange_start(&k->x, body, end);
}

void courier_body(struct courier *c, const struct nk_ring_record *rec)
{
    struct call *k = find(c, rec);
    if (!k || k->x.complete)
        return;
    bool end = rec->flags & NK_WIRE_END;
    if (rec->head_size || !nk_wire_flags_ok(rec->flags, (uint64_t)k->seen)) {
        courier_token_leave(&k->wait);
        exchange_fail(&k->x, NK_WIRE_FAIL_PROTOCOL, "a piece of the body is out of place");
        return;
    }
    k->seen += (int64_t)rec->payload.n;
    if (k->seen > k->expected || (end && k->seen != k->expected)) {
        courier_token_leave(&k->wait);
        exchange_fail(&k->x, NK_WIRE_FAIL_PROTOCOL, "the body is not as long as announced");
    } else if (k->wait.of) {
        nk_buf_add(&k->held, rec->payload);
        k->held_end = end;
    } else {
        exchange_more(&k->x, rec->payload, end);
    }
}

void courier_abort(struct courier *c, const struct nk_ring_record *rec)
{
    struct call *k = rec->stream < COURIER_STREAMS ? c->slots[rec->stream] : NULL;
    if (k && k->generation == rec->generation)
        drop(k);
}

void courier_credit(struct courier *c, const struct nk_ring_record *rec)
{
    struct call *k = find(c, rec);
    struct nk_reader r = nk_reader(rec->payload);
    uint32_t more = nk_read_u32le(&r);
    if (!k || r.error)
        return;
    k->credit = k->credit > credit_max - more ? credit_max : k->credit + more;
    exchange_resume(&k->x);
}
