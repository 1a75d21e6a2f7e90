/* SPDX-License-Identifier: Apache-2.0
 *
 * identity.c - what the courier is told to tell a tool: for whom it is called (ident/token.h). It travels as a header
 * of the call that no client can send and no upstream ever sees: the courier takes it away, and puts a signed token
 * in its place where the configuration gives that upstream one.
 */
#include "gate/driver.h"

#include "ident/token.h"

/* The agent that calls, then those who act for the principal by its own token. */
static size_t actors_of(const struct nk_txn *t, struct nk_str actor, struct nk_str *out)
{
    const struct nk_principal *p = t->state->principal;
    size_t n = 0;
    if (actor.p)
        out[n++] = actor;
    for (size_t i = 0; i < p->actor_count && n < NK_TOKEN_ACTORS; i++)
        out[n++] = p->actors[i].id;
    return n;
}

int gate_call_identity(struct nk_txn *t, struct nk_str actor, struct nk_str tool)
{
    struct nk_gate_state *s = t->state;
    const struct nk_config *c = &t->setup->config;
    struct nk_str actors[NK_TOKEN_ACTORS];
    struct nk_buf claims, coded;
    if (!c->upstreams[t->call.upstream].token_audience.p || !s->principal)
        return 0;
    const struct nk_token_about about = {
        .principal = s->principal,
        .actors = actors,
        .actor_count = actors_of(t, actor, actors),
        .tool = tool,
        .id = s->exchange > 1
                  ? nk_arena_printf(t->arena, "%.*s-%u.%u", NK_FMT(s->id), (unsigned)s->call_number,
                                    (unsigned)s->exchange)
                  : nk_arena_printf(t->arena, "%.*s-%u", NK_FMT(s->id), (unsigned)s->call_number),
        .attributes = c->token.attributes,
        .attribute_count = c->token.attribute_count};
    nk_buf_init(&claims, NK_TOKEN_CLAIMS);
    nk_buf_init(&coded, (size_t)2 * NK_TOKEN_CLAIMS);
    int rc = about.id.p ? nk_token_claims(&about, &claims) : NK_ENOMEM;
    nk_base64url_encode(nk_buf_str(&claims), &coded);
    struct nk_str value =
        rc || coded.error ? (struct nk_str){NULL, 0} : nk_arena_copy(t->arena, nk_buf_str(&coded));
    if (value.p)
        gate_call_header(t, nk_token_header, value);
    nk_buf_free(&claims);
    nk_buf_free(&coded);
    return rc ? rc : value.p ? 0 : NK_ENOMEM;
}
