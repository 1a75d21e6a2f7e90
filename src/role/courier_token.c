/* SPDX-License-Identifier: Apache-2.0
 *
 * courier_token.c - see courier_token.h. One token for an upstream (or for each person that asks it, by the digest of
 * the person's own token), one request for it at a time, however many calls wait. A failure is remembered for a moment, so that an authorization server that is down is not asked by each
 * call; a token that is fresh and yet refused is not fetched anew more than once a second either.
 *
 *   none ──get──> fetching ──answer──> there ──its time, or a 401──> none
 *                     \────failure───> failed ──a second──> none
 */
#include "role/courier_token.h"

#include <stdlib.h>
#include <string.h>
#include "json/json.h"

enum {
    TOKENS_MAX = 1024,
    SUBJECT_MAX = 65536,
    ARENA_MAX = 262144,
    ANSWER_MAX = 65536,
    REQUEST_MAX = 16384,
    TOKEN_MAX = 8192
};
static const int64_t second_us = 1000000, spare_us = 30000000, most_us = 3600000000;

struct token {
    struct token *next; /* the latest that was asked for comes first */
    struct courier_tokens *in;
    struct nk_digest subject; /* zero: none */
    char *token;              /* "Bearer …"; NULL: there is none */
    size_t token_n;
    int64_t until_us;      /* of the token */
    int64_t not_before_us; /* no new one is asked for before */
    struct courier_wait *waiting;
    bool fetching;
};

struct courier_tokens {
    const struct nk_config_oauth *config;
    struct upstream server;
    struct nk_str basic; /* "Basic …" */
    struct nk_str body;
    struct token *list;
    size_t count;
};

struct token_fetch {
    struct exchange x;
    struct token *of;
    struct nk_buf body, answer;
    int status;
};

/* Made ready ---------------------------------------------------------------------------------------
 *
 * application/x-www-form-urlencoded: letters, digits and "-._~" as they are. */
static void put_form(struct nk_buf *b, struct nk_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                     (c && strchr("-._~", c));
        if (plain)
            nk_buf_add_char(b, (char)c);
        else
            nk_buf_printf(b, "%%%02X", c);
    }
}

static void put_parameter(struct nk_buf *b, const char *name, struct nk_str value)
{
    if (!value.p)
        return;
    nk_buf_printf(b, "&%s=", name);
    put_form(b, value);
}

/* RFC 6749, section 2.3.1: both parts are form-encoded before they become Basic's. */
static struct nk_str basic_of(struct nk_arena *a, struct nk_str id, struct nk_str secret)
{
    struct nk_buf plain, coded;
    nk_buf_init(&plain, 4 * REQUEST_MAX);
    nk_buf_init(&coded, 6 * REQUEST_MAX);
    put_form(&plain, id);
    nk_buf_add_char(&plain, ':');
    put_form(&plain, secret);
    nk_buf_add(&coded, NK_STR("Basic "));
    nk_base64_encode(nk_buf_str(&plain), &coded);
    struct nk_str out = plain.error || coded.error ? (struct nk_str){NULL, 0}
                                                   : nk_arena_copy(a, nk_buf_str(&coded));
    if (plain.n)
        nk_secret_wipe(plain.p, plain.n);
    if (coded.n)
        nk_secret_wipe(coded.p, coded.n);
    nk_buf_free(&plain);
    nk_buf_free(&coded);
    return out;
}

struct courier_tokens *courier_tokens_new(struct nk_arena *a, const struct nk_config_oauth *config,
                                          struct nk_str secret, struct nk_fault *f)
{
    struct courier_tokens *t = nk_arena_alloc(a, sizeof *t);
    struct nk_buf b;
    nk_buf_init(&b, REQUEST_MAX);
    nk_buf_add(&b, config->exchanges
                       ? NK_STR("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-"
                                "exchange&subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-"
                                "type%3Aaccess_token")
                       : NK_STR("grant_type=client_credentials"));
    put_parameter(&b, "scope", config->scope);
    put_parameter(&b, "resource", config->resource);
    put_parameter(&b, "audience", config->audience);
    if (t) {
        t->config = config;
        t->basic = basic_of(a, config->client_id, secret);
        t->body = b.error ? (struct nk_str){NULL, 0} : nk_arena_copy(a, nk_buf_str(&b));
    }
    nk_buf_free(&b);
    if (t && t->basic.p && t->body.p)
        return t;
    (void)nk_fault_set(f, NK_ENOMEM, "courier", 0, "no memory for a token endpoint");
    return NULL;
}

struct upstream *courier_tokens_server(struct courier_tokens *t)
{
    return &t->server;
}

static void forget(struct token *t)
{
    if (t->token) {
        nk_secret_wipe(t->token, t->token_n);
        free(t->token);
    }
    t->token = NULL;
    t->token_n = 0;
}

void courier_tokens_free(struct courier_tokens *t)
{
    if (!t)
        return;
    for (struct token *one; (one = t->list) != NULL;) {
        NK_MUST(!one->waiting && !one->fetching); /* they hold the configuration */
        t->list = one->next;
        forget(one);
        free(one);
    }
    nk_secret_wipe((void *)(uintptr_t)t->basic.p, t->basic.n);
}

/* The request --------------------------------------------------------------------------------------
 */
static int token_head(struct exchange *x, struct nk_http_head *out)
{
    const struct token_fetch *k = NK_OF(x, struct token_fetch, x);
    const struct nk_http_header headers[] = {
        {NK_STR("host"), x->up->origin.host_header},
        {NK_STR("authorization"), k->of->in->basic},
        {NK_STR("content-type"), NK_STR("application/x-www-form-urlencoded")},
        {NK_STR("accept"), NK_STR("application/json")},
        {NK_STR("accept-encoding"), NK_STR("identity")},
        {NK_STR("user-agent"), NK_STR("nakoso")}};
    *out = (struct nk_http_head){.method = NK_STR("POST"),
                                 .target = x->up->origin.target,
                                 .headers = nk_arena_alloc(&x->arena, sizeof headers),
                                 .header_count = NK_COUNT(headers),
                                 .content_length = (int64_t)k->body.n};
    if (out->headers)
        memcpy(out->headers, headers, sizeof headers);
    return out->headers ? 0 : NK_ENOMEM;
}

static size_t token_allow(struct exchange *x)
{
    (void)x;
    return COURIER_READ;
}

/* All that wait go on, in the order in which they came. One that is told may make another one leave, so each is
 * taken off the list by itself. */
static void tell(struct token *t, const char *why)
{
    struct courier_wait *turned = NULL, *w;
    while ((w = t->waiting) != NULL) {
        t->waiting = w->next;
        w->next = turned;
        turned = w;
    }
    t->waiting = turned;
    while ((w = t->waiting) != NULL) {
        courier_token_leave(w);
        w->ready(w, (struct nk_str){t->token, t->token_n}, why);
    }
}

static void failed(struct courier *c, struct token *t, const char *why)
{
    forget(t); /* what is over is not sent for want of another */
    t->fetching = false;
    t->not_before_us = nk_loop_now(c->loop) + second_us;
    tell(t, why);
}

static bool is_token(struct nk_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] > '~')
            return false;
    return s.n > 0 && s.n <= TOKEN_MAX;
}

/* RFC 6749, section 5.1. The reason when it is no token that can be used. */
static const char *take(struct courier *c, struct token *t, struct nk_str text, struct nk_arena *a)
{
    static const struct nk_json_limits limits = {ANSWER_MAX, 16, 1024};
    struct nk_json doc;
    int64_t seconds = 60;
    if (nk_json_parse(&limits, text, a, &doc, NULL) || nk_json_type(&doc, 0) != NK_JSON_OBJECT)
        return "the authorization server's answer is not JSON";
    struct nk_str token = nk_json_string(&doc, nk_json_get(&doc, 0, NK_STR("access_token")), a);
    struct nk_str type = nk_json_string(&doc, nk_json_get(&doc, 0, NK_STR("token_type")), a);
    uint32_t expires = nk_json_get(&doc, 0, NK_STR("expires_in"));
    if (!is_token(token) || !nk_str_eq_nocase(type, NK_STR("bearer")))
        return "the authorization server gave no bearer token";
    if (expires != NK_JSON_NONE && (nk_json_i64(&doc, expires, &seconds) || seconds <= 0))
        return "the authorization server gave a token that is over";
    char *own = malloc(token.n + 7);
    if (!own)
        return "no memory for a token";
    forget(t);
    memcpy(own, "Bearer ", 7);
    memcpy(own + 7, token.p, token.n);
    t->token = own;
    t->token_n = token.n + 7;
    int64_t whole = seconds > most_us / second_us ? most_us : seconds * second_us;
    t->until_us = nk_loop_now(c->loop) + whole - (whole / 4 < spare_us ? whole / 4 : spare_us);
    nk_secret_wipe((void *)(uintptr_t)token.p, token.n);
    return NULL;
}

static void token_answer(struct exchange *x, const struct nk_http_head *head, struct nk_str body,
                         bool end)
{
    struct token_fetch *k = NK_OF(x, struct token_fetch, x);
    if (head)
        k->status = head->status;
    nk_buf_add(&k->answer, body);
    if (!end)
        return;
    const char *why = k->status == 401 || k->status == 400
                          ? "the authorization server refuses a token (oauth: client_id, "
                            "client_secret, scope)"
                          : "the authorization server does not answer with 200";
    if (k->status == 200)
        why = k->answer.error ? "no memory for a token"
                              : take(x->c, k->of, nk_buf_str(&k->answer), &x->arena);
    if (why) {
        attempt_tell(x, why);
        failed(x->c, k->of, why);
        return;
    }
    k->of->fetching = false;
    k->of->not_before_us = nk_loop_now(x->c->loop) + second_us;
    tell(k->of, NULL);
}

static void token_fail(struct exchange *x, int code, const char *why)
{
    (void)code, (void)why;
    failed(x->c, NK_OF(x, struct token_fetch, x)->of, "the authorization server is not reached");
}

static void token_free(struct nk_later *l)
{
    struct token_fetch *k = NK_OF(NK_OF(l, struct exchange, later), struct token_fetch, x);
    if (k->answer.n)
        nk_secret_wipe(k->answer.p, k->answer.n);
    if (k->body.n)
        nk_secret_wipe(k->body.p, k->body.n);
    nk_buf_free(&k->body);
    nk_buf_free(&k->answer);
    nk_arena_free(&k->x.arena);
    free(k);
}

static const struct exchange_kind token_kind = {token_head, token_allow, token_answer, token_fail,
                                                token_free};

static void fetch(struct courier *c, struct token *t, struct nk_str subject)
{
    struct token_fetch *k = calloc(1, sizeof *k);
    if (!k) {
        failed(c, t, "no memory for a token");
        return;
    }
    k->of = t;
    k->x.kind = &token_kind;
    k->x.c = c;
    k->x.to = &t->in->server;
    k->x.max_body = ANSWER_MAX;
    nk_arena_init(&k->x.arena, ARENA_MAX);
    nk_buf_init(&k->answer, ANSWER_MAX);
    nk_buf_init(&k->body, REQUEST_MAX + SUBJECT_MAX);
    nk_buf_add(&k->body, t->in->body);
    if (t->in->config->exchanges)
        put_parameter(&k->body, "subject_token", subject);
    /* Basic's part may be six times its secret. */
    nk_buf_init(&k->x.out, 8 * (size_t)REQUEST_MAX + SUBJECT_MAX);
    if (k->body.error) {
        token_free(&k->x.later);
        failed(c, t, "no memory for a token");
        return;
    }
    t->fetching = true;
    exchange_start(&k->x, nk_buf_str(&k->body), true);
}

/* Asked for ----------------------------------------------------------------------------------------
 *
 * The least recently asked for that nobody waits for makes room. */
static bool make_room(struct courier_tokens *in)
{
    struct token **last = NULL;
    for (struct token **at = &in->list; *at; at = &(*at)->next)
        if (!(*at)->fetching && !(*at)->waiting)
            last = at;
    if (!last)
        return false;
    struct token *old = *last;
    *last = old->next;
    in->count--;
    forget(old);
    free(old);
    return true;
}

/* Moved to the front, or made; NULL: no memory, or all of them are being fetched. */
static struct token *find(struct courier_tokens *in, struct nk_digest subject)
{
    struct token *t = NULL;
    for (struct token **at = &in->list; *at; at = &(*at)->next)
        if (memcmp(&(*at)->subject, &subject, sizeof subject) == 0) {
            t = *at;
            *at = t->next;
            break;
        }
    if (!t && (in->count < TOKENS_MAX || make_room(in)) && (t = calloc(1, sizeof *t)) != NULL) {
        t->in = in;
        t->subject = subject;
        in->count++;
    }
    if (!t)
        return NULL;
    t->next = in->list;
    in->list = t;
    return t;
}

void courier_token_get(struct courier *c, struct upstream *to, struct nk_str subject,
                       struct courier_wait *w)
{
    struct courier_tokens *in = to->tokens;
    int64_t now = nk_loop_now(c->loop);
    const char *why = NULL;
    struct nk_digest who = {{0}};
    if (in->config->exchanges && !subject.n)
        why = "the call came without a token that could be exchanged (oauth.grant: token_exchange)";
    else if (in->config->exchanges)
        who = nk_sha256(subject);
    struct token *t = why ? NULL : find(in, who);
    if (!why && !t)
        why = "too many tokens are being fetched";
    else if (t && !t->fetching && now < t->not_before_us && !(t->token && now < t->until_us))
        why = "the authorization server gave no token a moment ago";
    if (why || (t->token && now < t->until_us)) {
        w->ready(w, why ? (struct nk_str){NULL, 0} : (struct nk_str){t->token, t->token_n}, why);
        return;
    }
    w->of = t;
    w->next = t->waiting;
    t->waiting = w;
    if (!t->fetching)
        fetch(c, t, subject);
}

void courier_token_leave(struct courier_wait *w)
{
    if (!w->of)
        return;
    struct courier_wait **at = &w->of->waiting;
    while (*at && *at != w)
        at = &(*at)->next;
    if (*at)
        *at = w->next;
    w->next = NULL;
    w->of = NULL;
}

void courier_token_spoil(struct upstream *to, struct nk_str token)
{
    for (struct token *t = to->tokens ? to->tokens->list : NULL; t; t = t->next)
        if (t->token && nk_str_eq((struct nk_str){t->token, t->token_n}, token))
            forget(t);
}
