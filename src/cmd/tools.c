/* SPDX-License-Identifier: Apache-2.0
 *
 * tools.c - `nakoso tools COMMAND`: finds the command in tools.def.
 */
#include "cmd/cmd.h"

#include <stdio.h>
#include <string.h>
#include "cmd/tools.h"

static const struct {
    const char *name, *text;
    int (*run)(int argc, char **argv);
} commands[] = {
#define TOOLS(name, text) {#name, text, nk_cmd_tools_##name},
#include "cmd/tools.def"
#undef TOOLS
};

int nk_cmd_tools(int argc, char **argv)
{
    bool help = argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0);
    for (size_t i = 0; argc > 1 && i < NK_COUNT(commands); i++)
        if (strcmp(commands[i].name, argv[1]) == 0)
            return commands[i].run(argc - 1, argv + 1);
    FILE *to = help ? stdout : stderr;
    if (argc > 1 && !help)
        fprintf(to, "nakoso tools: there is no command \"%s\"\n", argv[1]);
    fputs("usage: nakoso tools COMMAND …\n\n", to);
    for (size_t i = 0; i < NK_COUNT(commands); i++)
        fprintf(to, "  %-9s %s\n", commands[i].name, commands[i].text);
    fputs(
        "\nEach command with --help says how it is used. docs/mcp-trust.md has the whole story.\n",
        to);
    return help ? 0 : 2;
}
