/* SPDX-License-Identifier: Apache-2.0
 *
 * authorize.c - the decision: what the search found becomes the answer. A policy that errs is
 * skipped and reported; one satisfied forbid decides against any number of permits; no satisfied
 * permit is a deny (docs.cedarpolicy.com, "Authorization"). A strict set takes an erring forbid for
 * a satisfied one.
 */
#include "cedar/search.h"

/* Ids in order; a single one stands in its policy already. */
static const struct nk_str *list_ids(struct nk_arena *a, struct cedar_hits *h)
{
    const struct cedar_hit *hits = cedar_hits(h);
    if (h->n < 2)
        return h->n ? &hits->policy->id : NULL;
    struct nk_str *ids = nk_arena_resize(a, NULL, 0, h->n * sizeof *ids);
    for (uint32_t i = 0; ids && i < h->n; i++)
        ids[i] = hits[i].policy->id;
    return ids;
}

static const struct nk_cedar_error *list_errors(struct nk_arena *a, struct cedar_hits *h)
{
    const struct cedar_hit *hits = cedar_hits(h);
    struct nk_cedar_error *errors =
        h->n ? nk_arena_resize(a, NULL, 0, h->n * sizeof *errors) : NULL;
    for (uint32_t i = 0; errors && i < h->n; i++)
        errors[i] = (struct nk_cedar_error){hits[i].policy->id, hits[i].what};
    return errors;
}

/* Satisfied and erring forbids, both in order of loading, as one list. */
static bool join_forbids(struct nk_arena *a, struct cedar_found *found)
{
    const struct cedar_hit *held = cedar_hits(&found->forbids), *held_end = held + found->forbids.n;
    const struct cedar_hit *erred = cedar_hits(&found->errors), *end = erred + found->errors.n;
    uint32_t cap = found->forbids.n + found->errors.n, n = 0;
    struct cedar_hit *all = nk_arena_array(a, cap, sizeof *all);
    while (all && (held < held_end || erred < end)) {
        bool from_held = held < held_end && (erred == end || held->at < erred->at);
        const struct cedar_hit *next = from_held ? held++ : erred++;
        if (next->policy->forbid)
            all[n++] = *next;
    }
    found->forbids.items = all;
    found->forbids.n = n;
    return all;
}

static int answer(struct nk_arena *a, struct cedar_found *found, bool strict,
                  struct nk_cedar_answer *out)
{
    if (strict && found->forbid_erred && !join_forbids(a, found))
        return NK_ENOMEM;
    bool forbid = found->forbids.n > 0;
    struct cedar_hits *reasons = forbid ? &found->forbids : &found->permits;
    struct nk_cedar_answer made = {.allow = !forbid && found->permits.n > 0,
                                   .reasons = list_ids(a, reasons),
                                   .reason_count = reasons->n,
                                   .errors = list_errors(a, &found->errors),
                                   .error_count = found->errors.n};
    if ((made.reason_count && !made.reasons) || (made.error_count && !made.errors))
        return NK_ENOMEM;
    *out = made;
    return 0;
}

static bool is_sealed(const struct nk_cedar_policies *p)
{
    return p->sealed && p->sealed_n == p->n;
}

int nk_cedar_policies_seal(struct nk_cedar_policies *p, struct nk_fault *f)
{
    const struct cedar_index *index = NULL;
    int rc = is_sealed(p) ? 0 : cedar_index_new(p, &index);
    if (rc)
        return nk_fault_set(f, rc, "cedar", 0, "no room for the index of %zu policies", p->n);
    if (index)
        p->sealed = index;
    p->sealed_n = p->n;
    return 0;
}

void nk_cedar_policies_strict(struct nk_cedar_policies *p, bool on)
{
    p->strict = on;
}

/* Asks all policies that can matter. */
static int search(const struct nk_cedar_policies *p, const struct nk_cedar_entities *entities,
                  const struct nk_cedar_request *req, struct nk_arena *a, struct cedar_found *found)
{
    struct nk_cedar_value vars[CEDAR_CONTEXT];
    struct cedar_eval e = {
        .call = {.arena = a},
        .entities = entities,
        .vars = {&vars[0], &vars[1], &vars[2], req->context ? req->context : &cedar_empty_record}};
    NK_MUST(!entities || cedar_entities_sealed(entities));
    if (e.vars[CEDAR_CONTEXT]->kind != CEDAR_RECORD)
        return NK_EINVAL;
    /* A set that is not sealed is as its maker left it, not one that somebody shares. */
    int rc = is_sealed(p) ? 0 : nk_cedar_policies_seal((struct nk_cedar_policies *)p, NULL);
    if (rc)
        return rc;
    const struct nk_cedar_uid *uids[] = {&req->principal, &req->action, &req->resource};
    for (int var = CEDAR_PRINCIPAL; var < CEDAR_CONTEXT; var++) {
        vars[var].kind = CEDAR_ENTITY;
        vars[var].n = vars[var].depth = 0;
        vars[var].as.entity = cedar_uid(*uids[var]);
        cedar_entities_expect(entities, &vars[var].as.entity);
    }
    cedar_entities_fetch(entities, &vars[CEDAR_PRINCIPAL].as.entity);
    cedar_entities_fetch(entities, &vars[CEDAR_RESOURCE].as.entity);
    return cedar_search(p->sealed, &e, found) ? 0 : NK_ENOMEM;
}

bool nk_cedar_policies_is_strict(const struct nk_cedar_policies *p)
{
    return p->strict;
}

int nk_cedar_authorize(const struct nk_cedar_policies *p, const struct nk_cedar_entities *entities,
                       const struct nk_cedar_request *req, struct nk_arena *a,
                       struct nk_cedar_answer *out)
{
    struct cedar_found found;
    *out = (struct nk_cedar_answer){.allow = false};
    int rc = search(p, entities, req, a, &found);
    return rc ? rc : answer(a, &found, p->strict, out);
}

int nk_cedar_find(const struct nk_cedar_policies *p, const struct nk_cedar_entities *entities,
                  const struct nk_cedar_request *req, struct nk_arena *a,
                  struct nk_cedar_found *out)
{
    struct cedar_found found;
    *out = (struct nk_cedar_found){.permits = NULL};
    int rc = search(p, entities, req, a, &found);
    if (!rc && p->strict && found.forbid_erred && !join_forbids(a, &found))
        rc = NK_ENOMEM;
    if (rc)
        return rc;
    struct nk_cedar_found made = {.permits = list_ids(a, &found.permits),
                                  .permit_count = found.permits.n,
                                  .forbids = list_ids(a, &found.forbids),
                                  .forbid_count = found.forbids.n,
                                  .errors = list_errors(a, &found.errors),
                                  .error_count = found.errors.n};
    if ((made.permit_count && !made.permits) || (made.forbid_count && !made.forbids) ||
        (made.error_count && !made.errors))
        return NK_ENOMEM;
    *out = made;
    return 0;
}
