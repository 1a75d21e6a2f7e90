/* SPDX-License-Identifier: Apache-2.0
 *
 * jws.h - JSON Web Signatures (RFC 7515) in the compact form, and nothing else: three parts, strict
 * base64url, a header without duplicates and without anything that could bring its own key or its
 * own rules (`crit`, `b64`, `jwk`, `jku`, `x5u`, `x5c`, `enc`, `zip`).
 */
#pragma once

#include "crypt/jwk.h"

struct nk_jws {
    struct nk_str signed_part; /* header "." payload, as sent */
    struct nk_str payload;     /* decoded */
    struct nk_str signature;   /* decoded */
    struct nk_str alg;         /* as the header says; trusted by nobody */
    struct nk_str kid, typ;    /* absent when the header has none */
};

/* Takes `text` (which must outlive *out) apart; decoded parts live in `a`. Proves nothing yet.
 * NK_EINVAL, NK_ELIMIT, NK_ENOMEM, NK_EUNSUPPORTED (a header parameter that this reader refuses).
 */
int nk_jws_parse(struct nk_str text, struct nk_arena *a, struct nk_jws *out,
                 struct nk_fault *f) NK_CHECKED;
/* 0 when `key` made the signature with its own algorithm; NK_EDENIED when the header names another
 * algorithm than the key's, NK_ECRYPTO when the signature does not hold, NK_ENOMEM. */
int nk_jws_verify(const struct nk_jws *jws, const struct nk_jwk *key,
                  struct nk_fault *f) NK_CHECKED;
