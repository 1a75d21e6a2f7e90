/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd.c - finds a sub-command; `nakoso help` and `nakoso version`.
 */
#include "cmd/cmd.h"

#include <stdio.h>
#include <string.h>
#include "base/macro.h"

static const struct {
    const char *name, *text;
    int (*run)(int argc, char **argv);
} commands[] = {
#define COMMAND(name, text) {#name, text, nk_cmd_##name},
#include "cmd/cmd.def"
#undef COMMAND
};

static void list(FILE *to)
{
    fputs("nakoso: a deterministic security checkpoint for generative AI\n\n"
          "usage: nakoso COMMAND …\n\n",
          to);
    for (size_t i = 0; i < NK_COUNT(commands); i++)
        fprintf(to, "  %-9s %s\n", commands[i].name, commands[i].text);
}

int nk_cmd_help(int argc, char **argv)
{
    (void)argc, (void)argv;
    list(stdout);
    return 0;
}

int nk_cmd_version(int argc, char **argv)
{
    (void)argc, (void)argv;
    printf("nakoso %s\n", NK_VERSION);
    return 0;
}

const char *nk_cmd_only_config(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "-c") == 0)
        return argv[2];
    fprintf(stderr, "usage: nakoso %s -c FILE\n", argv[0]);
    return NULL;
}

int nk_cmd_dispatch(int argc, char **argv)
{
    const char *name = argc > 0 ? argv[0] : "";
    if (strcmp(name, "--version") == 0)
        name = "version";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = "help";
    for (size_t i = 0; i < NK_COUNT(commands); i++)
        if (strcmp(commands[i].name, name) == 0)
            return commands[i].run(argc, argv);
    if (name[0])
        fprintf(stderr, "nakoso: there is no command \"%s\"\n\n", name);
    list(stderr);
    return 2;
}
