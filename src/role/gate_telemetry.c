/* SPDX-License-Identifier: Apache-2.0
 *
 * gate_telemetry.c - what is counted and told of a request when it is over. Telemetry costs nothing while it
 * is off, and never delays or refuses a request: a record that finds no room in the ring is dropped and
 * counted, and a good part of the ring is for calls alone.
 */
#include "role/gate.h"

#include <string.h>
#include <sys/random.h>
#include <time.h>
#include "crypt/crypt.h"
#include "gate/counts.h"
#include "role/wire_telemetry.h"

enum {
    DECISIONS_TIMED = 16,
    PRINCIPAL_MAX = 320,
    CALLS_RESERVE = 4 * NK_RING_RECORD_MAX, /* of the ring: for the calls alone */
};

static bool is_on(const struct nk_config_telemetry *t)
{
    return t->endpoint.p && !(t->no_traces && t->no_logs);
}

int gate_telemetry_start(struct gate *g)
{
    ssize_t n = getrandom(g->telemetry.key, sizeof g->telemetry.key, 0);
    return n == sizeof g->telemetry.key ? 0 : NK_EIO;
}

void gate_telemetry_begin(struct gate *g, struct nk_gate_env *env)
{
    const struct nk_config_telemetry *t = &g->setup->config.telemetry;
    env->is_traced = t->endpoint.p && !t->no_traces;
    for (size_t i = 0; env->is_traced && i < NK_COUNT(env->random); i++) {
        uint64_t n = g->telemetry.made++;
        env->random[i] = nk_hash(g->telemetry.key, (struct nk_str){(const char *)&n, sizeof n});
    }
}

void gate_telemetry_judging(struct gate_stream *s)
{
    struct gate *g = s->conn->gate;
    if (is_on(&s->req->txn->setup->config.telemetry) ||
        ++g->telemetry.decisions % DECISIONS_TIMED == 0)
        s->req->judging_us = nk_loop_clock();
}

void gate_telemetry_judged(struct gate_stream *s)
{
    struct gate_request *r = s->req;
    if (!r->judging_us || r->judged_us || !nk_txn_judged(r->txn))
        return;
    r->judged_us = nk_loop_clock();
    nk_stats_time(&s->conn->gate->stats, NK_STAT_DECISION, r->judged_us - r->judging_us);
}

/* Counters ------------------------------------------------------------------------------------- */

static void count_usage(struct nk_stats *stats, enum nk_stat total,
                        enum nk_stat_histogram histogram, bool is_kept, int64_t tokens)
{
    if (tokens < 0)
        return;
    nk_stats_add(stats, total, (uint64_t)tokens);
    if (is_kept)
        nk_stats_time(stats, histogram, tokens);
}

/* Calls to models, by what OpenTelemetry's conventions tell them apart: there are few of them. */
static void count_call(struct gate_stream *s, const struct nk_txn_counts *f)
{
    static const struct {
        const char *operation, *provider;
        enum nk_stat_histogram duration, failed, input, output;
        bool has_output;
    } kinds[] = {
        {"chat", "openai", NK_STAT_CHAT_OPENAI, NK_STAT_CHAT_OPENAI_FAILED,
         NK_STAT_TOKENS_CHAT_OPENAI_IN, NK_STAT_TOKENS_CHAT_OPENAI_OUT, true},
        {"chat", "anthropic", NK_STAT_CHAT_ANTHROPIC, NK_STAT_CHAT_ANTHROPIC_FAILED,
         NK_STAT_TOKENS_CHAT_ANTHROPIC_IN, NK_STAT_TOKENS_CHAT_ANTHROPIC_OUT, true},
        {"embeddings", "openai", NK_STAT_EMBED_OPENAI, NK_STAT_EMBED_OPENAI_FAILED,
         NK_STAT_TOKENS_EMBED_OPENAI_IN, NK_STAT_TOKENS_EMBED_OPENAI_IN, false},
    };
    struct nk_stats *stats = &s->conn->gate->stats;
    bool ok = f->refusal == 0 && f->upstream_status == 200;
    for (size_t i = 0; i < NK_COUNT(kinds); i++) {
        if (!nk_str_eq(f->genai, nk_str(kinds[i].operation)) ||
            !nk_str_eq(f->dialect, nk_str(kinds[i].provider)))
            continue;
        nk_stats_time(stats, ok ? kinds[i].duration : kinds[i].failed,
                      nk_loop_now(s->conn->gate->loop) - s->req->decided_us);
        count_usage(stats, NK_STAT_TOKENS_IN, kinds[i].input, true, f->usage.input_tokens);
        count_usage(stats, NK_STAT_TOKENS_OUT, kinds[i].output, kinds[i].has_output,
                    f->usage.output_tokens);
        return;
    }
}

static void count(struct gate_stream *s, const struct nk_txn_counts *f)
{
    struct nk_stats *stats = &s->conn->gate->stats;
    if (f->judged && !f->allowed)
        nk_stats_add(stats, f->policies ? NK_STAT_DENIED_FORBID : NK_STAT_DENIED_DEFAULT, 1);
    if (f->called && f->genai.p)
        count_call(s, f);
    nk_stats_add(stats, NK_STAT_TOOL_CALLS, (uint64_t)f->tool_calls);
    if (!f->streamed)
        return;
    nk_stats_add(stats, NK_STAT_STREAMS, 1);
    nk_stats_add(stats, NK_STAT_STREAM_EVENTS, (uint64_t)f->events);
    nk_stats_time(stats, NK_STAT_STREAM, nk_loop_now(s->conn->gate->loop) - s->req->first_byte_us);
}

/* The record ----------------------------------------------------------------------------------- */

/* Who asked, as far as the configuration lets it out; `room` has PRINCIPAL_MAX bytes. */
static struct nk_str principal(const struct nk_config *cfg, const struct nk_txn_facts *f,
                               char *room)
{
    struct nk_buf b = {.p = room, .cap = PRINCIPAL_MAX, .max = PRINCIPAL_MAX};
    bool hash = nk_str_eq(cfg->telemetry.principal, NK_STR("hash"));
    if (!f->principal_id.p || !(hash || nk_str_eq(cfg->telemetry.principal, NK_STR("id"))))
        return (struct nk_str){NULL, 0};
    nk_buf_add(&b, f->principal_type);
    nk_buf_add(&b, NK_STR("::"));
    nk_buf_add(&b, f->principal_id);
    if (b.error)
        return (struct nk_str){NULL, 0};
    if (!hash)
        return nk_buf_str(&b);
    const struct nk_str parts[] = {cfg->audit_origin, NK_STR("\n"), nk_buf_str(&b)};
    struct nk_digest d = nk_sha256_parts(parts, NK_COUNT(parts));
    nk_buf_clear(&b);
    nk_buf_add_hex(&b, d.b, NK_TRACE_ID_SIZE);
    return nk_buf_str(&b);
}

static void fill_about(const struct nk_gate_about *about, struct nk_wire_telemetry *t)
{
    t->text[NK_WIRE_ABOUT_METHOD] = about->method;
    t->text[NK_WIRE_ABOUT_OPERATION] = about->operation;
    t->text[NK_WIRE_ABOUT_NAME] = about->name;
    t->text[NK_WIRE_ABOUT_ERROR] = about->error;
}

static void fill_texts(const struct nk_txn_facts *f, const struct nk_txn_counts *n,
                       struct nk_wire_telemetry *t)
{
    t->text[NK_WIRE_REQUEST] = f->request;
    t->text[NK_WIRE_METHOD] = f->method;
    t->text[NK_WIRE_ROUTE] = f->route;
    t->text[NK_WIRE_OPERATION] = f->operation;
    t->text[NK_WIRE_DIALECT] = n->dialect;
    t->text[NK_WIRE_GENAI] = n->genai;
    t->text[NK_WIRE_MODEL] = f->model;
    t->text[NK_WIRE_MODEL_SENT] = f->model_sent;
    t->text[NK_WIRE_MODEL_ANSWERED] = f->model_answered;
    t->text[NK_WIRE_FINISH] = f->finish;
    t->text[NK_WIRE_STAGE] = f->stage;
    fill_about(&f->about, t);
    for (size_t i = 0; i < n->policies && i < NK_WIRE_POLICIES; i++)
        t->text[NK_WIRE_POLICY + i] = f->policies[i];
}

/* The end, now. All that is told of one request has the same idea of what time it is, so that its spans lie
 * within one another. */
static void fill_end(struct gate_request *r, struct nk_wire_telemetry *t)
{
    struct timespec wall;
    int64_t end = nk_loop_clock();
    if (!r->wall_us) {
        clock_gettime(CLOCK_REALTIME, &wall);
        r->wall_us = (int64_t)wall.tv_sec * 1000000 + wall.tv_nsec / 1000 - end;
    }
    t->end_unix = end + r->wall_us;
    t->took = end - r->started_us;
}

static void fill_times(struct gate_request *r, struct nk_wire_telemetry *t)
{
    int64_t start = r->started_us;
    fill_end(r, t);
    t->judging = r->judged_us ? r->judging_us - start : -1;
    t->judged = r->judged_us ? r->judged_us - start : -1;
    t->first_byte = r->first_byte_us ? r->first_byte_us - start : -1;
    if (r->first_byte_us && t->first_byte < t->judged)
        t->first_byte = t->judged; /* it came within the batch of the decision */
}

static uint32_t flags_of(const struct nk_txn_facts *f, const struct nk_txn_counts *n)
{
    return (f->has_parent ? NK_WIRE_HAS_PARENT : 0) | (f->is_traced ? NK_WIRE_TRACED : 0) |
           (n->judged ? NK_WIRE_JUDGED : 0) | (n->allowed ? NK_WIRE_ALLOWED : 0) |
           (n->streamed ? NK_WIRE_STREAMED : 0);
}

static uint32_t flags_of_conn(const struct gate_conn *c)
{
    return (c->sock.ssl ? NK_WIRE_TLS : 0) | (c->framing == &gate_h2 ? NK_WIRE_HTTP2 : 0);
}

static bool put(struct gate *g, const struct nk_txn *txn, const struct nk_wire_telemetry *t)
{
    char bytes[NK_WIRE_TELEMETRY_MAX];
    size_t n = nk_wire_put_telemetry(t, bytes);
    struct nk_ring_record rec = {.type = NK_WIRE_TELEMETRY,
                                 .generation = txn->setup->generation,
                                 .head_size = (uint32_t)n,
                                 .payload = {bytes, n}};
    return n && g->calls && nk_ring_space(g->calls) > CALLS_RESERVE &&
           nk_ring_put(g->calls, &rec) == 0;
}

static void tell(struct gate_stream *s, const struct nk_txn_counts *n, bool cut)
{
    struct gate_request *r = s->req;
    struct nk_wire_telemetry t;
    struct nk_txn_facts f;
    char room[PRINCIPAL_MAX];
    nk_txn_facts(r->txn, &f);
    memset(&t, 0, sizeof t);
    t.own = f.own;
    t.parent = f.parent;
    t.flags = flags_of(&f, n) | flags_of_conn(s->conn) | (cut ? NK_WIRE_CUT : 0);
    t.refusal = (uint32_t)n->refusal;
    t.status = (uint32_t)f.status;
    t.upstream_status = (uint32_t)n->upstream_status;
    t.upstream = n->called && !f.has_parts ? (uint32_t)f.upstream : UINT32_MAX;
    t.call_stream = r->call_slot;
    t.call_generation = r->call_generation;
    t.input_tokens = n->usage.input_tokens;
    t.output_tokens = n->usage.output_tokens;
    t.reply_bytes = f.reply_bytes;
    t.events = n->events;
    t.tool_calls = n->tool_calls;
    fill_times(r, &t);
    fill_texts(&f, n, &t);
    t.text[NK_WIRE_PRINCIPAL] = principal(&r->txn->setup->config, &f, room);
    if (!put(s->conn->gate, r->txn, &t))
        nk_stats_add(&s->conn->gate->stats, NK_STAT_TELEMETRY_DROPPED_RING, 1);
}

void gate_telemetry_calling(struct gate_stream *s, struct gate_call *c)
{
    const struct nk_gate_call *call = &s->req->txn->call;
    if (!call->span || !nk_txn_is_told(s->req->txn, false))
        return;
    c->span = call->span;
    c->about = call->about;
    c->method = call->head.method;
    c->begun_us = nk_loop_clock();
}

void gate_telemetry_call(struct gate_stream *s, const struct gate_call *c)
{
    struct gate *g = s->conn->gate;
    struct gate_request *r = s->req;
    struct nk_wire_telemetry t;
    struct nk_txn_facts f;
    nk_txn_facts(r->txn, &f);
    memset(&t, 0, sizeof t);
    t.own = f.own;
    t.flags = NK_WIRE_PART | NK_WIRE_TRACED | (c->failed ? NK_WIRE_CUT : 0);
    t.span = c->span;
    t.upstream = (uint32_t)c->upstream;
    t.upstream_status = (uint32_t)c->status;
    t.call_stream = c->slot;
    t.call_generation = g->slots[c->slot].generation;
    fill_end(r, &t);
    t.judging = c->begun_us - r->started_us;
    t.judged = t.first_byte = t.input_tokens = t.output_tokens = -1;
    t.text[NK_WIRE_REQUEST] = f.request;
    t.text[NK_WIRE_METHOD] = c->method;
    fill_about(&c->about, &t);
    if (!put(g, r->txn, &t))
        nk_stats_add(&g->stats, NK_STAT_TELEMETRY_DROPPED_RING, 1);
}

void gate_telemetry_over(struct gate_stream *s, bool cut)
{
    const struct nk_config_telemetry *cfg = &s->req->txn->setup->config.telemetry;
    struct nk_txn_counts n;
    nk_txn_counts(s->req->txn, &n);
    count(s, &n);
    if (is_on(cfg) && nk_txn_is_told(s->req->txn, !cfg->no_logs))
        tell(s, &n, cut);
}
