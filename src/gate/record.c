/* SPDX-License-Identifier: Apache-2.0
 *
 * record.c - the audit record's members. A decision is recorded before the call goes upstream, its
 * outcome before the last byte goes to the client; a refusal is one record. Each fact stands under
 * the stage that found it, with its source; the prompt appears as size and digest alone. Written by
 * appending, no formatting: this is on the hot path.
 */
#include "gate/driver.h"
#include "gate/store.h"

#include <string.h>

enum { RECORD_MAX = 60 << 10, DECISION_ORDINARY = 2560, OUTCOME_ORDINARY = 512 };

/* Where each stage has its facts from is the same for all requests and stands in docs/audit.md, not in
 * every record. */

/* A member: `before` is its comma, name and colon; `v` any text. */
static void put_text(struct nk_buf *b, struct nk_str before, struct nk_str v)
{
    nk_buf_add(b, before);
    nk_json_put_string(b, v);
}

/* The same for a word of our own (a stage, a dialect, hexadecimal digits): nothing in it needs an escape. */
static void put_word(struct nk_buf *b, struct nk_str before, struct nk_str word)
{
    char *to = nk_buf_reserve(b, before.n + word.n + 2);
    if (!to)
        return;
    memcpy(to, before.p, before.n);
    to[before.n] = '"';
    if (word.n)
        memcpy(to + before.n + 1, word.p, word.n);
    to[before.n + 1 + word.n] = '"';
    b->n += before.n + word.n + 2;
}

static void put_number(struct nk_buf *b, struct nk_str before, int64_t v)
{
    nk_buf_add(b, before);
    nk_buf_add_i64(b, v);
}

/* ,"time":"…" of now: most records of one millisecond come in a row, and have the same. */
static struct nk_str time_now(const struct nk_txn *t)
{
    struct nk_setup_time *said = &t->setup->time;
    struct nk_buf b = {.p = said->text, .cap = sizeof said->text, .max = sizeof said->text};
    if (said->n && said->ms == t->state->now_ms)
        return (struct nk_str){said->text, said->n};
    nk_buf_add(&b, NK_STR(",\"time\":\""));
    nk_time_format(t->state->now_ms, &b);
    nk_buf_add_char(&b, '"');
    said->ms = t->state->now_ms;
    said->n = b.error ? 0 : b.n;
    return nk_buf_str(&b);
}

static void put_opening(struct nk_buf *b, const struct nk_txn *t, struct nk_str kind)
{
    const struct nk_gate_state *s = t->state;
    put_word(b, NK_STR("\"kind\":"), kind);
    nk_buf_add(b, time_now(t));
    put_word(b, NK_STR(",\"request\":"), s->id);
    if (s->trace.p)
        put_word(b, NK_STR(",\"trace\":"), s->trace);
    if (s->call_number)
        put_number(b, NK_STR(",\"call\":"), (int64_t)s->call_number);
}

/* Method and path only where the operation does not say them already. */
static bool says_path(const struct nk_endpoint *e)
{
    return e && !strchr(e->path, '*');
}

/* Was the judge asked about a model? Then its context and resource stand in the record, and the facts leave out what they say. */
static bool says_model(const struct nk_gate_state *s)
{
    return s->judged && s->model && s->given;
}

static void put_match(struct nk_buf *b, const struct nk_gate_state *s)
{
    put_word(b, NK_STR("\"match\":{\"operation\":"),
             s->call.endpoint ? nk_str(s->call.endpoint->name) : NK_STR("unknown"));
    if (s->dialect && !says_model(s))
        put_word(b, NK_STR(",\"dialect\":"), nk_str(s->dialect->name));
    if (s->head && !says_path(s->call.endpoint)) {
        put_text(b, NK_STR(",\"method\":"), nk_str_sub(s->head->method, 0, 32));
        put_text(b, NK_STR(",\"path\":"), nk_str_sub(nk_http_path(s->head), 0, 256));
    }
    nk_buf_add_char(b, '}');
}

static void put_certificate(struct nk_buf *b, const struct nk_ident_certificate *c)
{
    put_text(b, NK_STR("\"certificate\":{\"name\":"), c->name);
    put_word(b, NK_STR(",\"nameType\":"), nk_str(c->kind));
    nk_buf_add(b, NK_STR(",\"sha256\":\""));
    nk_buf_add_hex(b, c->sha256.b, sizeof c->sha256.b);
    nk_buf_add(b, NK_STR("\"}"));
}

/* The certificate of the connection is told also when nobody was identified. */
static void put_identify(struct nk_buf *b, const struct nk_gate_state *s)
{
    const struct nk_principal *p = s->principal;
    if (!p && !s->certificate)
        return;
    nk_buf_add(b, NK_STR(",\"identify\":{"));
    if (p) {
        put_word(b, NK_STR("\"proof\":"), nk_str(p->proof));
        put_text(b, NK_STR(",\"source\":"), p->source);
    }
    if (p && !s->judged) {
        put_text(b, NK_STR(",\"type\":"), p->type);
        put_text(b, NK_STR(",\"id\":"), p->id);
    }
    if (p && s->certificate)
        nk_buf_add_char(b, ',');
    if (s->certificate)
        put_certificate(b, s->certificate);
    nk_buf_add_char(b, '}');
}

static void put_parse(struct nk_buf *b, const struct nk_gate_state *s)
{
    if (!s->call.body.n)
        return;
    nk_buf_add(b, NK_STR(",\"parse\":{"));
    if (!says_model(s)) {
        put_number(b, NK_STR("\"bytes\":"), (int64_t)s->body.n);
        nk_buf_add_char(b, ',');
    }
    nk_buf_add(b, NK_STR("\"sha256\":\""));
    nk_buf_add_hex(b, s->body_digest.b, sizeof s->body_digest.b);
    nk_buf_add_char(b, '"');
    if (s->call.model.p && !s->model)
        put_text(b, NK_STR(",\"model\":"), nk_str_sub(s->call.model, 0, 256));
    nk_buf_add_char(b, '}');
}

/* Which store was asked, in which state, and what it said to each question. */
static void put_store(struct nk_buf *b, const struct nk_gate_state *s)
{
    if (!s->asked)
        return;
    put_text(b, NK_STR(",\"store\":{\"id\":"), s->asked->config->id);
    put_word(b, NK_STR(",\"sha256\":"), s->asked->digest);
    if (s->told.p) {
        nk_buf_add(b, NK_STR(",\"answers\":["));
        nk_buf_add(b, s->told);
        nk_buf_add_char(b, ']');
    }
    nk_buf_add_char(b, '}');
}

/* What of the tools' results in the request was kept from the model. */
static void put_results(struct nk_buf *b, const struct gate_results *r)
{
    if (!r->hidden && !r->stripped && !r->left_out && !r->withheld)
        return;
    put_number(b, NK_STR(",\"results\":{\"hidden\":"), r->hidden);
    put_number(b, NK_STR(",\"stripped\":"), r->stripped);
    put_number(b, NK_STR(",\"leftOut\":"), r->left_out);
    put_number(b, NK_STR(",\"withheld\":"), r->withheld);
    nk_buf_add_char(b, '}');
}

static void put_uid(struct nk_buf *b, struct nk_str before, struct nk_str type, struct nk_str id)
{
    put_text(b, before, type);
    put_text(b, NK_STR(",\"id\":"), id);
    nk_buf_add_char(b, '}');
}

/* What the judge was asked, exactly, and what it said. */
static void put_judgement(struct nk_buf *b, const struct nk_txn *t)
{
    const struct nk_gate_state *s = t->state;
    put_uid(b, NK_STR(",\"cedar\":{\"principal\":{\"type\":"), s->principal->type,
            s->principal->id);
    put_word(b, NK_STR(",\"action\":{\"type\":\"Action\",\"id\":"),
             nk_str(s->call.endpoint->action));
    put_uid(b, NK_STR("},\"resource\":{\"type\":"), s->resource.type, s->resource.id);
    nk_buf_add(b, NK_STR(",\"context\":"));
    nk_buf_add(b, s->context);
    nk_buf_add(b, NK_STR("},\"entities\":"));
    nk_buf_add(b, s->entities);
    nk_buf_add(b, s->answer.allow ? NK_STR(",\"decision\":\"allow\",\"reasons\":[")
                                  : NK_STR(",\"decision\":\"deny\",\"reasons\":["));
    for (size_t i = 0; i < s->answer.reason_count; i++)
        put_text(b, i ? NK_STR(",") : NK_STR(""), s->answer.reasons[i]);
    nk_buf_add_char(b, ']');
    for (size_t i = 0; i < s->answer.error_count; i++) {
        put_text(b, i ? NK_STR(",{\"policy\":") : NK_STR(",\"errors\":[{\"policy\":"),
                 s->answer.errors[i].policy);
        put_text(b, NK_STR(",\"what\":"), nk_str(s->answer.errors[i].what));
        nk_buf_add_char(b, '}');
    }
    if (s->answer.error_count)
        nk_buf_add_char(b, ']');
}

static void put_refusal(struct nk_buf *b, const struct nk_gate_state *s)
{
    const struct nk_gate_refusal *r = &s->refusal;
    if (r->id == NK_REFUSAL_NONE)
        return;
    put_word(b, NK_STR(",\"refusal\":{\"stage\":"), nk_str(r->stage));
    put_word(b, NK_STR(",\"id\":"), nk_str(gate_refusal_name(r->id)));
    if (r->reason.n)
        put_text(b, NK_STR(",\"reason\":"), nk_str_sub(r->reason, 0, 512));
    put_number(b, NK_STR("},\"status\":"), s->status);
}

/* Room for more than a few. */
static NK_COLD bool make_room(struct nk_txn *t)
{
    if (t->records != t->few)
        return t->record_count < NK_TXN_RECORDS;
    struct nk_str *more = nk_arena_array(t->scratch, NK_TXN_RECORDS, sizeof *more);
    if (!more)
        return false;
    memcpy(more, t->few, sizeof t->few);
    t->records = more;
    return true;
}

/* Without its record (the text is absent) the step is cut: see nk_gate_step. */
static unsigned keep_text(struct nk_txn *t, struct nk_str text)
{
    if (text.p && (t->record_count < NK_TXN_RECORDS_FEW || make_room(t)))
        t->records[t->record_count++] = text;
    else
        t->record_lost = true;
    return NK_FX_RECORD;
}

/* Writes a record with `put` into the arena, in place when it is of an ordinary size. */
static unsigned keep(struct nk_txn *t, size_t ordinary,
                     void (*put)(struct nk_buf *b, const struct nk_txn *t, const char *how),
                     const char *how)
{
    char *room = nk_arena_resize(t->scratch, NULL, 0, ordinary);
    struct nk_buf b = {.p = room, .cap = ordinary, .max = ordinary, .error = room ? 0 : NK_ENOMEM};
    put(&b, t, how);
    struct nk_str text = nk_buf_str(&b);
    if (b.error) {
        nk_buf_init(&b, RECORD_MAX);
        put(&b, t, how);
        text = b.error ? (struct nk_str){NULL, 0} : nk_arena_copy(t->scratch, nk_buf_str(&b));
        nk_buf_free(&b);
    }
    return keep_text(t, text);
}

static void put_decision(struct nk_buf *b, const struct nk_txn *t, const char *how)
{
    const struct nk_gate_state *s = t->state;
    (void)how;
    put_opening(b, t, NK_STR("decision"));
    nk_buf_add(b, NK_STR(",\"facts\":{"));
    put_match(b, s);
    put_identify(b, s);
    put_parse(b, s);
    if (s->model)
        nk_buf_add(b, says_model(s) ? s->model->routed : s->model->located);
    put_store(b, s);
    put_results(b, &s->results);
    nk_buf_add_char(b, '}');
    if (s->judged)
        put_judgement(b, t);
    else
        nk_buf_add(b, NK_STR(",\"decision\":\"refused\""));
    put_refusal(b, s);
    nk_buf_add(b, t->setup->provenance);
}

unsigned gate_record_decision(struct nk_txn *t)
{
    return keep(t, DECISION_ORDINARY, put_decision, NULL);
}

/* What stands before the members that another judge's question brought, and behind. */
static void put_around(struct nk_buf *b, const struct nk_txn *t, struct nk_str facts,
                       struct nk_str members)
{
    put_opening(b, t, NK_STR("decision"));
    nk_buf_add(b, NK_STR(",\"facts\":{"));
    put_match(b, t->state);
    put_identify(b, t->state);
    nk_buf_add(b, facts);
    nk_buf_add_char(b, '}');
    nk_buf_add(b, members);
    nk_buf_add(b, t->setup->provenance);
}

unsigned gate_record_members(struct nk_txn *t, struct nk_str facts, struct nk_str members)
{
    struct nk_buf b;
    nk_buf_init(&b, RECORD_MAX);
    put_around(&b, t, facts, members);
    unsigned fx = keep_text(t, b.error ? (struct nk_str){NULL, 0}
                                       : nk_arena_copy(t->scratch, nk_buf_str(&b)));
    nk_buf_free(&b);
    return fx;
}

unsigned gate_record_end(struct nk_txn *t, const char *how, struct nk_str facts)
{
    struct nk_buf b;
    nk_buf_init(&b, RECORD_MAX);
    put_opening(&b, t, NK_STR("outcome"));
    put_word(&b, NK_STR(",\"how\":"), nk_str(how));
    nk_buf_add(&b, NK_STR(",\"facts\":{"));
    nk_buf_add(&b, facts);
    nk_buf_add_char(&b, '}');
    unsigned fx = keep_text(t, b.error ? (struct nk_str){NULL, 0}
                                       : nk_arena_copy(t->scratch, nk_buf_str(&b)));
    nk_buf_free(&b);
    return fx;
}

static void put_endpoint(struct nk_buf *b, struct nk_str before, const struct nk_config_upstream *u,
                         uint32_t i)
{
    if (i < nk_config_endpoint_count(u))
        put_text(b, before, nk_str_sub(nk_config_endpoint(u, i).url, 0, 200));
}

/* Where the call went, if it could have gone elsewhere, and where it had gone in vain. */
static void put_route(struct nk_buf *b, const struct nk_txn *t)
{
    const struct nk_route *r = t->state->route;
    const struct nk_config_upstream *u = &t->setup->config.upstreams[t->call.upstream];
    if (!r || (u->endpoint_count < 2 && !r->failed_count))
        return;
    put_endpoint(b, NK_STR(",\"endpoint\":"), u, r->endpoint);
    if (!r->failed_count)
        return;
    nk_buf_add(b, NK_STR(",\"attempts\":["));
    for (size_t i = 0; i < r->failed_count; i++) {
        put_text(b, i ? NK_STR(",{\"why\":") : NK_STR("{\"why\":"),
                 nk_str_sub(r->failed[i].why, 0, 200));
        put_endpoint(b, NK_STR(",\"endpoint\":"), u, r->failed[i].endpoint);
        nk_buf_add_char(b, '}');
    }
    nk_buf_add_char(b, ']');
}

static void put_outcome(struct nk_buf *b, const struct nk_txn *t, const char *how)
{
    const struct nk_gate_state *s = t->state;
    put_opening(b, t, NK_STR("outcome"));
    put_word(b, NK_STR(",\"how\":"), nk_str(how));
    put_number(b, NK_STR(",\"status\":"), s->status);
    put_number(b, NK_STR(",\"facts\":{\"receive\":{\"bytes\":"), s->reply_bytes);
    if (s->upstream_status != s->status)
        put_number(b, NK_STR(",\"status\":"), s->upstream_status);
    put_number(b, NK_STR(",\"inputTokens\":"), s->usage.input_tokens);
    put_number(b, NK_STR(",\"outputTokens\":"), s->usage.output_tokens);
    if (s->tool_calls)
        put_number(b, NK_STR(",\"toolCalls\":"), s->tool_calls);
    if (s->calls_refused)
        put_number(b, NK_STR(",\"refusedCalls\":"), s->calls_refused);
    put_route(b, t);
    if (s->finish.n)
        put_text(b, NK_STR(",\"finish\":"), nk_str_sub(s->finish, 0, 64));
    if (s->refusal.id != NK_REFUSAL_NONE && s->refusal.reason.n)
        put_text(b, NK_STR(",\"reason\":"), nk_str_sub(s->refusal.reason, 0, 512));
    put_number(b, NK_STR(",\"milliseconds\":"), s->now_ms - s->started_ms);
    nk_buf_add_char(b, '}');
    nk_buf_add(b, s->strange);
    nk_buf_add(b, NK_STR("}"));
}

unsigned gate_record_outcome(struct nk_txn *t, const char *how)
{
    return keep(t, OUTCOME_ORDINARY, put_outcome, how);
}
