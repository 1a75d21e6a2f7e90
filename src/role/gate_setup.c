/* SPDX-License-Identifier: Apache-2.0
 *
 * gate_setup.c - from the bundle that the warden sealed to a configuration that decides.
 */
#include "role/gate.h"

#include <stdlib.h>

enum { FILES_MAX = 4096, ISSUERS_MAX = 64, NAME_MAX_BYTES = 32, DIAGNOSE_CEILING = 512 << 20 };

static size_t collect_policies(const struct nk_bundle *b, struct nk_set_policy *files, size_t max)
{
    struct nk_str prefix = NK_STR("policy/");
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

/* `files` has room for FILES_MAX, `jwks` for ISSUERS_MAX. */
static int collect(const struct nk_bundle *b, struct nk_set_policy *files, struct nk_str *jwks,
                   struct nk_setup_input *in, struct nk_fault *f)
{
    *in = (struct nk_setup_input){.config = nk_bundle_get(b, NK_STR("config")),
                                  .policies = files,
                                  .policy_count = collect_policies(b, files, FILES_MAX),
                                  .entities = nk_bundle_get(b, NK_STR("entities")),
                                  .schema = nk_bundle_get(b, NK_STR("schema")),
                                  .keys = nk_bundle_get(b, NK_STR("keys")),
                                  .jwks = jwks,
                                  .jwks_count = ISSUERS_MAX};
    collect_jwks(b, jwks);
    if (in->policy_count > FILES_MAX)
        return nk_fault_set(f, NK_ELIMIT, "policy", 0, "more than %d policy files", FILES_MAX);
    return 0;
}

struct nk_setup *gate_setup_load(const struct nk_role_start *s, const struct nk_bundle *b,
                                 uint32_t generation, struct nk_fault *f)
{
    struct nk_str jwks[ISSUERS_MAX];
    struct nk_set_policy *files = calloc(FILES_MAX, sizeof *files);
    struct nk_setup_input in;
    struct nk_setup *setup = NULL;
    if (!files)
        nk_fault_set(f, NK_ENOMEM, "config", 0, "out of memory");
    else if (collect(b, files, jwks, &in, f) == 0) {
        in.seed[0] = s->seed[0];
        in.seed[1] = s->seed[1];
        setup = nk_setup_new(&in, f);
    }
    free(files);
    if (setup)
        setup->generation = generation;
    return setup;
}

int gate_setup_diagnose(const struct nk_bundle *b, bool japanese, struct nk_buf *out)
{
    struct nk_str jwks[ISSUERS_MAX];
    struct nk_set_policy *files = calloc(FILES_MAX, sizeof *files);
    struct nk_setup_input in;
    struct nk_cedar_policies *policies;
    struct nk_arena arena;
    int rc = 0;
    nk_arena_init(&arena, DIAGNOSE_CEILING);
    if (files && collect(b, files, jwks, &in, NULL) == 0) {
        struct nk_set set = {.policies = files, .policy_count = in.policy_count};
        if (nk_set_policies(&set, &arena, &policies, NULL) == 0)
            rc = nk_setup_validate(&in, policies, out, japanese, NULL);
    }
    nk_arena_free(&arena);
    free(files);
    return rc;
}
