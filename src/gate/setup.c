/* SPDX-License-Identifier: Apache-2.0
 *
 * setup.c - see setup.h.
 */
#include "gate/a2a.h"
#include "gate/agent.h"
#include "gate/hook.h"
#include "gate/mcp.h"

#include <stdlib.h>

enum { SETUP_CEILING = 512 << 20, TEXT_MAX = 4096 };

/* Members that all records of this configuration share are written once. */
static int keep_text(struct nk_setup *s, struct nk_buf *b, struct nk_str *out)
{
    *out = b->error ? (struct nk_str){NULL, 0} : nk_arena_copy(&s->arena, nk_buf_str(b));
    nk_buf_free(b);
    return out->p ? 0 : NK_ENOMEM;
}

static int write_provenance(struct nk_setup *s, struct nk_digest policies, struct nk_digest config)
{
    struct nk_digest both[2] = {policies, config};
    struct nk_buf b;
    s->digest = nk_sha256((struct nk_str){(const char *)both, sizeof both});
    nk_buf_init(&b, TEXT_MAX);
    nk_buf_add(&b, NK_STR(",\"policies\":\""));
    nk_buf_add_hex(&b, policies.b, sizeof policies.b);
    nk_buf_add(&b, NK_STR("\",\"generation\":"));
    nk_buf_add_u64(&b, s->generation);
    return keep_text(s, &b, &s->provenance);
}

static int write_locate(struct nk_setup *s, const struct nk_model *m, bool with_name,
                        struct nk_str *out)
{
    struct nk_buf b;
    nk_buf_init(&b, TEXT_MAX);
    nk_buf_add(&b, NK_STR(",\"locate\":{"));
    if (with_name)
        nk_json_put_member(&b, NK_STR("model"), m->name);
    nk_json_put_member(&b, NK_STR("upstream"), s->config.upstreams[m->upstream].name);
    nk_buf_add_char(&b, '}');
    return keep_text(s, &b, out);
}

/* What the judge needs comes from the policy set, in the one way that replay uses too. */
static int load_set(struct nk_setup *s, const struct nk_setup_input *in, struct nk_fault *f)
{
    struct nk_set set = {
        .policies = in->policies, .policy_count = in->policy_count, .entities = in->entities};
    struct nk_digest digest;
    int rc = nk_set_configure(&set, &s->config, &s->arena);
    if (!rc)
        rc = nk_tools_new(&s->config, in->tools, in->seed, &s->arena, &s->tools, f);
    if (!rc)
        rc = nk_set_tools(&set, s->tools, &s->arena);
    if (!rc)
        rc = nk_set_policies(&set, &s->arena, &s->policies, f);
    if (!rc)
        rc = nk_tool_judge_check(s->policies, f);
    if (!rc)
        rc = nk_setup_validate(in, s->tools, s->policies, NULL, false, f);
    if (!rc)
        rc = nk_set_entities(&set, &s->arena, &s->entities, f);
    if (!rc)
        rc = nk_cedar_bind(s->policies, s->entities, f);
    if (!rc)
        rc = nk_set_digest(&set, &digest);
    return rc ? rc : write_provenance(s, digest, nk_sha256(in->config));
}

static int load_models(struct nk_setup *s, const uint64_t seed[2], struct nk_fault *f)
{
    size_t n = s->config.model_count;
    nk_map_init(&s->models, &s->arena, seed);
    s->model_list = nk_arena_array(&s->arena, n + 1, sizeof *s->model_list);
    for (size_t i = 0; s->model_list && i < n; i++) {
        const struct nk_config_model *c = &s->config.models[i];
        struct nk_model *m = &s->model_list[i];
        *m = (struct nk_model){.name = c->name,
                               .upstream = nk_config_upstream_index(&s->config, c->upstream),
                               .upstream_name = c->upstream_name};
        NK_MUST(m->upstream < s->config.upstream_count); /* nk_config_parse has checked it */
        if (nk_str_eq(m->upstream_name, m->name))
            m->upstream_name = (struct nk_str){NULL, 0}; /* nothing to splice */
        m->dialect = nk_dialect_by_name(s->config.upstreams[m->upstream].dialect);
        if (!m->dialect)
            return nk_fault_set(f, NK_EUNSUPPORTED, "config", 0,
                                "upstream %.*s: dialect \"%.*s\" is not known",
                                NK_FMT(s->config.upstreams[m->upstream].name),
                                NK_FMT(s->config.upstreams[m->upstream].dialect));
        int rc = nk_map_put(&s->models, m->name, m);
        if (rc)
            return nk_fault_set(f, rc, "config", 0, "model %.*s is named twice", NK_FMT(m->name));
        rc = write_locate(s, m, true, &m->located);
        if (!rc)
            rc = write_locate(s, m, false, &m->routed);
        if (rc)
            return rc;
    }
    return s->model_list ? 0 : NK_ENOMEM;
}

/* A principal of an impossible type could be judged, but its record not be read. */
static int check_types(const struct nk_setup *s, struct nk_fault *f)
{
    for (size_t i = 0; i < s->config.issuer_count; i++)
        if (!nk_cedar_type_ok(s->config.issuers[i].principal_type))
            return nk_fault_set(
                f, NK_EINVAL, "config", 0,
                "identity.issuers: principal_type \"%.*s\" is not the name of a Cedar "
                "entity type; write a name such as User",
                NK_FMT(s->config.issuers[i].principal_type));
    return 0;
}

static int load(struct nk_setup *s, const struct nk_setup_input *in, struct nk_fault *f)
{
    int rc = nk_config_parse(in->config, &s->arena, &s->config, f);
    if (!rc)
        rc = check_types(s, f);
    if (!rc)
        rc = load_models(s, in->seed, f);
    if (!rc)
        rc = load_set(s, in, f);
    if (!rc)
        rc = gate_stores_load(s, in, f);
    if (!rc)
        rc = gate_hooks_load(s, f);
    if (!rc)
        rc = gate_mcp_load(s, in, f);
    if (!rc)
        rc = gate_a2a_load(s, f);
    if (!rc)
        rc = gate_agents_load(s, f);
    if (!rc)
        rc = nk_ident_new(&s->config, in->keys, in->jwks, in->seed, &s->arena, &s->ident, f);
    if (!rc)
        rc = nk_ident_set_sigv4(s->ident, in->sigv4, f);
    return rc;
}

struct nk_setup *nk_setup_new(const struct nk_setup_input *in, struct nk_fault *f)
{
    struct nk_setup *s = calloc(1, sizeof *s);
    if (!s) {
        nk_fault_set(f, NK_ENOMEM, "config", 0, "out of memory");
        return NULL;
    }
    nk_arena_init(&s->arena, SETUP_CEILING);
    for (size_t i = 0; i < NK_SETUP_KNOWN; i++)
        nk_arena_init(&s->known[i].arena, NK_SETUP_KNOWN_BYTES);
    s->holders = 1;
    s->generation = in->generation;
    s->token_jwks = in->token_jwks;
    int rc = load(s, in, f);
    if (!rc)
        return s;
    nk_fault_set(f, rc, "config", 0, "out of memory");
    nk_setup_release(s);
    return NULL;
}

void nk_setup_hold(struct nk_setup *s)
{
    s->holders++;
}

void nk_setup_release(struct nk_setup *s)
{
    NK_MUST(s->holders > 0);
    if (--s->holders)
        return;
    if (s->ident)
        nk_ident_free(s->ident);
    nk_agent_sessions_free(s->sessions);
    for (size_t i = 0; i < NK_SETUP_KNOWN; i++)
        nk_arena_free(&s->known[i].arena);
    nk_arena_free(&s->arena);
    nk_secret_wipe(&s->session_key, sizeof s->session_key);
    if (s->freed)
        s->freed(s->owner);
    free(s);
}
