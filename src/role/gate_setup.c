/* SPDX-License-Identifier: Apache-2.0
 *
 * gate_setup.c - from the bundle that the warden sealed to a configuration that decides.
 */
#include "role/gate.h"

#include <stdlib.h>

enum { FILES_MAX = 4096, ISSUERS_MAX = 64, NAME_MAX_BYTES = 32 };

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

struct nk_setup *gate_setup_load(const struct nk_role_start *s, const struct nk_bundle *b,
                                 uint32_t generation, struct nk_fault *f)
{
    struct nk_str jwks[ISSUERS_MAX];
    struct nk_set_policy *files = calloc(FILES_MAX, sizeof *files);
    struct nk_setup_input in = {.config = nk_bundle_get(b, NK_STR("config")),
                                .policies = files,
                                .entities = nk_bundle_get(b, NK_STR("entities")),
                                .keys = nk_bundle_get(b, NK_STR("keys")),
                                .jwks = jwks,
                                .jwks_count = ISSUERS_MAX,
                                .seed = {s->seed[0], s->seed[1]}};
    if (!files) {
        nk_fault_set(f, NK_ENOMEM, "config", 0, "out of memory");
        return NULL;
    }
    in.policy_count = collect_policies(b, files, FILES_MAX);
    collect_jwks(b, jwks);
    struct nk_setup *setup = NULL;
    if (in.policy_count > FILES_MAX)
        nk_fault_set(f, NK_ELIMIT, "policy", 0, "more than %d policy files", FILES_MAX);
    else
        setup = nk_setup_new(&in, f);
    free(files);
    if (setup)
        setup->generation = generation;
    return setup;
}
