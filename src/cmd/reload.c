/* SPDX-License-Identifier: Apache-2.0
 *
 * reload.c - `nakoso reload`, `nakoso upgrade` and `nakoso status`, each `-c FILE`: one word to the
 * running warden through its Unix socket, and what it says. The file is read here as well, to find the socket: a
 * mistake in it is reported without troubling the warden.
 */
#include <stdio.h>
#include "cmd/cmd.h"
#include "edge/file.h"
#include "role/warden.h"

enum { ARENA_MAX = 64 << 20, ANSWER_MAX = 1 << 16 };

static int ask(const char *file, const char *command)
{
    struct nk_arena arena;
    struct nk_config config;
    struct nk_fault fault = {0};
    struct nk_buf answer;
    nk_arena_init(&arena, ARENA_MAX);
    nk_buf_init(&answer, ANSWER_MAX);
    int rc = nk_config_load(file, &arena, &config, &fault);
    if (!rc) {
        struct nk_str path = nk_arena_copy(&arena, config.control);
        rc = path.p ? nk_warden_ask(path.p, command, &answer, &fault) : NK_ENOMEM;
    }
    bool good = !rc && nk_str_starts(nk_buf_str(&answer), NK_STR("ok"));
    if (rc)
        fprintf(stderr, "nakoso: %s\n", fault.message);
    else
        fprintf(good ? stdout : stderr, "%.*s", NK_FMT(nk_buf_str(&answer)));
    nk_buf_free(&answer);
    nk_arena_free(&arena);
    return good ? 0 : 1;
}

int nk_cmd_reload(int argc, char **argv)
{
    const char *file = nk_cmd_only_config(argc, argv);
    return file ? ask(file, "reload") : 2;
}

int nk_cmd_upgrade(int argc, char **argv)
{
    const char *file = nk_cmd_only_config(argc, argv);
    return file ? ask(file, "upgrade") : 2;
}

int nk_cmd_status(int argc, char **argv)
{
    const char *file = nk_cmd_only_config(argc, argv);
    return file ? ask(file, "status") : 2;
}
