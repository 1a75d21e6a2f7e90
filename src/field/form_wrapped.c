/* SPDX-License-Identifier: Apache-2.0
 *
 * form_wrapped.c - results of MCP that a client has written into the text of another dialect's tool result. Which of
 * three wrappings it takes, clients do as they like:
 *
 *   {"content":[{"type":"text","text":"…"}],"structuredContent":…}      the whole result
 *   [{"type":"text","text":"…"}]                                        its parts
 *   {"type":"text","text":"…"}                                          one part
 *
 * Paths are written for what the tool answers, so they would name nothing in there: what looks like a wrapping is
 * taken for one. A tool whose own value looks so loses more than it must.
 */
#include "field/form.h"

enum wrapping { NONE, RESULT, PARTS, PART };

static bool is_part(const struct nk_json *doc, uint32_t at)
{
    static const char *const types[] = {"text", "image", "audio", "resource", "resource_link"};
    static const char *const has[] = {"text", "data", "data", "resource", "uri"};
    uint32_t type = nk_json_get(doc, at, NK_STR("type"));
    for (size_t i = 0; i < NK_COUNT(types) && type != NK_JSON_NONE; i++)
        if (nk_json_is(doc, type, nk_str(types[i])))
            return nk_json_get(doc, at, nk_str(has[i])) != NK_JSON_NONE;
    return false;
}

/* Is it a list of parts, with at least one? */
static bool is_parts(const struct nk_json *doc, uint32_t at)
{
    if (at == NK_JSON_NONE || nk_json_type(doc, at) != NK_JSON_ARRAY || doc->tape[at].count == 0)
        return false;
    for (uint32_t i = nk_json_first(doc, at); i != NK_JSON_NONE; i = nk_json_next(doc, at, i))
        if (!is_part(doc, i))
            return false;
    return true;
}

static enum wrapping wrapping_of(const struct nk_json *doc)
{
    uint32_t content = nk_json_get(doc, 0, NK_STR("content"));
    if (is_parts(doc, content) ||
        (content != NK_JSON_NONE &&
         nk_json_get(doc, 0, NK_STR("structuredContent")) != NK_JSON_NONE))
        return RESULT;
    if (is_parts(doc, 0))
        return PARTS;
    return is_part(doc, 0) ? PART : NONE;
}

/* A document of "before TEXT after". */
static int parse_with(const struct field_run *r, struct nk_str before, struct nk_str text,
                      struct nk_str after, struct nk_json *doc)
{
    static const struct nk_json_limits limits = {UINT32_MAX - 1, NK_FIELD_DEPTH_MAX + 2,
                                                 (1u << 27) - 1};
    struct nk_str parts[] = {before, text, after};
    struct nk_str whole = nk_arena_join(r->arena, parts, 3);
    return whole.p ? nk_json_parse(&limits, whole, r->arena, doc, r->fault)
                   : nk_fault_set(r->fault, NK_ENOMEM, "field", 0, "out of memory");
}

/* The result that a text is, as CallToolResult. */
static int unwrap(const struct field_run *r, enum wrapping wrapping, const struct nk_json *doc,
                  struct nk_json *result)
{
    if (wrapping == RESULT) {
        *result = *doc;
        return 0;
    }
    bool one = wrapping == PART;
    return parse_with(r, one ? NK_STR("{\"content\":[") : NK_STR("{\"content\":"),
                      nk_json_span(doc, 0), one ? NK_STR("]}") : NK_STR("}"), result);
}

/* The filtered result in the wrapping that it came in. Of one part, the first: the value, or that it was left out. */
static int wrap(const struct field_run *r, enum wrapping wrapping, struct nk_str result,
                struct field_value *out)
{
    struct nk_json doc;
    int rc = parse_with(r, NK_STR(""), result, NK_STR(""), &doc);
    if (rc)
        return rc;
    uint32_t content = nk_json_get(&doc, 0, NK_STR("content"));
    uint32_t at = wrapping == RESULT  ? 0
                  : wrapping == PARTS ? content
                                      : nk_json_first(&doc, content);
    out->text = nk_json_span(&doc, at);
    return 0;
}

int field_form_wrapped(struct field_run *r, const struct nk_json *doc, struct field_value *out,
                       bool *found)
{
    enum wrapping wrapping = wrapping_of(doc);
    struct field_run inner = *r;
    struct nk_json result;
    struct nk_buf filtered;
    *out = (struct field_value){0};
    *found = wrapping != NONE;
    if (wrapping == NONE)
        return 0;
    int rc = unwrap(r, wrapping, doc, &result);
    nk_buf_init(&filtered, r->out->max);
    inner.out = &filtered;
    rc = rc ? rc : field_form_parts(&inner, NK_FIELD_MCP, &result, 0);
    if (!rc && filtered.error)
        rc = nk_fault_set(r->fault, filtered.error, "field", 0, "the result is too large");
    rc = rc ? rc : wrap(r, wrapping, nk_buf_str(&filtered), out);
    nk_buf_free(&filtered);
    return rc;
}
