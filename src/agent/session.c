/* SPDX-License-Identifier: Apache-2.0
 *
 * session.c - see session.h. Each conversation has an arena of its own: a new state is copied whole beside the old one,
 * then takes its place.
 */
#include "agent/session.h"

#include <stdlib.h>

struct slot {
    struct nk_digest key;
    int64_t used_ms; /* 0: free */
    struct nk_arena arena;
    struct nk_agent_memory *memory;
};

struct nk_agent_sessions {
    struct slot slots[NK_AGENT_SESSIONS];
};

struct nk_agent_sessions *nk_agent_sessions_new(void)
{
    return calloc(1, sizeof(struct nk_agent_sessions));
}

static void slot_free(struct slot *s)
{
    nk_arena_free(&s->arena);
    s->memory = NULL;
    s->used_ms = 0;
}

void nk_agent_sessions_free(struct nk_agent_sessions *s)
{
    for (size_t i = 0; s && i < NK_COUNT(s->slots); i++)
        if (s->slots[i].used_ms)
            slot_free(&s->slots[i]);
    free(s);
}

struct nk_digest nk_agent_session_key(const struct nk_principal *p, struct nk_str agent,
                                      struct nk_str session)
{
    struct nk_digest who = nk_principal_digest(p);
    const uint64_t n = agent.n;
    const struct nk_str parts[] = {{(const char *)who.b, sizeof who.b},
                                   {(const char *)&n, sizeof n}, /* or names run together */
                                   agent,
                                   session};
    return nk_sha256_parts(parts, NK_COUNT(parts));
}

static struct slot *find(struct nk_agent_sessions *s, const struct nk_digest *key, int64_t now_ms)
{
    for (size_t i = 0; i < NK_COUNT(s->slots); i++) {
        struct slot *one = &s->slots[i];
        if (one->used_ms && now_ms - one->used_ms > NK_AGENT_SESSION_MS)
            slot_free(one);
        if (one->used_ms && memcmp(one->key.b, key->b, sizeof key->b) == 0)
            return one;
    }
    return NULL;
}

static struct slot *oldest(struct nk_agent_sessions *s)
{
    struct slot *best = &s->slots[0];
    for (size_t i = 1; i < NK_COUNT(s->slots); i++)
        if (s->slots[i].used_ms < best->used_ms)
            best = &s->slots[i];
    return best;
}

/* Copies --------------------------------------------------------------------------------------- */

static bool copy_text(struct nk_str *s, struct nk_arena *a)
{
    if (!s->p)
        return true;
    *s = nk_arena_copy(a, *s);
    return s->p != NULL;
}

/* Parts of a conversation hold texts, and results hold parts: one step deep. */
static bool copy_parts(const struct nk_model_part **parts, size_t n, bool inner, struct nk_arena *a)
{
    struct nk_model_part *own = nk_arena_array(a, n + 1, sizeof *own);
    for (size_t i = 0; own && i < n; i++) {
        struct nk_model_part *p = &own[i];
        *p = (*parts)[i];
        bool ok = copy_text(&p->text, a) && copy_text(&p->media, a) &&
                  copy_text(&p->signature, a) && copy_text(&p->id, a) && copy_text(&p->name, a);
        if (ok && p->content_count && !inner)
            ok = copy_parts(&p->content, p->content_count, true, a);
        if (!ok)
            return false;
    }
    *parts = own;
    return own != NULL;
}

static bool copy_pairs(struct nk_agent_attributes *of, struct nk_arena *a)
{
    bool ok = true;
    for (size_t i = 0; ok && i < of->n; i++)
        ok = copy_text(&of->pairs[i].name, a) && copy_text(&of->pairs[i].value, a);
    return ok;
}

/* A copy of `m`, whose messages begin with number `from`. */
static bool copy(const struct nk_agent_memory *m, size_t from, struct nk_arena *a,
                 struct nk_agent_memory *out)
{
    *out = *m;
    out->messages = nk_arena_array(a, NK_AGENT_MESSAGES, sizeof *out->messages);
    out->message_count = m->message_count - from;
    bool ok = out->messages && copy_pairs(&out->session, a) && copy_pairs(&out->prompt, a) &&
              copy_text(&out->invocation, a);
    for (size_t i = 0; ok && i < out->message_count; i++) {
        out->messages[i] = m->messages[from + i];
        ok = copy_parts(&out->messages[i].parts, out->messages[i].count, false, a);
    }
    for (size_t i = 0; ok && i < out->use_count; i++) {
        struct nk_agent_use *u = &out->uses[i];
        ok = copy_text(&u->id, a) && copy_text(&u->name, a) && copy_text(&u->arguments, a) &&
             copy_text(&u->result, a);
    }
    return ok;
}

int nk_agent_session_take(struct nk_agent_sessions *s, const struct nk_digest *key, int64_t now_ms,
                          struct nk_arena *a, struct nk_agent_memory *out)
{
    static const struct nk_agent_memory none = {.messages = NULL};
    struct slot *one = find(s, key, now_ms);
    if (one && one->memory->idle_ms && now_ms - one->used_ms > one->memory->idle_ms) {
        slot_free(one);
        one = NULL;
    }
    if (!copy(one ? one->memory : &none, 0, a, out))
        return NK_ENOMEM;
    if (!one)
        return 0;
    if (out->invocation.p && now_ms > out->wait_until_ms)
        out->invocation = (struct nk_str){NULL, 0};
    one->memory->invocation = (struct nk_str){NULL, 0};
    one->used_ms = now_ms;
    return 0;
}

/* The next message that a turn can begin with: a text of the user. */
static size_t next_turn(const struct nk_agent_memory *m, size_t at)
{
    for (at++; at < m->message_count; at++)
        if (m->messages[at].role == NK_MODEL_USER && m->messages[at].count &&
            m->messages[at].parts[0].type == NK_MODEL_TEXT)
            break;
    return at;
}

int nk_agent_session_put(struct nk_agent_sessions *s, const struct nk_digest *key, int64_t now_ms,
                         const struct nk_agent_memory *m)
{
    struct slot *one = find(s, key, now_ms);
    if (!one)
        one = oldest(s);
    for (size_t from = 0; from < m->message_count; from = next_turn(m, from)) {
        struct nk_arena arena;
        nk_arena_init(&arena, NK_AGENT_SESSION_BYTES);
        struct nk_agent_memory *own = nk_arena_alloc(&arena, sizeof *own);
        bool fits = m->message_count - from <= NK_AGENT_KEPT;
        if (own && fits && copy(m, from, &arena, own)) {
            slot_free(one);
            *one = (struct slot){*key, now_ms, arena, own};
            return 0;
        }
        nk_arena_free(&arena);
    }
    nk_agent_session_forget(s, key);
    return NK_ELIMIT;
}

void nk_agent_session_forget(struct nk_agent_sessions *s, const struct nk_digest *key)
{
    for (size_t i = 0; i < NK_COUNT(s->slots); i++)
        if (s->slots[i].used_ms && memcmp(s->slots[i].key.b, key->b, sizeof key->b) == 0)
            slot_free(&s->slots[i]);
}
