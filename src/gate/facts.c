/* SPDX-License-Identifier: Apache-2.0
 *
 * facts.c - see facts.h.
 */
#include "gate/txn.h"

/* RFC 9110, section 9, and RFC 5789: the names that HTTP's semantic conventions know. */
static struct nk_str method_of(const struct nk_http_head *head)
{
    static const char *const names[] = {"GET",     "POST",    "HEAD",  "PUT",  "DELETE",
                                        "OPTIONS", "CONNECT", "TRACE", "PATCH"};
    for (size_t i = 0; head && i < NK_COUNT(names); i++)
        if (nk_str_eq(head->method, nk_str(names[i])))
            return nk_str(names[i]);
    return NK_STR("_OTHER");
}

bool nk_is_name_like(struct nk_str s)
{
    enum { LONGEST = 128 };
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool other = (c >= '-' && c <= ':') || c == '_' || c == '@' || c == '+'; /* - . / 0-9 : */
        if (!letter && !other)
            return false;
    }
    return s.n > 0 && s.n <= LONGEST;
}

static struct nk_str name_or_absent(struct nk_str s)
{
    return nk_is_name_like(s) ? s : (struct nk_str){NULL, 0};
}

static struct nk_str genai_of(struct nk_str action)
{
    if (nk_str_eq(action, NK_STR("InvokeModel")))
        return NK_STR("chat");
    return nk_str_eq(action, NK_STR("Embed")) ? NK_STR("embeddings") : (struct nk_str){NULL, 0};
}

static void facts_of_call(const struct nk_gate_state *s, struct nk_txn_facts *out)
{
    if (s->call.endpoint) {
        out->route = nk_str(s->call.endpoint->path);
        out->operation = nk_str(s->call.endpoint->name);
        out->dialect = nk_str(s->dialect->name);
        out->genai = genai_of(nk_str(s->call.endpoint->action));
    }
    if (s->principal) {
        out->principal_type = s->principal->type;
        out->principal_id = s->principal->id;
    }
    if (!s->model)
        return;
    out->model = s->model->name;
    out->model_sent = s->model->upstream_name.p ? s->model->upstream_name : s->model->name;
    if (s->judged && s->answer.allow && !s->call.endpoint->local)
        out->upstream = s->model->upstream;
}

void nk_txn_facts(const struct nk_txn *t, struct nk_txn_facts *out)
{
    const struct nk_gate_state *s = t->state;
    *out = (struct nk_txn_facts){.request = s->id,
                                 .is_traced = s->env.is_traced,
                                 .has_parent = s->has_parent,
                                 .parent = s->parent,
                                 .own = s->own,
                                 .method = method_of(s->head),
                                 .model_answered = name_or_absent(s->reply_model),
                                 .finish = name_or_absent(s->finish),
                                 .upstream = SIZE_MAX,
                                 .judged = s->judged,
                                 .allowed = s->judged && s->answer.allow,
                                 .streamed = s->streaming,
                                 .refusal = (int)s->refusal.id,
                                 .stage = nk_str(s->refusal.stage),
                                 .policies = s->judged ? s->answer.reasons : NULL,
                                 .policy_count = s->judged ? s->answer.reason_count : 0,
                                 .status = s->status,
                                 .upstream_status = s->upstream_status,
                                 .usage = s->usage,
                                 .reply_bytes = s->reply_bytes,
                                 .events = s->events,
                                 .tool_calls = s->tool_calls};
    facts_of_call(s, out);
}
