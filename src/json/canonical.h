/* SPDX-License-Identifier: Apache-2.0
 *
 * canonical.h - one spelling for each JSON value: members sorted by their names' UTF-16 code units, no
 * white space, one way to escape and one to write a number. What has the same canonical form means the
 * same, so a digest of it names the value.
 */
#pragma once

#include "json/json.h"

enum nk_canonical {
    /* RFC 8785 (JCS): numbers are what ECMAScript makes of them, IEEE 754 doubles. */
    NK_CANONICAL_JCS,
    /* The same, but numbers keep every digit ("1e2", "100" and "100.0" are one): for what a person agreed to,
     * where two account numbers that are one double are still two. */
    NK_CANONICAL_EXACT,
};

/* Appends the canonical form of entry `at` to `out`. 0, or NK_EINVAL (stage "canonical"): JCS cannot say a
 * number (too large for a double); NK_ELIMIT, NK_ENOMEM: what `out` says. */
int nk_json_canonical(const struct nk_json *doc, uint32_t at, enum nk_canonical how,
                      struct nk_buf *out, struct nk_fault *f) NK_CHECKED;
