/* SPDX-License-Identifier: Apache-2.0
 *
 * cedar.c - what one decision costs, in nanoseconds: the half and 99 of 100 of many single ones, each
 * with a request of its own, and the time to load. Memory comes from one arena that is reset after each
 * decision, as in a transaction; what is asked of the system meanwhile is counted. The time that
 * reading the clock takes is measured and subtracted.
 *
 *   roles    10 policies: a role may do some actions; 100 users with two roles each
 *   small, medium, forty, large   policies and entities as `cases` says: teams that may view folders by
 *            level, departments whose members edit what they own, forbids on sealed folders
 *
 * `cedar dump CASE DIRECTORY` writes the policies, entities and requests for a peer.
 */
#include "base/buf.h"
#include "cedar/cedar.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { REQUESTS = 4096, DECISIONS = 400000, TEXT_MAX = 64 << 20 };

static const struct shape {
    const char *name;
    unsigned policies, entities;
} cases[] = {{"roles", 10, 220},
             {"small", 5, 10},
             {"medium", 100, 1000},
             {"forty", 40, 10000},
             {"large", 10000, 10000}};

static unsigned long asked; /* of the system's memory */
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *malloc(size_t n)
{
    asked++;
    return __libc_malloc(n);
}
void *calloc(size_t n, size_t size)
{
    asked++;
    return __libc_calloc(n, size);
}
void *realloc(void *p, size_t n)
{
    asked++;
    return __libc_realloc(p, n);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e9 * (double)t.tv_sec + (double)t.tv_nsec;
}

static void must(bool cond)
{
    if (!cond)
        abort();
}

static unsigned roll(unsigned sides)
{
    static uint64_t state = 88172645463325252u;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)((state >> 20) % sides);
}

/* How many there are of each kind. */
struct world {
    struct shape shape;
    unsigned teams, folders, users, docs;
    struct nk_buf policies, entities;
    struct nk_arena arena;
    struct nk_cedar_request requests[REQUESTS];
};

static const char *const actions[] = {"view", "edit", "comment"};

static void write_policies(struct world *w)
{
    struct nk_buf *b = &w->policies;
    for (unsigned i = 0; i < w->shape.policies; i++) {
        unsigned team = i % w->teams, folder = i % w->folders;
        if (strcmp(w->shape.name, "roles") == 0)
            nk_buf_printf(b,
                          "permit (principal in Team::\"t%u\", action in [Action::\"%s\", "
                          "Action::\"%s\"], resource is Doc);\n",
                          team, actions[i % 3], actions[(i + 1) % 3]);
        else if (i % 4 == 0)
            nk_buf_printf(
                b,
                "permit (principal in Team::\"t%u\", action == Action::\"view\", resource "
                "in Folder::\"f%u\") when { resource.level <= principal.level };\n",
                team, folder);
        else if (i % 4 == 1)
            nk_buf_printf(b,
                          "permit (principal, action == Action::\"edit\", resource is Doc) when { "
                          "principal.department == \"d%u\" && resource.owner == principal };\n",
                          i / 4 % (w->teams * 4));
        else if (i % 4 == 2)
            nk_buf_printf(b,
                          "permit (principal in Team::\"t%u\", action in [Action::\"view\", "
                          "Action::\"comment\"], resource) when { context.mfa == true && "
                          "resource.kind == \"k%u\" };\n",
                          team, i % 50);
        else
            nk_buf_printf(b,
                          "forbid (principal, action, resource in Folder::\"f%u\") when { "
                          "resource.sealed && principal.level < 5 };\n",
                          folder);
    }
}

static void write_entity(struct nk_buf *b, const char *type, char letter, unsigned i)
{
    nk_buf_printf(b, "%s{\"uid\":{\"type\":\"%s\",\"id\":\"%c%u\"},\"attrs\":{",
                  b->n > 1 ? ",\n" : "", type, letter, i);
}

static void write_parent(struct nk_buf *b, const char *type, char letter, unsigned i, bool first)
{
    nk_buf_printf(b, "%s{\"type\":\"%s\",\"id\":\"%c%u\"}", first ? "},\"parents\":[" : ",", type,
                  letter, i);
}

static void write_entities(struct world *w)
{
    struct nk_buf *b = &w->entities;
    nk_buf_add_char(b, '[');
    for (unsigned i = 0; i < w->teams; i++) {
        write_entity(b, "Team", 't', i);
        write_parent(b, "Team", 'o', i / 10, true);
        nk_buf_add(b, NK_STR("]}"));
    }
    for (unsigned i = 0; i < w->folders; i++) {
        write_entity(b, "Folder", 'f', i);
        write_parent(b, "Folder", i % 10 ? 'f' : 'r', i % 10 ? i - i % 10 : 0, true);
        nk_buf_add(b, NK_STR("]}"));
    }
    for (unsigned i = 0; i < w->users; i++) {
        write_entity(b, "User", 'u', i);
        nk_buf_printf(b, "\"level\":%u,\"department\":\"d%u\",\"name\":\"user %u\"", i % 10,
                      i % (w->teams * 4), i);
        write_parent(b, "Team", 't', i % w->teams, true);
        write_parent(b, "Team", 't', i / 3 % w->teams, false);
        nk_buf_add(b, NK_STR("]}"));
    }
    for (unsigned i = 0; i < w->docs; i++) {
        write_entity(b, "Doc", 'x', i);
        nk_buf_printf(b,
                      "\"owner\":{\"__entity\":{\"type\":\"User\",\"id\":\"u%u\"}},\"level\":%u,"
                      "\"kind\":\"k%u\",\"sealed\":%s",
                      i % w->users, i % 8, i % 50, i % 16 ? "false" : "true");
        write_parent(b, "Folder", 'f', i % w->folders, true);
        nk_buf_add(b, NK_STR("]}"));
    }
    nk_buf_add_char(b, ']');
}

static void make_requests(struct world *w)
{
    struct nk_arena *a = &w->arena;
    for (int i = 0; i < REQUESTS; i++) {
        unsigned doc = roll(w->docs);
        unsigned user = roll(4) ? roll(w->users) : doc % w->users; /* one in four is the owner */
        w->requests[i] =
            (struct nk_cedar_request){{NK_STR("User"), nk_arena_printf(a, "u%u", user)},
                                      {NK_STR("Action"), nk_str(actions[roll(3)])},
                                      {NK_STR("Doc"), nk_arena_printf(a, "x%u", doc)},
                                      NULL};
    }
}

static void build(struct world *w, const struct shape *shape)
{
    bool roles = strcmp(shape->name, "roles") == 0;
    *w = (struct world){.shape = *shape};
    w->teams = roles ? 10 : shape->policies / 20 + 1;
    w->folders = shape->policies / 8 + 1;
    w->users = (shape->entities - w->teams - w->folders) / 2;
    w->docs = shape->entities - w->teams - w->folders - w->users;
    nk_arena_init(&w->arena, 512 << 20);
    nk_buf_init(&w->policies, TEXT_MAX);
    nk_buf_init(&w->entities, TEXT_MAX);
    write_policies(w);
    write_entities(w);
    make_requests(w);
    must(!w->policies.error && !w->entities.error);
}

/* Measuring ------------------------------------------------------------------------------------ */

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double at_part(const double *sorted, size_t n, double part)
{
    return sorted[(size_t)((double)(n - 1) * part)];
}

/* What two readings of the clock with nothing between them take. */
static double clock_cost(double *room)
{
    for (int i = 0; i < DECISIONS; i++) {
        double start = now();
        room[i] = now() - start;
    }
    qsort(room, DECISIONS, sizeof *room, by_size);
    return at_part(room, DECISIONS, 0.5);
}

static struct nk_cedar_policies *load(struct world *w, struct nk_arena *a, double *ms)
{
    struct nk_fault f = {0};
    double start = now();
    struct nk_cedar_policies *p = nk_cedar_policies_new(a);
    if (nk_cedar_policies_add(p, nk_buf_str(&w->policies), NK_STR("policy"), false, &f) ||
        nk_cedar_policies_seal(p, &f)) {
        fprintf(stderr, "%s\n", f.message);
        abort();
    }
    *ms = (now() - start) / 1e6;
    return p;
}

static struct nk_str fresh(struct nk_arena *a, struct nk_str s)
{
    s = nk_arena_copy(a, s);
    must(s.p);
    return s;
}

/* The request as it is when it has just been read: in memory that is near. */
static struct nk_cedar_request arrive(const struct nk_cedar_request *r, unsigned i,
                                      struct nk_arena *a)
{
    struct nk_cedar_member context[] = {
        {NK_STR("mfa"), nk_cedar_bool(a, i % 4 > 0)},
        {NK_STR("address"), nk_cedar_string(a, NK_STR("10.0.0.1"))}};
    return (struct nk_cedar_request){{r->principal.type, fresh(a, r->principal.id)},
                                     {r->action.type, fresh(a, r->action.id)},
                                     {r->resource.type, fresh(a, r->resource.id)},
                                     nk_cedar_record(a, context, NK_COUNT(context))};
}

static void measure(const struct shape *shape, double *times)
{
    static struct world w;
    struct nk_arena set, one;
    struct nk_cedar_answer answer;
    double ms = 0, least = 1e9, empty = clock_cost(times);
    unsigned long allowed = 0;
    struct nk_cedar_policies *p = NULL;
    build(&w, shape);
    for (int i = 0; i < 5; i++) { /* the last one stays */
        nk_arena_init(&set, 512 << 20);
        p = load(&w, &set, &ms);
        least = ms < least ? ms : least;
        if (i < 4)
            nk_arena_free(&set);
    }
    struct nk_cedar_entities *e = nk_cedar_entities_new(&set, NULL);
    must(nk_cedar_entities_parse(e, nk_buf_str(&w.entities), NULL) == 0 &&
         nk_cedar_entities_seal(e, NULL) == 0 && nk_cedar_bind(p, e, NULL) == 0);
    nk_arena_init(&one, 1 << 20);
    for (int i = 0; i < REQUESTS; i++) { /* the first block of memory, and warm caches */
        must(nk_cedar_authorize(p, e, &w.requests[i], &one, &answer) == 0);
        nk_arena_reset(&one);
    }
    unsigned long before = asked;
    for (int i = 0; i < DECISIONS; i++) {
        unsigned number = roll(REQUESTS);
        struct nk_cedar_request request = arrive(&w.requests[number], number, &one);
        double start = now();
        int rc = nk_cedar_authorize(p, e, &request, &one, &answer);
        times[i] = now() - start - empty;
        nk_arena_reset(&one);
        must(rc == 0);
        allowed += answer.allow;
    }
    before = asked - before;
    qsort(times, DECISIONS, sizeof *times, by_size);
    printf("cedar %-6s %5u policies, %5u entities: p50 %4.0f ns, p99 %4.0f ns, %lu allocations, "
           "%2.0f %% "
           "allowed; loaded in %.1f ms\n",
           shape->name, shape->policies, shape->entities, at_part(times, DECISIONS, 0.5),
           at_part(times, DECISIONS, 0.99), before, 100 * (double)allowed / DECISIONS, least);
    nk_arena_free(&one);
    nk_arena_free(&set);
    nk_arena_free(&w.arena);
    nk_buf_free(&w.policies);
    nk_buf_free(&w.entities);
}

/* For a peer ----------------------------------------------------------------------------------- */

static void write_file(const char *directory, const char *name, struct nk_str text)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *f = fopen(path, "wb");
    must(f && fwrite(text.p, 1, text.n, f) == text.n && fclose(f) == 0);
}

/* One line a request, with the decision that the peer must come to. */
static void dump(const struct shape *shape, const char *directory)
{
    static struct world w;
    struct nk_buf lines;
    struct nk_cedar_answer answer;
    double ms;
    build(&w, shape);
    struct nk_cedar_policies *p = load(&w, &w.arena, &ms);
    struct nk_cedar_entities *e = nk_cedar_entities_new(&w.arena, NULL);
    must(nk_cedar_entities_parse(e, nk_buf_str(&w.entities), NULL) == 0 &&
         nk_cedar_entities_seal(e, NULL) == 0);
    nk_buf_init(&lines, TEXT_MAX);
    for (int i = 0; i < REQUESTS; i++) {
        struct nk_cedar_request r = arrive(&w.requests[i], (unsigned)i, &w.arena);
        must(nk_cedar_authorize(p, e, &r, &w.arena, &answer) == 0);
        nk_buf_printf(&lines,
                      "{\"principal\":\"%.*s\",\"action\":\"%.*s\",\"resource\":\"%.*s\","
                      "\"mfa\":%s,\"allow\":%s}\n",
                      NK_FMT(r.principal.id), NK_FMT(r.action.id), NK_FMT(r.resource.id),
                      i % 4 ? "true" : "false", answer.allow ? "true" : "false");
    }
    write_file(directory, "policies.cedar", nk_buf_str(&w.policies));
    write_file(directory, "entities.json", nk_buf_str(&w.entities));
    write_file(directory, "requests.jsonl", nk_buf_str(&lines));
    nk_buf_free(&lines);
    nk_buf_free(&w.policies);
    nk_buf_free(&w.entities);
    nk_arena_free(&w.arena);
}

int main(int argc, char **argv)
{
    double *times = malloc(DECISIONS * sizeof *times);
    must(times);
    for (size_t i = 0; i < NK_COUNT(cases); i++)
        if (argc == 4 && strcmp(argv[2], cases[i].name) == 0)
            dump(&cases[i], argv[3]);
        else if (argc == 1 || (argc == 2 && strcmp(argv[1], cases[i].name) == 0))
            measure(&cases[i], times);
    free(times);
    return 0;
}
