/* SPDX-License-Identifier: Apache-2.0
 *
 * tls.h - private to edge: what sock.c needs of a TLS context.
 */
#pragma once

#include "edge/sock.h"

/* An SSL * on `fd`, ready for the handshake: as a client when the context is one (then `host` is
 * required), otherwise as a server. NULL when out of memory. */
void *nk_tls_start(struct nk_tls *t, int fd, const char *host) NK_CHECKED;
