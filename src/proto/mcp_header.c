/* SPDX-License-Identifier: Apache-2.0
 *
 * mcp_header.c - headers that repeat what the body says (2026-07-28, basic, transports, streamable-http, "Request
 * Metadata"). Those in between route by them; whoever reads the body must refuse a request whose headers say
 * something else, or one says "harmless" to the guard and "harmful" to the server.
 */
#include "proto/mcp.h"

#include "base/encode.h"
#include "http/grammar.h"

static const char stage[] = "headers";
static const struct nk_str sentinel = {"=?base64?", 9};
static const struct nk_str sentinel_end = {"?=", 2};

enum { ENCODED_MAX = 16 << 10 };

struct nk_str nk_mcp_header_decode(struct nk_str value, struct nk_arena *a)
{
    const struct nk_str none = {NULL, 0};
    value = nk_str_trim(value);
    for (size_t i = 0; i < value.n; i++)
        if ((unsigned char)value.p[i] > 0x7e || (value.p[i] < 0x20 && value.p[i] != '\t'))
            return none;
    if (value.n < sentinel.n + sentinel_end.n || !nk_str_starts(value, sentinel) ||
        !nk_str_ends(value, sentinel_end))
        return value;
    struct nk_str coded = nk_str_sub(value, sentinel.n, value.n - sentinel_end.n);
    struct nk_buf b;
    nk_buf_init(&b, ENCODED_MAX);
    int rc = nk_base64_decode(coded, &b);
    if (!rc && !b.error && b.n == 0)
        nk_buf_reserve(&b, 1);
    struct nk_str out = rc || b.error ? none : nk_arena_copy(a, nk_buf_str(&b));
    nk_buf_free(&b);
    return out;
}

static bool is_plain(struct nk_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || (unsigned char)s.p[i] > 0x7e)
            return false;
    return s.n && s.p[0] != ' ' && s.p[s.n - 1] != ' ' && !nk_str_starts(s, sentinel);
}

struct nk_str nk_mcp_header_encode(struct nk_str text, struct nk_arena *a)
{
    struct nk_buf b;
    if (is_plain(text))
        return text;
    nk_buf_init(&b, 2 * ENCODED_MAX);
    nk_buf_add(&b, sentinel);
    nk_base64_encode(text, &b);
    nk_buf_add(&b, sentinel_end);
    struct nk_str out = b.error ? (struct nk_str){NULL, 0} : nk_arena_copy(a, nk_buf_str(&b));
    nk_buf_free(&b);
    return out;
}

/* The header of that name: *out is absent when there is none. Two of them: readers could differ. */
static int only(const struct nk_http_head *h, struct nk_str name, struct nk_str *out,
                struct nk_fault *f)
{
    *out = (struct nk_str){NULL, 0};
    for (size_t i = 0; i < h->header_count; i++) {
        if (!nk_str_eq_nocase(h->headers[i].name, name))
            continue;
        if (out->p)
            return nk_fault_set(f, NK_EINVAL, stage, 0, "Header mismatch: %.*s is there twice",
                                NK_FMT(name));
        *out = nk_str_trim(h->headers[i].value);
    }
    return 0;
}

/* `a`: the value may be coded, and is decoded there; NULL: it stands as it is. */
static int expect(const struct nk_http_head *h, struct nk_str name, struct nk_str value,
                  struct nk_arena *a, struct nk_fault *f)
{
    struct nk_str said;
    int rc = only(h, name, &said, f);
    if (rc)
        return rc;
    if (!said.p)
        return nk_fault_set(f, NK_EINVAL, stage, 0, "Header mismatch: %.*s is missing",
                            NK_FMT(name));
    if (a)
        said = nk_mcp_header_decode(said, a);
    return said.p && nk_str_eq(said, value)
               ? 0
               : nk_fault_set(f, NK_EINVAL, stage, 0,
                              "Header mismatch: %.*s does not say what the body says",
                              NK_FMT(name));
}

int nk_mcp_headers(const struct nk_http_head *h, const struct nk_mcp_message *m,
                   const struct nk_mcp_ask *ask, struct nk_arena *a, struct nk_fault *f)
{
    int rc = expect(h, NK_STR("MCP-Protocol-Version"), ask->version, NULL, f);
    if (!rc)
        rc = expect(h, NK_STR("Mcp-Method"), m->method, NULL, f);
    if (!rc && nk_mcp_has_header(ask->op))
        rc = expect(h, NK_STR("Mcp-Name"), ask->subject, a, f);
    return rc;
}

/* A number as the header has it and as the body has it: by value where both are integers ("42.0" is 42). */
static bool same_number(struct nk_str said, struct nk_str body)
{
    if (nk_str_ends(said, NK_STR(".0")))
        said.n -= 2;
    if (nk_str_ends(body, NK_STR(".0")))
        body.n -= 2;
    return nk_str_eq(said, body);
}

static int check_param(const struct nk_http_head *h, struct nk_str header,
                       const struct nk_json *doc, uint32_t value, struct nk_arena *a,
                       struct nk_fault *f)
{
    enum nk_json_type type = value == NK_JSON_NONE ? NK_JSON_NULL : nk_json_type(doc, value);
    struct nk_str name = nk_arena_printf(a, "Mcp-Param-%.*s", NK_FMT(header)), said;
    if (!name.p)
        return NK_ENOMEM;
    if (type == NK_JSON_STRING) {
        struct nk_str text = nk_json_string(doc, value, a);
        return text.p ? expect(h, name, text, a, f) : NK_ENOMEM;
    }
    int rc = only(h, name, &said, f);
    if (rc)
        return rc;
    bool good = type == NK_JSON_NULL ? !said.p
                : type == NK_JSON_INT || type == NK_JSON_NUMBER
                    ? said.p && same_number(said, nk_json_span(doc, value))
                    : said.p && nk_str_eq(said, nk_json_span(doc, value));
    return good ? 0
                : nk_fault_set(f, NK_EINVAL, stage, 0,
                               "Header mismatch: %.*s does not say what the body says",
                               NK_FMT(name));
}

/* Walks the properties of an object schema; they are nested as the arguments are. */
static int check_properties(const struct nk_http_head *h, const struct nk_json *schema,
                            uint32_t object, const struct nk_json *doc, uint32_t value,
                            struct nk_arena *a, struct nk_fault *f)
{
    uint32_t list = nk_json_get(schema, object, NK_STR("properties"));
    if (nk_json_type(schema, list) != NK_JSON_OBJECT)
        return 0;
    for (uint32_t i = nk_json_first(schema, list); i != NK_JSON_NONE;
         i = nk_json_next(schema, list, i)) {
        struct nk_str name = nk_json_string(schema, i, a);
        uint32_t header = nk_json_get(schema, i + 1, NK_STR("x-mcp-header"));
        if (!name.p)
            return NK_ENOMEM;
        uint32_t at = nk_json_get(doc, value, name);
        int rc = 0;
        if (header != NK_JSON_NONE)
            rc = check_param(h, nk_json_string(schema, header, a), doc, at, a, f);
        else if (nk_json_type(schema, i + 1) == NK_JSON_OBJECT)
            rc = check_properties(h, schema, i + 1, doc, at, a, f);
        if (rc)
            return rc;
    }
    return 0;
}

int nk_mcp_param_headers(const struct nk_http_head *h, const struct nk_json *schema,
                         const struct nk_json *doc, uint32_t arguments, struct nk_arena *a,
                         struct nk_fault *f)
{
    return check_properties(h, schema, 0, doc, arguments, a, f);
}

/* HTTP/2 has names in lower case alone. */
static struct nk_str param_name(struct nk_str header, struct nk_arena *a)
{
    static const struct nk_str prefix = {"mcp-param-", 10};
    char *p = nk_arena_alloc(a, prefix.n + header.n);
    for (size_t i = 0; p && i < prefix.n + header.n; i++) {
        char c = i < prefix.n ? prefix.p[i] : header.p[i - prefix.n];
        p[i] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    return (struct nk_str){p, prefix.n + header.n};
}

static int add_param(const struct nk_json *arguments, uint32_t value, struct nk_str header,
                     struct nk_arena *a, size_t max, struct nk_http_head *h)
{
    enum nk_json_type type = value == NK_JSON_NONE ? NK_JSON_NULL : nk_json_type(arguments, value);
    if (type == NK_JSON_NULL)
        return 0;
    if (!nk_http_token_ok(header))
        return NK_EINVAL;
    if (h->header_count >= max)
        return NK_ELIMIT;
    struct nk_str text = type == NK_JSON_STRING ? nk_json_string(arguments, value, a)
                                                : nk_json_span(arguments, value);
    struct nk_http_header one = {.name = param_name(header, a),
                                 .value = text.p ? nk_mcp_header_encode(text, a)
                                                 : (struct nk_str){NULL, 0}};
    if (!one.name.p || !one.value.p)
        return NK_ENOMEM;
    h->headers[h->header_count++] = one;
    return 0;
}

static int add_properties(const struct nk_json *schema, uint32_t object,
                          const struct nk_json *arguments, uint32_t value, struct nk_arena *a,
                          size_t max, struct nk_http_head *h)
{
    uint32_t list = nk_json_get(schema, object, NK_STR("properties"));
    int rc = 0;
    if (nk_json_type(schema, list) != NK_JSON_OBJECT)
        return 0;
    for (uint32_t i = nk_json_first(schema, list); i != NK_JSON_NONE && !rc;
         i = nk_json_next(schema, list, i)) {
        struct nk_str name = nk_json_string(schema, i, a);
        uint32_t header = nk_json_get(schema, i + 1, NK_STR("x-mcp-header"));
        if (!name.p)
            return NK_ENOMEM;
        uint32_t at = nk_json_get(arguments, value, name);
        if (header != NK_JSON_NONE)
            rc = add_param(arguments, at, nk_json_string(schema, header, a), a, max, h);
        else if (nk_json_type(schema, i + 1) == NK_JSON_OBJECT)
            rc = add_properties(schema, i + 1, arguments, at, a, max, h);
    }
    return rc;
}

int nk_mcp_add_param_headers(const struct nk_json *schema, const struct nk_json *arguments,
                             struct nk_arena *a, size_t max, struct nk_http_head *h)
{
    return add_properties(schema, 0, arguments, 0, a, max, h);
}
