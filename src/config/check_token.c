/* SPDX-License-Identifier: Apache-2.0
 *
 * check_token.c - the identity that tools get: who is told it, and that it travels as a secret does.
 */
#include "config/table.h"

static const char stage[] = "config";

static bool is_header(struct nk_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!(s.p[i] >= 'a' && s.p[i] <= 'z') && !(s.p[i] >= '0' && s.p[i] <= '9') && s.p[i] != '-')
            return false;
    return s.n > 0;
}

/* Why this upstream can get no token in that way; NULL: it can. *key: what to mend. */
static const char *wrong(const struct nk_config *c, const struct nk_config_upstream *u,
                         const char **key)
{
    *key = "token_header";
    if (!is_header(u->token_header))
        return "is a name of a header, in lower case";
    *key = "token_audience";
    if (!nk_config_serves_tools(u))
        return "is for tools and agents alone (dialects mcp, a2a and http)";
    if (!c->token.issuer.p)
        return "needs identity.tool_tokens with issuer and key";
    for (size_t j = 0; j < nk_config_endpoint_count(u); j++) {
        struct nk_config_endpoint e = nk_config_endpoint(u, j);
        if (nk_str_starts(e.url, NK_STR("http://")) && !nk_config_is_local(e.url))
            return "is only sent over https, to this machine or to a Unix socket; write https://";
        if ((e.credential.p || u->oauth.token_url.p) &&
            nk_str_eq_nocase(u->token_header, NK_STR("authorization")))
            return "would stand where the credential does; write another token_header";
    }
    return NULL;
}

static int check_upstream(const struct nk_config *c, size_t i, const struct nk_json *doc,
                          uint32_t at, struct nk_fault *f)
{
    const struct nk_config_upstream *u = &c->upstreams[i];
    const char *key, *why;
    if (!u->token_audience.p)
        return 0;
    why = wrong(c, u, &key);
    if (why)
        return nk_fault_set(f, NK_EINVAL, stage, nk_config_offset(doc, at, key),
                            "upstreams[%zu].%s %s", i, key, why);
    for (size_t j = 0; j < i; j++)
        if (nk_str_eq(u->token_audience, c->upstreams[j].token_audience))
            return nk_fault_set(
                f, NK_ECONFLICT, stage, nk_config_offset(doc, at, key),
                "upstreams[%zu].token_audience is already that of upstreams[%zu]; a "
                "token is good for one of them alone",
                i, j);
    return 0;
}

int nk_config_check_tokens(const struct nk_config *c, const struct nk_json *doc, struct nk_fault *f)
{
    uint32_t list = nk_json_get(doc, 0, NK_STR("upstreams")), item = nk_json_first(doc, list);
    uint32_t own = nk_json_get(doc, 0, NK_STR("identity"));
    own = nk_json_get(doc, own, NK_STR("tool_tokens"));
    int rc = 0;
    if (!c->token.issuer.p != !c->token.key.p)
        return nk_fault_set(f, NK_EINVAL, stage, nk_config_offset(doc, own, "issuer"),
                            "identity.tool_tokens: issuer and key go together; write both or "
                            "neither");
    for (size_t i = 0; !rc && i < c->upstream_count; i++, item = nk_json_next(doc, list, item))
        rc = check_upstream(c, i, doc, item, f);
    return rc;
}
