/* SPDX-License-Identifier: Apache-2.0
 *
 * yaml.h - YAML text becomes JSON text and a map back: which line and column each JSON value came
 * from. Only the plain part of YAML 1.1 is taken: one document of mappings, lists and scalars.
 * Refused: anchors, aliases, tags, merge keys, further documents, keys that are no scalars and keys
 * given twice. Every scalar becomes a JSON string, whatever it looks like (an empty plain one
 * becomes null): the reader of the JSON knows which type it wants. With `typed` one that is not quoted
 * becomes what it is in JSON (null, true, false, a number), for texts that are JSON in another form. Pure apart from libyaml's
 * memory.
 */
#pragma once

#include "base/arena.h"

struct nk_yaml_limits {
    size_t max_bytes;
    uint32_t max_depth; /* nested lists and mappings */
    uint32_t max_nodes; /* scalars, lists and mappings */
    bool typed;
};

struct nk_yaml_mark {
    size_t at;             /* byte offset in the JSON text */
    uint32_t line, column; /* in the YAML text, from 1; columns count characters */
};

struct nk_yaml {
    struct nk_str json;
    const struct nk_yaml_mark *marks; /* ascending */
    size_t count;
};

/* 0, NK_EINVAL, NK_EUNSUPPORTED, NK_ELIMIT, NK_ECONFLICT or NK_ENOMEM; on an error *where is the
 * place in the YAML text (line 0: the text as a whole). */
int nk_yaml_read(const struct nk_yaml_limits *lim, struct nk_str text, struct nk_arena *a,
                 struct nk_yaml *out, struct nk_yaml_mark *where, struct nk_fault *f) NK_CHECKED;
/* The place in the YAML text of the JSON value at or before byte `at`. */
struct nk_yaml_mark nk_yaml_where(const struct nk_yaml *y, size_t at);
