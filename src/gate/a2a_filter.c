/* SPDX-License-Identifier: Apache-2.0
 *
 * a2a_filter.c - what becomes of the members of messages on their way through. Ids of tasks and contexts are the agent's
 * own on its side, and sealed for the principal on the client's. Of what the agent says, data is filtered by the
 * endpoint's fields as results of tools are (field/field.h); while something is hidden from who asks, files, metadata and
 * notes do not pass, because nobody can look into them, and texts only if their class may be read.
 */
#include "gate/a2a.h"
#include "gate/bound.h"
#include "gate/calls.h"
#include "tool/tool.h"

enum { ID_MAX = 1024, CONTEXT_MAX = 8192 };

static struct gate_bound bound_to(const struct nk_txn *t, enum nk_a2a_kind kind)
{
    const struct gate_a2a *m = gate_a2a(t);
    bool is_page = kind == NK_A2A_ID_PAGE;
    return (struct gate_bound){.purpose = kind == NK_A2A_ID_TASK      ? NK_STR("a2a task")
                                          : kind == NK_A2A_ID_CONTEXT ? NK_STR("a2a context")
                                                                      : NK_STR("a2a page"),
                               .path = m->endpoint->config->path,
                               .session = is_page && m->context.p ? m->context
                                          : is_page && m->task.p  ? m->task
                                                                  : NK_STR(""),
                               .servers = &m->endpoint->agent,
                               .server_count = 1};
}

static bool is_id(enum nk_a2a_kind kind)
{
    return kind == NK_A2A_ID_TASK || kind == NK_A2A_ID_CONTEXT || kind == NK_A2A_ID_PAGE;
}

/* Requests --------------------------------------------------------------------------------------- */

static int no_task(struct nk_txn *t)
{
    return gate_a2a_refuse(t, NK_REFUSAL_unknown_task, NK_A2A_TASK_NOT_FOUND, "parse", NK_STR(""));
}

static int put_own_id(struct nk_txn *t, enum nk_a2a_kind kind, struct nk_str text,
                      struct nk_buf *out)
{
    struct gate_a2a *m = gate_a2a(t);
    const struct gate_bound to = bound_to(t, kind);
    struct nk_str id;
    if (!text.n) /* of 1.0: as if it were not there */
        return NK_ENOTFOUND;
    int rc = gate_bound_unseal(t, &to, text, &id);
    if (rc)
        return rc == NK_ENOTFOUND ? no_task(t) : rc;
    if (kind == NK_A2A_ID_TASK)
        m->task = id;
    if (kind == NK_A2A_ID_CONTEXT)
        m->context = id;
    nk_json_put_string(out, id);
    return 0;
}

/* Nobody speaks for the agent. */
static int put_role(struct nk_txn *t, struct nk_str role, struct nk_buf *out, struct nk_fault *f)
{
    struct nk_str user = gate_a2a(t)->is_new ? NK_STR("ROLE_USER") : NK_STR("user");
    if (!nk_str_eq(role, user))
        return nk_fault_set(f, NK_EINVAL, "a2a", 0, "\"role\" is %.*s in what a client sends",
                            NK_FMT(user));
    nk_json_put_string(out, role);
    return 0;
}

static int value_of_request(void *ctx, enum nk_a2a_kind kind, const struct nk_json *doc,
                            uint32_t at, struct nk_buf *out, struct nk_fault *f)
{
    struct nk_txn *t = ctx;
    if (is_id(kind) || kind == NK_A2A_ROLE) {
        struct nk_str text = nk_json_string(doc, at, t->arena);
        if (!text.p)
            return NK_ENOMEM;
        return is_id(kind) ? put_own_id(t, kind, text, out) : put_role(t, text, out, f);
    }
    if (kind == NK_A2A_RECIPIENT)
        gate_a2a(t)->recipient = nk_json_string(doc, at, t->arena);
    if (kind == NK_A2A_RECIPIENT && !gate_a2a(t)->recipient.p)
        return NK_ENOMEM;
    nk_buf_add(out, nk_json_span(doc, at));
    return 0;
}

/* Answers ---------------------------------------------------------------------------------------- */

static int put_sealed_id(struct nk_txn *t, enum nk_a2a_kind kind, struct nk_str id,
                         struct nk_buf *out, struct nk_fault *f)
{
    const struct gate_a2a *m = gate_a2a(t);
    const struct gate_bound to = bound_to(t, kind);
    struct nk_buf plain;
    if (!id.n) /* of 1.0: there is none, as at the end of a list */
        nk_json_put_string(out, id);
    if (!id.n)
        return 0;
    if (id.n > ID_MAX)
        return nk_fault_set(f, NK_EINVAL, "a2a", 0, "an id of more than %d bytes", ID_MAX);
    if (kind == NK_A2A_ID_CONTEXT && m->op == NK_A2A_LIST_TASKS && !nk_str_eq(id, m->context))
        return nk_fault_set(f, NK_EINVAL, "a2a", 0, "a task of another context is in the list");
    nk_buf_init(&plain, ID_MAX);
    nk_buf_add(&plain, id);
    nk_buf_add_char(out, '"');
    int rc = gate_bound_seal(t, &to, &plain, out);
    nk_buf_add_char(out, '"');
    nk_buf_free(&plain);
    return rc;
}

static int put_data(struct nk_txn *t, const struct nk_json *doc, uint32_t at, struct nk_arena *a,
                    struct nk_buf *out, struct nk_fault *f)
{
    struct gate_a2a *m = gate_a2a(t);
    struct nk_field_report report = {0};
    if (!m->hides) {
        nk_buf_add(out, nk_json_span(doc, at));
        return 0;
    }
    int rc = nk_field_filter(&m->fields, NK_FIELD_VALUE, doc, at, a, out, &report, f);
    m->hidden += report.hidden + report.left_out;
    return rc == NK_EDENIED ? NK_EINVAL : rc;
}

static int put_text(struct nk_txn *t, const struct nk_json *doc, uint32_t at, struct nk_buf *out)
{
    struct gate_a2a *m = gate_a2a(t);
    if (!m->hides_text) {
        nk_buf_add(out, nk_json_span(doc, at));
        return 0;
    }
    m->hidden++;
    nk_json_put_string(out, gate_a2a_visit(t, true, t->scratch).gone);
    return 0;
}

static int value_of_answer(void *ctx, enum nk_a2a_kind kind, const struct nk_json *doc, uint32_t at,
                           struct nk_buf *out, struct nk_fault *f)
{
    struct nk_txn *t = ctx;
    struct nk_arena *a = t->state->streaming ? &t->state->event_arena : t->scratch;
    if (is_id(kind)) {
        struct nk_str id = nk_json_string(doc, at, a);
        return id.p ? put_sealed_id(t, kind, id, out, f) : NK_ENOMEM;
    }
    switch (kind) {
    case NK_A2A_DATA:
        return put_data(t, doc, at, a, out, f);
    case NK_A2A_TEXT:
        return put_text(t, doc, at, out);
    case NK_A2A_CREDENTIAL:
        return NK_ENOTFOUND;
    case NK_A2A_FILE:
    case NK_A2A_NOTE:
    case NK_A2A_FREE:
        gate_a2a(t)->hidden += gate_a2a(t)->hides;
        if (gate_a2a(t)->hides)
            return NK_ENOTFOUND;
        break;
    default:
        break;
    }
    nk_buf_add(out, nk_json_span(doc, at));
    return 0;
}

struct nk_a2a_visit gate_a2a_visit(struct nk_txn *t, bool is_answer, struct nk_arena *a)
{
    return (struct nk_a2a_visit){.value = is_answer ? value_of_answer : value_of_request,
                                 .ctx = t,
                                 .is_new = gate_a2a(t)->is_new,
                                 .is_answer = is_answer,
                                 .gone = t->state->japanese
                                             ? NK_STR("[ゲートウェイが伏せました。]")
                                             : NK_STR("[The gateway withholds this.]"),
                                 .a = a};
}

/* Questions -------------------------------------------------------------------------------------- */

static struct nk_str context_of(struct nk_txn *t)
{
    const struct nk_gate_state *s = t->state;
    struct nk_buf b;
    nk_buf_init(&b, CONTEXT_MAX);
    nk_buf_add(&b, NK_STR("{\"session\":{\"turn\":0,\"calls\":0}"));
    nk_tool_put_actor(&b, s->principal);
    nk_json_put_member(&b, NK_STR("strength"), nk_str(s->principal->proof));
    nk_json_put_member(&b, NK_STR("dialect"), nk_str(s->dialect->name));
    nk_json_put_member(&b, NK_STR("tool"), gate_a2a_upstream(t)->name);
    nk_buf_add_char(&b, '}');
    struct nk_str text =
        b.error ? (struct nk_str){NULL, 0} : nk_arena_copy(t->scratch, nk_buf_str(&b));
    nk_buf_free(&b);
    return text;
}

static int ask_class(struct nk_txn *t, struct nk_str context, unsigned i, unsigned *fx)
{
    struct gate_a2a *m = gate_a2a(t);
    const struct gate_question q = {
        NK_STR("ReadField"), {NK_STR("DataClass"), m->endpoint->fields.classes[i]}, context};
    struct nk_cedar_answer answer = {.allow = false};
    struct nk_fault f = {0};
    struct nk_buf members;
    nk_buf_init(&members, 60 << 10);
    int rc = gate_question_decide(t, &q, &answer, &members, &f);
    if (!rc && !answer.allow)
        m->fields.denied |= (uint64_t)1 << i;
    if (!rc)
        *fx |= gate_record_members(t, NK_STR(""), nk_buf_str(&members));
    nk_buf_free(&members);
    return rc;
}

int gate_a2a_ask_fields(struct nk_txn *t, unsigned *fx)
{
    struct gate_a2a *m = gate_a2a(t);
    const struct nk_a2a *e = m->endpoint;
    bool sends_on = m->recipient.p != NULL;
    m->fields = (struct nk_field_ask){.rules = e->fields.rules, .japanese = t->state->japanese};
    if (!e->fields.class_count || (!nk_a2a_has_content(m->op) && !sends_on))
        return 0;
    struct nk_str context = context_of(t);
    int rc = context.p ? 0 : NK_ENOMEM;
    for (unsigned i = 0; i < e->fields.class_count && !rc; i++)
        rc = ask_class(t, context, i, fx);
    if (rc)
        return gate_refuse(t, NK_REFUSAL_out_of_memory, "authorize", NK_STR(""), NK_STR(""));
    bool has_text = e->text_class < e->fields.class_count;
    bool text_denied = has_text && (m->fields.denied >> e->text_class & 1);
    m->hides = m->fields.denied != 0;
    m->hides_text = has_text ? text_denied : m->hides;
    return 0;
}
