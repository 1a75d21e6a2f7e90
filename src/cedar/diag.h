/* SPDX-License-Identifier: Apache-2.0
 *
 * diag.h - what is wrong with a policy, a schema or data, said so that a person can mend it: a
 * stable id, the place, the line with the span underlined, what is wrong and what to write instead,
 * in English and Japanese (one table, diag.def). Parsers and validator add to one list; whoever
 * shows it picks the language.
 *
 * Ownership: a list and all that it holds live in the arena given to nk_cedar_diags_new; the texts
 * that were read are viewed, not copied, and must outlive it.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"

enum nk_cedar_severity { NK_CEDAR_ERROR, NK_CEDAR_WARNING };

/* What is said, in the order of diag.def. Each has a stable id, "cedar.unknown-attribute". */
enum nk_cedar_diag_code {
#define DIAG(name, id, severity, en, en_help, ja, ja_help) NK_CEDAR_DIAG_##name,
#include "cedar/diag.def"
#undef DIAG
    NK_CEDAR_DIAGS,
};

enum { NK_CEDAR_DIAG_ARGS = 3 };

struct nk_cedar_diag {
    enum nk_cedar_diag_code code;
    struct nk_str policy;                   /* id of the policy, or absent */
    struct nk_str text;                     /* all of the text that it is about, or absent */
    size_t offset, end;                     /* bytes [offset, end) of it */
    struct nk_str args[NK_CEDAR_DIAG_ARGS]; /* the names that the message speaks of */
    struct nk_cedar_diag *next;
};

struct nk_cedar_diags {
    struct nk_arena *arena;
    struct nk_cedar_diag *first, *last;
    size_t kept, most;       /* in the list; beyond `most` they are only counted */
    size_t errors, warnings; /* all of them */
    bool out_of_memory;      /* then the list may lack some; the counts do not */
};

/* An empty list of at most `most` entries (1 or more). NULL: no memory. */
struct nk_cedar_diags *nk_cedar_diags_new(struct nk_arena *a, size_t most) NK_CHECKED;
/* Adds a copy of *d (its args are not copied). */
void nk_cedar_diags_add(struct nk_cedar_diags *d, const struct nk_cedar_diag *diag);
/* Adds the fault of a parser (nk_cedar_policies_add and the like) that read `text`. */
void nk_cedar_diags_syntax(struct nk_cedar_diags *d, struct nk_str text, const struct nk_fault *f);
/* The first error as a fault (stage "cedar", with line and column); `code` when there is none but
 * memory is out. Returns 0 when the list holds no error. */
int nk_cedar_diags_fault(const struct nk_cedar_diags *d, struct nk_fault *f) NK_CHECKED;

const char *nk_cedar_diag_id(enum nk_cedar_diag_code code);
enum nk_cedar_severity nk_cedar_diag_severity(enum nk_cedar_diag_code code);
/* Line and column of a byte of a text, both from 1; a column is a character (not a byte). An offset
 * behind the end is the end. */
void nk_cedar_place(struct nk_str text, size_t offset, unsigned *line, unsigned *column);
/* What is wrong, one sentence; and what to do about it, which may be empty. */
void nk_cedar_diag_message(const struct nk_cedar_diag *d, bool japanese, struct nk_buf *out);
void nk_cedar_diag_help(const struct nk_cedar_diag *d, bool japanese, struct nk_buf *out);
/* All of it, as a compiler would print it, with a line feed at the end:
 *
 *   hr.cedar:3:21: error: cedar.unknown-attribute: User has no attribute "departmnt" (policy hr.1)
 *       3 | when { principal.departmnt == "hr" };
 *         |                  ^^^^^^^^^
 *         = write "department"
 *
 * A wide character (East Asian Wide and Fullwidth, UAX #11) is underlined by two signs. */
void nk_cedar_diag_print(const struct nk_cedar_diag *d, struct nk_str file, bool japanese,
                         struct nk_buf *out);
