/* SPDX-License-Identifier: Apache-2.0
 *
 * document.h - the key set of the tokens that tools get, for everybody. Private to gate.
 */
#pragma once

#include "gate/txn.h"

/* Is it asked for? Then dialect, endpoint and document are set. */
bool gate_document_match(struct nk_txn *t);
