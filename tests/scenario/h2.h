/* SPDX-License-Identifier: Apache-2.0
 *
 * h2.h - the client of a scenario over HTTP/2; see h2.c.
 */
#pragma once

#include "scenario/scenario.h"

/* Asks on a new connection; NULL, or what cannot be done. */
const char *h2_ask(struct scenario *s, struct sighting *seen, int fd,
                   const struct scenario_key *key, struct nk_str method, struct nk_str target,
                   struct nk_str headers, struct nk_str body);
/* Takes what comes within `patience` ms into `seen`; false when nothing came. *done: the answer is
 * at its end. */
bool h2_take(struct sighting *seen, int patience, bool *done);
void h2_close(void);
