/* SPDX-License-Identifier: Apache-2.0
 *
 * options.c - see options.h.
 */
#include "cmd/options.h"

#include <stdio.h>
#include <string.h>
#include "base/error.h"

static int complain(const char *command, const char *what, const char *name)
{
    fprintf(stderr, "nakoso %s: %s %s\n", command, what, name);
    return NK_EINVAL;
}

static const struct nk_option *find(const struct nk_option *options, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(options[i].name, name) == 0)
            return &options[i];
    return NULL;
}

int nk_options_read(const char *command, int argc, char **argv, const struct nk_option *options,
                    size_t n, int *words)
{
    bool all_words = false;
    *words = 0;
    for (int i = 1; i < argc; i++) {
        char *arg = argv[i];
        if (all_words || arg[0] != '-' || !arg[1]) {
            argv[++*words] = arg;
            continue;
        }
        if (strcmp(arg, "--") == 0) {
            all_words = true;
            continue;
        }
        const struct nk_option *option = find(options, n, arg);
        if (!option)
            return complain(command, "there is no option", arg);
        if (option->flag) {
            *option->flag = true;
            continue;
        }
        if (*option->value)
            return complain(command, "given twice:", arg);
        if (i + 1 == argc)
            return complain(command, "a value is needed after", arg);
        *option->value = argv[++i];
    }
    return 0;
}
