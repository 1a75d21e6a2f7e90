/* SPDX-License-Identifier: Apache-2.0
 *
 * principal.h - a principal in one piece of memory: the structure, its arrays, its text. Private to
 * this module.
 */
#pragma once

#include "ident/ident.h"

/* Bytes that nk_principal_pack takes. */
size_t nk_principal_size(const struct nk_principal *p);
/* A deep copy into `memory` (of that size, aligned to 8). */
const struct nk_principal *nk_principal_pack(const struct nk_principal *p, void *memory);
