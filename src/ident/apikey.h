/* SPDX-License-Identifier: Apache-2.0
 *
 * apikey.h - the shape of Nakoso's own API keys: nk_<id>_<secret><check>
 *
 *   id      12 characters of a-z2-7 (60 random bits): names the key in lists, records and logs
 *   secret  43 characters of 0-9A-Za-z: 32 random bytes as a number to base 62
 *   check   6 characters of 0-9A-Za-z: CRC-32 (ISO 3309) of all before it, to base 62
 *
 * The prefix and the check let secret scanners find leaked keys without false alarms, and let the
 * gate tell a typing error from an unknown key without looking anything up. '_' is the one
 * character beside letters and digits, so that a double click takes the whole key.
 */
#pragma once

#include "crypt/crypt.h"

enum {
    NK_APIKEY_ID_SIZE = 12,
    NK_APIKEY_SIZE = 3 + 12 + 1 + 43 + 6,
    NK_APIKEY_RANDOM = 8 + 32, /* bytes of randomness that a key takes */
};

/* Writes a key, NUL-terminated, from NK_APIKEY_RANDOM random bytes. */
void nk_apikey_make(const unsigned char *random, char out[NK_APIKEY_SIZE + 1]);
/* Does it begin like one of our keys? */
bool nk_apikey_has_prefix(struct nk_str s);
/* Is it well formed, with the right check? */
bool nk_apikey_ok(struct nk_str s);
/* The id inside a well-formed key. */
struct nk_str nk_apikey_id(struct nk_str s);
/* 12 characters of a-z2-7 from 8 random bytes, NUL-terminated: the id of a key, ours or imported.
 */
void nk_apikey_make_id(const unsigned char random[8], char out[NK_APIKEY_ID_SIZE + 1]);
