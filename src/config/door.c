/* SPDX-License-Identifier: Apache-2.0
 *
 * door.c - see door.h.
 */
#include "config/door.h"

static const char stage[] = "config";

bool nk_config_path_taken(const struct nk_config *c, struct nk_str path)
{
    for (size_t i = 0; i < c->hook_count; i++)
        if (nk_str_starts(path, c->hooks[i].path))
            return true;
    return nk_str_starts(path, NK_STR("/v1/"));
}

bool nk_config_is_resource(struct nk_str url)
{
    struct nk_str rest = url;
    if (nk_str_starts(url, NK_STR("https://")) || nk_str_starts(url, NK_STR("http://")))
        rest = nk_str_sub(url, url.p[4] == 's' ? 8 : 7, url.n);
    for (size_t i = 0; i < rest.n; i++)
        if (rest.p[i] <= ' ' || rest.p[i] > '~' || strchr("\"\\#?@<>", rest.p[i]))
            return false;
    return rest.n < url.n && rest.n && rest.p[0] != '/';
}

/* RFC 6749, section 3.3: scope-token. */
static bool is_scope(struct nk_str scope)
{
    for (size_t i = 0; i < scope.n; i++)
        if (scope.p[i] <= ' ' || scope.p[i] > '~' || scope.p[i] == '"' || scope.p[i] == '\\')
            return false;
    return scope.n > 0;
}

static bool is_issuer(const struct nk_config *c, struct nk_str name)
{
    size_t i = 0;
    while (i < c->issuer_count && !nk_str_eq(c->issuers[i].issuer, name))
        i++;
    return i < c->issuer_count;
}

int nk_config_check_door(const struct nk_config *c, const struct nk_config_door *d, size_t at,
                         struct nk_fault *f)
{
    for (size_t j = 0; j < d->issuer_count; j++)
        if (!is_issuer(c, d->issuers[j].text))
            return nk_fault_set(f, NK_ENOTFOUND, stage, at,
                                "%s.authorization_servers[%zu]: there is no such issuer under "
                                "`identity.issuers`",
                                d->who, j);
    for (size_t j = 0; j < d->scope_count; j++)
        if (!is_scope(d->scopes[j].text))
            return nk_fault_set(
                f, NK_EINVAL, stage, at,
                "%s.scopes[%zu] is printable ASCII without spaces, quotes and backslashes", d->who,
                j);
    return 0;
}
