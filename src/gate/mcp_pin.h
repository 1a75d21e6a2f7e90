/* SPDX-License-Identifier: Apache-2.0
 *
 * mcp_pin.h - is a tool still what was approved? A server can change a definition after the list that a client has
 * seen ("rug pull"). So its list is asked for once more before a call goes out, in the same session and with the same
 * credential, and the definition's digest is compared. Private to gate.
 *
 * It works for any driver: it takes the driver's place until it is over, so that the driver sees no event of it, and
 * keeps txn->call, which the driver has written, for afterwards.
 */
#pragma once

#include "gate/driver.h"
#include "proto/mcp.h"
#include "tool/tool.h"

enum {
    GATE_PIN_PAGES_MAX = 64,    /* of one list; together at most limits.reply_bytes */
    GATE_PIN_CURSOR_MAX = 4096, /* bytes of a cursor */
    GATE_PIN_SEEN = 1024,
};

enum gate_pin_end {
    GATE_PIN_SAME,       /* as approved: the call may go out */
    GATE_PIN_CHANGED,    /* another definition, none, or two of this name */
    GATE_PIN_UNKNOWN,    /* there was no list to be had; state->upstream_status: HTTP's, or 0 */
    GATE_PIN_NO_SESSION, /* the server does not know the session any more (404) */
    GATE_PIN_NO_MEMORY,
};

struct gate_pin {
    const struct nk_tool *tool; /* has a definition and an upstream */
    struct nk_str session;      /* the server's id of it, or absent */
    struct nk_str version;      /* for MCP-Protocol-Version, or absent */
    bool is_new;                /* it is 2026-07-28 or later */
    int64_t ttl; /* milliseconds for which a definition counts as seen; 0: not at all */
    /* Goes on, with txn->call as it was: effects. `why` is for the record; "" with GATE_PIN_SAME. */
    unsigned (*done)(struct nk_txn *t, enum gate_pin_end how, struct nk_str why);
};

/* Definitions that were as approved, and when: of one gate, until the next reload. What was seen counts for the same
 * server, session and tool alone, and for the same principal where the server is told who asks: it
 * may then have a list for each. */
struct nk_mcp_seen {
    struct {
        struct nk_digest what;
        int64_t at_ms; /* Unix; 0: nothing */
    } list[GATE_PIN_SEEN];
};

/* Checks, and goes on with pin->done, now or in a later step: effects. The decision has its record already; that of the
 * outcome is for `done` where the call is not made. Texts of `pin` live in the transaction's arena. */
unsigned gate_pin_check(struct nk_txn *t, const struct gate_pin *pin);
/* The transaction's own driver, also while a check has its place, and the state of that one. */
const struct gate_driver *gate_pin_driver(const struct nk_txn *t, const void **drive);
