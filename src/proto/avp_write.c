/* SPDX-License-Identifier: Apache-2.0
 *
 * avp_write.c - parts of Verified Permissions' answers that several operations have.
 */
#include "proto/avp.h"

void nk_avp_put_entity(const char *name, struct nk_cedar_uid uid, struct nk_buf *out)
{
    nk_json_put_name(out, nk_str(name));
    nk_buf_add_char(out, '{');
    nk_json_put_member(out, NK_STR("entityType"), uid.type);
    nk_json_put_member(out, NK_STR("entityId"), uid.id);
    nk_buf_add_char(out, '}');
}

static void put_errors(const struct nk_cedar_answer *answer, struct nk_buf *out)
{
    nk_buf_add(out, NK_STR(",\"errors\":["));
    for (size_t i = 0; i < answer->error_count; i++) {
        struct nk_buf text;
        nk_buf_init(&text, 4096);
        nk_buf_printf(&text, "while evaluating policy `%.*s`, encountered the following error: %s",
                      NK_FMT(answer->errors[i].policy), answer->errors[i].what);
        nk_buf_add(out, i ? NK_STR(",{") : NK_STR("{"));
        nk_json_put_member(out, NK_STR("errorDescription"), nk_buf_str(&text));
        nk_buf_add_char(out, '}');
        nk_buf_free(&text);
    }
    nk_buf_add_char(out, ']');
}

void nk_avp_put_decision(const struct nk_cedar_answer *answer, struct nk_buf *out)
{
    nk_json_put_member(out, NK_STR("decision"), answer->allow ? NK_STR("ALLOW") : NK_STR("DENY"));
    nk_buf_add(out, NK_STR(",\"determiningPolicies\":["));
    for (size_t i = 0; i < answer->reason_count; i++) {
        nk_buf_add(out, i ? NK_STR(",{") : NK_STR("{"));
        nk_json_put_member(out, NK_STR("policyId"), answer->reasons[i]);
        nk_buf_add_char(out, '}');
    }
    nk_buf_add_char(out, ']');
    put_errors(answer, out);
}

static void put_definition(const struct nk_cedar_policy_view *v, bool whole, struct nk_buf *out)
{
    nk_buf_add(out, v->link_of.p ? NK_STR(",\"definition\":{\"templateLinked\":{")
                                 : NK_STR(",\"definition\":{\"static\":{"));
    if (v->link_of.p) {
        nk_json_put_member(out, NK_STR("policyTemplateId"), v->link_of);
        if (v->principal.type.p)
            nk_avp_put_entity("principal", v->principal, out);
        if (v->resource.type.p)
            nk_avp_put_entity("resource", v->resource, out);
    } else if (whole) {
        nk_json_put_member(out, NK_STR("statement"), v->statement);
    }
    nk_buf_add(out, NK_STR("}}"));
}

static void put_actions(const struct nk_cedar_policy_view *v, struct nk_buf *out)
{
    if (!v->action_count)
        return;
    nk_buf_add(out, NK_STR(",\"actions\":["));
    for (size_t i = 0; i < v->action_count; i++) {
        struct nk_cedar_uid uid = nk_cedar_view_action(v, i);
        nk_buf_add(out, i ? NK_STR(",{") : NK_STR("{"));
        nk_json_put_member(out, NK_STR("actionType"), uid.type);
        nk_json_put_member(out, NK_STR("actionId"), uid.id);
        nk_buf_add_char(out, '}');
    }
    nk_buf_add_char(out, ']');
}

void nk_avp_put_policy(struct nk_str store, const struct nk_cedar_policy_view *v, bool whole,
                       struct nk_buf *out)
{
    nk_json_put_member(out, NK_STR("policyStoreId"), store);
    nk_json_put_member(out, NK_STR("policyId"), v->id);
    nk_json_put_member(out, NK_STR("policyType"),
                       v->link_of.p ? NK_STR("TEMPLATE_LINKED") : NK_STR("STATIC"));
    if (v->principal.type.p)
        nk_avp_put_entity("principal", v->principal, out);
    if (v->resource.type.p)
        nk_avp_put_entity("resource", v->resource, out);
    put_actions(v, out);
    nk_json_put_member(out, NK_STR("effect"), v->forbid ? NK_STR("Forbid") : NK_STR("Permit"));
    put_definition(v, whole, out);
}
