/* SPDX-License-Identifier: Apache-2.0
 *
 * core.c - plays a scenario against the pure core: this file is the edge. Requests are given whole
 * and byte by byte in turn (the result must not depend on it); time stands still.
 */
#include "scenario/scenario.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "scenario/torture.h"
#include "base/utf8.h"
#include "chain/chain.h"
#include "chain/replay.h"
#include "gate/counts.h"

enum { NOW_MS = 1795314900, SOON_MS = 100 };

struct core {
    struct nk_setup *setup;
    struct nk_buf config, keys, tools;
    struct nk_arena arena; /* of the running request */
    struct nk_txn *txn;
    struct nk_http_parser *upstream[LANES_MAX]; /* of calls beside one another */
    struct nk_str call_head[LANES_MAX], call_body[LANES_MAX];
    uint32_t lane; /* whose answer comes now */
    struct nk_chain chain;
    struct nk_arena upstream_arena, scratch;
    uint64_t requests;
    bool wakes; /* the transaction wants a step soon */
};

static struct core core;

static const char *core_open(struct scenario *s, struct sighting *seen)
{
    struct nk_fault f = {0};
    (void)seen;
    memset(&core, 0, sizeof core);
    nk_buf_init(&core.config, 1 << 20);
    nk_buf_init(&core.keys, 1 << 20);
    scenario_config(s, 1, &core.config);
    scenario_keys(s, &core.keys);
    nk_buf_init(&core.tools, 1 << 20);
    scenario_tools(s, &core.tools);
    struct nk_set_policy policy = {NK_STR("scenario.cedar"), nk_buf_str(&s->policy)};
    struct nk_set_policy shop = {NK_STR("shop.cedar"), nk_buf_str(&s->store)};
    struct nk_store_input store = {.policies = &shop, .policy_count = 1};
    struct nk_setup_input in = {.stores = &store,
                                .store_count = s->store.n ? 1 : 0,
                                .config = nk_buf_str(&core.config),
                                .policies = &policy,
                                .policy_count = s->policy.n ? 1 : 0,
                                .keys = nk_buf_str(&core.keys),
                                .sessions = NK_STR("what sessions are sealed with in scenarios"),
                                .seed = {1, 2}};
    if (s->tools.n)
        in.tools = nk_buf_str(&core.tools);
    if (s->entities.n)
        in.entities = nk_buf_str(&s->entities);
    torture_enter();
    core.setup = nk_setup_new(&in, &f);
    torture_leave();
    nk_chain_init(&core.chain);
    if (!core.setup)
        return nk_arena_printf(&s->arena, "%s", f.message).p;
    return NULL;
}

static void put_record(struct sighting *seen, struct nk_str facts)
{
    struct nk_arena scratch;
    struct nk_fault f = {0};
    nk_arena_init(&scratch, 1 << 20);
    if (nk_chain_append(&core.chain, 7, core.chain.tree.size, facts, &scratch, &seen->records, &f))
        nk_buf_printf(&seen->records, "BROKEN RECORD: %s\n", f.message);
    nk_arena_free(&scratch);
}

static void effects(struct sighting *seen, unsigned fx)
{
    struct nk_txn *t = core.txn;
    for (size_t i = 0; fx & NK_FX_RECORD && i < t->record_count; i++)
        put_record(seen, t->records[i]);
    if (fx & (NK_FX_ABORT | NK_FX_DROP))
        seen->cancelled = true;
    if (fx & NK_FX_CALL) {
        seen->calls++;
        nk_buf_clear(&seen->call_head);
        nk_buf_clear(&seen->call_body);
        nk_buf_printf(&seen->call_head, "%.*s %.*s\n", NK_FMT(t->call.head.method),
                      NK_FMT(t->call.head.target));
        scenario_put_headers(&t->call.head, &seen->call_head);
        nk_buf_add(&seen->call_body, t->call.body);
        NK_MUST(t->call.lane < LANES_MAX);
        core.call_head[t->call.lane] =
            nk_arena_copy(&core.upstream_arena, nk_buf_str(&seen->call_head));
        core.call_body[t->call.lane] = nk_arena_copy(&core.upstream_arena, t->call.body);
    }
    if (fx & NK_FX_HEAD) {
        seen->status = t->reply_head.status;
        scenario_put_headers(&t->reply_head, &seen->head);
    }
    if (fx & NK_FX_DATA) {
        nk_buf_add(&seen->body, nk_buf_str(&t->out));
        nk_buf_clear(&t->out);
    }
    if (fx & NK_FX_WAKE)
        core.wakes = t->wake_ms > 0 && t->wake_ms < SOON_MS;
    seen->complete |= !!(fx & NK_FX_END);
    seen->cut |= !!(fx & NK_FX_CUT);
}

static void step(struct sighting *seen, enum nk_event_type type, const struct nk_http_head *head,
                 struct nk_str bytes, int fail)
{
    struct nk_event e = {
        .type = type, .unix_ms = NOW_MS * 1000LL, .head = head, .bytes = bytes, .fail = fail};
    e.lane = type >= NK_EV_ANSWER && type <= NK_EV_ANSWER_FAIL ? core.lane : 0;
    if (!core.txn)
        return;
    torture_enter();
    unsigned fx = nk_gate_step(core.txn, &e);
    torture_leave();
    effects(seen, fx);
    nk_arena_free(&core.scratch); /* nothing of a step outlives it: AddressSanitizer would say so */
    if (fx & NK_FX_NEXT)
        step(seen, NK_EV_NEXT, NULL, NK_STR(""), 0);
    if (!core.wakes)
        return;
    core.wakes = false;
    step(seen, NK_EV_WAKE, NULL, NK_STR(""), 0);
}

/* What is told of a request when it is over has outlived its steps. */
static void look_back(const struct nk_txn *t)
{
    struct nk_txn_counts counts;
    struct nk_txn_facts facts;
    nk_txn_counts(t, &counts);
    nk_txn_facts(t, &facts);
    for (size_t i = 0; i < counts.policies; i++)
        NK_MUST(facts.policies[i].p && facts.policies[i].n < 4096 &&
                nk_utf8_check(facts.policies[i]) == facts.policies[i].n);
}

static void end_request(void)
{
    if (core.txn) {
        look_back(core.txn);
        nk_txn_free(core.txn);
    }
    core.txn = NULL;
    nk_arena_free(&core.arena);
    nk_arena_free(&core.upstream_arena);
    nk_arena_free(&core.scratch);
    memset(core.upstream, 0, sizeof core.upstream);
    memset(core.call_head, 0, sizeof core.call_head);
    core.lane = 0;
}

static const char *feed_request(struct sighting *seen, struct nk_str bytes)
{
    static const struct nk_http_limits lim = {64 << 10, 100, 16 << 20};
    struct nk_http_parser *p = nk_http_parser_new(&core.arena, true, &lim);
    size_t piece = core.requests % 2 ? 1 : bytes.n; /* in turn: byte by byte, and whole */
    for (size_t at = 0; p && at < bytes.n; at += piece) {
        struct nk_str in = nk_str_sub(bytes, at, at + piece);
        while (!seen->complete && !seen->cut) {
            enum nk_http_event event;
            struct nk_fault f = {0};
            torture_enter();
            int rc = nk_http_parse(p, &in, &event, &f);
            torture_leave();
            if (rc) {
                step(seen, NK_EV_BAD_REQUEST, NULL, nk_str(f.message), rc);
                return NULL;
            }
            if (event == NK_HTTP_MORE)
                break;
            if (event == NK_HTTP_HEAD)
                step(seen, NK_EV_REQUEST, nk_http_parser_head(p), NK_STR(""), 0);
            else if (event == NK_HTTP_BODY)
                step(seen, NK_EV_BODY, NULL, nk_http_parser_body(p), 0);
            else {
                step(seen, NK_EV_REQUEST_END, NULL, NK_STR(""), 0);
                return NULL;
            }
        }
    }
    return p ? NULL : "out of memory";
}

static const char *core_client(struct scenario *s, struct sighting *seen,
                               const struct scenario_key *key, struct nk_str method,
                               struct nk_str target, struct nk_str headers, struct nk_str body)
{
    end_request();
    nk_arena_init(&core.arena, 32 << 20);
    nk_arena_init(&core.upstream_arena, 32 << 20);
    nk_arena_init(&core.scratch, 32 << 20);
    struct nk_gate_env env = {.instance = 7, .number = core.requests, .scratch = &core.scratch};
    torture_enter();
    core.txn = nk_txn_new(&core.arena, core.setup, &env);
    torture_leave();
    if (!core.txn)
        return "out of memory";
    struct nk_buf b;
    nk_buf_init(&b, 32 << 20);
    nk_buf_printf(&b, "%.*s %.*s HTTP/1.1\r\nHost: nakoso\r\n", NK_FMT(method), NK_FMT(target));
    if (key)
        nk_buf_printf(&b, "Authorization: Bearer %s\r\n", key->secret);
    nk_buf_add(&b, headers);
    if (body.p)
        nk_buf_printf(&b, "Content-Length: %zu\r\n", body.n);
    nk_buf_add(&b, NK_STR("\r\n"));
    nk_buf_add(&b, body);
    const char *why = feed_request(seen, nk_arena_copy(&s->arena, nk_buf_str(&b)));
    nk_buf_free(&b);
    core.requests++;
    return why;
}

/* The upstream's words as HTTP text, through the same parser that the courier uses. */
static const char *upstream_bytes(struct sighting *seen, struct nk_str in)
{
    struct nk_http_parser *p = core.upstream[core.lane];
    if (!p)
        return "no answer has begun";
    for (;;) {
        enum nk_http_event event;
        struct nk_fault f = {0};
        int rc = nk_http_parse(p, &in, &event, &f);
        if (rc) {
            step(seen, NK_EV_ANSWER_FAIL, NULL, nk_str(f.message), NK_UPSTREAM_BROKEN);
            return NULL;
        }
        if (event == NK_HTTP_MORE)
            return NULL;
        if (event == NK_HTTP_HEAD)
            step(seen, NK_EV_ANSWER, nk_http_parser_head(p), NK_STR(""), 0);
        else if (event == NK_HTTP_BODY)
            step(seen, NK_EV_ANSWER_DATA, NULL, nk_http_parser_body(p), 0);
        else {
            step(seen, NK_EV_ANSWER_END, NULL, NK_STR(""), 0);
            return NULL;
        }
    }
}

/* From here on the upstream speaks of another of the calls that run. */
static const char *take_up(struct sighting *seen, struct nk_str which)
{
    uint64_t lane;
    if (nk_str_to_u64(which, &lane) || lane >= LANES_MAX || !core.call_head[lane].p)
        return "there is no such call";
    core.lane = (uint32_t)lane;
    nk_buf_clear(&seen->call_head);
    nk_buf_clear(&seen->call_body);
    nk_buf_add(&seen->call_head, core.call_head[lane]);
    nk_buf_add(&seen->call_body, core.call_body[lane]);
    return NULL;
}

static const char *core_upstream(struct scenario *s, struct sighting *seen, struct nk_str what)
{
    static const struct nk_http_limits lim = {64 << 10, 100, 16 << 20};
    if (!core.txn || !seen->calls)
        return "nothing was sent upstream";
    struct nk_str rest = what, w = nk_str_cut(&rest, ' ');
    if (nk_str_eq(w, NK_STR("on")))
        return take_up(seen, rest);
    if (nk_str_eq(w, NK_STR("end")))
        return upstream_bytes(seen, NK_STR("0\r\n\r\n"));
    if (nk_str_eq(w, NK_STR("fail"))) {
        step(seen, NK_EV_ANSWER_FAIL, NULL, NK_STR("as the scenario says"),
             nk_str_eq(rest, NK_STR("timeout")) ? NK_UPSTREAM_TIMEOUT : NK_UPSTREAM_BROKEN);
        return NULL;
    }
    if (nk_str_eq(w, NK_STR("data"))) {
        struct nk_str text = scenario_unescape(s, rest);
        struct nk_str chunk = nk_arena_printf(&s->arena, "%zx\r\n%.*s\r\n", text.n, NK_FMT(text));
        return text.n ? upstream_bytes(seen, chunk) : NULL;
    }
    core.upstream[core.lane] = nk_http_parser_new(&core.upstream_arena, false, &lim);
    struct nk_str head = nk_arena_printf(&s->arena,
                                         "HTTP/1.1 %.*s X\r\nContent-Type: %.*s\r\n"
                                         "Transfer-Encoding: chunked\r\n\r\n",
                                         NK_FMT(w), NK_FMT(rest));
    return core.upstream[core.lane] && head.p ? upstream_bytes(seen, head) : "out of memory";
}

static const char *core_gone(struct scenario *s, struct sighting *seen)
{
    (void)s;
    step(seen, NK_EV_CLIENT_GONE, NULL, NK_STR(""), 0);
    return NULL;
}

static void core_settle(struct scenario *s, struct sighting *seen)
{
    (void)s;
    (void)seen;
}

static const char *replay_line(struct scenario *s, struct nk_str line)
{
    static const struct nk_json_limits lim = {1 << 20, 64, 1 << 16};
    struct nk_arena a;
    struct nk_json doc;
    struct nk_fault f = {0};
    const char *why = "";
    nk_arena_init(&a, 16 << 20);
    struct nk_replay r;
    if (nk_json_parse(&lim, line, &a, &doc, &f) ||
        nk_replay_record(&doc, core.setup->policies, core.setup->entities, &a, &r, &f))
        why = nk_arena_printf(&s->arena, "%s", f.message).p;
    else if (r.judged && !r.same)
        why = "decided differently";
    nk_arena_free(&a);
    return why;
}

static const char *core_replay(struct scenario *s, struct sighting *seen)
{
    for (struct nk_str rest = nk_buf_str(&seen->records); rest.n;) {
        struct nk_str line = nk_str_cut(&rest, '\n');
        const char *why = replay_line(s, line);
        if (*why)
            return why;
    }
    return "";
}

static void core_close(struct scenario *s, struct sighting *seen)
{
    (void)s;
    (void)seen;
    end_request();
    if (core.setup)
        nk_setup_release(core.setup);
    nk_buf_free(&core.config);
    nk_buf_free(&core.keys);
    nk_buf_free(&core.tools);
}

const struct driver core_driver = {"core",      core_open,   core_client, core_upstream, core_gone,
                                   core_settle, core_settle, core_replay, core_close};
