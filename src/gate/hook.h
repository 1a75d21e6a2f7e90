/* SPDX-License-Identifier: Apache-2.0
 *
 * hook.h - hooks made ready: what a request that another proxy holds asks of a policy store. Private to gate.
 */
#pragma once

#include "gate/store.h"

struct nk_hook_rule {
    struct nk_str method; /* "any": of every method */
    struct nk_str path;   /* pattern */
    struct nk_cedar_uid action;
    struct nk_cedar_uid resource; /* its id with {1} … {9} and {path} */
};

struct nk_hook {
    const struct nk_config_hook *config;
    const struct nk_store *store;
    const struct nk_hook_rule *rules; /* config->rule_count of them */
};

/* Makes the hooks of the configuration ready, behind its stores. A fault names the rule. */
int gate_hooks_load(struct nk_setup *s, struct nk_fault *f) NK_CHECKED;

/* Is it a hook's request? Then dialect, endpoint and hook are set. */
bool gate_hook_match(struct nk_txn *t);
/* What the request that the proxy holds asks for: store, action and resource; or refuse. */
int gate_hook_locate(struct nk_txn *t);
/* Asks the store: the answer's status, and the headers that say who is behind the request; or refuse. */
int gate_hook_ask(struct nk_txn *t, int *status);

enum { GATE_PATH_SEGMENTS = 64, GATE_PATH_STARS = 9 };

/* A path taken apart: its segments, decoded. That of "/" is one empty segment, as is the last one of "/a/". */
struct gate_path {
    struct nk_str whole; /* decoded, with its slashes */
    struct nk_str segments[GATE_PATH_SEGMENTS];
    size_t n;
};

/* NK_EINVAL: a path that two readers may take for different ones (empty and dot segments, encoded slashes,
 * backslashes, control characters, bad escapes); NK_ELIMIT, NK_ENOMEM. */
int gate_path_read(struct nk_str raw, struct nk_arena *a, struct gate_path *out) NK_CHECKED;
/* Does it fit the pattern? `stars` receives what each * stood for. */
bool gate_path_fits(const struct gate_path *p, struct nk_str pattern,
                    struct nk_str stars[GATE_PATH_STARS]);

/* Is it a hook's request? Then dialect, endpoint and hook are set. */
bool gate_hook_match(struct nk_txn *t);
/* What the request that the proxy holds asks for: store, action and resource; or refuse. */
int gate_hook_locate(struct nk_txn *t);
/* Asks the store: the answer's status, and the headers that say who is behind the request; or refuse. */
int gate_hook_ask(struct nk_txn *t, int *status);
