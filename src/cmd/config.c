/* SPDX-License-Identifier: Apache-2.0
 *
 * config.c - `nakoso config schema|reference|show -c FILE`: what can be configured, and what is.
 */
#include "cmd/config.h"

#include <stdio.h>
#include <string.h>
#include "edge/file.h"

enum { OUT_MAX = 8 << 20, ARENA_MAX = 64 << 20 };

static int usage(void)
{
    fputs("usage: nakoso config schema            JSON Schema of the configuration file\n"
          "       nakoso config reference         the reference (Markdown)\n"
          "       nakoso config show -c FILE      all values of FILE, defaults included (JSON)\n",
          stderr);
    return 2;
}

static int print(struct nk_buf *out)
{
    bool ok = !out->error && fwrite(out->p, 1, out->n, stdout) == out->n && !fflush(stdout);
    nk_buf_free(out);
    if (!ok)
        fputs("nakoso config: the output cannot be written\n", stderr);
    return ok ? 0 : 1;
}

static int show(const char *file)
{
    struct nk_arena arena;
    struct nk_config config;
    struct nk_fault fault = {0};
    struct nk_buf out;
    int status = 1;
    nk_arena_init(&arena, ARENA_MAX);
    nk_buf_init(&out, OUT_MAX);
    if (nk_config_load(file, &arena, &config, &fault)) {
        fprintf(stderr, "nakoso: %s\n", fault.message);
    } else {
        nk_config_write(&config, &out);
        nk_buf_add_char(&out, '\n');
        status = print(&out);
    }
    nk_arena_free(&arena);
    return status;
}

int nk_cmd_config(int argc, char **argv)
{
    struct nk_buf out;
    if (argc == 4 && !strcmp(argv[1], "show") && !strcmp(argv[2], "-c"))
        return show(argv[3]);
    if (argc != 2)
        return usage();
    nk_buf_init(&out, OUT_MAX);
    if (!strcmp(argv[1], "schema"))
        nk_config_schema(&out);
    else if (!strcmp(argv[1], "reference"))
        nk_config_reference(&out);
    else
        return usage();
    return print(&out);
}
