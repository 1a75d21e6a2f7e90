/* SPDX-License-Identifier: Apache-2.0
 *
 * policy_input.h - what the commands over policies read: files of policies and entities, and
 * requests, from options or from JSON. A fault names the file. Private to src/cmd.
 */
#pragma once

#include "chain/set.h"

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

/* What a decision needs beside the request. */
struct nk_input {
    struct nk_cedar_policies *policies;
    struct nk_cedar_entities *entities; /* sealed */
};
/* Reads both; `entities` may be NULL. */
int nk_input_load(const char *policies, const char *entities, struct nk_arena *a,
                  struct nk_input *out, struct nk_fault *f) NK_CHECKED;

/* An entity's name as a policy writes it: User::"alice". */
int nk_input_uid(struct nk_str text, struct nk_arena *a, struct nk_cedar_uid *out,
                 struct nk_fault *f) NK_CHECKED;
/* A request from the members principal, action and resource, each {"type","id"} or a string as
 * above, and context (may be absent). */
int nk_input_request(const struct nk_json *doc, uint32_t at, struct nk_arena *a,
                     struct nk_cedar_request *out, struct nk_fault *f) NK_CHECKED;

/* The options --principal, --action, --resource and --context (a file, or JSON that begins with
 * "{"; NULL: none), as given. */
struct nk_input_options {
    const char *principal, *action, *resource, *context;
};
int nk_input_options(const struct nk_input_options *o, struct nk_arena *a,
                     struct nk_cedar_request *out, struct nk_fault *f) NK_CHECKED;
