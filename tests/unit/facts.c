/* SPDX-License-Identifier: Apache-2.0
 *
 * facts.c - the facts that a request is judged on are written twice, as values and as the JSON of its
 * record: for random principals and calls, the JSON read back is what the judge saw, and is of the one
 * who asks, however many others the gate remembers.
 */
#include <stdio.h>
#include <string.h>
#include "cedar/entities.h"
#include "gate/txn.h"
#include "tap.h"

enum { ROUNDS = 6000, LIST_MAX = 12, ARENA = 4 << 20, ASKERS = 300 };

static uint64_t state = 20240607;

static uint32_t random_below(uint32_t n)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33) % n;
}

/* A text of up to 24 pieces, with all that JSON has to escape. */
static struct nk_str text(struct nk_arena *a)
{
    static const char *const pieces[] = {"a", "Z",  "7",  "\"", "\\", "\n", "\x01",     "/",
                                         "é", "勿", "来", "𠮷", " ",  "::", "__entity", "\x7f"};
    char out[256];
    size_t n = 0;
    for (uint32_t i = random_below(25); i > 0; i--) {
        const char *piece = pieces[random_below(NK_COUNT(pieces))];
        memcpy(out + n, piece, strlen(piece));
        n += strlen(piece);
    }
    return nk_arena_copy(a, (struct nk_str){out, n});
}

static const struct nk_str *texts(struct nk_arena *a, size_t *n)
{
    *n = random_below(LIST_MAX);
    struct nk_str *list = nk_arena_array(a, *n, sizeof *list);
    for (size_t i = 0; i < *n; i++)
        list[i] = text(a);
    return list;
}

static int64_t number(void)
{
    static const int64_t some[] = {0, 1, -1, INT64_MAX, INT64_MIN, 1000000};
    return some[random_below(NK_COUNT(some))];
}

/* One of a few hundred who ask again and again; number 0 is another one each time. */
static const struct nk_principal *principal(struct nk_arena *a)
{
    struct nk_principal *p = nk_arena_alloc(a, sizeof *p);
    uint64_t serial = random_below(ASKERS), here = state;
    if (serial)
        state = serial;
    *p = (struct nk_principal){
        .type = NK_STR("User"), .id = text(a), .proof = "jwt", .serial = serial};
    p->groups = texts(a, &p->group_count);
    p->attr_count = random_below(LIST_MAX);
    struct nk_attr *attrs = nk_arena_array(a, p->attr_count, sizeof *attrs);
    for (size_t i = 0; i < p->attr_count; i++) {
        struct nk_str name = text(a);
        attrs[i] = (struct nk_attr){.name = nk_arena_printf(a, "%zu%.*s", i, NK_FMT(name)),
                                    .type = (enum nk_attr_type)random_below(4),
                                    .string = text(a)};
        attrs[i].integer = attrs[i].type == NK_ATTR_BOOL ? random_below(2) : number();
        attrs[i].strings = texts(a, &attrs[i].string_count);
    }
    p->attrs = attrs;
    p->actor_count = random_below(3);
    struct nk_actor *actors = nk_arena_array(a, p->actor_count + 1, sizeof *actors);
    for (size_t i = 0; i < p->actor_count; i++)
        actors[i] =
            (struct nk_actor){text(a), random_below(2) ? text(a) : (struct nk_str){NULL, 0}};
    p->actors = actors;
    if (serial)
        state = here;
    return p;
}

static void call(struct nk_arena *a, struct nk_call *c)
{
    c->stream = random_below(2);
    c->message_count = number();
    c->max_tokens = number();
    c->tool_count = random_below(LIST_MAX);
    struct nk_tool_use *tools = nk_arena_array(a, c->tool_count, sizeof *tools);
    for (size_t i = 0; i < c->tool_count; i++)
        tools[i] = (struct nk_tool_use){.name = text(a), .hosted = random_below(2)};
    c->tools = tools;
}

static bool same_context(struct nk_txn *t)
{
    static const struct nk_json_limits lim = {1 << 20, 8, 1 << 16};
    const struct nk_cedar_value *back = NULL;
    struct nk_fault f = {0};
    struct nk_json doc;
    return nk_json_parse(&lim, t->state->context, t->arena, &doc, &f) == 0 &&
           nk_cedar_value_parse(&doc, 0, t->arena, &back, &f) == 0 &&
           cedar_value_cmp(back, t->state->given) == 0;
}

static bool same_uids(const struct cedar_entity *x, const struct cedar_entity *y)
{
    if (x->parent_n != y->parent_n || x->ancestor_n != y->ancestor_n)
        return false;
    for (uint32_t i = 0; i < x->parent_n; i++)
        if (!cedar_uid_eq(&x->parents[i], &y->parents[i]))
            return false;
    for (uint32_t i = 0; i < x->ancestor_n; i++)
        if (!cedar_uid_eq(x->ancestors[i].uid, y->ancestors[i].uid))
            return false;
    return true;
}

static bool same_principal(struct nk_txn *t)
{
    struct nk_fault f = {0};
    struct nk_cedar_entities *back = nk_cedar_entities_new(t->arena, NULL);
    struct cedar_uid uid =
        cedar_uid((struct nk_cedar_uid){t->state->principal->type, t->state->principal->id});
    if (nk_cedar_entities_parse(back, t->state->entities, &f) || nk_cedar_entities_seal(back, &f))
        return false;
    const struct cedar_entity *x = cedar_entities_find(back, &uid);
    const struct cedar_entity *y = cedar_entities_find(t->state->store, &uid);
    return x && y && cedar_value_cmp(x->attrs, y->attrs) == 0 && same_uids(x, y);
}

/* One request's facts; memory of `ceiling` bytes. The result of gate_facts, *same: both are alike. */
static int facts(struct nk_setup *setup, size_t ceiling, bool *same)
{
    static const struct nk_dialect dialect = {.name = "openai"};
    struct nk_arena own, given;
    struct nk_fault f = {0};
    nk_arena_init(&own, ARENA);
    nk_arena_init(&given, ceiling);
    struct nk_gate_state s = {.dialect = &dialect, .principal = principal(&own)};
    struct nk_txn t = {.arena = &given, .scratch = &given, .setup = setup, .state = &s};
    call(&own, &s.call);
    int rc = gate_facts(&t, &f);
    t.arena = &own;
    *same = rc == 0 && same_context(&t) && same_principal(&t);
    nk_arena_free(&own);
    nk_arena_free(&given);
    return rc;
}

int main(void)
{
    static struct nk_setup setup;
    struct nk_arena policies;
    bool all = true, same;
    nk_arena_init(&policies, ARENA);
    setup.policies = nk_cedar_policies_new(&policies);
    for (size_t i = 0; i < NK_SETUP_KNOWN; i++)
        nk_arena_init(&setup.known[i].arena, NK_SETUP_KNOWN_BYTES);
    for (int i = 0; i < ROUNDS; i++) {
        int rc = facts(&setup, ARENA, &same);
        all = all && rc == 0 && same;
    }
    tap_ok(all, "%d random requests: the record's facts are those of the judge", ROUNDS);
    bool right = true;
    int out = 0;
    for (size_t ceiling = 64; ceiling < 16384; ceiling += 64) {
        int rc = facts(&setup, ceiling, &same);
        right = right && (rc == NK_ENOMEM || (rc == 0 && same));
        out += rc == NK_ENOMEM;
    }
    tap_ok(right && out > 0, "memory that runs out at any place is an error, not other facts");
    size_t known = 0;
    for (size_t i = 0; i < NK_SETUP_KNOWN; i++) {
        known += setup.known[i].serial != 0;
        nk_arena_free(&setup.known[i].arena);
    }
    nk_arena_free(&policies);
    tap_ok(known > 0 && known < NK_SETUP_KNOWN,
           "%zu of %d places know somebody; some take too much", known, NK_SETUP_KNOWN);
    return tap_done();
}
