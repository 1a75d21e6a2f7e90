/* SPDX-License-Identifier: Apache-2.0
 *
 * oauth.c - see oauth.h. The metadata is the same for everybody and says nothing that a refusal does not say too, so
 * nobody has to prove anything for it, and no policy is asked. Nothing in it comes from the request: which
 * resource this is, the configuration says, never the Host header.
 */
#include "gate/oauth.h"

#include "gate/a2a.h"
#include "gate/mcp.h"

enum { DOCUMENT_MAX = 64 << 10 };

static const char well_known[] = "/.well-known/oauth-protected-resource";

static const struct nk_endpoint endpoint = {
    "oauth.protected_resource", "GET", "*", "ReadMetadata", NK_LOCAL_PUBLIC, NULL};

static struct nk_str *texts_of(const struct nk_config_text *list, size_t n, struct nk_arena *a)
{
    struct nk_str *out = nk_arena_array(a, n + 1, sizeof *out);
    for (size_t i = 0; out && i < n; i++)
        out[i] = list[i].text;
    return out;
}

static void put_list(struct nk_buf *b, struct nk_str name, const struct nk_str *list, size_t n)
{
    nk_json_put_name(b, name);
    nk_buf_add_char(b, '[');
    for (size_t i = 0; i < n; i++) {
        nk_buf_add(b, i ? NK_STR(",") : NK_STR(""));
        nk_json_put_string(b, list[i]);
    }
    nk_buf_add_char(b, ']');
}

/* RFC 9728, section 2. */
static void put_metadata(struct nk_buf *b, const struct nk_ident_resource *r)
{
    nk_buf_add_char(b, '{');
    nk_json_put_member(b, NK_STR("resource"), r->audience);
    put_list(b, NK_STR("authorization_servers"), r->issuers, r->issuer_count);
    if (r->scope_count)
        put_list(b, NK_STR("scopes_supported"), r->scopes, r->scope_count);
    nk_buf_add(b, NK_STR(",\"bearer_methods_supported\":[\"header\"]}"));
}

/* Section 3.1: the well-known part stands between host and path. */
static void split_resource(struct nk_str url, struct nk_str *origin, struct nk_str *path)
{
    size_t at = (size_t)nk_str_search(url, NK_STR("://")) + 3;
    while (at < url.n && url.p[at] != '/')
        at++;
    *origin = nk_str_sub(url, 0, at);
    *path = nk_str_sub(url, at, url.n);
    if (nk_str_eq(*path, NK_STR("/")))
        path->n = 0;
}

static void put_parameters(struct nk_buf *b, const struct nk_ident_resource *r,
                           struct nk_str origin, struct nk_str path)
{
    nk_buf_printf(b, "resource_metadata=\"%.*s%s%.*s\"", NK_FMT(origin), well_known, NK_FMT(path));
    for (size_t i = 0; i < r->scope_count; i++)
        nk_buf_printf(b, "%s%.*s", i ? " " : ", scope=\"", NK_FMT(r->scopes[i]));
    if (r->scope_count)
        nk_buf_add_char(b, '"');
}

static struct nk_str take(struct nk_buf *b, struct nk_arena *a)
{
    struct nk_str s = b->error ? (struct nk_str){NULL, 0} : nk_arena_copy(a, nk_buf_str(b));
    nk_buf_clear(b);
    return s;
}

int gate_oauth_new(const struct gate_door *d, struct nk_arena *a, const struct gate_oauth **out)
{
    struct nk_str origin, path;
    struct nk_buf b;
    *out = NULL;
    if (!d->resource.p)
        return 0;
    struct gate_oauth *o = nk_arena_alloc(a, sizeof *o);
    if (!o)
        return NK_ENOMEM;
    o->wants = (struct nk_ident_resource){.audience = d->resource,
                                          .issuers = texts_of(d->issuers, d->issuer_count, a),
                                          .issuer_count = d->issuer_count,
                                          .scopes = texts_of(d->scopes, d->scope_count, a),
                                          .scope_count = d->scope_count};
    if (!o->wants.issuers || !o->wants.scopes)
        return NK_ENOMEM;
    split_resource(d->resource, &origin, &path);
    o->path = nk_arena_join(a, (struct nk_str[]){nk_str(well_known), path}, 2);
    nk_buf_init(&b, DOCUMENT_MAX);
    put_metadata(&b, &o->wants);
    o->metadata = take(&b, a);
    put_parameters(&b, &o->wants, origin, path);
    o->says = take(&b, a);
    nk_buf_free(&b);
    *out = o;
    return o->path.p && o->metadata.p && o->says.p ? 0 : NK_ENOMEM;
}

const struct nk_ident_resource *gate_oauth_wants(const struct gate_oauth *o)
{
    return o ? &o->wants : NULL;
}

/* The metadata of a protected resource, if it is asked for. */
static bool match(struct nk_txn *t, const struct gate_oauth *o, const struct nk_dialect *dialect)
{
    struct nk_gate_state *s = t->state;
    if (!o || !nk_str_eq(nk_http_path(s->head), o->path))
        return false;
    s->document = o->metadata;
    s->dialect = dialect;
    s->call.endpoint = &endpoint;
    return true;
}

bool gate_oauth_match(struct nk_txn *t)
{
    const struct nk_setup *setup = t->setup;
    bool found = false;
    if (!nk_str_starts(t->state->head->target, nk_str(well_known)))
        return false;
    for (size_t i = 0; i < setup->config.mcp_count && !found; i++)
        found = match(t, setup->mcp[i].oauth, nk_mcp_dialect());
    for (size_t i = 0; i < setup->config.a2a_count && !found; i++)
        found = match(t, setup->a2a[i].oauth, nk_a2a_dialect());
    return found;
}

struct nk_str gate_oauth_challenge(const struct nk_txn *t)
{
    const struct nk_gate_state *s = t->state;
    const char *error;
    if (!s->oauth)
        return (struct nk_str){NULL, 0};
    switch (s->refusal.id) {
    case NK_REFUSAL_no_credential: /* RFC 6750, section 3.1: no error code then */
        error = "";
        break;
    case NK_REFUSAL_bad_credential:
    case NK_REFUSAL_expired_credential:
        error = "error=\"invalid_token\", ";
        break;
    case NK_REFUSAL_insufficient_scope:
        error = "error=\"insufficient_scope\", ";
        break;
    default:
        return (struct nk_str){NULL, 0};
    }
    return nk_arena_printf(t->arena, "Bearer %s%.*s", error, NK_FMT(s->oauth->says));
}
