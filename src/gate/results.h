/* SPDX-License-Identifier: Apache-2.0
 *
 * results.h - what tools said, as clients bring it along with the next request: of registered tools, each result is
 * filtered by the tool's rules before the model sees it (field/field.h), for the principal who asks now, with the
 * arguments that its call had. Nothing else of the body changes. Private to gate.
 *
 *   allowed           what the principal may not read of it is gone, and what policies redact
 *   step-up           the call is over, so it is taken as agreed to
 *   refused           the result is withheld: a text stands in its place
 *   not as declared   the same
 *
 * Where the provider keeps the calls (previous_response_id), nobody can tell which tool a result is of: such
 * requests are refused once a tool has rules.
 */
#pragma once

#include "gate/calls.h"

enum { GATE_RESULTS_MAX = 1024 }; /* of registered tools, in one request */

/* Adds edits of the body. 0, or a negative NK_E… after gate_refuse. */
int gate_results_filter(struct nk_txn *t) NK_CHECKED;
