/* SPDX-License-Identifier: Apache-2.0
 *
 * cases.h - reads .cases files: one case a line, `what to expect | input`. Lines that begin with
 * '#' and empty lines are comments. The input is all behind the first "| " as it stands, but <2A>
 * is the byte 0x2A and <2A*300> is that byte 300 times.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct case_line {
    const char *file;
    int line;
    const char *expect; /* left of the bar, without the spaces before it */
    char *input;        /* right of it, decoded */
    size_t n;           /* bytes of input */
};

static size_t case_decode(const char *in, char *out, size_t room)
{
    size_t n = 0;
    while (*in && n < room) {
        unsigned byte = 0;
        unsigned times = 1;
        int used = 0;
        if (*in == '<' && sscanf(in, "<%2X>%n", &byte, &used) == 1 && used == 4) {
            in += used;
        } else if (*in == '<' && sscanf(in, "<%2X*%u>%n", &byte, &times, &used) == 2 && used > 0) {
            in += used;
        } else {
            byte = (unsigned char)*in++;
        }
        while (times-- && n < room)
            out[n++] = (char)byte;
    }
    return n;
}

/* Calls `run` for each case of the file; -1 when it cannot be read, otherwise the number of cases.
 */
static int cases_read(const char *file, void (*run)(const struct case_line *, void *), void *ctx)
{
    enum { LINE = 1 << 16, ROOM = 1 << 20 };
    FILE *f = fopen(file, "r");
    char *line = (char *)malloc(LINE), *input = (char *)malloc(ROOM);
    int number = 0, count = 0;
    while (f && fgets(line, LINE, f)) {
        number++;
        line[strcspn(line, "\n")] = 0;
        if (line[0] == 0 || line[0] == '#')
            continue;
        struct case_line c = {file, number, line, input, 0};
        char *bar = strstr(line, " |");
        if (bar) {
            c.n = case_decode(bar[2] ? bar + 3 : bar + 2, input, ROOM);
            *bar = 0;
        }
        run(&c, ctx);
        count++;
    }
    free(line);
    free(input);
    if (!f)
        return -1;
    fclose(f);
    return count;
}
