/* SPDX-License-Identifier: Apache-2.0
 *
 * near.h - "did you mean", for what says that a name is not known.
 */
#pragma once

#include "base/str.h"

/* The candidate that is nearest to `name`; absent when none is near, or `name` is over 64 bytes long. */
struct nk_str nk_near(struct nk_str name, const struct nk_str *candidates, size_t n);
