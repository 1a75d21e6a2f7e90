/* SPDX-License-Identifier: Apache-2.0
 *
 * wait.h - transactions of one gate that wait for what another request brings: a person's answer comes as a request of
 * its own, on another connection, perhaps to another gate. The one that brings it says NK_FX_TELL; the role
 * carries it to the gate that it names, finds the transaction in this table, and steps it with NK_EV_TOLD. What it
 * is worth, the one that waits decides: whoever is told knows what was asked.
 */
#pragma once

#include "crypt/crypt.h"

/* Transactions that wait in one gate, and those of one principal; bytes of what is told. */
enum { NK_WAITS = 256, NK_WAITS_EACH = 8, NK_TELL_MAX = 60 << 10 };

struct nk_waits {
    size_t n;
    struct {
        uint64_t number;            /* of the request, see nk_gate_env */
        struct nk_digest who, call; /* principal; the call, as who cancels it knows it */
        void *owner;                /* as nk_gate_env has it */
    } list[NK_WAITS];
};

/* What one transaction has for another; of NK_FX_TELL. */
struct nk_tell {
    uint32_t slot, instance; /* of the gate where it waits */
    uint64_t number;         /* of the request there */
    bool everywhere;         /* whoever waits of `call` is told an empty text */
    struct nk_digest call;
    struct nk_str bytes; /* live as long as the transaction's arena */
};

/* NK_EFULL: the table, or the part of it that one principal may have, is full. */
int nk_waits_add(struct nk_waits *w, uint64_t number, const struct nk_digest *who,
                 const struct nk_digest *call, void *owner) NK_CHECKED;
void nk_waits_remove(struct nk_waits *w, uint64_t number);
/* Somebody else waits in the place of an owner from now on. */
void nk_waits_move(struct nk_waits *w, const void *from, void *to);
/* NULL: nobody of that number waits. */
void *nk_waits_find(const struct nk_waits *w, uint64_t number);
void *nk_waits_find_call(const struct nk_waits *w, const struct nk_digest *call);
