/* SPDX-License-Identifier: Apache-2.0
 *
 * bound.c - see bound.h.
 */
#include "gate/bound.h"

#include "gate/setup.h"

enum { SEALED_MAX = 8192 };

void gate_put_part(struct nk_buf *b, struct nk_str part)
{
    nk_buf_add_u64(b, part.n);
    nk_buf_add_char(b, ':');
    nk_buf_add(b, part);
}

bool gate_get_part(struct nk_str *from, struct nk_str *part)
{
    struct nk_str rest = *from;
    uint64_t n;
    if (nk_str_to_u64(nk_str_cut(&rest, ':'), &n) || !rest.p || n > rest.n)
        return false;
    *part = nk_str_sub(rest, 0, (size_t)n);
    *from = nk_str_sub(rest, (size_t)n, rest.n);
    return true;
}

static void put_bound(const struct nk_txn *t, const struct gate_bound *to, struct nk_buf *b)
{
    const struct nk_principal *p = t->state->principal;
    const struct nk_str parts[] = {to->purpose, to->path, p->type, p->id, to->session};
    for (size_t i = 0; i < NK_COUNT(parts); i++)
        gate_put_part(b, parts[i]);
    for (size_t i = 0; i < to->server_count; i++)
        gate_put_part(b, to->servers[i].text);
    if (p->actor_count) /* who acts for somebody has not what that one has himself */
        gate_put_part(b, NK_STR("act"));
    for (size_t i = 0; i < p->actor_count; i++) {
        gate_put_part(b, p->actors[i].issuer);
        gate_put_part(b, p->actors[i].id);
    }
}

int gate_bound_seal(const struct nk_txn *t, const struct gate_bound *to, const struct nk_buf *plain,
                    struct nk_buf *out)
{
    struct nk_buf bound, sealed;
    nk_buf_init(&bound, SEALED_MAX);
    nk_buf_init(&sealed, SEALED_MAX + NK_SEAL_OVERHEAD);
    put_bound(t, to, &bound);
    int rc = bound.error ? bound.error : plain->error;
    if (!rc)
        rc = nk_seal(&t->setup->session_key, nk_buf_str(&bound), nk_buf_str(plain), &sealed);
    if (!rc)
        nk_base64url_encode(nk_buf_str(&sealed), out);
    nk_buf_free(&bound);
    nk_buf_free(&sealed);
    return rc ? rc : out->error;
}

int gate_bound_unseal(const struct nk_txn *t, const struct gate_bound *to, struct nk_str text,
                      struct nk_str *out)
{
    struct nk_buf bound, plain, sealed;
    int rc = NK_ENOTFOUND;
    nk_buf_init(&bound, SEALED_MAX);
    nk_buf_init(&plain, SEALED_MAX);
    nk_buf_init(&sealed, SEALED_MAX);
    put_bound(t, to, &bound);
    if (!bound.error && !nk_base64url_decode(text, &sealed) && !sealed.error &&
        !nk_unseal(&t->setup->session_key, nk_buf_str(&bound), nk_buf_str(&sealed), &plain)) {
        *out = nk_arena_copy(t->arena, nk_buf_str(&plain));
        rc = out->p ? 0 : NK_ENOMEM;
    }
    nk_buf_free(&bound);
    nk_buf_free(&plain);
    nk_buf_free(&sealed);
    return rc;
}
