/* SPDX-License-Identifier: Apache-2.0
 *
 * policy_input.h - what the commands over policies read: files of policies and entities, and
 * requests, from options or from JSON. A fault names the file. Private to src/cmd.
 */
#pragma once

#include "cedar/schema.h"
#include "chain/set.h"
#include "cmd/options.h"

enum {
    NK_INPUT_MAX = 256 << 20,    /* most bytes of one file */
    NK_INPUT_ARENA = 1 << 30,    /* for the arena of what is read */
    NK_INPUT_POLICIES = 1 << 16, /* most policy files */
};

/* How JSON files and lines are read: names may hold any character, as attributes may. */
extern const struct nk_json_limits nk_input_limits;

/* The whole file at `path` ("-": standard input). */
int nk_input_read(const char *path, struct nk_arena *a, struct nk_str *out,
                  struct nk_fault *f) NK_CHECKED;
/* The policy file at `path`, or all *.cedar of that directory in the order of their names. */
int nk_input_policies(const char *path, struct nk_arena *a, struct nk_set *out,
                      struct nk_fault *f) NK_CHECKED;

/* The policies at `path`, ready to decide: files as above with the ids that the gateway gives them
 * (nk_set_policies), or a *.json file that holds a whole set with its templates and links. */
int nk_input_policy_set(const char *path, struct nk_arena *a, struct nk_cedar_policies **out,
                        struct nk_fault *f) NK_CHECKED;

/* A schema, text or JSON: from a file, or as it stands. */
int nk_input_schema(const char *path, struct nk_arena *a, const struct nk_cedar_schema **out,
                    struct nk_fault *f) NK_CHECKED;
int nk_input_schema_text(struct nk_str text, struct nk_arena *a, const struct nk_cedar_schema **out,
                         struct nk_fault *f) NK_CHECKED;

/* Entity JSON (absent: none) to a sealed store over `below` (may be NULL). With a schema (may be NULL)
 * the entities are read by it and have to keep to it, and its actions are added at the bottom. */
int nk_input_entities(struct nk_str json, const struct nk_cedar_schema *schema,
                      const struct nk_cedar_entities *below, struct nk_arena *a,
                      struct nk_cedar_entities **out, struct nk_fault *f) NK_CHECKED;

/* What a decision needs beside the request. */
struct nk_input {
    struct nk_cedar_policies *policies;
    struct nk_cedar_entities *entities;   /* sealed */
    const struct nk_cedar_schema *schema; /* or NULL */
};
/* The options that name files; entities and schema may be NULL. And "skip" or "deny" (NULL: "skip"):
 * what a forbid that errs does, as policy.errors of the configuration. */
struct nk_input_files {
    const char *policies, *entities, *schema, *errors;
};
int nk_input_load(const struct nk_input_files *files, struct nk_arena *a, struct nk_input *out,
                  struct nk_fault *f) NK_CHECKED;

/* An entity's name as a policy writes it: User::"alice". */
int nk_input_uid(struct nk_str text, struct nk_arena *a, struct nk_cedar_uid *out,
                 struct nk_fault *f) NK_CHECKED;
/* A request from the members principal, action and resource, each {"type","id"} or a string as
 * above, and context (may be absent). With a schema (may be NULL) the context is read by it. */
int nk_input_request(const struct nk_json *doc, uint32_t at, const struct nk_cedar_schema *schema,
                     struct nk_arena *a, struct nk_cedar_request *out,
                     struct nk_fault *f) NK_CHECKED;
/* Does the request keep to the schema (NULL: to none)? Fault and code as of
 * nk_cedar_validate_request. */
int nk_input_valid(const struct nk_cedar_schema *schema, const struct nk_cedar_request *r,
                   struct nk_arena *a, struct nk_fault *f) NK_CHECKED;

/* The context of a request for out->action: a file, or JSON that begins with "{". */
int nk_input_context(const char *given, const struct nk_cedar_schema *schema, struct nk_arena *a,
                     struct nk_cedar_request *out, struct nk_fault *f) NK_CHECKED;

/* The options --principal, --action, --resource and --context (a file, or JSON that begins with
 * "{"; NULL: none), as given; the request is validated. */
struct nk_input_options {
    const char *principal, *action, *resource, *context;
};
int nk_input_options(const struct nk_input_options *o, const struct nk_cedar_schema *schema,
                     struct nk_arena *a, struct nk_cedar_request *out,
                     struct nk_fault *f) NK_CHECKED;
/* The rows of all options of the two, and then `n` of a command's own, into out[NK_INPUT_ROWS + n]. */
enum { NK_INPUT_ROWS = 8 };
void nk_input_rows(struct nk_input_files *files, struct nk_input_options *request,
                   const struct nk_option *own, size_t n, struct nk_option *out);
