/* SPDX-License-Identifier: Apache-2.0
 *
 * gate_setup.c - from the bundle that the warden sealed to a configuration that decides.
 */
#include "role/gate.h"

#include <stdlib.h>

enum {
    FILES_MAX = 8192,
    ISSUERS_MAX = 64,
    STORES_MAX = 64,
    NAME_MAX_BYTES = 48,
    DIAGNOSE_CEILING = 512 << 20,
};

/* Room for what the input of a setup points to. */
struct room {
    struct nk_str jwks[ISSUERS_MAX];
    struct nk_store_input stores[STORES_MAX];
    struct nk_set_policy files[FILES_MAX];
};

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

static int collect(const struct nk_bundle *b, struct room *r, struct nk_setup_input *in,
                   struct nk_fault *f)
{
    *in = (struct nk_setup_input){.config = nk_bundle_get(b, NK_STR("config")),
                                  .policies = r->files,
                                  .entities = nk_bundle_get(b, NK_STR("entities")),
                                  .schema = nk_bundle_get(b, NK_STR("schema")),
                                  .tools = nk_bundle_get(b, NK_STR("tools")),
                                  .stores = r->stores,
                                  .keys = nk_bundle_get(b, NK_STR("keys")),
                                  .sigv4 = nk_bundle_get(b, NK_STR("sigv4")),
                                  .sessions = nk_bundle_get(b, NK_STR("sessions")),
                                  .token_jwks = nk_bundle_get(b, NK_STR("token/jwks")),
                                  .jwks = r->jwks,
                                  .jwks_count = ISSUERS_MAX};
    size_t used = in->policy_count = collect_policies(b, NK_STR("policy/"), r->files, FILES_MAX);
    if (used <= FILES_MAX)
        in->store_count = collect_stores(b, r->stores, r->files, &used);
    collect_jwks(b, r->jwks);
    if (used > FILES_MAX)
        return nk_fault_set(f, NK_ELIMIT, "policy", 0, "more than %d policy files", FILES_MAX);
    return 0;
}

struct nk_setup *gate_setup_load(const struct nk_role_start *s, const struct nk_bundle *b,
                                 uint32_t generation, struct nk_fault *f)
{
    struct room *r = calloc(1, sizeof *r);
    struct nk_setup_input in;
    struct nk_setup *setup = NULL;
    if (!r)
        nk_fault_set(f, NK_ENOMEM, "config", 0, "out of memory");
    else if (collect(b, r, &in, f) == 0) {
        in.seed[0] = s->seed[0];
        in.seed[1] = s->seed[1];
        in.generation = generation;
        setup = nk_setup_new(&in, f);
    }
    free(r);
    return setup;
}

/* NULL when they cannot be read: then that is the fault that is told. */
static const struct nk_tools *read_tools(const struct nk_setup_input *in, struct nk_arena *a)
{
    const struct nk_tools *tools;
    struct nk_config config;
    if (nk_config_parse(in->config, a, &config, NULL) ||
        nk_tools_new(&config, in->tools, in->seed, a, &tools, NULL))
        return NULL;
    return tools;
}

int gate_setup_diagnose(const struct nk_bundle *b, bool japanese, struct nk_buf *out)
{
    struct room *r = calloc(1, sizeof *r);
    struct nk_setup_input in;
    struct nk_cedar_policies *policies;
    struct nk_arena arena;
    int rc = 0;
    nk_arena_init(&arena, DIAGNOSE_CEILING);
    if (r && collect(b, r, &in, NULL) == 0) {
        struct nk_set set = {.policies = r->files, .policy_count = in.policy_count};
        const struct nk_tools *tools = read_tools(&in, &arena);
        if (nk_set_policies(&set, &arena, &policies, NULL) == 0)
            rc = nk_setup_validate(&in, tools, policies, out, japanese, NULL);
    }
    nk_arena_free(&arena);
    free(r);
    return rc;
}
