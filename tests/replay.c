/* SPDX-License-Identifier: Apache-2.0
 *
 * replay.c - gives each file of a directory to a fuzz target once: how `make check` replays the committed corpora, with the
 * objects of its sanitizer build. `make fuzz` links the same targets with libFuzzer, which then looks for new inputs.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* In memory of exactly its size, so that a read behind its end is seen. */
static int give(const char *directory, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END))
        return perror(path), 1;
    size_t n = (size_t)ftell(f);
    uint8_t *data = malloc(n);
    rewind(f);
    if ((n && !data) || fread(data, 1, n, f) != n)
        return perror(path), 1;
    fclose(f);
    fprintf(stderr, "%s\n", name); /* the last line says which one it was */
    LLVMFuzzerTestOneInput(data, n);
    free(data);
    return 0;
}

int main(int argc, char **argv)
{
    DIR *d = argc == 2 ? opendir(argv[1]) : NULL;
    int wrong = 0;
    if (!d)
        return fprintf(stderr, "usage: TARGET DIRECTORY\n"), 2;
    for (struct dirent *e; (e = readdir(d)) && !wrong;)
        if (e->d_name[0] != '.')
            wrong = give(argv[1], e->d_name);
    closedir(d);
    return wrong;
}
