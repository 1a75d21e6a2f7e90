/* SPDX-License-Identifier: Apache-2.0
 *
 * ledger_notes.c - see ledger_notes.h. A checkpoint's text has no empty line inside, so a note is
 * two paragraphs.
 */
#include "edge/ledger_notes.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "edge/dirfile.h"

enum { NOTE_MAX = NK_CHECKPOINT_NOTE_MAX, STEP = 65536 };

bool nk_ledger_note_cut(struct nk_str *rest, struct nk_str *note)
{
    ptrdiff_t text = nk_str_search(*rest, NK_STR("\n\n"));
    if (text < 0)
        return false;
    size_t from = (size_t)text + 2;
    ptrdiff_t lines = nk_str_search(nk_str_sub(*rest, from, rest->n), NK_STR("\n\n"));
    if (lines < 0)
        return false;
    size_t end = from + (size_t)lines + 1;
    *note = nk_str_sub(*rest, 0, end);
    *rest = nk_str_sub(*rest, end + 1, rest->n);
    return true;
}

int nk_ledger_notes_open(struct nk_ledger_notes *s, int dir)
{
    *s = (struct nk_ledger_notes){.line = 1};
    nk_buf_init(&s->window, 2 * NOTE_MAX);
    s->fd = openat(dir, "checkpoints", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (s->fd >= 0)
        return 0;
    return errno == ENOENT ? NK_ENOTFOUND : NK_EIO;
}

static int fill(struct nk_ledger_notes *s)
{
    nk_buf_drop(&s->window, s->at);
    s->at = 0;
    if (s->window.n > NOTE_MAX)
        return NK_EINVAL;
    char *to = nk_buf_reserve(&s->window, STEP);
    ssize_t n = to ? read(s->fd, to, STEP) : 0;
    if (!to)
        return NK_ENOMEM;
    if (n < 0)
        return errno == EINTR ? 0 : NK_EIO;
    s->window.n += (size_t)n;
    if (n == 0)
        return s->window.n ? NK_EINVAL : NK_EAGAIN;
    return 0;
}

int nk_ledger_notes_next(struct nk_ledger_notes *s, struct nk_str *note)
{
    for (;;) {
        struct nk_str rest = nk_str_sub(nk_buf_str(&s->window), s->at, s->window.n);
        if (nk_ledger_note_cut(&rest, note))
            break;
        int r = fill(s);
        if (r)
            return r;
    }
    s->at += note->n + 1;
    s->offset += note->n + 1;
    s->line++;
    for (size_t i = 0; i < note->n; i++)
        s->line += note->p[i] == '\n';
    return 0;
}

void nk_ledger_notes_close(struct nk_ledger_notes *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
    nk_buf_free(&s->window);
}

/* `tail` begins anywhere: the first place in it where a note may begin. */
static size_t first_note(struct nk_str tail)
{
    ptrdiff_t dash = nk_str_search(tail, NK_STR("\n\xE2\x80\x94 "));
    if (dash < 0)
        return tail.n;
    ptrdiff_t end = nk_str_search(nk_str_sub(tail, (size_t)dash, tail.n), NK_STR("\n\n"));
    return end < 0 ? tail.n : (size_t)(dash + end) + 2;
}

int nk_ledger_notes_last(int dir, struct nk_buf *out, uint64_t *good, uint64_t *size)
{
    struct nk_buf tail;
    *good = *size = 0;
    int fd = openat(dir, "checkpoints", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? 0 : NK_EIO;
    int64_t bytes = nk_dir_file_size(fd);
    size_t want = bytes > 3 * NOTE_MAX ? 3 * NOTE_MAX : bytes < 0 ? 0 : (size_t)bytes;
    nk_buf_init(&tail, 3 * NOTE_MAX);
    char *to = nk_buf_reserve(&tail, want);
    ssize_t n = to && bytes >= 0 ? pread(fd, to, want, bytes - (int64_t)want) : -1;
    int r = n == (ssize_t)want ? 0 : NK_EIO;
    close(fd);
    if (r == 0) {
        tail.n = want;
        *size = (uint64_t)bytes;
        struct nk_str whole = nk_buf_str(&tail), rest = whole, note, last = {NULL, 0};
        if (want < *size)
            rest = nk_str_sub(whole, first_note(whole), whole.n);
        while (nk_ledger_note_cut(&rest, &note))
            last = note;
        *good = *size - rest.n;
        nk_buf_add(out, last);
        r = out->error;
    }
    nk_buf_free(&tail);
    return r;
}
