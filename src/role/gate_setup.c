/* SPDX-License-Identifier: Apache-2.0
 *
 * gate_setup.c - from the bundle that the warden sealed to a configuration that decides.
 */
#include "role/gate.h"

#include <stdlib.h>

enum { FILES_MAX = 8192, ISSUERS_MAX = 64, STORES_MAX = 64, NAME_MAX_BYTES = 48 };

static size_t collect_policies(const struct nk_bundle *b, struct nk_str prefix,
                               struct nk_set_policy *files, size_t max)
{
    size_t n = 0;
    for (size_t i = 0; i < b->count; i++) {
        if (!nk_str_starts(b->blobs[i].name, prefix))
            continue;
        if (n < max)
            files[n] = (struct nk_set_policy){
                nk_str_sub(b->blobs[i].name, prefix.n, b->blobs[i].name.n), b->blobs[i].bytes};
        n++;
    }
    return n;
}

/* A blob of policy store i. */
static struct nk_str store_blob(const struct nk_bundle *b, size_t i, const char *what, char *room)
{
    struct nk_buf name = {.p = room, .cap = NAME_MAX_BYTES, .max = NAME_MAX_BYTES};
    nk_buf_printf(&name, "store/%zu/%s", i, what);
    return nk_bundle_get(b, nk_buf_str(&name));
}

/* The stores of the bundle, as many as there are; their lists of files go behind one another in `files`. */
static size_t collect_stores(const struct nk_bundle *b, struct nk_store_input *stores,
                             struct nk_set_policy *files, size_t *used)
{
    size_t i = 0;
    for (; i < STORES_MAX; i++) {
        char room[NAME_MAX_BYTES];
        struct nk_str time = store_blob(b, i, "time", room);
        if (!time.p)
            break;
        stores[i] = (struct nk_store_input){.policies = files + *used,
                                            .links = store_blob(b, i, "links", room),
                                            .entities = store_blob(b, i, "entities", room),
                                            .schema = store_blob(b, i, "schema", room)};
        if (nk_str_to_i64(time, &stores[i].changed_ms))
            stores[i].changed_ms = 0;
        struct nk_buf name = {.p = room, .cap = sizeof room, .max = sizeof room};
        nk_buf_printf(&name, "store/%zu/policy/", i);
        stores[i].policy_count =
            collect_policies(b, nk_buf_str(&name), files + *used, FILES_MAX - *used);
        *used += stores[i].policy_count;
        if (*used > FILES_MAX)
            break;
    }
    return i;
}

static void collect_jwks(const struct nk_bundle *b, struct nk_str jwks[ISSUERS_MAX])
{
    for (size_t i = 0; i < ISSUERS_MAX; i++) {
        char room[NAME_MAX_BYTES];
        struct nk_buf name = {.p = room, .cap = sizeof room, .max = sizeof room};
        nk_buf_add(&name, NK_STR("jwks/"));
        nk_buf_add_u64(&name, i);
        jwks[i] = nk_bundle_get(b, nk_buf_str(&name));
    }
}

struct nk_setup *gate_setup_load(const struct nk_role_start *s, const struct nk_bundle *b,
                                 uint32_t generation, struct nk_fault *f)
{
    struct nk_str jwks[ISSUERS_MAX];
    struct nk_store_input stores[STORES_MAX];
    struct nk_set_policy *files = calloc(FILES_MAX, sizeof *files);
    size_t used;
    struct nk_setup_input in = {.config = nk_bundle_get(b, NK_STR("config")),
                                .policies = files,
                                .entities = nk_bundle_get(b, NK_STR("entities")),
                                .keys = nk_bundle_get(b, NK_STR("keys")),
                                .sigv4 = nk_bundle_get(b, NK_STR("sigv4")),
                                .stores = stores,
                                .jwks = jwks,
                                .jwks_count = ISSUERS_MAX,
                                .seed = {s->seed[0], s->seed[1]}};
    if (!files) {
        nk_fault_set(f, NK_ENOMEM, "config", 0, "out of memory");
        return NULL;
    }
    used = in.policy_count = collect_policies(b, NK_STR("policy/"), files, FILES_MAX);
    if (used <= FILES_MAX)
        in.store_count = collect_stores(b, stores, files, &used);
    collect_jwks(b, jwks);
    struct nk_setup *setup = NULL;
    if (used > FILES_MAX)
        nk_fault_set(f, NK_ELIMIT, "policy", 0, "more than %d policy files", FILES_MAX);
    else
        setup = nk_setup_new(&in, f);
    free(files);
    if (setup)
        setup->generation = generation;
    return setup;
}
