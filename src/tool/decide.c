/* SPDX-License-Identifier: Apache-2.0
 *
 * decide.c - the question about one call, put together and asked. See tool.h; docs/tools.md has what
 * policies see. What the judge is given is read back from the text that the record keeps, so whoever decides the
 * record again decides on the same.
 */
#include "tool/decide.h"

#include "json/canonical.h"

static const struct nk_json_limits argument_limits = {NK_TOOL_ARGUMENTS_MAX, 64, 20000};
static const struct nk_json_limits context_limits = {4 * NK_TOOL_ARGUMENTS_MAX, 128, 80000};

/* Facts ------------------------------------------------------------------------------------------- */

void nk_tool_put_actor(struct nk_buf *out, const struct nk_principal *p)
{
    if (!p->actor_count)
        return;
    nk_buf_add(out, NK_STR(",\"actor\":{\"id\":"));
    nk_json_put_string(out, p->actors[0].id);
    if (p->actors[0].issuer.p) {
        nk_buf_add(out, NK_STR(",\"issuer\":"));
        nk_json_put_string(out, p->actors[0].issuer);
    }
    nk_buf_add(out, NK_STR(",\"agent\":{\"__entity\":{\"type\":\"Agent\",\"id\":"));
    nk_json_put_string(out, p->actors[0].id);
    nk_buf_add(out, NK_STR("}},\"chain\":["));
    for (size_t i = 0; i < p->actor_count; i++) {
        if (i)
            nk_buf_add_char(out, ',');
        nk_json_put_string(out, p->actors[i].id);
    }
    nk_buf_add(out, NK_STR("]}"));
}

/* Members that all questions about tools have, behind the first. */
static void put_common(struct nk_buf *out, const struct nk_tool_ask *ask)
{
    nk_buf_add(out, NK_STR("\"session\":{\"turn\":"));
    nk_buf_add_i64(out, ask->session.turn);
    nk_buf_add(out, NK_STR(",\"calls\":"));
    nk_buf_add_i64(out, ask->session.calls);
    if (ask->session.id.p) {
        nk_buf_add(out, NK_STR(",\"id\":"));
        nk_json_put_string(out, ask->session.id);
    }
    nk_buf_add_char(out, '}');
    nk_tool_put_actor(out, ask->principal);
    nk_json_put_member(out, NK_STR("strength"), nk_str(ask->principal->proof));
    nk_json_put_member(out, NK_STR("dialect"), nk_str(ask->dialect));
}

static int read_value(struct tool_asking *q, struct nk_str text, const struct nk_cedar_value **out)
{
    struct nk_json doc;
    int rc = nk_json_parse(&context_limits, text, q->a, &doc, q->f);
    return rc ? rc : nk_cedar_value_parse(&doc, 0, q->a, out, q->f);
}

static int keep(struct tool_asking *q, struct nk_buf *b, struct nk_str *out)
{
    *out = b->error ? (struct nk_str){NULL, 0} : nk_arena_copy(q->a, nk_buf_str(b));
    int rc = out->p ? 0 : b->error ? b->error : NK_ENOMEM;
    nk_buf_free(b);
    return rc;
}

/* The context as the record has it, and as the judge. */
static int put_context(struct tool_asking *q, bool with_input)
{
    const struct nk_tool *t = q->ask->tool;
    struct nk_buf out, undeclared;
    int rc = 0;
    nk_buf_init(&out, context_limits.max_bytes);
    nk_buf_init(&undeclared, context_limits.max_bytes);
    nk_buf_add_char(&out, '{');
    if (with_input && t && t->type) {
        nk_buf_add(&out, NK_STR("\"input\":"));
        rc = nk_tool_put_cedar(t->type, &q->doc, 0, &out, &undeclared, q->f);
        nk_buf_add_char(&out, ',');
        if (undeclared.n)
            nk_buf_printf(&out, "\"undeclared\":[%.*s],", NK_FMT(nk_buf_str(&undeclared)));
    }
    nk_buf_free(&undeclared);
    put_common(&out, q->ask);
    nk_buf_add_char(&out, '}');
    int kept = keep(q, &out, &q->context);
    rc = rc ? rc : kept;
    return rc ? rc : read_value(q, q->context, &q->req.context);
}

static void put_question(struct tool_asking *q)
{
    const struct nk_tool_ask *ask = q->ask;
    q->req = (struct nk_cedar_request){
        .principal = {ask->principal->type, ask->principal->id},
        .action = {NK_STR("Action"), ask->tool ? ask->tool->full : NK_STR("CallTool")},
        .resource = {NK_STR("Tool"), ask->tool ? ask->tool->full : ask->name}};
}

/* Arguments --------------------------------------------------------------------------------------- */

static int read_arguments(struct tool_asking *q)
{
    const struct nk_tool *t = q->ask->tool;
    struct nk_str text = q->ask->arguments.n ? q->ask->arguments : NK_STR("{}");
    struct nk_fault inner = {0};
    int rc = nk_json_parse(&argument_limits, text, q->a, &q->doc, &inner);
    if (rc)
        return nk_fault_set(q->f, rc, "arguments", inner.offset, "the arguments are no JSON: %s",
                            inner.message);
    if (nk_json_type(&q->doc, 0) != NK_JSON_OBJECT)
        return nk_fault_set(q->f, NK_EINVAL, "arguments", 0, "the arguments are no JSON object");
    if (!t || !t->input)
        return 0;
    rc = nk_schema_check(t->input, &q->doc, 0, q->a, &inner);
    return rc ? nk_fault_set(q->f, rc, "arguments", inner.offset, "%s", inner.message) : 0;
}

static void add_part(struct nk_buf *b, struct nk_str part)
{
    nk_json_put_string(b, part); /* so that no part can run into the next */
    nk_buf_add_char(b, '\n');
}

/* What a person agrees to: who, for whom, in which conversation, which tool as it was approved, and the arguments to
 * the last digit. */
static int digest_question(struct tool_asking *q)
{
    const struct nk_tool_ask *ask = q->ask;
    const struct nk_principal *p = ask->principal;
    struct nk_buf b;
    nk_buf_init(&b, context_limits.max_bytes);
    add_part(&b, p->type);
    add_part(&b, p->id);
    for (size_t i = 0; i < p->actor_count; i++)
        add_part(&b, p->actors[i].id);
    nk_buf_add_char(&b, '\n');
    add_part(&b, ask->session.id.p ? ask->session.id : NK_STR(""));
    add_part(&b, q->req.resource.id);
    if (ask->tool)
        nk_buf_add_hex(&b, ask->tool->digest.b, sizeof ask->tool->digest.b);
    nk_buf_add_char(&b, '\n');
    int rc = nk_json_canonical(&q->doc, 0, NK_CANONICAL_EXACT, &b, q->f);
    if (!rc)
        q->out->approval = nk_sha256(nk_buf_str(&b));
    nk_buf_free(&b);
    return rc;
}

/* Fields ------------------------------------------------------------------------------------------ */

/* Asks about each data class of the tool's results. */
static int ask_classes(struct tool_asking *q)
{
    const struct nk_tool *t = q->ask->tool;
    struct nk_cedar_request req = q->req;
    struct nk_buf out;
    if (!t || !t->class_count || q->out->outcome != NK_TOOL_ALLOW)
        return 0;
    nk_buf_init(&out, context_limits.max_bytes);
    nk_buf_add(&out, NK_STR("{\"tool\":"));
    nk_json_put_string(&out, t->full);
    nk_buf_add_char(&out, ',');
    put_common(&out, q->ask);
    nk_buf_add_char(&out, '}');
    int rc = keep(q, &out, &q->class_context);
    if (!rc)
        rc = read_value(q, q->class_context, &req.context);
    q->classes = rc ? NULL : nk_arena_array(q->a, t->class_count, sizeof *q->classes);
    if (!rc && !q->classes)
        rc = NK_ENOMEM;
    req.action.id = NK_STR("ReadField");
    for (size_t i = 0; !rc && i < t->class_count; i++) {
        req.resource = (struct nk_cedar_uid){NK_STR("DataClass"), t->classes[i]};
        rc = nk_cedar_authorize(q->ask->policies, q->ask->store, &req, q->a, &q->classes[i]);
        if (!rc && !q->classes[i].allow)
            q->out->denied |= UINT64_C(1) << i;
    }
    return rc;
}

/* The whole --------------------------------------------------------------------------------------- */

static int judge(struct tool_asking *q)
{
    const struct nk_tool_ask *ask = q->ask;
    struct nk_tool_verdict *v = q->out;
    struct nk_tool_judgement j;
    bool approved = ask->approved && nk_digest_eq(*ask->approved, v->approval);
    int rc = nk_tool_judge(ask->policies, ask->store, &q->req, approved, q->a, &j);
    if (rc)
        return rc;
    q->judged = true;
    q->approved = approved;
    v->outcome = j.outcome;
    v->answer = j.answer;
    v->waived = j.waived;
    v->waived_count = j.waived_count;
    v->redact = j.redact;
    v->redact_count = j.redact_count;
    return ask_classes(q);
}

static int decide(struct tool_asking *q)
{
    put_question(q);
    int rc = read_arguments(q);
    if (!rc)
        rc = put_context(q, true);
    if (!rc)
        rc = digest_question(q);
    return rc ? rc : judge(q);
}

int nk_tool_decide(const struct nk_tool_ask *ask, struct nk_arena *a, struct nk_tool_verdict *out,
                   struct nk_fault *f)
{
    struct nk_fault own = {0};
    struct tool_asking q = {.ask = ask, .a = a, .out = out, .f = &own};
    *out = (struct nk_tool_verdict){.outcome = NK_TOOL_REFUSE};
    int rc = decide(&q);
    if (rc && rc != NK_ENOMEM) {
        *out = (struct nk_tool_verdict){.outcome = NK_TOOL_REFUSE};
        q.judged = false;
    }
    int told = rc == NK_ENOMEM ? rc : tool_tell(&q);
    if (rc == NK_ENOMEM || told) {
        *out = (struct nk_tool_verdict){.outcome = NK_TOOL_REFUSE};
        return nk_fault_set(f, NK_ENOMEM, "tool", 0, "out of memory");
    }
    return rc ? nk_fault_set(f, rc, "arguments", own.offset, "%s", own.message) : 0;
}

int nk_tool_may_list(const struct nk_tool_ask *ask, struct nk_arena *a, bool *out,
                     struct nk_fault *f)
{
    static const struct nk_str unknown[] = {{"input", 5}, {"undeclared", 10}};
    struct tool_asking q = {.ask = ask, .a = a, .f = f};
    *out = false;
    put_question(&q);
    int rc = put_context(&q, false);
    if (rc)
        return rc;
    struct nk_cedar_partial_request req = {
        .principal = q.req.principal,
        .action = q.req.action,
        .resource = q.req.resource,
        .context = q.req.context,
        .context_attrs = unknown,
        .context_attr_count = ask->tool && ask->tool->type ? NK_COUNT(unknown) : 0};
    rc = nk_tool_judge_open(ask->policies, ask->store, &req, a, out);
    return rc ? nk_fault_set(f, rc, "tool", 0, "the list cannot be decided") : 0;
}

int nk_tool_denied(const struct nk_tool_ask *ask, struct nk_arena *a, uint64_t *denied,
                   struct nk_fault *f)
{
    struct nk_tool_verdict v = {.outcome = NK_TOOL_ALLOW};
    struct tool_asking q = {.ask = ask, .a = a, .out = &v, .f = f};
    put_question(&q);
    int rc = ask_classes(&q);
    *denied = v.denied;
    return rc ? nk_fault_set(f, rc, "tool", 0, "the fields cannot be decided") : 0;
}
