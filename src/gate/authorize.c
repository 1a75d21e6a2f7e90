/* SPDX-License-Identifier: Apache-2.0
 *
 * authorize.c - the only judge. Principal and context are first written as Cedar JSON and then read
 * back for the decision: the record keeps exactly those bytes, so a replay decides on exactly the
 * same facts.
 */
#include "gate/txn.h"

enum { FACTS_MAX = 256 << 10, FACTS_ORDINARY = 1024 };

static void put_uid(struct nk_buf *out, struct nk_str type, struct nk_str id)
{
    nk_buf_add(out, NK_STR("{\"type\":"));
    nk_json_put_string(out, type);
    nk_buf_add(out, NK_STR(",\"id\":"));
    nk_json_put_string(out, id);
    nk_buf_add_char(out, '}');
}

static void put_strings(struct nk_buf *out, const struct nk_str *v, size_t n)
{
    nk_buf_add_char(out, '[');
    for (size_t i = 0; i < n; i++) {
        if (i)
            nk_buf_add_char(out, ',');
        nk_json_put_string(out, v[i]);
    }
    nk_buf_add_char(out, ']');
}

static void put_attr(struct nk_buf *out, const struct nk_attr *attr)
{
    nk_json_put_name(out, attr->name);
    switch (attr->type) {
    case NK_ATTR_STRING:
        nk_json_put_string(out, attr->string);
        break;
    case NK_ATTR_INT:
        nk_buf_add_i64(out, attr->integer);
        break;
    case NK_ATTR_BOOL:
        nk_buf_add(out, attr->integer ? NK_STR("true") : NK_STR("false"));
        break;
    case NK_ATTR_STRINGS:
        put_strings(out, attr->strings, attr->string_count);
        break;
    }
}

static void put_principal(struct nk_buf *out, const struct nk_principal *p)
{
    nk_buf_add(out, NK_STR("[{\"uid\":"));
    put_uid(out, p->type, p->id);
    nk_buf_add(out, NK_STR(",\"attrs\":{"));
    for (size_t i = 0; i < p->attr_count; i++)
        put_attr(out, &p->attrs[i]);
    nk_buf_add(out, NK_STR("},\"parents\":["));
    for (size_t i = 0; i < p->group_count; i++) {
        if (i)
            nk_buf_add_char(out, ',');
        put_uid(out, NK_STR("Group"), p->groups[i]);
    }
    nk_buf_add(out, NK_STR("]}]"));
}

static void put_tools(struct nk_buf *out, const struct nk_call *c, bool hosted)
{
    bool first = true;
    nk_buf_add_char(out, '[');
    for (size_t i = 0; i < c->tool_count; i++) {
        if (c->tools[i].hosted != hosted)
            continue;
        if (!first)
            nk_buf_add_char(out, ',');
        first = false;
        nk_json_put_string(out, c->tools[i].name);
    }
    nk_buf_add_char(out, ']');
}

static void put_context(struct nk_buf *out, const struct nk_gate_state *s)
{
    nk_buf_add(out, NK_STR("{\"dialect\":"));
    nk_json_put_string(out, nk_str(s->dialect->name));
    nk_buf_add(out, s->call.stream ? NK_STR(",\"stream\":true") : NK_STR(",\"stream\":false"));
    nk_buf_add(out, NK_STR(",\"messages\":"));
    nk_buf_add_i64(out, s->call.message_count);
    nk_buf_add(out, NK_STR(",\"maxTokens\":"));
    nk_buf_add_i64(out, s->call.max_tokens);
    nk_buf_add(out, NK_STR(",\"bodyBytes\":"));
    nk_buf_add_u64(out, s->body.n);
    nk_buf_add(out, NK_STR(",\"strength\":"));
    nk_json_put_string(out, nk_str(s->principal->proof));
    if (s->certificate) {
        nk_buf_add(out, NK_STR(",\"clientCertificate\":{"));
        nk_json_put_member(out, NK_STR("name"), s->certificate->name);
        nk_json_put_member(out, NK_STR("nameType"), nk_str(s->certificate->kind));
        nk_buf_add_char(out, '}');
    }
    nk_buf_add(out, NK_STR(",\"tools\":"));
    put_tools(out, &s->call, false);
    nk_buf_add(out, NK_STR(",\"hostedTools\":"));
    put_tools(out, &s->call, true);
    nk_buf_add_char(out, '}');
}

static void put_facts(struct nk_buf *b, const struct nk_gate_state *s, size_t *cut)
{
    put_principal(b, s->principal);
    *cut = b->n;
    put_context(b, s);
}

/* Into the arena, in place when they are of an ordinary size. */
static int write_facts(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    size_t cut;
    char *room = nk_arena_resize(t->arena, NULL, 0, FACTS_ORDINARY);
    struct nk_buf b = {.p = room, .cap = FACTS_ORDINARY, .max = FACTS_ORDINARY};
    b.error = room ? 0 : NK_ENOMEM;
    put_facts(&b, s, &cut);
    struct nk_str all = nk_buf_str(&b);
    if (b.error) {
        nk_buf_init(&b, FACTS_MAX);
        put_facts(&b, s, &cut);
        int rc = b.error;
        all = rc ? (struct nk_str){NULL, 0} : nk_arena_copy(t->arena, nk_buf_str(&b));
        nk_buf_free(&b);
        if (!all.p)
            return rc ? rc : NK_ENOMEM;
    }
    s->entities = nk_str_sub(all, 0, cut);
    s->context = nk_str_sub(all, cut, all.n);
    return 0;
}

static int read_context(struct nk_txn *t, const struct nk_cedar_value **out, struct nk_fault *f)
{
    static const struct nk_json_limits lim = {FACTS_MAX, 8, 1 << 16};
    struct nk_json doc;
    int rc = nk_json_parse(&lim, t->state->context, t->arena, &doc, f);
    return rc ? rc : nk_cedar_value_parse(&doc, 0, t->arena, out, f);
}

int gate_judge(struct nk_txn *t, struct nk_str action, struct nk_cedar_uid resource,
               struct nk_cedar_answer *out)
{
    struct nk_gate_state *s = t->state;
    struct nk_fault f = {0};
    struct nk_cedar_request req = {.principal = {s->principal->type, s->principal->id},
                                   .action = {NK_STR("Action"), action},
                                   .resource = resource};
    struct nk_cedar_entities *e = nk_cedar_entities_new(t->arena, t->setup->entities);
    int rc = s->context.p ? 0 : write_facts(t);
    if (!rc && !e)
        rc = NK_ENOMEM;
    if (!rc)
        rc = nk_cedar_entities_parse(e, s->entities, &f);
    if (!rc)
        rc = nk_cedar_entities_seal(e, &f);
    if (!rc)
        rc = read_context(t, &req.context, &f);
    if (!rc)
        rc = nk_cedar_authorize(t->setup->policies, e, &req, t->arena, out);
    if (rc == NK_ENOMEM || rc == NK_ELIMIT)
        return gate_refuse(t, NK_REFUSAL_out_of_memory, "authorize", NK_STR(""), NK_STR(""));
    if (rc) /* e.g. the entities file defines this very principal: identity comes from proofs alone
             */
        return gate_refuse(t, NK_REFUSAL_policy_denied, "authorize", NK_STR(""),
                           nk_arena_copy(t->arena, nk_str(f.message)));
    return 0;
}

static void put_reasons(struct nk_buf *b, const struct nk_cedar_answer *a)
{
    for (size_t i = 0; i < a->reason_count; i++)
        nk_buf_printf(b, "%s%.*s", i ? ", " : "", NK_FMT(a->reasons[i]));
}

static void why_in_english(struct nk_buf *b, const struct nk_gate_state *s)
{
    nk_buf_printf(b, "%.*s::\"%.*s\" may not %s %.*s::\"%.*s\": ", NK_FMT(s->principal->type),
                  NK_FMT(s->principal->id), s->call.endpoint->action, NK_FMT(s->resource.type),
                  NK_FMT(s->resource.id));
    nk_buf_add(b, s->answer.reason_count ? NK_STR("forbidden by policy ")
                                         : NK_STR("no policy permits it"));
    put_reasons(b, &s->answer);
    nk_buf_add(b, NK_STR(". Ask the owner of the policy if you should be allowed."));
}

static void why_in_japanese(struct nk_buf *b, const struct nk_gate_state *s)
{
    nk_buf_printf(b, "%.*s::\"%.*s\" による %.*s::\"%.*s\" への %s は", NK_FMT(s->principal->type),
                  NK_FMT(s->principal->id), NK_FMT(s->resource.type), NK_FMT(s->resource.id),
                  s->call.endpoint->action);
    if (s->answer.reason_count)
        nk_buf_add(b, NK_STR("ポリシー "));
    put_reasons(b, &s->answer);
    nk_buf_add(b, s->answer.reason_count ? NK_STR(" により禁止されています。")
                                         : NK_STR("、許可するポリシーがありません。"));
    nk_buf_add(b, NK_STR("必要な場合はポリシーの管理者に相談してください。"));
}

static struct nk_str why_denied(struct nk_txn *t)
{
    struct nk_buf b;
    nk_buf_init(&b, 4096);
    if (t->state->japanese)
        why_in_japanese(&b, t->state);
    else
        why_in_english(&b, t->state);
    struct nk_str text = nk_arena_copy(t->arena, nk_buf_str(&b));
    nk_buf_free(&b);
    return text;
}

int gate_authorize(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    if (nk_cedar_policies_count(t->setup->policies) == 0)
        return gate_refuse(
            t, NK_REFUSAL_no_policy, "authorize",
            NK_STR("Put *.cedar files into the directory that policy.directory names."),
            NK_STR(""));
    int rc = gate_judge(t, nk_str(s->call.endpoint->action), s->resource, &s->answer);
    if (rc)
        return rc;
    s->judged = true;
    if (s->answer.allow)
        return 0;
    return gate_refuse(t, NK_REFUSAL_policy_denied, "authorize", why_denied(t), NK_STR(""));
}
