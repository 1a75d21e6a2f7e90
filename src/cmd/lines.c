/* SPDX-License-Identifier: Apache-2.0
 *
 * lines.c - see lines.h.
 */
#include "cmd/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { STEP = 1 << 18 };

int nk_lines_open(struct nk_lines *l, const char *path, struct nk_fault *f)
{
    *l = (struct nk_lines){.path = path};
    l->fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (l->fd < 0)
        return nk_fault_set(f, NK_EIO, "file", 0, "%s: %s", path, strerror(errno));
    nk_buf_init(&l->b, NK_LINES_MAX + STEP);
    return 0;
}

void nk_lines_close(struct nk_lines *l)
{
    if (l->fd > STDIN_FILENO)
        close(l->fd);
    nk_buf_free(&l->b);
}

/* Reads what there is now. */
static int more(struct nk_lines *l, struct nk_fault *f)
{
    nk_buf_drop(&l->b, l->at);
    l->seen -= l->at;
    l->at = 0;
    if (l->b.n > NK_LINES_MAX)
        return nk_fault_set(f, NK_ELIMIT, "file", 0, "%s: line %llu is longer than %d bytes",
                            l->path, (unsigned long long)(l->n + 1), NK_LINES_MAX);
    char *to = nk_buf_reserve(&l->b, STEP);
    if (!to)
        return nk_fault_set(f, NK_ENOMEM, "file", 0, "%s: out of memory", l->path);
    ssize_t got;
    do
        got = read(l->fd, to, STEP);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return nk_fault_set(f, NK_EIO, "file", 0, "%s: %s", l->path, strerror(errno));
    l->b.n += (size_t)got;
    l->end = got == 0;
    return 0;
}

/* A line of the buffer, with what ends it not counted; false when there is no whole one yet. */
static bool take(struct nk_lines *l, struct nk_str *line)
{
    const char *from = l->b.n ? l->b.p + l->seen : NULL;
    const char *end = from ? memchr(from, '\n', l->b.n - l->seen) : NULL;
    if (!end && !(l->end && l->at < l->b.n)) {
        l->seen = l->b.n;
        return false;
    }
    size_t to = end ? (size_t)(end - l->b.p) : l->b.n;
    *line = nk_str_sub(nk_buf_str(&l->b), l->at, to);
    if (nk_str_ends(*line, NK_STR("\r")))
        line->n--;
    l->at = l->seen = end ? to + 1 : to;
    l->n++;
    return true;
}

int nk_lines_next(struct nk_lines *l, struct nk_str *line, struct nk_fault *f)
{
    for (;;) {
        if (take(l, line)) {
            if (line->n)
                return 0;
            continue;
        }
        if (l->end)
            return NK_ENOTFOUND;
        int rc = more(l, f);
        if (rc)
            return rc;
    }
}
