/* SPDX-License-Identifier: Apache-2.0
 *
 * form_lambda.c - what the functions of an agent's action groups answer (Amazon Bedrock, "Configure Lambda functions
 * to send information"), and what a client gives back after a return of control. The value is the text in "body":
 *
 *   {"messageVersion":"1.0","response":{"actionGroup":…,"apiPath":…,"httpStatusCode":200,
 *      "responseBody":{"application/json":{"body":"…"}}},"sessionAttributes":{…}}
 *   {"response":{"actionGroup":…,"function":…,"functionResponse":{"responseState":…,
 *      "responseBody":{"TEXT":{"body":"…"}}}}}
 *
 * Each body is a value of its own. Nothing but bodies and the names of what was called passes a filter: attributes of
 * the session would reach the model or the next tool, and images cannot be looked into.
 */
#include "field/form.h"

/* Objects that are gone through, and scalars that pass. */
static const char *const inner[] = {"response", "functionResponse"};
static const char *const pass[] = {"messageVersion", "actionGroup", "apiPath",
                                   "httpMethod",     "function",    "httpStatusCode",
                                   "responseState",  "agentId",     "confirmationState"};

static bool is_one_of(const struct nk_json *doc, uint32_t name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (nk_json_is(doc, name, nk_str(names[i])))
            return true;
    return false;
}

static int bad(const struct field_run *r, const struct nk_json *doc, uint32_t at)
{
    return nk_fault_set(r->fault, NK_EINVAL, "field", doc->tape[at].start,
                        "a function's answer has {\"body\": text} for each content type");
}

static int put_body(struct field_run *r, const struct nk_json *doc, uint32_t body)
{
    struct nk_str text = nk_json_string(doc, body, r->arena);
    struct field_value value;
    bool found;
    if (!text.p)
        return nk_fault_set(r->fault, NK_ENOMEM, "field", 0, "out of memory");
    int rc = field_run_text(r, text, &value, &found);
    if (!rc && !found)
        rc = field_run_without(r);
    if (rc)
        return rc;
    r->report->left_out += !found && r->applies;
    if (!r->applies || (found && value.same))
        nk_buf_add(r->out, nk_json_span(doc, body));
    else
        nk_json_put_string(r->out, value.text.p ? value.text : field_notice(r));
    return 0;
}

/* {"application/json":{"body":"…"}} */
static int put_bodies(struct field_run *r, const struct nk_json *doc, uint32_t at)
{
    if (nk_json_type(doc, at) != NK_JSON_OBJECT)
        return bad(r, doc, at);
    nk_buf_add_char(r->out, '{');
    for (uint32_t name = nk_json_first(doc, at); name != NK_JSON_NONE;
         name = nk_json_next(doc, at, name)) {
        uint32_t body = nk_json_get(doc, name + 1, NK_STR("body"));
        if (body == NK_JSON_NONE || nk_json_type(doc, body) != NK_JSON_STRING)
            return bad(r, doc, name + 1);
        nk_json_put_name(r->out, nk_json_string(doc, name, r->arena));
        nk_buf_add(r->out, NK_STR("{\"body\":"));
        int rc = put_body(r, doc, body);
        if (rc)
            return rc;
        nk_buf_add_char(r->out, '}');
        r->report->left_out += doc->tape[name + 1].count - 1;
    }
    nk_buf_add_char(r->out, '}');
    return 0;
}

static bool is_failure(const struct nk_json *doc, uint32_t at)
{
    int64_t status = 0;
    uint32_t code = nk_json_get(doc, at, NK_STR("httpStatusCode"));
    uint32_t state = nk_json_get(doc, at, NK_STR("responseState"));
    return (nk_json_i64(doc, code, &status) == 0 && status >= 400) ||
           (state != NK_JSON_NONE && nk_json_type(doc, state) == NK_JSON_STRING);
}

static int put_object(struct field_run *r, const struct nk_json *doc, uint32_t at, int depth)
{
    if (nk_json_type(doc, at) != NK_JSON_OBJECT || depth > 2)
        return nk_fault_set(r->fault, NK_EINVAL, "field", doc->tape[at].start,
                            "this is no answer of a function");
    if (is_failure(doc, at))
        field_run_is_error(r);
    nk_buf_add_char(r->out, '{');
    for (uint32_t name = nk_json_first(doc, at); name != NK_JSON_NONE;
         name = nk_json_next(doc, at, name)) {
        enum nk_json_type type = nk_json_type(doc, name + 1);
        bool scalar = type != NK_JSON_ARRAY && type != NK_JSON_OBJECT;
        bool body = nk_json_is(doc, name, NK_STR("responseBody"));
        int rc = 0;
        if (body || is_one_of(doc, name, inner, NK_COUNT(inner))) {
            nk_json_put_name(r->out, nk_json_string(doc, name, r->arena));
            rc = body ? put_bodies(r, doc, name + 1) : put_object(r, doc, name + 1, depth + 1);
        } else if (scalar && is_one_of(doc, name, pass, NK_COUNT(pass))) {
            field_put_member(r->out, doc, name);
        }
        if (rc)
            return rc;
    }
    nk_buf_add_char(r->out, '}');
    return 0;
}

int field_form_lambda(struct field_run *r, const struct nk_json *doc, uint32_t at)
{
    size_t from = r->out->n;
    int rc = put_object(r, doc, at, 0);
    if (rc || r->applies)
        return rc;
    /* Only its shape was looked at: it passes as it is. */
    r->out->n = from;
    nk_buf_add(r->out, nk_json_span(doc, at));
    return 0;
}
