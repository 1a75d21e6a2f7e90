/* SPDX-License-Identifier: Apache-2.0
 *
 * error.h - the one error convention: a function returns 0 or a negative NK_E…; what went wrong in
 * words goes to a struct nk_fault, where the first fault wins.
 */
#pragma once

#include "base/macro.h"

enum nk_error {
    NK_EINVAL = -1,       /* the input breaks its format */
    NK_ELIMIT = -2,       /* the input is larger or deeper than a stated limit */
    NK_ENOMEM = -3,       /* memory or an arena's ceiling is used up */
    NK_EAGAIN = -4,       /* not an error: more input or an event is needed */
    NK_EDENIED = -5,      /* understood, and refused */
    NK_ENOTFOUND = -6,    /* there is no such thing */
    NK_EUNSUPPORTED = -7, /* valid, but this version does not take it */
    NK_EIO = -8,          /* the operating system said no; see errno */
    NK_ECRYPTO = -9,      /* a signature, digest or key does not hold */
    NK_EEXPIRED = -10,    /* it was valid, or will be, but not at this time */
    NK_ECONFLICT = -11,   /* it contradicts what is already there */
    NK_EFULL = -12,       /* a ring, queue or disk has no room now */
};

/* What went wrong, where. `stage` is a static string ("parse", "cedar", a file's name kept by the
 * caller); `offset` is a byte offset into that stage's input; `message` is English, for operators,
 * and never holds a secret or a prompt. A zeroed struct is "no fault". */
struct nk_fault {
    int code;
    const char *stage;
    size_t offset;
    char message[232];
};

/* Makes *f "no fault" without writing all of its message: for what is on the way of each request. */
static inline void nk_fault_none(struct nk_fault *f)
{
    f->code = 0;
    f->stage = NULL;
    f->offset = 0;
    f->message[0] = 0;
}

/* Records a fault if none is there yet. Returns `code` always, so that `return nk_fault_set(…)`
 * reads well. `f` may be NULL: then only the code is passed on. */
int nk_fault_set(struct nk_fault *f, int code, const char *stage, size_t offset, const char *fmt,
                 ...) NK_PRINTF(5, 6) NK_COLD;

/* A stable short name ("EINVAL", "ELIMIT" …) for logs; "OK" for 0 and "E?" for unknown codes. */
const char *nk_error_name(int code);
