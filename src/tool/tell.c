/* SPDX-License-Identifier: Apache-2.0
 *
 * tell.c - a decision in words, for people, and as members of an audit record, for whoever decides it again:
 *
 *   ,"tool":{"name","outcome","sha256"?,"approval"?,"approved"?,"waived"?,"redact"?,"context"?,"classes"?}
 *   ,"cedar":{…},"entities":[…],"decision":"allow"|"deny","reasons":[…],"errors":[…]
 *
 * or, when the arguments are not what the tool takes and nobody was asked,
 *
 *   ,"tool":{…},"decision":"refused","refusal":{"stage":"arguments","id":"tool_arguments","reason":"…"}
 */
#include "tool/decide.h"

enum { RECORD_MAX = 64 << 10, WHY_MAX = 4096 };

/* For people -------------------------------------------------------------------------------------- */

static void put_ids(struct nk_buf *b, const struct nk_cedar_answer *a)
{
    for (size_t i = 0; i < a->reason_count; i++)
        nk_buf_printf(b, "%s%.*s", i ? ", " : "", NK_FMT(a->reasons[i]));
}

static void why_in_english(struct nk_buf *b, const struct tool_asking *q)
{
    const struct nk_cedar_uid *who = &q->req.principal;
    struct nk_str tool = nk_str_sub(q->req.resource.id, 0, NK_TOOL_NAME_MAX);
    const struct nk_cedar_answer *a = &q->out->answer;
    if (!q->judged) {
        nk_buf_printf(b, "The arguments are not what the tool %.*s takes: %s.", NK_FMT(tool),
                      q->f->message);
        return;
    }
    if (q->out->outcome == NK_TOOL_STEP_UP) {
        nk_buf_printf(b,
                      "A person has to agree before %.*s::\"%.*s\" calls the tool %.*s with these "
                      "arguments (policy ",
                      NK_FMT(who->type), NK_FMT(who->id), NK_FMT(tool));
        put_ids(b, a);
        nk_buf_add(b, NK_STR(")."));
        return;
    }
    nk_buf_printf(b, "%.*s::\"%.*s\" may not call the tool %.*s%s: ", NK_FMT(who->type),
                  NK_FMT(who->id), NK_FMT(tool), q->ask->tool ? "" : " (which is not registered)");
    nk_buf_add(b,
               a->reason_count ? NK_STR("forbidden by policy ") : NK_STR("no policy permits it"));
    put_ids(b, a);
    nk_buf_add(b, NK_STR(". Ask the owner of the policy if you should be allowed."));
}

static void why_in_japanese(struct nk_buf *b, const struct tool_asking *q)
{
    const struct nk_cedar_uid *who = &q->req.principal;
    struct nk_str tool = nk_str_sub(q->req.resource.id, 0, NK_TOOL_NAME_MAX);
    const struct nk_cedar_answer *a = &q->out->answer;
    if (!q->judged) {
        nk_buf_printf(b, "引数がツール %.*s の定義に合いません: %s。", NK_FMT(tool), q->f->message);
        return;
    }
    if (q->out->outcome == NK_TOOL_STEP_UP) {
        nk_buf_printf(
            b,
            "%.*s::\"%.*s\" がツール %.*s をこの引数で呼び出すには、人の承認が必要です(ポリシー ",
            NK_FMT(who->type), NK_FMT(who->id), NK_FMT(tool));
        put_ids(b, a);
        nk_buf_add(b, NK_STR(")。"));
        return;
    }
    nk_buf_printf(b, "%.*s::\"%.*s\" によるツール %.*s%s の呼び出しは", NK_FMT(who->type),
                  NK_FMT(who->id), NK_FMT(tool), q->ask->tool ? "" : "(未登録)");
    nk_buf_add(b,
               a->reason_count ? NK_STR("ポリシー ") : NK_STR("、許可するポリシーがありません。"));
    put_ids(b, a);
    nk_buf_add(b, a->reason_count ? NK_STR(" により禁止されています。") : NK_STR(""));
    nk_buf_add(b, NK_STR("必要な場合はポリシーの管理者に相談してください。"));
}

/* For the record ---------------------------------------------------------------------------------- */

static void put_texts(struct nk_buf *b, const struct nk_str *list, size_t n)
{
    nk_buf_add_char(b, '[');
    for (size_t i = 0; i < n; i++) {
        if (i)
            nk_buf_add_char(b, ',');
        nk_json_put_string(b, list[i]);
    }
    nk_buf_add_char(b, ']');
}

static void put_list(struct nk_buf *b, const char *name, const struct nk_str *list, size_t n)
{
    if (!n)
        return;
    nk_json_put_name(b, nk_str(name));
    put_texts(b, list, n);
}

static void put_verdict(struct nk_buf *b, const struct nk_cedar_answer *a)
{
    nk_json_put_member(b, NK_STR("decision"), a->allow ? NK_STR("allow") : NK_STR("deny"));
    nk_json_put_name(b, NK_STR("reasons"));
    put_texts(b, a->reasons, a->reason_count);
    nk_json_put_name(b, NK_STR("errors"));
    nk_buf_add_char(b, '[');
    for (size_t i = 0; i < a->error_count; i++) {
        nk_buf_add(b, i ? NK_STR(",{") : NK_STR("{"));
        nk_json_put_member(b, NK_STR("policy"), a->errors[i].policy);
        nk_json_put_member(b, NK_STR("what"), nk_str(a->errors[i].what));
        nk_buf_add_char(b, '}');
    }
    nk_buf_add_char(b, ']');
}

static void put_digest(struct nk_buf *b, const char *name, const struct nk_digest *d)
{
    nk_json_put_name(b, nk_str(name));
    nk_buf_add_char(b, '"');
    nk_buf_add_hex(b, d->b, sizeof d->b);
    nk_buf_add_char(b, '"');
}

static void put_classes(struct nk_buf *b, const struct tool_asking *q)
{
    const struct nk_tool *t = q->ask->tool;
    if (!q->classes)
        return;
    nk_json_put_name(b, NK_STR("context"));
    nk_buf_add(b, q->class_context);
    nk_json_put_name(b, NK_STR("classes"));
    nk_buf_add_char(b, '[');
    for (size_t i = 0; i < t->class_count; i++) {
        nk_buf_add(b, i ? NK_STR(",{") : NK_STR("{"));
        nk_json_put_member(b, NK_STR("class"), t->classes[i]);
        put_verdict(b, &q->classes[i]);
        nk_buf_add_char(b, '}');
    }
    nk_buf_add_char(b, ']');
}

static void put_tool(struct nk_buf *b, const struct tool_asking *q)
{
    const struct nk_tool_verdict *v = q->out;
    nk_buf_add(b, NK_STR(",\"tool\":{"));
    nk_json_put_member(b, NK_STR("name"), nk_str_sub(q->req.resource.id, 0, NK_TOOL_NAME_MAX));
    nk_json_put_member(b, NK_STR("outcome"), nk_str(nk_tool_outcome_name(v->outcome)));
    if (q->ask->tool && q->ask->tool->definition.p)
        put_digest(b, "sha256", &q->ask->tool->digest);
    if (q->judged)
        put_digest(b, "approval", &v->approval);
    if (q->approved)
        nk_buf_add(b, NK_STR(",\"approved\":true"));
    put_list(b, "waived", v->waived, v->waived_count);
    put_list(b, "redact", v->redact, v->redact_count);
    put_classes(b, q);
    nk_buf_add_char(b, '}');
}

static void put_uid(struct nk_buf *b, const char *name, struct nk_cedar_uid uid)
{
    nk_json_put_name(b, nk_str(name));
    nk_buf_add_char(b, '{');
    nk_json_put_member(b, NK_STR("type"), uid.type);
    nk_json_put_member(b, NK_STR("id"), uid.id);
    nk_buf_add_char(b, '}');
}

static void put_record(struct nk_buf *b, const struct tool_asking *q)
{
    put_tool(b, q);
    if (!q->judged) {
        nk_buf_add(b, NK_STR(",\"decision\":\"refused\",\"refusal\":{\"stage\":\"arguments\","
                             "\"id\":\"tool_arguments\",\"reason\":"));
        nk_json_put_string(b, nk_str(q->f->message));
        nk_buf_add_char(b, '}');
        return;
    }
    nk_buf_add(b, NK_STR(",\"cedar\":{"));
    put_uid(b, "principal", q->req.principal);
    put_uid(b, "action", q->req.action);
    put_uid(b, "resource", q->req.resource);
    nk_json_put_name(b, NK_STR("context"));
    nk_buf_add(b, q->context);
    nk_buf_add(b, NK_STR("},\"entities\":"));
    nk_buf_add(b, q->ask->entities);
    put_verdict(b, &q->out->answer);
}

static int keep(struct tool_asking *q, struct nk_buf *b, struct nk_str *out)
{
    *out = b->error ? (struct nk_str){NULL, 0} : nk_arena_copy(q->a, nk_buf_str(b));
    int rc = out->p ? 0 : b->error ? b->error : NK_ENOMEM;
    nk_buf_free(b);
    return rc;
}

int tool_tell(struct tool_asking *q)
{
    struct nk_buf why, record;
    int told = 0;
    nk_buf_init(&why, WHY_MAX);
    if (q->out->outcome != NK_TOOL_ALLOW) {
        if (q->ask->japanese)
            why_in_japanese(&why, q);
        else
            why_in_english(&why, q);
        told = keep(q, &why, &q->out->why);
    }
    nk_buf_init(&record, RECORD_MAX);
    put_record(&record, q);
    int kept = keep(q, &record, &q->out->record);
    return told ? told : kept;
}
