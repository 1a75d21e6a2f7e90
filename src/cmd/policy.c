/* SPDX-License-Identifier: Apache-2.0
 *
 * policy.c - `nakoso policy COMMAND`: finds the command in policy.def.
 */
#include "cmd/policy.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "base/macro.h"

static const struct {
    const char *name, *text;
    int (*run)(int argc, char **argv);
} commands[] = {
#define POLICY(name, text) {#name, text, nk_policy_##name},
#include "cmd/policy.def"
#undef POLICY
};

int nk_cmd_policy(int argc, char **argv)
{
    bool help = argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0);
    for (size_t i = 0; argc > 1 && i < NK_COUNT(commands); i++)
        if (strcmp(commands[i].name, argv[1]) == 0)
            return commands[i].run(argc - 1, argv + 1);
    FILE *to = help ? stdout : stderr;
    if (argc > 1 && !help)
        fprintf(to, "nakoso policy: there is no command \"%s\"\n", argv[1]);
    fputs("usage: nakoso policy COMMAND …\n\n", to);
    for (size_t i = 0; i < NK_COUNT(commands); i++)
        fprintf(to, "  %-9s %s\n", commands[i].name, commands[i].text);
    fputs("\nEach command without arguments says how it is used.\n", to);
    return help ? 0 : 2;
}
