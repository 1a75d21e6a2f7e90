/* SPDX-License-Identifier: Apache-2.0
 *
 * schema_check.c - asks the nodes of a schema about a value. Recursion goes as deep as subschemas and
 * references are in one another, NK_SCHEMA_DEPTH at most, and every question is a step, of which there
 * are so many and no more.
 */
#include "json/schema_run.h"

#include <stdarg.h>
#include <stdio.h>

enum { MARKS_MAX = 1 << 20, POINTER_SHOWN = 120 };

int schema_spend(struct schema_run *r, int64_t steps)
{
    r->steps -= steps;
    return r->steps >= 0 ? 0
                         : nk_fault_set(r->f, NK_ELIMIT, "schema", 0,
                                        "the value and its schema are too large for each other");
}

static void put_place(const struct schema_run *r, const struct schema_spot *spot,
                      struct nk_buf *out)
{
    if (!spot->up)
        return;
    put_place(r, spot->up, out);
    nk_buf_add_char(out, '/');
    if (spot->name == NK_JSON_NONE)
        nk_buf_add_u64(out, spot->index);
    else {
        struct nk_str name = nk_json_span(r->doc, spot->name);
        nk_buf_add(out, nk_str_sub(name, 1, name.n - 1));
    }
}

int schema_refuse(struct schema_run *r, const struct schema_spot *spot, const char *fmt, ...)
{
    char what[160];
    struct nk_buf where;
    va_list args;
    if (r->quiet)
        return NK_EINVAL;
    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    nk_buf_init(&where, 64 << 10);
    put_place(r, spot, &where);
    nk_fault_set(r->f, NK_EINVAL, "schema", r->doc->tape[spot->at].start, "%.*s%s%s",
                 (int)(where.n < POINTER_SHOWN ? where.n : POINTER_SHOWN), where.n ? where.p : "",
                 where.n ? ": " : "", what);
    nk_buf_free(&where);
    return NK_EINVAL;
}

/* Describing -------------------------------------------------------------------------------------- */

static int mark(struct schema_run *r, uint32_t from, uint32_t to)
{
    if (r->mark_n + 2 > r->mark_cap) {
        uint32_t cap = r->mark_cap ? 2 * r->mark_cap : 256;
        uint32_t *more = cap <= MARKS_MAX ? nk_arena_array(r->a, cap, sizeof *more) : NULL;
        if (!more)
            return cap > MARKS_MAX ? schema_spend(r, INT64_MAX) : NK_ENOMEM;
        if (r->mark_n)
            memcpy(more, r->mark, r->mark_n * sizeof *more);
        r->mark = more;
        r->mark_cap = cap;
    }
    r->mark[r->mark_n++] = from;
    r->mark[r->mark_n++] = to;
    return 0;
}

/* Members or items that a seen list of the value has bits for. */
static uint32_t parts_of(const struct schema_run *r, uint32_t at)
{
    enum nk_json_type type = nk_json_type(r->doc, at);
    return type == NK_JSON_OBJECT || type == NK_JSON_ARRAY ? r->doc->tape[at].count : 0;
}

static int new_seen(struct schema_run *r, uint32_t at, struct schema_seen *out)
{
    *out = (struct schema_seen){.n = parts_of(r, at)};
    if (!r->s->has_unevaluated || !out->n)
        return 0;
    out->bits = nk_arena_array(r->a, out->n / 8 + 1, 1);
    return out->bits ? schema_spend(r, out->n / 64) : NK_ENOMEM;
}

int schema_ask_part(struct schema_run *r, const struct schema_node *n,
                    const struct schema_spot *parent, uint32_t at, uint32_t name, uint32_t index)
{
    struct schema_seen seen;
    struct schema_spot spot = {at, parent, name, index, parent->scope, &seen};
    int rc = new_seen(r, at, &seen);
    if (!rc)
        rc = schema_ask(r, n, &spot);
    if (rc)
        return rc;
    parent->seen->spoke = true;
    if (parent->seen->bits)
        parent->seen->bits[index / 8] |= (unsigned char)(1 << index % 8);
    if (!r->marks)
        return 0;
    bool whole = parts_of(r, at) && !seen.spoke;
    return mark(r, name == NK_JSON_NONE ? at : name, whole ? r->doc->tape[at].next : at + 1);
}

/* Schemas at the same place ------------------------------------------------------------------------- */

/* Asks another schema about the same value; what it has spoken of counts only if it holds. */
static int also(struct schema_run *r, const struct schema_node *n, const struct schema_spot *spot)
{
    struct schema_seen seen;
    struct schema_spot own = *spot;
    uint32_t marked = r->mark_n;
    own.seen = &seen;
    int rc = new_seen(r, spot->at, &seen);
    if (!rc)
        rc = schema_ask(r, n, &own);
    if (rc) {
        r->mark_n = marked;
        return rc;
    }
    spot->seen->spoke |= seen.spoke;
    for (uint32_t i = 0; seen.bits && spot->seen->bits && i < seen.n / 8 + 1; i++)
        spot->seen->bits[i] |= seen.bits[i];
    return 0;
}

static int quietly(struct schema_run *r, const struct schema_node *n,
                   const struct schema_spot *spot)
{
    r->quiet++;
    int rc = also(r, n, spot);
    r->quiet--;
    return rc;
}

/* How many hold? Once it is known that enough do, the others need no answer, unless somebody wants to know
 * what they speak of. */
static int count(struct schema_run *r, const struct schema_nodes *list,
                 const struct schema_spot *spot, uint32_t enough, uint32_t *held)
{
    bool all = r->marks || r->s->has_unevaluated;
    *held = 0;
    for (uint32_t i = 0; i < list->n && (all || *held < enough); i++) {
        int rc = quietly(r, list->list[i], spot);
        if (rc && rc != NK_EINVAL)
            return rc;
        *held += !rc;
    }
    return 0;
}

static int ask_choices(struct schema_run *r, const struct schema_node *n,
                       const struct schema_spot *spot)
{
    uint32_t held;
    int rc = 0;
    for (uint32_t i = 0; !rc && i < n->all.n; i++)
        rc = also(r, n->all.list[i], spot);
    if (!rc && n->any.n) {
        rc = count(r, &n->any, spot, 1, &held);
        if (!rc && !held)
            rc = schema_refuse(r, spot, "fits none of the schemas of anyOf");
    }
    if (!rc && n->one.n) {
        rc = count(r, &n->one, spot, 2, &held);
        if (!rc && held != 1)
            rc = schema_refuse(r, spot,
                               held ? "fits more than one of the schemas of oneOf"
                                    : "fits none of the schemas of oneOf");
    }
    return rc;
}

/* What `not` speaks of counts for nothing, whether it holds or not. */
static int ask_not(struct schema_run *r, const struct schema_node *n,
                   const struct schema_spot *spot)
{
    struct schema_seen seen = {.bits = NULL};
    struct schema_spot own = *spot;
    uint32_t marked = r->mark_n;
    own.seen = &seen;
    int rc = quietly(r, n->not, &own);
    r->mark_n = marked;
    return rc == 0 ? schema_refuse(r, spot, "fits the schema of not") : rc == NK_EINVAL ? 0 : rc;
}

static int ask_condition(struct schema_run *r, const struct schema_node *n,
                         const struct schema_spot *spot)
{
    int rc = quietly(r, n->condition, spot);
    if (rc && rc != NK_EINVAL)
        return rc;
    const struct schema_node *next = rc ? n->otherwise : n->then;
    return next ? also(r, next, spot) : 0;
}

/* $dynamicRef: the outermost resource that a reference came through and that has such an anchor says what is
 * meant (core, section 8.2.3.2). */
static const struct schema_node *dynamic(const struct schema_run *r, const struct schema_node *n,
                                         const struct schema_scope *scope)
{
    const struct schema_node *found = n->dynamic_ref;
    for (; n->dynamic_name.p && scope; scope = scope->up) {
        const struct schema_anchor *anchor = schema_anchor(r->s, scope->resource, n->dynamic_name);
        if (anchor && anchor->is_dynamic)
            found = anchor->node;
    }
    return found;
}

static int ask_here(struct schema_run *r, const struct schema_node *n,
                    const struct schema_spot *spot)
{
    int rc = n->ref ? also(r, n->ref, spot) : 0;
    if (!rc && n->dynamic_ref)
        rc = also(r, dynamic(r, n, spot->scope), spot);
    if (!rc)
        rc = ask_choices(r, n, spot);
    if (!rc && n->not )
        rc = ask_not(r, n, spot);
    if (!rc && n->condition)
        rc = ask_condition(r, n, spot);
    for (uint32_t i = 0; !rc && i < n->dependent_schemas.n; i++)
        if (nk_json_get(r->doc, spot->at, n->dependent_schemas.list[i].name) != NK_JSON_NONE)
            rc = also(r, n->dependent_schemas.list[i].node, spot);
    return rc;
}

int schema_ask(struct schema_run *r, const struct schema_node *n, const struct schema_spot *spot)
{
    struct schema_scope scope = {spot->scope, n->resource};
    struct schema_spot own = *spot;
    int rc = schema_spend(r, 1);
    if (!rc && n->refuses)
        rc = schema_refuse(r, spot, "must not be there");
    if (rc || n->says_nothing)
        return rc;
    if (++r->depth > NK_SCHEMA_DEPTH)
        return nk_fault_set(r->f, NK_ELIMIT, "schema", r->doc->tape[spot->at].start,
                            "more than %d schemas in one another", NK_SCHEMA_DEPTH);
    if (!spot->scope || spot->scope->resource != n->resource)
        own.scope = &scope;
    rc = schema_assert(r, n, &own);
    if (!rc)
        rc = schema_ask_parts(r, n, &own);
    if (!rc)
        rc = ask_here(r, n, &own);
    if (!rc)
        rc = schema_ask_rest(r, n, &own);
    r->depth--;
    return rc;
}

/* The whole ---------------------------------------------------------------------------------------- */

static int check(struct schema_run *r, uint32_t at)
{
    struct schema_seen seen;
    struct schema_spot spot = {at, NULL, NK_JSON_NONE, 0, NULL, &seen};
    int rc = new_seen(r, at, &seen);
    if (!rc)
        rc = schema_ask(r, r->s->root, &spot);
    if (!rc && r->marks)
        rc = mark(r, at, parts_of(r, at) && !seen.spoke ? r->doc->tape[at].next : at + 1);
    return rc == NK_ENOMEM ? nk_fault_set(r->f, rc, "schema", 0, "out of memory") : rc;
}

int nk_schema_check(const struct nk_schema *s, const struct nk_json *doc, uint32_t at,
                    struct nk_arena *scratch, struct nk_fault *f)
{
    struct schema_run r = {.s = s, .doc = doc, .a = scratch, .f = f, .steps = NK_SCHEMA_STEPS};
    return check(&r, at);
}

/* A part is described when it is marked and so is all that it stands in. A parent's entry is before its parts'. */
static void describe(const struct schema_run *r, uint32_t at, unsigned char *marked,
                     unsigned char *out)
{
    for (uint32_t i = 0; i < r->mark_n; i += 2)
        for (uint32_t k = r->mark[i]; k < r->mark[i + 1]; k++)
            marked[k / 8] |= (unsigned char)(1 << k % 8);
    for (uint32_t k = at; k < r->doc->tape[at].next;) {
        if (marked[k / 8] >> k % 8 & 1) {
            out[k / 8] |= (unsigned char)(1 << k % 8);
            k++;
        } else {
            k = r->doc->tape[k].next; /* a name's is its value: not marked either */
        }
    }
}

int nk_schema_check_declared(const struct nk_schema *s, const struct nk_json *doc, uint32_t at,
                             struct nk_arena *a, const unsigned char **declared, struct nk_fault *f)
{
    struct schema_run r = {
        .s = s, .doc = doc, .a = a, .f = f, .steps = NK_SCHEMA_STEPS, .marks = true};
    unsigned char *out = nk_arena_array(a, doc->n / 8 + 1, 1);
    unsigned char *marked = nk_arena_array(a, doc->n / 8 + 1, 1);
    if (!out || !marked)
        return nk_fault_set(f, NK_ENOMEM, "schema", 0, "out of memory");
    int rc = check(&r, at);
    if (!rc)
        describe(&r, at, marked, out);
    *declared = out;
    return rc;
}
