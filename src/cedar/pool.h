/* SPDX-License-Identifier: Apache-2.0
 *
 * pool.h - texts, uids and scalar values of which one copy is enough. What is equal is then one
 * thing at one address, near when it is used often, and code that says the same is the same code.
 */
#pragma once

#include "cedar/slots.h"
#include "cedar/value.h"

struct cedar_pool {
    struct nk_arena *arena; /* where the copies live */
    struct nk_arena *temp;  /* for the tables alone; it must outlive the pool's last use */
    struct cedar_slots by_text, by_uid, by_value;
    const struct nk_str **texts; /* each list by number; [0] is not used */
    const struct cedar_uid **uids;
    const struct nk_cedar_value **values;
    size_t text_n, text_cap, uid_n, uid_cap, value_n, value_cap;
};

/* 0 or NK_ENOMEM. */
int cedar_pool_init(struct cedar_pool *p, struct nk_arena *arena, struct nk_arena *temp) NK_CHECKED;
/* The one copy; NULL: no memory. */
const struct nk_str *cedar_pool_text(struct cedar_pool *p, struct nk_str text);
const struct cedar_uid *cedar_pool_uid(struct cedar_pool *p, const struct cedar_uid *uid);
/* Was this uid ever put there? */
bool cedar_pool_has_uid(struct cedar_pool *p, const struct cedar_uid *uid);
/* The number of a scalar (see cedar_is_scalar); 0: no memory. */
uint32_t cedar_pool_value(struct cedar_pool *p, const struct nk_cedar_value *v);

/* Bool, long, string or entity: what has a cheap hash. */
bool cedar_is_scalar(const struct nk_cedar_value *v);
uint32_t cedar_scalar_hash(const struct nk_cedar_value *v);
uint32_t cedar_text_hash(struct nk_str text);
/* The number of a scalar in a finished table, or 0. */
uint32_t cedar_find_value(const struct cedar_slots *by_value,
                          const struct nk_cedar_value *const *values,
                          const struct nk_cedar_value *v);
