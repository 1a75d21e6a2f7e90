/* SPDX-License-Identifier: Apache-2.0
 *
 * calls.c - see calls.h.
 */
#include "gate/calls.h"

#include "gate/tool.h"

enum { WHY_MAX = 4096 };

/* What is said in place of a call: which one, and why. */
static struct nk_str text_of(struct nk_txn *t, const struct nk_tool_use *call, struct nk_str why)
{
    const char *between = call->id.n ? " " : "";
    if (t->state->japanese)
        return nk_arena_printf(t->arena, "[ツール「%.*s」の呼び出し%s%.*s を拒否しました。%.*s]",
                               NK_FMT(call->name), between, NK_FMT(call->id), NK_FMT(why));
    return nk_arena_printf(t->arena, "[The call of tool \"%.*s\"%s%.*s was refused. %.*s]",
                           NK_FMT(call->name), between, NK_FMT(call->id), NK_FMT(why));
}

const struct nk_tool *gate_calls_tool(const struct nk_txn *t, struct nk_str name)
{
    const struct nk_tool *tool = nk_tools_find(t->setup->tools, name);
    return tool ? tool : nk_tools_find_of(t->setup->tools, NK_STR("client"), name);
}

/* The text for a verdict that is no release; nobody can be asked to agree here. */
static int say(struct nk_txn *t, const struct nk_tool_use *call, const struct nk_tool_verdict *v,
               struct nk_str *text)
{
    struct nk_str more = NK_STR("");
    if (v->outcome == NK_TOOL_STEP_UP)
        more = t->state->japanese ? NK_STR(" この API では承認を求めることができません。")
                                  : NK_STR(" There is no way to ask for it in this API.");
    const struct nk_str parts[] = {nk_str_sub(v->why, 0, WHY_MAX), more};
    struct nk_str why = nk_arena_join(t->scratch, parts, NK_COUNT(parts));
    if (why.p)
        *text = text_of(t, call, why);
    return text->p ? 0 : NK_ENOMEM;
}

/* One call: its record, and what is said in its place, if it is refused. Policies see the arguments of registered
 * tools alone. */
static int decide(struct nk_txn *t, const struct nk_tool_use *call, struct nk_str *text,
                  struct nk_fault *f)
{
    struct nk_gate_state *s = t->state;
    const struct nk_tool *tool = gate_calls_tool(t, call->name);
    struct nk_tool_verdict v;
    struct nk_tool_ask ask;
    struct nk_fault why = {0};
    int rc = gate_tool_ask(t, tool ? tool->full : call->name, &ask, f);
    if (rc)
        return rc;
    if (tool)
        ask.arguments = call->arguments;
    ask.session.turn = s->call.answer_count + 1;
    ask.session.calls = (int64_t)s->call.result_count + s->tool_calls;
    if (nk_tool_decide(&ask, t->scratch, &v, &why) == NK_ENOMEM)
        return NK_ENOMEM;
    (void)gate_record_tool(t, &v, call->id);
    if (t->record_lost || !v.record.p)
        return NK_ENOMEM;
    return v.outcome == NK_TOOL_ALLOW ? 0 : say(t, call, &v, text);
}

int gate_calls_decide(struct nk_txn *t, const struct nk_tool_use *calls, size_t n,
                      struct nk_str *texts, size_t *refused, struct nk_fault *f)
{
    struct nk_gate_state *s = t->state;
    int rc = 0;
    *refused = 0;
    for (size_t i = 0; !rc && i < n; i++) {
        texts[i] = (struct nk_str){NULL, 0};
        if (!calls[i].ran)
            rc = decide(t, &calls[i], &texts[i], f);
        *refused += texts[i].p != NULL;
        s->tool_calls++;
    }
    s->calls_refused += (int64_t)*refused;
    if (rc && !f->code)
        return nk_fault_set(f, rc, "calls", 0, "no memory to decide a tool call");
    return rc;
}

/* Streams ----------------------------------------------------------------------------------------- */

static int put_event(struct nk_txn *t, const struct nk_sse_event *e, struct nk_fault *f)
{
    struct nk_gate_state *s = t->state;
    struct nk_json data;
    nk_arena_reset(&s->event_arena);
    int rc = gate_event_parse(t, e, &data, f);
    return rc ? rc : s->reading->dialect->stream_edit(s->stream, e, &data, &t->out, f);
}

/* The events that are held, cut again. They came before and are whole. */
static int put_held(struct nk_txn *t, struct nk_fault *f)
{
    struct nk_gate_state *s = t->state;
    struct nk_str rest = nk_buf_str(&s->held);
    struct nk_sse cut;
    struct nk_sse_event e;
    int rc = 0;
    nk_sse_init(&cut, (size_t)t->setup->config.limits.event_bytes);
    cut.began = true; /* of a stream only the very first event may begin with a byte order mark */
    while (!rc && rest.n) {
        rc = nk_sse_feed(&cut, nk_str_sub(rest, 0, NK_SSE_FEED_MAX), f);
        rest = nk_str_sub(rest, NK_SSE_FEED_MAX, rest.n);
        if (!rest.n)
            nk_sse_end(&cut);
        while (!rc && !(rc = nk_sse_next(&cut, &e, f)))
            rc = put_event(t, &e, f);
        rc = rc == NK_EAGAIN ? 0 : rc;
    }
    nk_sse_free(&cut);
    return rc;
}

static int decide_of_stream(struct nk_txn *t, const struct nk_tool_use *calls, size_t n,
                            struct nk_fault *f)
{
    struct nk_gate_state *s = t->state;
    struct nk_str *texts = nk_arena_array(t->scratch, n, sizeof *texts);
    size_t refused = 0;
    int rc = texts ? gate_calls_decide(t, calls, n, texts, &refused, f) : NK_ENOMEM;
    for (size_t i = 0; !rc && i < n; i++)
        if (texts[i].p)
            nk_stream_refuse(s->stream, calls[i].number, texts[i]);
    return rc;
}

int gate_calls_stream(struct nk_txn *t, const struct nk_sse_event *e,
                      const struct nk_tool_use *calls, size_t n, struct nk_fault *f)
{
    struct nk_gate_state *s = t->state;
    int rc = n ? decide_of_stream(t, calls, n, f) : 0;
    if (rc)
        return rc;
    if (s->calls_refused) {
        rc = put_held(t, f);
        if (!rc)
            rc = put_event(t, e, f);
    } else {
        nk_buf_add(&t->out, nk_buf_str(&s->held));
        nk_buf_add(&t->out, e->raw);
    }
    nk_buf_clear(&s->held);
    return rc ? rc : t->out.error;
}

/* Whole answers ----------------------------------------------------------------------------------- */

/* What is known of the answer is told when it is over: it must not stand in the text that is given up. */
static int keep_known(struct nk_txn *t)
{
    struct nk_str *const known[] = {&t->state->finish, &t->state->reply_model};
    for (size_t i = 0; i < NK_COUNT(known); i++) {
        struct nk_str own = nk_arena_copy(t->arena, *known[i]);
        if (!own.p)
            return NK_ENOMEM;
        if (known[i]->n)
            *known[i] = own;
    }
    return 0;
}

static int write_anew(struct nk_txn *t, const struct nk_json *doc, const struct nk_str *texts,
                      struct nk_fault *f)
{
    struct nk_gate_state *s = t->state;
    const struct nk_config_limits *lim = &t->setup->config.limits;
    struct nk_buf out;
    nk_buf_init(&out, (size_t)(lim->reply_bytes + lim->event_bytes));
    int rc = s->reading->dialect->edit_reply(s->reading, doc, texts, t->scratch, &out, f);
    if (!rc)
        rc = keep_known(t);
    if (rc) {
        nk_buf_free(&out);
        return rc;
    }
    nk_buf_free(&s->reply);
    s->reply = out; /* moved */
    return 0;
}

int gate_calls_reply(struct nk_txn *t, const struct nk_json *doc, const struct nk_reply *reply,
                     struct nk_fault *f)
{
    struct nk_str *texts = nk_arena_array(t->scratch, reply->tool_count, sizeof *texts);
    size_t refused = 0;
    int rc = texts ? gate_calls_decide(t, reply->tools, reply->tool_count, texts, &refused, f)
                   : NK_ENOMEM;
    return rc || !refused ? rc : write_anew(t, doc, texts, f);
}
