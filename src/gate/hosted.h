/* SPDX-License-Identifier: Apache-2.0
 *
 * hosted.h - tools that the provider runs (web search, code execution, remote MCP servers …). What they do is out of
 * sight of this gateway, so whether they may be offered to a model is decided before the call goes out: each one
 * that a request offers is a question of its own (action UseHostedTool, resource HostedTool::"<type>"), with
 * a record, and refused unless a policy permits it. Private to gate.
 */
#pragma once

#include "gate/calls.h"

/* Distinct tools of one request: more are refused. */
enum { GATE_HOSTED_MAX = 32 };

/* Decides on the hosted tools of the call. 0, or a negative NK_E… after gate_refuse. */
int gate_hosted_authorize(struct nk_txn *t) NK_CHECKED;
/* Adds the edits that lead remote MCP servers through `remote_mcp.url`: gate_edit_add. */
int gate_hosted_rewrite(struct nk_txn *t) NK_CHECKED;
