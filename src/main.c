/* SPDX-License-Identifier: Apache-2.0
 *
 * main.c - the map of the house. Bytes become facts; facts meet policy; decisions become records.
 *
 *   the core: pure; bytes, time and randomness come in as arguments, effects go out as values
 *     base     slices, arenas, buffers, readers, errors, maps, UTF-8
 *     json     strict JSON on a tape that keeps byte spans
 *     field    what of a tool's result its reader may see
 *     http     HTTP/1.1 over llhttp, server-sent events; state machines
 *     crypt    digests, signatures, JWS over libcrypto
 *     config   every configuration key in one table; parser, schema and reference come from it
 *     cedar    Cedar policies: parse, evaluate, explain
 *     embed    the installed header, include/nakoso.h: the Cedar engine for other programs
 *     ident    API keys, JWT and key sets -> one trusted principal
 *     proto    a file for each dialect of model APIs <-> one call, one reply
 *     tool     registered tools: definitions, digests, what is approved
 *     agent    conversations with models, whatever API the model has
 *     chain    the audit log: records, hash chain, Merkle tree, checkpoints, proofs
 *     otel     telemetry as OpenTelemetry writes it: trace context, spans, logs, metrics -> bytes
 *     gate     the request as one short list of stages (gate/gate.c) and one judge
 *   the edge: does, and decides nothing
 *     edge     event loop, sockets, TLS, files, logs
 *     role     warden, gate, courier, scribe, runner; the rings and the control channel between
 *              them; the promises that confine them
 *   the top
 *     cmd      a file for each sub-command, and their table, cmd.def
 *
 * `nakoso run` becomes the warden, which starts this program again as each role. ARCHITECTURE.md
 * has the drawings.
 */
#include <string.h>
#include "cmd/cmd.h"
#include "role/role.h"
#include "role/warden.h"

static const struct nk_role_entry roles[] = {
    {"gate", NK_ROLE_GATE, nk_gate_main},
    {"courier", NK_ROLE_COURIER, nk_courier_main},
    {"scribe", NK_ROLE_SCRIBE, nk_scribe_main},
    {"runner", NK_ROLE_RUNNER, nk_runner_main},
};

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--role") == 0)
        return nk_role_enter(argv[2], roles, NK_COUNT(roles));
    if (argc == 2 && strcmp(argv[1], "--upgrade-protocol") == 0)
        return nk_warden_print_protocol();
    return nk_cmd_dispatch(argc - 1, argv + 1);
}
