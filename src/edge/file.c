/* SPDX-License-Identifier: Apache-2.0
 *
 * file.c - see file.h. Mode and type are asked of the open descriptor, not of the name, so that
 * nothing can change in between.
 */
#include "edge/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char stage[] = "file";

static int os_error(struct nk_fault *f, const char *path)
{
    int why = errno;
    return nk_fault_set(f, NK_EIO, stage, 0, "%s: %s", path, strerror(why));
}

static int check_mode(const struct stat *st, const char *path, enum nk_file_care care,
                      struct nk_fault *f)
{
    unsigned mode = st->st_mode & 07777;
    if (!S_ISREG(st->st_mode))
        return nk_fault_set(f, NK_EINVAL, stage, 0, "%s: not a regular file", path);
    if (care == NK_FILE_SECRET && (mode & 077))
        return nk_fault_set(f, NK_EDENIED, stage, 0,
                            "%s: others may read or change this secret (mode %04o); run: chmod 600 "
                            "%s",
                            path, mode, path);
    if (mode & 02)
        return nk_fault_set(f, NK_EDENIED, stage, 0,
                            "%s: anybody may change this file (mode %04o); run: chmod o-w %s", path,
                            mode, path);
    return 0;
}

/* `size` is what the file says now: a buffer that never grows leaves no copy of a secret behind. */
static int read_all(int fd, const char *path, size_t size, size_t max, struct nk_arena *a,
                    struct nk_str *out, struct nk_fault *f)
{
    struct nk_buf b;
    int rc = 0;
    nk_buf_init(&b, max + 1);
    while (b.n <= max) {
        size_t want = b.n <= size ? size + 1 - b.n : 65536; /* one more, to see the end */
        want = want < max + 1 - b.n ? want : max + 1 - b.n;
        char *to = nk_buf_reserve(&b, want);
        ssize_t got = to ? read(fd, to, want) : 0;
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            rc = os_error(f, path);
        if (got <= 0)
            break;
        b.n += (size_t)got;
    }
    if (!rc && b.n > max)
        rc = nk_fault_set(f, NK_ELIMIT, stage, max, "%s: larger than %zu bytes", path, max);
    if (!rc) {
        *out = b.error ? (struct nk_str){NULL, 0} : nk_arena_copy(a, nk_buf_str(&b));
        if (!out->p)
            rc = nk_fault_set(f, NK_ENOMEM, stage, 0, "%s: out of memory", path);
    }
    if (b.p)
        nk_secret_wipe(b.p, b.n);
    nk_buf_free(&b);
    return rc;
}

int nk_file_read(const char *path, size_t max, enum nk_file_care care, struct nk_arena *a,
                 struct nk_str *out, struct nk_fault *f)
{
    struct stat st;
    *out = (struct nk_str){NULL, 0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return os_error(f, path);
    int rc = fstat(fd, &st) ? os_error(f, path) : check_mode(&st, path, care, f);
    if (!rc)
        rc = read_all(fd, path, (size_t)st.st_size, max, a, out, f);
    close(fd);
    return rc;
}

static int write_all(int fd, struct nk_str bytes)
{
    while (bytes.n) {
        ssize_t n = write(fd, bytes.p, bytes.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return NK_EIO;
        bytes = nk_str_sub(bytes, (size_t)n, bytes.n);
    }
    return fsync(fd) ? NK_EIO : 0;
}

/* Makes the new name durable too. */
static int sync_directory(const char *path)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int n = slash == path ? 1 : slash ? (int)(slash - path) : 1;
    snprintf(dir, sizeof dir, "%.*s", n, slash ? path : ".");
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return NK_EIO;
    int rc = fsync(fd) ? NK_EIO : 0;
    close(fd);
    return rc;
}

int nk_file_create(const char *path, unsigned mode, struct nk_str bytes, struct nk_fault *f)
{
    char draft[PATH_MAX];
    int n = snprintf(draft, sizeof draft, "%s.%ld", path, (long)getpid());
    if (n < 0 || (size_t)n >= sizeof draft)
        return nk_fault_set(f, NK_ELIMIT, stage, 0, "%.100s…: the path is too long", path);
    int fd = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, (mode_t)mode);
    if (fd < 0)
        return os_error(f, draft);
    int rc = fchmod(fd, (mode_t)mode) || write_all(fd, bytes) ? os_error(f, draft) : 0;
    close(fd);
    if (!rc && link(draft, path)) /* unlike rename, never replaces */
        rc = errno == EEXIST ? nk_fault_set(f, NK_ECONFLICT, stage, 0, "%s: exists already", path)
                             : os_error(f, path);
    unlink(draft);
    if (!rc && sync_directory(path))
        rc = os_error(f, path);
    return rc;
}

struct nk_str nk_file_directory(const char *path, struct nk_arena *a)
{
    char *real = realpath(path, NULL);
    struct nk_str s = nk_str(real);
    while (s.n && s.p[s.n - 1] != '/')
        s.n--;
    if (s.n)
        s.n--;
    struct nk_str out = real ? nk_arena_copy(a, s) : (struct nk_str){NULL, 0};
    free(real);
    return out;
}
