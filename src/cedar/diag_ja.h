/* SPDX-License-Identifier: Apache-2.0
 *
 * diag_ja.h - the parsers' messages in Japanese, for diag.c.
 */
#pragma once

#include "base/buf.h"

/* Adds the message in Japanese, or in English where diag_ja.def lacks it. */
void cedar_diag_japanese(struct nk_str english, struct nk_buf *out);
