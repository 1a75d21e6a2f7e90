/* SPDX-License-Identifier: Apache-2.0
 *
 * proto.c - the table of dialects, and which of their operations a request is. Paths are compared
 * byte for byte: nothing is decoded, collapsed or resolved, so a path written in any other way than
 * the one in the table (`//`, `/./`, `%2e`, another case) is no operation at all, and is refused.
 * The one segment that stands for a name is decoded once, because names of models may hold `/`.
 */
#include "proto/dialect.h"

#include "base/utf8.h"
#include "proto/member.h"

#include <string.h>

static const struct nk_dialect *const dialects[] = {
#define DIALECT(name) &nk_dialect_##name,
#include "proto/proto.def"
#undef DIALECT
};

const struct nk_dialect *const *nk_dialects(size_t *n)
{
    *n = NK_COUNT(dialects);
    return dialects;
}

const struct nk_dialect *nk_dialect_by_name(struct nk_str name)
{
    for (size_t i = 0; i < NK_COUNT(dialects); i++)
        if (nk_str_eq(nk_str(dialects[i]->name), name))
            return dialects[i];
    return NULL;
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-decodes one segment (RFC 3986, section 2.1). Absent when it is empty, malformed, not
 * UTF-8 or holds a control character: no such name exists. */
static struct nk_str segment_decode(struct nk_str s, struct nk_arena *a)
{
    const struct nk_str none = {NULL, 0};
    char *p = s.n ? nk_arena_alloc(a, s.n + 1) : NULL;
    if (!p)
        return none;
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '%') {
            int high = s.n - i > 2 ? digit(s.p[i + 1]) : -1;
            int low = s.n - i > 2 ? digit(s.p[i + 2]) : -1;
            if (high < 0 || low < 0)
                return none;
            c = (char)(high * 16 + low);
            i += 2;
        }
        if ((unsigned char)c < 0x20 || c == 0x7f)
            return none;
        p[n++] = c;
    }
    struct nk_str out = {p, n};
    return nk_utf8_check(out) == n ? out : none;
}

/* *rest: what stands for "*", absent when there is none. */
static bool path_matches(const char *pattern, struct nk_str path, struct nk_str *rest)
{
    struct nk_str behind = nk_str(pattern), before = nk_str_cut(&behind, '*');
    *rest = (struct nk_str){NULL, 0};
    if (!behind.p)
        return nk_str_eq(path, before);
    if (path.n <= before.n + behind.n || !nk_str_starts(path, before) || !nk_str_ends(path, behind))
        return false;
    *rest = nk_str_sub(path, before.n, path.n - behind.n);
    return nk_str_find(*rest, '/') < 0;
}

/* Operations that a header names have no query: it would be one more thing that nobody reads. */
static bool is_target(const struct nk_http_head *h, const char *target)
{
    return nk_str_find(h->target, '?') < 0 &&
           nk_str_eq(nk_http_get(h, NK_STR("x-amz-target")), nk_str(target));
}

static const struct nk_endpoint *endpoint_find(const struct nk_dialect *d,
                                               const struct nk_http_head *h, struct nk_str *rest)
{
    struct nk_str path = nk_http_path(h);
    for (size_t i = 0; i < d->endpoint_count; i++) {
        const struct nk_endpoint *e = &d->endpoints[i];
        if (e->method[0] == h->method.p[0] && nk_str_eq(h->method, nk_str(e->method)) &&
            path_matches(e->path, path, rest) && (!e->target || is_target(h, e->target)))
            return e;
    }
    return NULL;
}

static const struct nk_dialect *claimant(const struct nk_http_head *h)
{
    size_t i = 0;
    while (i + 1 < NK_COUNT(dialects) && !dialects[i]->claims(h))
        i++;
    return dialects[i];
}

const struct nk_endpoint *nk_proto_match(const struct nk_http_head *h, struct nk_arena *a,
                                         const struct nk_dialect **dialect, struct nk_str *segment)
{
    struct nk_str rest;
    *dialect = claimant(h);
    const struct nk_endpoint *e = endpoint_find(*dialect, h, &rest);
    for (size_t i = 0; !e && i < NK_COUNT(dialects); i++) {
        e = endpoint_find(dialects[i], h, &rest);
        if (e)
            *dialect = dialects[i];
    }
    *segment = (struct nk_str){NULL, 0};
    if (!e || !rest.p)
        return e;
    *segment = segment_decode(rest, a);
    return segment->p ? e : NULL;
}

struct nk_str nk_dialect_credential(const struct nk_http_head *h)
{
    static const struct nk_str scheme = {"bearer ", 7};
    struct nk_str found = {NULL, 0};
    for (size_t i = 0; i < h->header_count; i++) {
        struct nk_str name = h->headers[i].name, value = h->headers[i].value;
        bool bearer = nk_str_eq_nocase(name, NK_STR("authorization"));
        if (!bearer && !nk_str_eq_nocase(name, NK_STR("x-api-key")))
            continue;
        if (bearer)
            value = nk_str_eq_nocase(nk_str_sub(value, 0, scheme.n), scheme)
                        ? nk_str_trim(nk_str_sub(value, scheme.n, value.n))
                        : (struct nk_str){"", 0};
        if (value.n == 0 || (found.p && !nk_str_eq(found, value)))
            return (struct nk_str){"", 0};
        found = value;
    }
    return found;
}

bool nk_dialect_allows(const char *const *names, size_t n, struct nk_str name)
{
    for (size_t i = 0; i < n; i++)
        if (nk_str_is_nocase(name, names[i]))
            return true;
    return false;
}

int nk_dialect_model(struct nk_call *call, const char *const *decided, size_t n, struct nk_arena *a,
                     struct nk_fault *f)
{
    const struct nk_json *doc = &call->body;
    call->model_at = NK_JSON_NONE;
    if (call->endpoint->local)
        return 0;
    if (doc->n == 0)
        return nk_fault_set(f, NK_EINVAL, "proto", 0, "the request has no body");
    int r = nk_member_expect(doc, 0, NK_STR("body"), NK_JSON_OBJECT, f);
    if (!r)
        r = nk_member_no_doubles(doc, 0, decided, n, a, f);
    if (!r)
        r = nk_member_string(doc, 0, NK_STR("model"), false, a, &call->model, f);
    if (r)
        return r;
    call->model_at = nk_member_get(doc, 0, NK_STR("model"));
    return call->model.p ? 0 : nk_member_missing(doc, 0, NK_STR("model"), f);
}

bool nk_dialect_forwards_nothing(struct nk_str name)
{
    (void)name;
    return false;
}

int nk_dialect_no_reply(const struct nk_call *call, const struct nk_json *body, struct nk_arena *a,
                        struct nk_reply *out, struct nk_fault *f)
{
    (void)call, (void)body, (void)a;
    *out = (struct nk_reply){.usage = {-1, -1}};
    return nk_fault_set(f, NK_EUNSUPPORTED, "proto", 0,
                        "no answer of this API comes from upstream");
}

struct nk_stream *nk_dialect_no_stream(const struct nk_call *call, struct nk_arena *a)
{
    (void)call, (void)a;
    return NULL;
}

void nk_dialect_no_models(const struct nk_str *models, size_t n, bool one, struct nk_buf *out)
{
    (void)models, (void)n, (void)one;
    nk_buf_add(out, NK_STR("{}"));
}
