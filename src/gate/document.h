/* SPDX-License-Identifier: Apache-2.0
 *
 * document.h - what the gate serves to everybody: the key set of the tokens that tools get. Private to gate.
 */
#pragma once

#include "gate/driver.h"

/* Is it asked for? Then dialect and endpoint are set. */
bool gate_document_match(struct nk_txn *t);
/* Who answers it; NULL: the request is another one, whose sender has to be known. */
const struct gate_driver *gate_document_driver(const struct nk_gate_state *s);
