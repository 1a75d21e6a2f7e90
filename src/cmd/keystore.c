/* SPDX-License-Identifier: Apache-2.0
 *
 * keystore.c - see keystore.h. The lock is on the directory, because the file itself is replaced by
 * each edit, and so that no lock file is left lying about.
 */
#include "cmd/keystore.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include "edge/file.h"

static int failed(struct nk_fault *f, const char *what, struct nk_str name)
{
    return nk_fault_set(f, NK_EIO, "keys", 0, "%.150s: cannot %s: %s", name.p, what,
                        strerror(errno));
}

/* Where the file really is: an edit replaces what a link points to, not the link. */
static int resolve(struct nk_keystore *s, const char *path, struct nk_arena *a, struct nk_fault *f)
{
    char real[PATH_MAX];
    struct stat st;
    s->exists = realpath(path, real) != NULL;
    if (!s->exists && errno != ENOENT)
        return failed(f, "find it", nk_str(path));
    if (!s->exists && lstat(path, &st) == 0)
        return failed(f, "follow the link", nk_str(path));
    s->path = nk_arena_copy(a, nk_str(s->exists ? real : path));
    if (!s->path.p)
        return NK_ENOMEM;
    size_t slash = s->path.n;
    while (slash && s->path.p[slash - 1] != '/')
        slash--;
    s->directory = nk_arena_copy(a, slash ? nk_str_sub(s->path, 0, slash) : NK_STR("."));
    return s->directory.p ? 0 : NK_ENOMEM;
}

static int read_file(struct nk_keystore *s, struct nk_arena *a, struct nk_fault *f)
{
    uint64_t seed[2];
    struct stat st;
    struct nk_str text = NK_STR("");
    /* The lock is held by now: what another command made while this one waited is seen. */
    s->exists = stat(s->path.p, &st) == 0;
    if (!s->exists && errno != ENOENT)
        return failed(f, "look at it", s->path);
    if (s->exists) {
        s->owner = st.st_uid;
        s->group = st.st_gid;
        int rc = nk_file_read(s->path.p, NK_KEYFILE_MAX_BYTES, NK_FILE_PUBLIC, a, &text, f);
        if (rc)
            return rc;
    }
    if (getrandom(seed, sizeof seed, 0) != (ssize_t)sizeof seed)
        return failed(f, "get random bytes for it", s->path);
    return nk_keyfile_parse(text, s->path.p, seed, a, &s->file, f);
}

int nk_keystore_open(struct nk_keystore *s, const char *path, bool edit, struct nk_arena *a,
                     struct nk_fault *f)
{
    *s = (struct nk_keystore){.lock = -1};
    int rc = resolve(s, path, a, f);
    if (rc)
        return nk_fault_set(f, rc, "keys", 0, "out of memory");
    if (edit) {
        s->lock = open(s->directory.p, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        while (s->lock >= 0 && (rc = flock(s->lock, LOCK_EX)) != 0 && errno == EINTR)
            ;
        if (s->lock < 0 || rc)
            return failed(f, "lock the directory", s->directory);
    }
    rc = read_file(s, a, f);
    return rc ? nk_fault_set(f, rc, "keys", 0, "out of memory") : 0;
}

static bool write_all(int fd, struct nk_str bytes)
{
    while (bytes.n) {
        ssize_t n = write(fd, bytes.p, bytes.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        bytes = nk_str_sub(bytes, (size_t)n, bytes.n);
    }
    return true;
}

/* The new file keeps the old one's owner, so that root may edit the file of a service. */
static bool give_to_owner(int fd, const struct nk_keystore *s)
{
    struct stat st;
    if (!s->exists)
        return true;
    return fstat(fd, &st) == 0 && ((st.st_uid == s->owner && st.st_gid == s->group) ||
                                   fchown(fd, s->owner, s->group) == 0);
}

static int replace(struct nk_keystore *s, struct nk_str text, struct nk_arena *a,
                   struct nk_fault *f)
{
    struct nk_str temp = nk_arena_printf(a, "%s.new", s->path.p);
    if (!temp.p)
        return nk_fault_set(f, NK_ENOMEM, "keys", 0, "out of memory");
    /* Only a command that crashed can have left one behind: the lock is ours. */
    unlink(temp.p);
    int fd = open(temp.p, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return failed(f, "write", temp);
    bool ok =
        fchmod(fd, 0600) == 0 && give_to_owner(fd, s) && write_all(fd, text) && fsync(fd) == 0;
    int reason = errno;
    ok = close(fd) == 0 && ok;
    if (ok && rename(temp.p, s->path.p) == 0)
        return fsync(s->lock) == 0 ? 0 : failed(f, "make it durable", s->path);
    errno = ok ? errno : reason;
    int rc = failed(f, "write", s->path);
    unlink(temp.p);
    return rc;
}

int nk_keystore_write(struct nk_keystore *s, const struct nk_keyfile_entry *entries, size_t n,
                      struct nk_arena *a, struct nk_fault *f)
{
    static const uint64_t seed[2] = {1, 2}; /* our own lines: nobody chose them to collide */
    struct nk_keyfile again;
    struct nk_buf text;
    NK_MUST(s->lock >= 0);
    nk_buf_init(&text, NK_KEYFILE_MAX_BYTES);
    for (size_t i = 0; i < n; i++)
        nk_keyfile_put(&entries[i], &text);
    int rc = text.error ? nk_fault_set(f, text.error, "keys", 0, "the file would be too large")
                        : nk_keyfile_parse(nk_buf_str(&text), "the new file", seed, a, &again, f);
    if (rc == 0)
        rc = replace(s, nk_buf_str(&text), a, f);
    nk_buf_free(&text);
    return rc;
}

void nk_keystore_close(struct nk_keystore *s)
{
    if (s->lock >= 0)
        close(s->lock);
    s->lock = -1;
}
