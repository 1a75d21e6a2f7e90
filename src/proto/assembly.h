/* SPDX-License-Identifier: Apache-2.0
 *
 * assembly.h - tool calls put together from fragments, under limits. A call is known by where the
 * dialect counts it (choice and index); it is open while fragments may come, then complete: its
 * arguments are then strict JSON. A complete call never changes again, and what would change it is
 * an error: a client that glues fragments by index must not end up with a call that was not judged.
 */
#pragma once

#include "proto/proto.h"

enum {
    NK_ASSEMBLY_CALLS = 128,         /* calls in one answer */
    NK_ASSEMBLY_ARGUMENTS = 1 << 20, /* bytes of one call's arguments */
    NK_ASSEMBLY_TOTAL = 4 << 20,     /* bytes of all arguments of one answer */
    NK_ASSEMBLY_DEPTH = 64,          /* nesting of arguments */
    NK_ASSEMBLY_NAME = 1024,         /* bytes of a name or id */
    NK_ASSEMBLY_REFUSAL = 8192,      /* bytes of what is said in place of a call */
};

struct nk_assembly_call {
    int64_t choice, index;
    struct nk_tool_use use; /* arguments: set when complete */
    char *text;             /* fragments so far, in the arena */
    size_t n, cap;
    bool plain; /* arguments are free text, not JSON: told as a JSON string */
    bool complete, released;
    struct nk_str refusal; /* absent: it may go to the client, or nobody knows yet */
    bool begun;            /* something in its place has been sent (edit.h) */
};

struct nk_assembly {
    struct nk_arena *arena;
    struct nk_assembly_call *calls;
    size_t count, cap;
    size_t open;  /* calls that are not complete */
    size_t fresh; /* complete calls that were not released */
    size_t total; /* bytes of all fragments */
};

struct nk_assembly_call *nk_assembly_find(struct nk_assembly *s, int64_t choice, int64_t index);
/* A new open call. The pointer is valid until the next open. */
int nk_assembly_open(struct nk_assembly *s, int64_t choice, int64_t index,
                     struct nk_assembly_call **out, struct nk_fault *f) NK_CHECKED;
/* Sets *field (id or name) from a fragment; saying it again is fine, saying another is not. Empty
 * and absent values say nothing. */
int nk_assembly_say(struct nk_assembly *s, struct nk_str *field, struct nk_str value,
                    struct nk_fault *f) NK_CHECKED;
/* Appends a fragment of the arguments. */
int nk_assembly_add(struct nk_assembly *s, struct nk_assembly_call *c, struct nk_str fragment,
                    struct nk_fault *f) NK_CHECKED;
/* The arguments in one piece, as the provider repeats them: the fragments, if any came, must be the
 * same. */
int nk_assembly_whole(struct nk_assembly *s, struct nk_assembly_call *c, struct nk_str arguments,
                      struct nk_fault *f) NK_CHECKED;
/* The call is complete: it must have a name, and its arguments must be JSON (nothing at all counts
 * as {}). */
int nk_assembly_close(struct nk_assembly *s, struct nk_assembly_call *c,
                      struct nk_fault *f) NK_CHECKED;
/* Closes all open calls of a choice; -1: of every choice. */
int nk_assembly_close_choice(struct nk_assembly *s, int64_t choice, struct nk_fault *f) NK_CHECKED;
/* Hands out the complete calls that were not yet handed out, in order of appearance. */
int nk_assembly_release(struct nk_assembly *s, const struct nk_tool_use **calls, size_t *count,
                        struct nk_fault *f) NK_CHECKED;
/* Marks calls as refused: texts[n] is that of call number n, absent for others; they outlive the assembly. */
void nk_assembly_refuse(struct nk_assembly *s, const struct nk_str *texts);
