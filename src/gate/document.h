/* SPDX-License-Identifier: Apache-2.0
 *
 * document.h - what the gate serves to everybody: documents that are the same for all and say nothing that has to be
 * kept, so that nobody has to prove anything for them, and no policy is asked. Private to gate.
 */
#pragma once

#include "gate/txn.h"

/* Is one asked for? Then dialect, endpoint and state->document are set. */
bool gate_document_match(struct nk_txn *t);
/* Answers with state->document, and records that. */
unsigned gate_document_answer(struct nk_txn *t);
