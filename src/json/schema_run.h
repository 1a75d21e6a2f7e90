/* SPDX-License-Identifier: Apache-2.0
 *
 * schema_run.h - one check while it runs, for schema_check.c (in what order), schema_assert.c (what a
 * value is by itself) and schema_parts.c (members and items).
 *
 * Functions return 0: it holds, NK_EINVAL: it does not, or NK_ELIMIT and NK_ENOMEM, which end the check.
 */
#pragma once

#include "json/schema_own.h"

/* Which members or items of a value some schema has spoken of: for unevaluatedProperties and
 * unevaluatedItems. */
struct schema_seen {
    unsigned char *bits; /* one for each; NULL: nobody asks */
    uint32_t n;          /* bits */
    bool spoke;          /* some keyword about members or items applied */
};

/* The resources that references came through, the newest first: for $dynamicRef. */
struct schema_scope {
    const struct schema_scope *up;
    uint32_t resource;
};

/* A place in the value. */
struct schema_spot {
    uint32_t at;
    const struct schema_spot *up;
    uint32_t name;  /* the entry of its name, or NK_JSON_NONE */
    uint32_t index; /* otherwise */
    const struct schema_scope *scope;
    struct schema_seen *seen;
};

struct schema_run {
    const struct nk_schema *s;
    const struct nk_json *doc;
    struct nk_arena *a;
    struct nk_fault *f;
    int64_t steps;
    int depth;
    int quiet;      /* inside what may fail without an end */
    bool marks;     /* keep what is described in `mark` */
    uint32_t *mark; /* entries, and the entry behind the last that goes with each */
    uint32_t mark_n, mark_cap;
};

/* Says why it does not hold, if anybody hears it. */
int schema_refuse(struct schema_run *r, const struct schema_spot *spot, const char *fmt, ...)
    NK_PRINTF(3, 4) NK_COLD;
/* Takes steps; NK_ELIMIT when there are none left. */
int schema_spend(struct schema_run *r, int64_t steps) NK_CHECKED;
/* Does the value keep to the node? */
int schema_ask(struct schema_run *r, const struct schema_node *n,
               const struct schema_spot *spot) NK_CHECKED;
/* The same for an item or a member's value (`name`: its name's entry, or NK_JSON_NONE), number `index` in its
 * parent. When it holds, it counts as described. */
int schema_ask_part(struct schema_run *r, const struct schema_node *n,
                    const struct schema_spot *parent, uint32_t at, uint32_t name,
                    uint32_t index) NK_CHECKED;
/* What the node says of the value itself. */
int schema_assert(struct schema_run *r, const struct schema_node *n,
                  const struct schema_spot *spot) NK_CHECKED;
/* What it says of its members or items, and then of those that nobody spoke of. */
int schema_ask_parts(struct schema_run *r, const struct schema_node *n,
                     const struct schema_spot *spot) NK_CHECKED;
int schema_ask_rest(struct schema_run *r, const struct schema_node *n,
                    const struct schema_spot *spot) NK_CHECKED;
