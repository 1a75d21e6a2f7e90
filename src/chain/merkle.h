/* SPDX-License-Identifier: Apache-2.0
 *
 * merkle.h - what the files of the chain share. Private to src/chain.
 */
#pragma once

#include <string.h>
#include "chain/chain.h"

/* SHA-256(0x01 || left || right): RFC 9162, section 2.1.1. */
struct nk_digest nk_merkle_node(struct nk_digest left, struct nk_digest right);
