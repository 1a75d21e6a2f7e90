/* SPDX-License-Identifier: Apache-2.0
 *
 * model.c - requests of a conversation: what holds for every API. What the caller gives as JSON is parsed before it
 * becomes part of a body, so that nothing in it can end the member in which it stands.
 */
#include "agent/model_own.h"

enum { JSON_MAX = 8 << 20, JSON_VALUES = 1 << 20, JSON_DEPTH = 128 };

static const struct model_api *api_of(const struct nk_dialect *d)
{
    const struct model_api *const apis[] = {&model_openai, &model_anthropic};
    for (size_t i = 0; i < NK_COUNT(apis); i++)
        if (apis[i]->dialect == d)
            return apis[i];
    return NULL;
}

int model_fault(struct nk_fault *f, int code, const char *what)
{
    return nk_fault_set(f, code, "model", 0, "%s", what);
}

bool nk_model_speaks(const struct nk_dialect *d)
{
    return api_of(d) != NULL;
}

struct nk_str nk_model_path(const struct nk_dialect *d)
{
    const struct model_api *api = api_of(d);
    NK_MUST(api);
    return nk_str(api->path);
}

struct nk_str nk_model_version(const struct nk_dialect *d, struct nk_str *name)
{
    const struct model_api *api = api_of(d);
    NK_MUST(api);
    *name = nk_str(api->version_header);
    return nk_str(api->version);
}

void model_put_comma(struct nk_buf *out)
{
    char last = out->n ? out->p[out->n - 1] : '[';
    if (last != '[' && last != '{')
        nk_buf_add_char(out, ',');
}

void model_put_raw(struct nk_buf *out, const char *name, struct nk_str json)
{
    if (!json.p)
        return;
    nk_json_put_name(out, nk_str(name));
    nk_buf_add(out, json);
}

void model_put_count(struct nk_buf *out, const char *name, int64_t v)
{
    if (v == 0)
        return;
    nk_json_put_name(out, nk_str(name));
    nk_buf_add_i64(out, v);
}

void model_put_strings(struct nk_buf *out, const char *name, const struct nk_str *v, size_t n)
{
    if (n == 0)
        return;
    nk_json_put_name(out, nk_str(name));
    nk_buf_add_char(out, '[');
    for (size_t i = 0; i < n; i++) {
        model_put_comma(out);
        nk_json_put_string(out, v[i]);
    }
    nk_buf_add_char(out, ']');
}

/* Strict JSON of this type; numbers are of either. `what` names it for the client. */
static int check_json(struct nk_str text, bool object, const char *what, struct nk_arena *a,
                      struct nk_json *doc, struct nk_fault *f)
{
    static const struct nk_json_limits lim = {JSON_MAX, JSON_DEPTH, JSON_VALUES};
    struct nk_fault inner = {0};
    int rc = nk_json_parse(&lim, text, a, doc, &inner);
    if (rc)
        return nk_fault_set(f, rc, "model", inner.offset, "%s: %s", what, inner.message);
    enum nk_json_type type = nk_json_type(doc, 0);
    if (object ? type != NK_JSON_OBJECT : type != NK_JSON_INT && type != NK_JSON_NUMBER)
        return nk_fault_set(f, NK_EINVAL, "model", 0, "%s must be %s", what,
                            object ? "an object" : "a number");
    return 0;
}

static bool is_name(struct nk_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i], low = (char)(c | 0x20);
        if (!(low >= 'a' && low <= 'z') && !(c >= '0' && c <= '9') && c != '_' && c != '-')
            return false;
    }
    return s.n >= 1 && s.n <= 128;
}

static int check_result(const struct nk_model_part *p, struct nk_arena *a, struct nk_fault *f)
{
    struct nk_json doc;
    static const struct nk_json_limits lim = {JSON_MAX, JSON_DEPTH, JSON_VALUES};
    for (size_t i = 0; i < p->content_count; i++) {
        const struct nk_model_part *c = &p->content[i];
        if (c->type != NK_MODEL_TEXT && c->type != NK_MODEL_JSON && c->type != NK_MODEL_IMAGE)
            return model_fault(f, NK_EINVAL, "a tool result holds text, JSON and images alone");
        int rc = c->type == NK_MODEL_JSON ? nk_json_parse(&lim, c->text, a, &doc, f) : 0;
        if (rc)
            return rc;
    }
    return p->content_count > NK_MODEL_MAX_PARTS
               ? model_fault(f, NK_ELIMIT, "too many parts in a tool result")
               : 0;
}

static int check_part(enum nk_model_role role, const struct nk_model_part *p, struct nk_arena *a,
                      struct nk_fault *f)
{
    struct nk_json doc;
    switch (p->type) {
    case NK_MODEL_TEXT:
        return 0;
    case NK_MODEL_IMAGE:
        return role == NK_MODEL_USER ? 0 : model_fault(f, NK_EINVAL, "an image of the assistant");
    case NK_MODEL_REASONING:
        return role == NK_MODEL_ASSISTANT ? 0 : model_fault(f, NK_EINVAL, "reasoning of the user");
    case NK_MODEL_TOOL_USE:
        if (role != NK_MODEL_ASSISTANT || !is_name(p->name) || p->id.n == 0)
            return model_fault(f, NK_EINVAL, "a tool use without id or name, or of the user");
        return check_json(p->text, true, "the input of a tool use", a, &doc, f);
    case NK_MODEL_TOOL_RESULT:
        if (role != NK_MODEL_USER || p->id.n == 0)
            return model_fault(f, NK_EINVAL, "a tool result without id, or of the assistant");
        return check_result(p, a, f);
    default:
        return model_fault(f, NK_EINVAL, "JSON stands in tool results alone");
    }
}

static int check_messages(const struct nk_model_request *r, struct nk_arena *a, struct nk_fault *f)
{
    if (r->message_count == 0)
        return model_fault(f, NK_EINVAL, "there are no messages");
    if (r->message_count > NK_MODEL_MAX_MESSAGES)
        return model_fault(f, NK_ELIMIT, "too many messages");
    for (size_t i = 0; i < r->message_count; i++) {
        const struct nk_model_message *m = &r->messages[i];
        if (m->count == 0)
            return model_fault(f, NK_EINVAL, "a message without content");
        if (m->count > NK_MODEL_MAX_PARTS)
            return model_fault(f, NK_ELIMIT, "too many parts in a message");
        for (size_t k = 0; k < m->count; k++) {
            int rc = check_part(m->role, &m->parts[k], a, f);
            if (rc)
                return rc;
        }
    }
    return 0;
}

static int check_tools(const struct nk_model_request *r, struct nk_arena *a, struct nk_fault *f)
{
    struct nk_json doc;
    bool found = r->choice != NK_MODEL_CHOICE_ONE;
    if (r->tool_count > NK_MODEL_MAX_TOOLS)
        return model_fault(f, NK_ELIMIT, "too many tools");
    for (size_t i = 0; i < r->tool_count; i++) {
        if (!is_name(r->tools[i].name))
            return model_fault(f, NK_EINVAL, "a tool's name is 1 to 128 of A-Z a-z 0-9 _ -");
        found = found || nk_str_eq(r->tools[i].name, r->choice_name);
        int rc = check_json(r->tools[i].schema, true, "the schema of a tool", a, &doc, f);
        if (rc)
            return rc;
    }
    return found ? 0 : model_fault(f, NK_EINVAL, "the tool choice names a tool that is not there");
}

static int check_settings(const struct nk_model_request *r, struct nk_arena *a, struct nk_fault *f)
{
    struct nk_json doc;
    int rc =
        r->temperature.p ? check_json(r->temperature, false, "the temperature", a, &doc, f) : 0;
    if (!rc && r->top_p.p)
        rc = check_json(r->top_p, false, "top_p", a, &doc, f);
    if (rc)
        return rc;
    if (r->max_tokens < 0 || r->stop_count > NK_MODEL_MAX_STOPS)
        return model_fault(f, NK_EINVAL, "too many stop sequences, or tokens below 0");
    return 0;
}

/* Members of `extra` behind those that are written; each must be on the list, and none is written already. */
static int put_extra(const struct model_api *api, const struct nk_model_request *r,
                     struct nk_arena *a, struct nk_buf *out, struct nk_fault *f)
{
    struct nk_json doc;
    if (!r->extra.p)
        return 0;
    int rc = check_json(r->extra, true, "additional fields", a, &doc, f);
    if (rc)
        return rc;
    for (uint32_t i = nk_json_first(&doc, 0); i != NK_JSON_NONE; i = nk_json_next(&doc, 0, i)) {
        size_t k = 0;
        while (k < api->extra_count && !nk_json_is(&doc, i, nk_str(api->extras[k])))
            k++;
        if (k == api->extra_count)
            return nk_fault_set(f, NK_EINVAL, "model", doc.tape[i].start,
                                "the additional field %.*s is not passed on to models of \"%s\"",
                                NK_FMT(nk_str_sub(nk_json_span(&doc, i), 0, 64)),
                                api->dialect->name);
        model_put_raw(out, api->extras[k], nk_json_span(&doc, i + 1));
    }
    return 0;
}

int nk_model_write(const struct nk_dialect *d, const struct nk_model_request *r, struct nk_arena *a,
                   struct nk_buf *out, struct nk_fault *f)
{
    const struct model_api *api = api_of(d);
    NK_MUST(api);
    int rc = r->model.n ? check_messages(r, a, f) : model_fault(f, NK_EINVAL, "no model is named");
    if (!rc)
        rc = check_tools(r, a, f);
    if (!rc)
        rc = check_settings(r, a, f);
    if (rc)
        return rc;
    nk_buf_add_char(out, '{');
    nk_json_put_member(out, NK_STR("model"), r->model);
    if (r->stream)
        nk_buf_add(out, NK_STR(",\"stream\":true"));
    rc = api->write(r, out, f);
    if (!rc)
        rc = put_extra(api, r, a, out, f);
    nk_buf_add_char(out, '}');
    return rc ? rc : out->error;
}

struct nk_model_stream *nk_model_stream_new(const struct nk_dialect *d, bool keep,
                                            struct nk_arena *a)
{
    const struct model_api *api = api_of(d);
    NK_MUST(api);
    const struct nk_call call = {.dialect = d, .endpoint = &d->endpoints[0]};
    struct nk_model_stream *s = nk_arena_alloc(a, sizeof *s);
    struct nk_stream *calls = s ? d->stream_new(&call, a) : NULL;
    if (!calls)
        return NULL;
    *s = (struct nk_model_stream){.api = api,
                                  .arena = a,
                                  .keep = keep,
                                  .calls = calls,
                                  .block = -1,
                                  .usage = {-1, -1, -1, -1}};
    return s;
}
