/* SPDX-License-Identifier: Apache-2.0
 *
 * mcp_pin.c - see mcp_pin.h. All pages are read, because a name that stands twice is nobody's: which of the two the
 * server would run is unknown. Only the definition of this name is made canonical; of the others no more than
 * the name is looked at.
 */
#include "gate/mcp_pin.h"

#include "gate/mcp.h"

enum {
    BODY_MAX = 8 << 10,
    HEADERS = 7,
};

struct check { /* state->drive while it runs */
    struct gate_pin pin;
    const struct gate_driver *driver; /* whose place was taken, and its state */
    void *drive;
    struct nk_gate_call call;
    struct nk_str id;     /* of the request for the page, as it is written */
    struct nk_str cursor; /* of the next page; absent: that was the last one */
    int64_t until_ms;     /* for the next page to be asked for: Unix */
    unsigned pages;
    size_t bytes; /* of pages so far */
    bool found, answered;
    const char *other; /* why it is not what was approved, or NULL */
};

static struct check *check_of(const struct nk_txn *t)
{
    return t->state->drive;
}

/* What was seen --------------------------------------------------------------------------------
 */
static bool knows_principal(const struct nk_config_upstream *u)
{
    return u->oauth.exchanges || u->token_audience.n;
}

static int key_of(const struct nk_txn *t, const struct gate_pin *pin, struct nk_digest *out)
{
    struct nk_digest who = {.b = {0}};
    if (knows_principal(&t->setup->config.upstreams[pin->tool->upstream]))
        who = nk_principal_digest(t->state->principal);
    const struct nk_str parts[] = {
        pin->tool->full, pin->version, pin->session, {(const char *)who.b, sizeof who.b}};
    return gate_mcp_digest(parts, NK_COUNT(parts), out);
}

static size_t place_of(struct nk_digest d)
{
    return (d.b[0] | (size_t)d.b[1] << 8) % GATE_PIN_SEEN;
}

static bool was_seen(const struct nk_txn *t, const struct gate_pin *pin)
{
    struct nk_digest what;
    int64_t now = t->state->now_ms;
    if (!pin->ttl || key_of(t, pin, &what))
        return false;
    const struct nk_mcp_seen *seen = t->setup->mcp_seen;
    size_t i = place_of(what);
    int64_t at = seen->list[i].at_ms;
    return at && at <= now && now - at < pin->ttl && nk_digest_eq(seen->list[i].what, what);
}

static void note_seen(const struct nk_txn *t, const struct gate_pin *pin)
{
    struct nk_digest what;
    if (!pin->ttl || key_of(t, pin, &what))
        return;
    struct nk_mcp_seen *seen = t->setup->mcp_seen;
    size_t i = place_of(what);
    seen->list[i].what = what;
    seen->list[i].at_ms = t->state->now_ms;
}

/* Asking ---------------------------------------------------------------------------------------
 */
static int write_body(struct nk_txn *t, struct check *c, struct nk_str *out)
{
    struct nk_buf b;
    c->id = nk_arena_printf(t->arena, "\"nakoso-%.*s-%u\"", NK_FMT(t->state->id), c->pages);
    nk_buf_init(&b, 6 * GATE_PIN_CURSOR_MAX + BODY_MAX);
    nk_buf_add(&b, NK_STR("{\"jsonrpc\":\"2.0\",\"id\":"));
    nk_buf_add(&b, c->id);
    nk_buf_add(&b, NK_STR(",\"method\":\"tools/list\",\"params\":{"));
    if (c->pin.is_new)
        nk_buf_add(&b, nk_str(nk_mcp_own_meta));
    if (c->cursor.p && c->pin.is_new)
        nk_buf_add_char(&b, ',');
    if (c->cursor.p) {
        nk_buf_add(&b, NK_STR("\"cursor\":"));
        nk_json_put_string(&b, c->cursor);
    }
    nk_buf_add(&b, NK_STR("}}"));
    *out = b.error ? (struct nk_str){NULL, 0} : nk_arena_copy(t->arena, nk_buf_str(&b));
    nk_buf_free(&b);
    return out->p && c->id.p ? 0 : NK_ENOMEM;
}

static int write_call(struct nk_txn *t, struct check *c)
{
    size_t upstream = c->pin.tool->upstream;
    struct nk_str body;
    int rc = write_body(t, c, &body);
    if (!rc)
        rc = gate_call_again(t, upstream, "POST",
                             nk_config_mcp_path(&t->setup->config.upstreams[upstream]), HEADERS);
    if (rc)
        return rc;
    c->pages++;
    t->call.about.method = NK_STR("tools/list");
    gate_call_header(t, "accept", NK_STR("application/json, text/event-stream"));
    gate_call_header(t, "accept-encoding", NK_STR("identity"));
    gate_call_header(t, "content-type", NK_STR("application/json"));
    if (c->pin.version.p)
        gate_call_header(t, "mcp-protocol-version", c->pin.version);
    if (c->pin.is_new)
        gate_call_header(t, "mcp-method", NK_STR("tools/list"));
    if (c->pin.session.p)
        gate_call_header(t, "mcp-session-id", c->pin.session);
    gate_call_body(t, body);
    c->cursor = (struct nk_str){NULL, 0};
    c->answered = false;
    return gate_call_identity(t, (struct nk_str){NULL, 0}, (struct nk_str){NULL, 0});
}

/* The driver has its place and its call again. */
static const struct check *give_back(struct nk_txn *t)
{
    const struct check *c = check_of(t);
    t->state->driver = c->driver;
    t->state->drive = c->drive;
    gate_call_resume(t, &c->call);
    return c;
}

/* It goes on. */
static unsigned over(struct nk_txn *t, enum gate_pin_end how, const char *why)
{
    int status = t->state->upstream_status;
    const struct check *c = give_back(t);
    if (how == GATE_PIN_UNKNOWN) /* what it was refused with may say why */
        t->state->upstream_status = status;
    if (how == GATE_PIN_SAME)
        note_seen(t, &c->pin);
    return c->pin.done(t, how, nk_str(why));
}

/* The answer that came so far is enough. */
static unsigned refuse(struct nk_txn *t, enum gate_pin_end how, const char *why)
{
    return over(t, how, why) | NK_FX_ABORT;
}

static unsigned next_page(struct nk_txn *t)
{
    return write_call(t, check_of(t)) ? refuse(t, GATE_PIN_NO_MEMORY, "out of memory") : NK_FX_CALL;
}

/* Reading --------------------------------------------------------------------------------------
 */
static int look_at(struct check *c, const struct nk_json *doc, uint32_t item)
{
    struct nk_digest digest;
    if (!nk_json_is(doc, nk_json_get(doc, item, NK_STR("name")), c->pin.tool->name))
        return 0;
    int rc = nk_tool_definition_digest(doc, item, &digest);
    if (rc == NK_ENOMEM)
        return rc;
    if (c->found)
        c->other = "the server's list has the tool twice";
    else if (rc || !nk_digest_eq(digest, c->pin.tool->digest))
        c->other = "the server's definition of the tool is not the approved one";
    c->found = true;
    return 0;
}

static int take_cursor(struct nk_txn *t, struct check *c, const struct nk_json *doc, uint32_t at,
                       struct nk_fault *f)
{
    if (at == NK_JSON_NONE || nk_json_type(doc, at) == NK_JSON_NULL)
        return 0;
    c->cursor = nk_json_string(doc, at, t->arena);
    if (nk_json_type(doc, at) != NK_JSON_STRING || c->cursor.n > GATE_PIN_CURSOR_MAX)
        return nk_fault_set(f, NK_EINVAL, "mcp", 0, "its cursor is none");
    c->cursor = nk_arena_copy(t->arena, c->cursor);
    if (!c->cursor.p)
        return NK_ENOMEM;
    if (t->state->now_ms >= c->until_ms)
        return nk_fault_set(f, NK_ELIMIT, "mcp", 0, "it takes longer than first_byte_timeout");
    return c->pages < GATE_PIN_PAGES_MAX
               ? 0
               : nk_fault_set(f, NK_ELIMIT, "mcp", 0, "it has more than %d pages",
                              GATE_PIN_PAGES_MAX);
}

static int read_page(struct nk_txn *t, struct check *c, const struct nk_mcp_message *m,
                     struct nk_fault *f)
{
    const struct nk_json *doc = &m->doc;
    uint32_t list = nk_json_get(doc, m->result, NK_STR("tools"));
    if (m->kind != NK_MCP_RESULT || nk_json_type(doc, list) != NK_JSON_ARRAY)
        return nk_fault_set(f, NK_EINVAL, "mcp", 0, "it answers with an error");
    int rc = 0;
    for (uint32_t i = nk_json_first(doc, list); i != NK_JSON_NONE && !rc;
         i = nk_json_next(doc, list, i))
        rc = look_at(c, doc, i);
    return rc ? rc : take_cursor(t, c, doc, nk_json_get(doc, m->result, NK_STR("nextCursor")), f);
}

/* One message of the answer. What else the server says meanwhile is not for the client: it has not asked. */
static int read_message(struct nk_txn *t, struct nk_str text, int64_t max, struct nk_arena *a,
                        struct nk_fault *f)
{
    struct check *c = check_of(t);
    struct nk_mcp_message m;
    struct nk_json doc;
    int rc = gate_read_json(t, text, max, a, &doc, f);
    if (!rc)
        rc = nk_mcp_read(&doc, a, &m, f);
    if (rc || m.kind == NK_MCP_NOTIFICATION)
        return rc;
    if (c->answered || !nk_str_eq(m.id, c->id))
        return nk_fault_set(f, NK_EINVAL, "mcp", 0, "it answers something else");
    c->answered = true;
    return read_page(t, c, &m, f);
}

static unsigned failed(struct nk_txn *t, int rc, const struct nk_fault *f)
{
    struct nk_str why = nk_arena_printf(t->arena, "the server's list: %s", f->message);
    return rc == NK_ENOMEM || !why.p ? refuse(t, GATE_PIN_NO_MEMORY, "out of memory")
                                     : refuse(t, GATE_PIN_UNKNOWN, why.p);
}

static unsigned take_events(struct nk_txn *t, int rc, struct nk_fault *f)
{
    struct nk_gate_state *s = t->state;
    struct nk_sse_event e;
    while (!rc && !(rc = nk_sse_next(&s->sse, &e, f))) {
        nk_arena_reset(&s->event_arena);
        if (e.data.n)
            rc = read_message(t, e.data, t->setup->config.limits.event_bytes, &s->event_arena, f);
    }
    if (rc != NK_EAGAIN)
        return failed(t, rc, f);
    const char *other = check_of(t)->other;
    return other ? refuse(t, GATE_PIN_CHANGED, other) : 0;
}

static unsigned pin_head(struct nk_txn *t, const struct nk_http_head *h)
{
    struct nk_gate_state *s = t->state;
    struct nk_str coding = nk_http_get(h, NK_STR("content-encoding"));
    s->streaming = gate_answer_is_type(h, NK_STR("text/event-stream"));
    s->upstream_status = h->status;
    if (h->status == 404 && check_of(t)->pin.session.p)
        return refuse(t, GATE_PIN_NO_SESSION, "the server's session is over");
    if (h->status != 200 || (coding.p && !nk_str_eq_nocase(coding, NK_STR("identity"))) ||
        (!s->streaming && !gate_answer_is_type(h, NK_STR("application/json")))) {
        struct nk_fault f = {0};
        return failed(t,
                      nk_fault_set(&f, NK_EINVAL, "mcp", 0,
                                   "it is answered with status %d and no such list", h->status),
                      &f);
    }
    return 0;
}

static unsigned pin_data(struct nk_txn *t, struct nk_str bytes)
{
    struct nk_gate_state *s = t->state;
    struct check *c = check_of(t);
    struct nk_fault f = {0};
    c->bytes += bytes.n;
    if (c->bytes > (size_t)t->setup->config.limits.reply_bytes)
        return failed(t, nk_fault_set(&f, NK_ELIMIT, "mcp", 0, "it is over limits.reply_bytes"),
                      &f);
    if (s->streaming)
        return take_events(t, nk_sse_feed(&s->sse, bytes, &f), &f);
    nk_buf_add(&s->reply, bytes);
    return s->reply.error ? refuse(t, GATE_PIN_NO_MEMORY, "out of memory") : 0;
}

static unsigned pin_end(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    struct check *c = check_of(t);
    struct nk_fault f = {0};
    if (s->streaming) {
        nk_sse_end(&s->sse);
        unsigned fx = take_events(t, 0, &f);
        if (fx)
            return fx;
    } else {
        int rc = read_message(t, nk_buf_str(&s->reply), t->setup->config.limits.reply_bytes,
                              t->scratch, &f);
        if (rc)
            return failed(t, rc, &f);
    }
    if (!c->answered)
        return failed(t, nk_fault_set(&f, NK_EINVAL, "mcp", 0, "it ended before it was there"), &f);
    if (c->other)
        return refuse(t, GATE_PIN_CHANGED, c->other);
    if (c->cursor.p)
        return next_page(t);
    return c->found ? over(t, GATE_PIN_SAME, "")
                    : refuse(t, GATE_PIN_CHANGED, "the server's list does not have the tool");
}

static unsigned pin_fail(struct nk_txn *t, int fail, struct nk_str why)
{
    struct nk_fault f = {0};
    (void)fail;
    return failed(t, nk_fault_set(&f, NK_EINVAL, "mcp", 0, "%.*s", NK_FMT(why)), &f);
}

static unsigned pin_gone(struct nk_txn *t)
{
    const struct gate_driver *d = give_back(t)->driver;
    return d->gone ? d->gone(t) : gate_record_outcome(t, "client_gone");
}

static void pin_free(struct nk_txn *t)
{
    const struct gate_driver *d = give_back(t)->driver;
    if (d->free)
        d->free(t);
}

static const struct gate_driver pin_driver = {
    .name = "pin",
    .head = pin_head,
    .data = pin_data,
    .end = pin_end,
    .fail = pin_fail,
    .gone = pin_gone,
    .free = pin_free,
};

const struct gate_driver *gate_pin_driver(const struct nk_txn *t, const void **drive)
{
    const struct nk_gate_state *s = t->state;
    const struct check *c = s->driver == &pin_driver ? s->drive : NULL;
    *drive = c ? c->drive : s->drive;
    return c ? c->driver : s->driver;
}

unsigned gate_pin_check(struct nk_txn *t, const struct gate_pin *pin)
{
    struct nk_gate_state *s = t->state;
    if (was_seen(t, pin))
        return pin->done(t, GATE_PIN_SAME, NK_STR(""));
    struct check *c = nk_arena_alloc(t->arena, sizeof *c);
    if (!c)
        return pin->done(t, GATE_PIN_NO_MEMORY, NK_STR("out of memory"));
    *c = (struct check){.pin = *pin, .driver = s->driver, .drive = s->drive, .call = t->call};
    c->until_ms = s->now_ms + t->setup->config.upstreams[pin->tool->upstream].first_byte_timeout;
    s->driver = &pin_driver;
    s->drive = c;
    return next_page(t);
}
