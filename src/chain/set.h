/* SPDX-License-Identifier: Apache-2.0
 *
 * set.h - a policy set: everything beside the request itself that a decision depends on. Records
 * name the set they were decided under by its digest, and the log keeps the set under that name, so
 * that a record can be decided again years later from the log alone.
 *
 * The canonical form is one JSON object without white space, in this order:
 *
 *   {"format":1,"policies":[{"name":"10-desk.cedar","text":"…"},…],"entities":"…",
 *    "upstreams":["…",…],"models":[{"name":"…","upstream":"…","dialect":"…"},…]}
 *
 * With tools, "tools":[{"name":"…","server":"…","groups":[…],"sha256":"…"},…] follows models, and the format is 3.
 *
 * A set in which a forbid that errs denies begins {"format":2,"errors":"deny","policies": instead (with
 * tools, 3): a version that does not know such a rule refuses the set rather than decide without it.
 *
 * Texts are kept as they were read (no parser's idea of them), lists in their order: policies in
 * the order of loading, upstreams and models in that of the configuration.
 */
#pragma once

#include "cedar/cedar.h"
#include "config/config.h"
#include "crypt/crypt.h"
#include "tool/tool.h"

enum { NK_SET_MAX = 64 << 20 }; /* bytes of the canonical form */

struct nk_set_policy {
    struct nk_str name; /* of the file */
    struct nk_str text;
};

struct nk_set_model {
    struct nk_str name, upstream, dialect;
};

/* A registered tool, as far as decisions depend on it. */
struct nk_set_tool {
    struct nk_str name, server; /* full name: "server___name" */
    const struct nk_str *groups;
    size_t group_count;
    struct nk_str sha256; /* of its definition, hexadecimal; "": none */
};

struct nk_set {
    const struct nk_set_policy *policies;
    size_t policy_count;
    bool takes_templates;   /* whoever loads it links them; no part of the canonical form */
    struct nk_str entities; /* Cedar entity JSON; absent and empty are the same */
    const struct nk_str *upstreams;
    size_t upstream_count;
    const struct nk_set_model *models;
    size_t model_count;
    const struct nk_set_tool *tools;
    size_t tool_count;
    bool errors_deny; /* see nk_cedar_policies_strict */
};

/* Fills upstreams, models and what errors mean from a configuration: lists are allocated in `a`,
 * names are views. NK_ENOMEM. */
int nk_set_configure(struct nk_set *s, const struct nk_config *c, struct nk_arena *a) NK_CHECKED;
/* Fills in the tools, with views of the registry's names. NK_ENOMEM. */
int nk_set_tools(struct nk_set *s, const struct nk_tools *tools, struct nk_arena *a) NK_CHECKED;
/* Appends the canonical form. */
void nk_set_write(const struct nk_set *s, struct nk_buf *out);
/* SHA-256 of the canonical form: NK_ELIMIT over NK_SET_MAX, NK_ENOMEM. */
int nk_set_digest(const struct nk_set *s, struct nk_digest *out) NK_CHECKED;
/* Reads the canonical form; slices are views of `text` or live in `a`. NK_EINVAL, NK_ELIMIT,
 * NK_EUNSUPPORTED (another format), NK_ENOMEM. */
int nk_set_read(struct nk_str text, struct nk_arena *a, struct nk_set *out,
                struct nk_fault *f) NK_CHECKED;

/* What a judge needs, made from a set in the one way that there is. Policy ids are @id annotations,
 * otherwise "<file name without .cedar>.<index>". The store holds the entities, then an Upstream
 * for each upstream and a Model (attributes dialect and upstream, child of its Upstream) for each
 * model that the entities do not describe themselves; for each tool an Action of its name, member of Action::"CallTool"
 * and of its groups, and a Tool, child of the Upstream of its server, which is a child of Gateway::"tools". Both are sealed. The slices of `s` must outlive
 * both. A fault names the file. */
int nk_set_policies(const struct nk_set *s, struct nk_arena *a, struct nk_cedar_policies **out,
                    struct nk_fault *f) NK_CHECKED;
int nk_set_entities(const struct nk_set *s, struct nk_arena *a, struct nk_cedar_entities **out,
                    struct nk_fault *f) NK_CHECKED;
