/* SPDX-License-Identifier: Apache-2.0
 *
 * event.c - see event.h.
 */
#include "agent/event.h"

#include "base/encode.h"
#include "proto/eventstream.h"
#include "proto/member.h"

enum { EVENT_MAX = 20 << 20 };

/* Arguments ------------------------------------------------------------------------------------ */

static const char *type_of(enum nk_json_type type)
{
    switch (type) {
    case NK_JSON_STRING:
        return "string";
    case NK_JSON_INT:
        return "integer";
    case NK_JSON_NUMBER:
        return "number";
    case NK_JSON_TRUE:
    case NK_JSON_FALSE:
        return "boolean";
    case NK_JSON_ARRAY:
        return "array";
    default:
        return "object";
    }
}

/* Values are texts there, whatever their type. */
static struct nk_str value_text(const struct nk_json *doc, uint32_t at, struct nk_arena *a)
{
    return nk_json_type(doc, at) == NK_JSON_STRING ? nk_json_string(doc, at, a)
                                                   : nk_json_span(doc, at);
}

static bool in_path(struct nk_str path, struct nk_str name)
{
    for (size_t i = 0; i + name.n + 2 <= path.n; i++)
        if (path.p[i] == '{' && path.p[i + name.n + 1] == '}' &&
            nk_str_eq(nk_str_sub(path, i + 1, i + 1 + name.n), name))
            return true;
    return false;
}

/* Do arguments outside the path stand in a body? */
static bool has_body(const struct nk_agent_way *way)
{
    return way->path.p && !nk_str_eq(way->method, NK_STR("GET")) &&
           !nk_str_eq(way->method, NK_STR("DELETE"));
}

/* Those that stand in the body, or the others; `way` NULL: all. */
static void put_some(const struct nk_json *doc, const struct nk_agent_way *way, bool body,
                     struct nk_arena *a, struct nk_buf *out)
{
    bool first = true;
    nk_buf_add_char(out, '[');
    for (uint32_t i = nk_json_first(doc, 0); i != NK_JSON_NONE; i = nk_json_next(doc, 0, i)) {
        struct nk_str name = nk_json_string(doc, i, a), value = value_text(doc, i + 1, a);
        bool is_body = way && has_body(way) && !in_path(way->path, name);
        if (way && is_body != body)
            continue;
        if (!name.p || !value.p)
            out->error = NK_ENOMEM;
        nk_buf_add(out, first ? NK_STR("{") : NK_STR(",{"));
        nk_json_put_member(out, NK_STR("name"), name);
        nk_json_put_member(out, NK_STR("type"), nk_str(type_of(nk_json_type(doc, i + 1))));
        nk_json_put_member(out, NK_STR("value"), value);
        nk_buf_add_char(out, '}');
        first = false;
    }
    nk_buf_add_char(out, ']');
}

void nk_agent_put_parameters(const struct nk_json *arguments, struct nk_arena *a,
                             struct nk_buf *out)
{
    put_some(arguments, NULL, false, a, out);
}

/* Lambda --------------------------------------------------------------------------------------- */

static void put_call(const struct nk_agent_way *way, const struct nk_json *doc, struct nk_arena *a,
                     struct nk_buf *out)
{
    nk_json_put_member(out, NK_STR("actionGroup"), way->action);
    if (!way->path.p) {
        nk_json_put_member(out, NK_STR("function"), way->function);
        nk_json_put_name(out, NK_STR("parameters"));
        put_some(doc, NULL, false, a, out);
        return;
    }
    nk_json_put_member(out, NK_STR("apiPath"), way->path);
    nk_json_put_member(out, NK_STR("httpMethod"), way->method);
    nk_json_put_name(out, NK_STR("parameters"));
    put_some(doc, way, false, a, out);
    if (!has_body(way))
        return;
    nk_buf_add(out, NK_STR(",\"requestBody\":{\"content\":{\"application/json\":{\"properties\":"));
    put_some(doc, way, true, a, out);
    nk_buf_add(out, NK_STR("}}}"));
}

void nk_agent_put_lambda(const struct nk_agent_lambda *l, struct nk_arena *a, struct nk_buf *out)
{
    nk_buf_add(out, NK_STR("{\"messageVersion\":\"1.0\",\"agent\":{"));
    nk_json_put_member(out, NK_STR("name"), l->who->name);
    nk_json_put_member(out, NK_STR("id"), l->who->id);
    nk_json_put_member(out, NK_STR("alias"), l->who->alias);
    nk_json_put_member(out, NK_STR("version"), NK_STR("1"));
    nk_buf_add_char(out, '}');
    nk_json_put_member(out, NK_STR("inputText"), l->input);
    nk_json_put_member(out, NK_STR("sessionId"), l->who->session);
    put_call(l->way, l->arguments, a, out);
    nk_json_put_name(out, NK_STR("sessionAttributes"));
    nk_agent_attributes_write(l->session, l->principal, out);
    nk_buf_add(out, NK_STR(",\"promptSessionAttributes\":{"));
    for (size_t i = 0; i < l->prompt->n; i++)
        if (!nk_agent_is_reserved(l->principal, l->prompt->pairs[i].name))
            nk_json_put_member(out, l->prompt->pairs[i].name, l->prompt->pairs[i].value);
    nk_buf_add(out, NK_STR("}}"));
}

static int read_pairs(const struct nk_json *doc, const char *name, struct nk_arena *a,
                      struct nk_agent_pair *pairs, size_t *n, struct nk_fault *f)
{
    uint32_t at;
    int rc = nk_member_of(doc, 0, nk_str(name), NK_JSON_OBJECT, &at, f);
    for (uint32_t i = rc ? NK_JSON_NONE : nk_json_first(doc, at); i != NK_JSON_NONE;
         i = nk_json_next(doc, at, i)) {
        if (*n == NK_AGENT_PAIRS_MAX)
            return nk_fault_set(f, NK_ELIMIT, "agent", 0, "\"%s\" has too many members", name);
        rc = nk_member_expect(doc, i + 1, nk_str(name), NK_JSON_STRING, f);
        if (rc)
            return rc;
        struct nk_agent_pair *p = &pairs[(*n)++];
        p->name = nk_json_string(doc, i, a);
        p->value = nk_json_string(doc, i + 1, a);
        if (!p->name.p || !p->value.p)
            return NK_ENOMEM;
    }
    return rc;
}

/* The body of the first media type; the two schemas have it in different places. */
static int read_body(const struct nk_json *doc, struct nk_arena *a, struct nk_agent_answer *out,
                     struct nk_fault *f)
{
    uint32_t response, inner, bodies;
    int64_t status = 200;
    struct nk_str state = {NULL, 0};
    int rc = nk_member_of(doc, 0, NK_STR("response"), NK_JSON_OBJECT, &response, f);
    if (!rc && response == NK_JSON_NONE)
        rc = nk_member_missing(doc, 0, NK_STR("response"), f);
    if (!rc)
        rc = nk_member_of(doc, response, NK_STR("functionResponse"), NK_JSON_OBJECT, &inner, f);
    if (rc)
        return rc;
    uint32_t of = inner == NK_JSON_NONE ? response : inner;
    rc = nk_member_string(doc, of, NK_STR("responseState"), true, a, &state, f);
    if (!rc)
        rc = nk_member_count(doc, response, NK_STR("httpStatusCode"), &status, f);
    if (!rc)
        rc = nk_member_of(doc, of, NK_STR("responseBody"), NK_JSON_OBJECT, &bodies, f);
    uint32_t first = rc ? NK_JSON_NONE : nk_json_first(doc, bodies);
    out->failed = state.n > 0 || status >= 400;
    if (rc || first == NK_JSON_NONE)
        return rc;
    rc = nk_member_expect(doc, first + 1, NK_STR("responseBody"), NK_JSON_OBJECT, f);
    return rc ? rc : nk_member_string(doc, first + 1, NK_STR("body"), true, a, &out->body, f);
}

int nk_agent_read_lambda(const struct nk_json *doc, struct nk_arena *a, struct nk_agent_answer *out,
                         struct nk_fault *f)
{
    *out = (struct nk_agent_answer){.failed = false};
    int rc = nk_member_expect(doc, 0, NK_STR("the answer"), NK_JSON_OBJECT, f);
    if (!rc)
        rc = read_body(doc, a, out, f);
    if (!rc)
        rc = read_pairs(doc, "sessionAttributes", a, out->session, &out->session_count, f);
    return rc ? rc
              : read_pairs(doc, "promptSessionAttributes", a, out->prompt, &out->prompt_count, f);
}

/* Requests of their own ------------------------------------------------------------------------ */

/* Unreserved characters alone stay (RFC 3986, section 2.3): an argument never adds a segment or a parameter. */
static void put_encoded(struct nk_str s, struct nk_buf *out)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '.' || c == '_' || c == '~';
        if (plain) {
            nk_buf_add_char(out, (char)c);
        } else {
            const char code[] = {'%', digits[c >> 4], digits[c & 15]};
            nk_buf_add(out, (struct nk_str){code, sizeof code});
        }
    }
}

/* "." and ".." would be taken for steps by whoever reads the path. */
static bool segment_ok(struct nk_str v)
{
    return v.n && !nk_str_eq(v, NK_STR(".")) && !nk_str_eq(v, NK_STR(".."));
}

static int put_path(const struct nk_agent_way *way, const struct nk_json *doc, struct nk_arena *a,
                    struct nk_buf *out, struct nk_fault *f)
{
    struct nk_str rest = way->path;
    while (rest.p) {
        nk_buf_add(out, nk_str_cut(&rest, '{'));
        if (!rest.p)
            break;
        struct nk_str name = nk_str_cut(&rest, '}');
        uint32_t at = nk_json_get(doc, 0, name);
        struct nk_str value = at == NK_JSON_NONE ? NK_STR("") : value_text(doc, at, a);
        if (!segment_ok(value))
            return nk_fault_set(f, NK_EINVAL, "agent", 0,
                                "argument \"%.*s\" is missing, or cannot stand in a path",
                                NK_FMT(name));
        put_encoded(value, out);
    }
    return 0;
}

int nk_agent_put_rest(const struct nk_agent_way *way, const struct nk_json *arguments,
                      struct nk_arena *a, struct nk_buf *target, struct nk_buf *body,
                      struct nk_fault *f)
{
    bool in_body = has_body(way);
    bool first = true;
    int rc = put_path(way, arguments, a, target, f);
    if (in_body)
        nk_buf_add_char(body, '{');
    for (uint32_t i = rc ? NK_JSON_NONE : nk_json_first(arguments, 0); i != NK_JSON_NONE;
         i = nk_json_next(arguments, 0, i)) {
        struct nk_str name = nk_json_string(arguments, i, a);
        struct nk_str value = value_text(arguments, i + 1, a);
        if (!name.p || !value.p)
            return NK_ENOMEM;
        if (in_path(way->path, name))
            continue;
        if (in_body) {
            nk_json_put_name(body, name);
            nk_buf_add(body, nk_json_span(arguments, i + 1));
            continue;
        }
        nk_buf_add_char(target, first ? '?' : '&');
        put_encoded(name, target);
        nk_buf_add_char(target, '=');
        put_encoded(value, target);
        first = false;
    }
    if (in_body)
        nk_buf_add_char(body, '}');
    return rc ? rc : target->error ? target->error : body->error;
}

/* Events --------------------------------------------------------------------------------------- */

static void put_event(const char *type, const struct nk_buf *json, struct nk_buf *out)
{
    if (json->error)
        out->error = json->error;
    else
        nk_eventstream_put_event(nk_str(type), nk_buf_str(json), out);
}

void nk_agent_put_chunk(struct nk_str text, struct nk_buf *out)
{
    struct nk_buf b;
    nk_buf_init(&b, EVENT_MAX);
    nk_buf_add(&b, NK_STR("{\"bytes\":\""));
    nk_base64_encode(text, &b);
    nk_buf_add(&b, NK_STR("\"}"));
    put_event("chunk", &b, out);
    nk_buf_free(&b);
}

void nk_agent_put_trace(const struct nk_agent_who *who, struct nk_str trace, struct nk_buf *out)
{
    struct nk_buf b;
    nk_buf_init(&b, EVENT_MAX);
    nk_buf_add_char(&b, '{');
    nk_json_put_member(&b, NK_STR("sessionId"), who->session);
    if (!who->is_inline) {
        nk_json_put_member(&b, NK_STR("agentId"), who->id);
        nk_json_put_member(&b, NK_STR("agentAliasId"), who->alias);
        nk_json_put_member(&b, NK_STR("agentVersion"), NK_STR("1"));
    }
    nk_buf_add(&b, NK_STR(",\"trace\":{\"orchestrationTrace\":"));
    nk_buf_add(&b, trace);
    nk_buf_add(&b, NK_STR("}}"));
    put_event("trace", &b, out);
    nk_buf_free(&b);
}

void nk_agent_put_invocation(const struct nk_agent_way *way, const struct nk_agent_use *use,
                             struct nk_arena *a, struct nk_buf *out)
{
    static const struct nk_json_limits lim = {1 << 20, 128, 1 << 16};
    struct nk_json doc;
    struct nk_fault f = {0};
    bool api = way->path.p != NULL;
    if (nk_json_parse(&lim, use->arguments, a, &doc, &f)) {
        out->error = NK_EINVAL; /* it was read before */
        return;
    }
    nk_buf_add(out, api ? NK_STR("{\"apiInvocationInput\":{")
                        : NK_STR("{\"functionInvocationInput\":{"));
    put_call(way, &doc, a, out);
    nk_json_put_member(out, NK_STR("actionInvocationType"),
                       !use->asks   ? NK_STR("RESULT")
                       : use->waits ? NK_STR("USER_CONFIRMATION_AND_RESULT")
                                    : NK_STR("USER_CONFIRMATION"));
    nk_buf_add(out, NK_STR("}}"));
}

void nk_agent_put_control(struct nk_str invocation, struct nk_str inputs, struct nk_buf *out)
{
    struct nk_buf b;
    nk_buf_init(&b, EVENT_MAX);
    nk_buf_add_char(&b, '{');
    nk_json_put_member(&b, NK_STR("invocationId"), invocation);
    nk_buf_add(&b, NK_STR(",\"invocationInputs\":"));
    nk_buf_add(&b, inputs);
    nk_buf_add_char(&b, '}');
    put_event("returnControl", &b, out);
    nk_buf_free(&b);
}
