/* SPDX-License-Identifier: Apache-2.0
 *
 * scribe_settings.c - see scribe.h.
 */
#include "role/scribe.h"

#include <stdlib.h>
#include "chain/set.h"

enum { ARENA_MAX = 256 << 20 };

/* The tools are part of the set by their names, groups and digests. */
static int read_tools(struct scribe_settings *s, struct nk_set *set, struct nk_fault *f)
{
    static const uint64_t seed[2] = {0, 0}; /* names of the configuration: nobody chooses them */
    const struct nk_tools *tools;
    int r = nk_tools_new(&s->config, nk_bundle_get(&s->bundle, NK_STR("tools")), seed, &s->arena,
                         &tools, f);
    return r ? r : nk_set_tools(set, tools, &s->arena);
}

static int read_set(struct scribe_settings *s, struct nk_fault *f)
{
    struct nk_set set = {.entities = nk_bundle_get(&s->bundle, NK_STR("entities"))};
    struct nk_str folder = NK_STR("policy/");
    struct nk_set_policy *list = nk_arena_array(&s->arena, s->bundle.count, sizeof *list);
    struct nk_buf text;
    if (!list || nk_set_configure(&set, &s->config, &s->arena))
        return nk_fault_set(f, NK_ENOMEM, "scribe", 0, "out of memory");
    int r = read_tools(s, &set, f);
    if (r)
        return nk_fault_set(f, r, "scribe", 0, "out of memory");
    set.policies = list;
    for (size_t i = 0; i < s->bundle.count; i++)
        if (nk_str_starts(s->bundle.blobs[i].name, folder))
            list[set.policy_count++] = (struct nk_set_policy){
                nk_str_sub(s->bundle.blobs[i].name, folder.n, s->bundle.blobs[i].name.n),
                s->bundle.blobs[i].bytes};
    nk_buf_init(&text, NK_SET_MAX);
    nk_set_write(&set, &text);
    r = text.error;
    s->set = r ? (struct nk_str){NULL, 0} : nk_arena_copy(&s->arena, nk_buf_str(&text));
    nk_buf_free(&text);
    if (!s->set.p)
        return nk_fault_set(f, r ? r : NK_ENOMEM, "scribe", 0, "the policy set is too large");
    s->set_digest = nk_sha256(s->set);
    return 0;
}

static int read_bundle(struct scribe_settings *s, struct nk_fault *f)
{
    struct nk_str config = nk_bundle_get(&s->bundle, NK_STR("config"));
    struct nk_str key = nk_bundle_get(&s->bundle, NK_STR("audit/key"));
    if (!config.p || key.n != NK_ED25519_KEY_SIZE)
        return nk_fault_set(f, NK_EINVAL, "scribe", 0,
                            "the scribe was given no configuration or no audit key");
    s->key = (const unsigned char *)key.p;
    s->config_digest = nk_sha256(config);
    int r = nk_config_parse(config, &s->arena, &s->config, f);
    return r ? r : read_set(s, f);
}

struct scribe_settings *scribe_settings_new(const struct nk_role_start *start, int bundle,
                                            uint32_t generation, struct nk_fault *f)
{
    struct scribe_settings *s = calloc(1, sizeof *s);
    if (!s) {
        nk_fault_set(f, NK_ENOMEM, "scribe", 0, "out of memory");
        return NULL;
    }
    nk_arena_init(&s->arena, ARENA_MAX);
    s->generation = generation;
    s->bundle = start->bundle;
    s->owns_bundle = bundle >= 0 && nk_bundle_open(bundle, &s->arena, &s->bundle, f) == 0;
    if ((bundle < 0 || s->owns_bundle) && read_bundle(s, f) == 0)
        return s;
    scribe_settings_free(s);
    return NULL;
}

void scribe_settings_free(struct scribe_settings *s)
{
    if (!s)
        return;
    if (s->owns_bundle)
        nk_bundle_unmap(&s->bundle);
    nk_arena_free(&s->arena);
    free(s);
}

int scribe_settings_follow(const struct scribe_settings *a, const struct scribe_settings *b,
                           struct nk_fault *f)
{
    struct nk_str x = {(const char *)a->key, NK_ED25519_KEY_SIZE};
    struct nk_str y = {(const char *)b->key, NK_ED25519_KEY_SIZE};
    if (nk_str_eq(a->config.audit, b->config.audit) &&
        nk_str_eq(a->config.audit_origin, b->config.audit_origin) && nk_secret_eq(x, y))
        return 0;
    return nk_fault_set(f, NK_ECONFLICT, "scribe", 0,
                        "the audit log's directory, origin and key cannot change while it is "
                        "written; stop nakoso and start it with the new ones");
}
