/* SPDX-License-Identifier: Apache-2.0
 *
 * mock_server.h - the connections of `nakoso mock`.
 */
#pragma once

#include <stdio.h>
#include "cmd/mock.h"
#include "edge/loop.h"

struct nk_mock_server {
    struct nk_loop *loop;
    struct nk_mock_script *script;
    FILE *log; /* or NULL */
    struct nk_watch listener;
    uint64_t requests;
};

/* Serves connections of the listening descriptor s->listener.fd until the loop stops. */
int nk_mock_serve(struct nk_mock_server *s) NK_CHECKED;
/* One line of the log: a request as it came, or (left) that its client went away after `events`. */
void nk_mock_log(struct nk_mock_server *s, const struct nk_mock_ask *ask, struct nk_str body);
void nk_mock_log_left(struct nk_mock_server *s, uint64_t number, size_t events);
