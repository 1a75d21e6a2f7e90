/* SPDX-License-Identifier: Apache-2.0
 *
 * policy_explain_json.c - an explanation as one JSON object:
 *
 *   {"decision","reasons","errors","policies":[
 *     {"id","effect","state":"matched"|"error"|"near","distance":1|null,"clauses":[
 *       {"clause":"principal"|"action"|"resource"|"when"|"unless","holds":true,
 *        "text","value"|"error","passedOver"?,"change"?,"attributes"?,"ancestors"?,"unknown"?,
 *        "parts"?:[…the same…]}]}],"further":0}
 *
 * A value is in Cedar's JSON form. What is false or empty is left out, marked ? above.
 */
#include "cmd/policy_text.h"

#include "cedar/value_write.h"

static void put_flag(struct nk_buf *out, struct nk_str name, bool v)
{
    if (!v)
        return;
    nk_json_put_name(out, name);
    nk_buf_add(out, NK_STR("true"));
}

static void put_background(struct nk_buf *out, const struct nk_cedar_part *part)
{
    put_flag(out, NK_STR("unknown"), part->unknown);
    if (part->names) {
        nk_json_put_name(out, NK_STR("attributes"));
        nk_buf_add_char(out, '[');
        for (size_t i = 0; i < part->name_count; i++) {
            nk_buf_add(out, i ? NK_STR(",") : NK_STR(""));
            nk_json_put_string(out, part->names[i]);
        }
        nk_buf_add_char(out, ']');
    }
    if (part->within) {
        nk_json_put_name(out, NK_STR("ancestors"));
        nk_buf_add_char(out, '[');
        for (size_t i = 0; i < part->within_count; i++) {
            nk_buf_add(out, i ? NK_STR(",{") : NK_STR("{"));
            nk_json_put_member(out, NK_STR("type"), part->within[i].type);
            nk_json_put_member(out, NK_STR("id"), part->within[i].id);
            nk_buf_add_char(out, '}');
        }
        nk_buf_add_char(out, ']');
    }
}

static void put_part(struct nk_buf *out, const struct nk_cedar_part *part)
{
    nk_json_put_member(out, NK_STR("text"), part->text);
    if (part->value) {
        nk_json_put_name(out, NK_STR("value"));
        nk_cedar_value_put_json(out, part->value);
    } else {
        nk_json_put_member(out, NK_STR("error"), nk_str(part->error));
    }
    put_flag(out, NK_STR("passedOver"), part->passed_over);
    put_flag(out, NK_STR("change"), part->change);
    put_background(out, part);
    if (!part->first)
        return;
    nk_json_put_name(out, NK_STR("parts"));
    nk_buf_add_char(out, '[');
    for (const struct nk_cedar_part *kid = part->first; kid; kid = kid->next) {
        nk_buf_add(out, kid == part->first ? NK_STR("{") : NK_STR(",{"));
        put_part(out, kid);
        nk_buf_add_char(out, '}');
    }
    nk_buf_add_char(out, ']');
}

static void put_clause(struct nk_buf *out, const struct nk_cedar_clause *c)
{
    static const char *const kinds[] = {"principal", "action", "resource", "when", "unless"};
    nk_json_put_member(out, NK_STR("clause"), nk_str(kinds[c->kind]));
    nk_json_put_name(out, NK_STR("holds"));
    nk_buf_add(out, c->holds ? NK_STR("true") : NK_STR("false"));
    put_part(out, c->part);
}

static void put_policy(struct nk_buf *out, const struct nk_cedar_why *why)
{
    static const char *const states[] = {"matched", "error", "near"};
    nk_json_put_member(out, NK_STR("id"), why->id);
    nk_json_put_member(out, NK_STR("effect"), why->forbid ? NK_STR("forbid") : NK_STR("permit"));
    nk_json_put_member(out, NK_STR("state"), nk_str(states[why->state]));
    nk_json_put_name(out, NK_STR("distance"));
    if (why->distance == NK_CEDAR_NEVER)
        nk_buf_add(out, NK_STR("null"));
    else
        nk_buf_add_u64(out, why->distance);
    nk_json_put_name(out, NK_STR("clauses"));
    nk_buf_add_char(out, '[');
    for (size_t i = 0; i < why->clause_count; i++) {
        nk_buf_add(out, i ? NK_STR(",{") : NK_STR("{"));
        put_clause(out, &why->clauses[i]);
        nk_buf_add_char(out, '}');
    }
    nk_buf_add_char(out, ']');
}

void nk_policy_put_explanation(struct nk_buf *out, const struct nk_cedar_explanation *x)
{
    nk_buf_add_char(out, '{');
    nk_policy_put_answer(out, &x->answer);
    nk_json_put_name(out, NK_STR("policies"));
    nk_buf_add_char(out, '[');
    for (size_t i = 0; i < x->count; i++) {
        nk_buf_add(out, i ? NK_STR(",{") : NK_STR("{"));
        put_policy(out, &x->policies[i]);
        nk_buf_add_char(out, '}');
    }
    nk_buf_add_char(out, ']');
    nk_json_put_name(out, NK_STR("further"));
    nk_buf_add_u64(out, x->left_out);
    nk_buf_add(out, NK_STR("}\n"));
}
