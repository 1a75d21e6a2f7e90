/* SPDX-License-Identifier: Apache-2.0
 *
 * ext.h - the extension functions as one table, made from ext.def: the parser asks it for names,
 * the evaluator and the JSON reader call through it, and the types of arguments are checked in one
 * place.
 */
#pragma once

#include "cedar/value.h"

/* Where a value is made and why it could not be. The first failure stays. */
struct cedar_call {
    struct nk_arena *arena;
    int code;         /* 0, NK_EINVAL (Cedar's evaluation error) or NK_ENOMEM */
    const char *what; /* static text of the error */
};

/* Notes the failure; returns NULL, so that `return cedar_fail(…)` reads well. */
NK_COLD const struct nk_cedar_value *cedar_fail(struct cedar_call *c, const char *what);
/* Notes that memory is out; returns NULL. */
const struct nk_cedar_value *cedar_no_memory(struct cedar_call *c);
/* A new integer value, or NULL with NK_ENOMEM noted. */
const struct nk_cedar_value *cedar_call_number(struct cedar_call *c, enum cedar_kind kind,
                                               int64_t v);

enum { CEDAR_EXT_ARGS = 2 };

/* What an extension function is: `args` have the number and types that ext.def says. */
typedef const struct nk_cedar_value *cedar_ext_run(struct cedar_call *c,
                                                   const struct nk_cedar_value *const *args);

struct cedar_ext {
    struct nk_str name;
    bool method;    /* a.name(b), not name(a, b) */
    uint8_t result; /* enum cedar_kind */
    uint8_t argc;   /* with the object of a method */
    uint8_t args[CEDAR_EXT_ARGS];
    cedar_ext_run *run;
};

/* The function of that name, or NULL. */
const struct cedar_ext *cedar_ext_find(struct nk_str name);
/* Checks number and types, then calls. NULL on an error, which is noted in *c. */
const struct nk_cedar_value *cedar_ext_call(const struct cedar_ext *ext, struct cedar_call *c,
                                            const struct nk_cedar_value *const *args, size_t n);
/* "type error: expected long" …: static text for a kind. */
const char *cedar_expected(enum cedar_kind kind);

#define EXT(n, s, r, c, x, y, f) cedar_ext_run f;
#include "cedar/ext.def"
#undef EXT
