/* SPDX-License-Identifier: Apache-2.0
 *
 * blocks.h - reads .cases files of blocks: lines of `word text`, each block begins with `case
 * TITLE`;
 * '#' and empty lines are comments. For cases that do not fit on a line (cases.h).
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/str.h"

enum { BLOCK_FILE_MAX = 4 << 20 };

/* Calls `on_line` for each line in order; false when the file cannot be read. */
static bool blocks_read(const char *path,
                        void (*on_line)(void *ctx, struct nk_str word, struct nk_str text),
                        void *ctx)
{
    FILE *f = fopen(path, "rb");
    char *p = malloc(BLOCK_FILE_MAX);
    if (!f || !p)
        return false;
    struct nk_str rest = {p, fread(p, 1, BLOCK_FILE_MAX, f)};
    fclose(f);
    while (rest.p) {
        struct nk_str line = nk_str_cut(&rest, '\n'), word;
        if (line.n == 0 || line.p[0] == '#')
            continue;
        struct nk_str text = line;
        word = nk_str_cut(&text, ' ');
        on_line(ctx, word, text.p ? text : NK_STR(""));
    }
    free(p);
    return true;
}
