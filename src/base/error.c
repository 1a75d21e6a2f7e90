/* SPDX-License-Identifier: Apache-2.0
 *
 * error.c - the error list and the fault record. See error.h.
 */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"

int nk_fault_set(struct nk_fault *f, int code, const char *stage, size_t offset, const char *fmt,
                 ...)
{
    if (!f || f->code)
        return code;
    f->code = code;
    f->stage = stage;
    f->offset = offset;
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(f->message, sizeof f->message, fmt, args);
    va_end(args);
    if (n >= (int)sizeof f->message) /* cut off: not in the middle of a character */
        f->message[nk_utf8_check(nk_str(f->message))] = 0;
    return code;
}

const char *nk_error_name(int code)
{
    static const char *const names[] = {
        "OK",           "EINVAL", "ELIMIT",  "ENOMEM",   "EAGAIN",    "EDENIED", "ENOTFOUND",
        "EUNSUPPORTED", "EIO",    "ECRYPTO", "EEXPIRED", "ECONFLICT", "EFULL",
    };
    return code <= 0 && code > -(int)NK_COUNT(names) ? names[-code] : "E?";
}

_Noreturn void nk_must_fail(const char *cond, const char *file, int line)
{
    fprintf(stderr, "nakoso: broken invariant at %s:%d: %s\n", file, line, cond);
    abort();
}
