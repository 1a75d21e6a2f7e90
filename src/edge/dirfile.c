/* SPDX-License-Identifier: Apache-2.0
 *
 * dirfile.c - see dirfile.h.
 */
#include "edge/dirfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_STEP = 65536, NAME_SIZE = 300 };

int nk_dir_read(int dir, const char *name, struct nk_buf *out)
{
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? NK_ENOTFOUND : NK_EIO;
    ssize_t n = 1;
    while (n > 0) {
        size_t room = out->max - out->n < READ_STEP ? out->max - out->n + 1 : READ_STEP;
        char step[READ_STEP];
        n = read(fd, step, room);
        if (n < 0 && errno == EINTR)
            n = 1;
        else if (n > 0)
            nk_buf_add(out, (struct nk_str){step, (size_t)n});
    }
    close(fd);
    return n < 0 ? NK_EIO : out->error;
}

int nk_dir_write_at(int fd, struct nk_str bytes, uint64_t offset)
{
    while (bytes.n) {
        ssize_t n = pwrite(fd, bytes.p, bytes.n, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            errno = ENOSPC;
        if (n <= 0)
            return NK_EIO;
        bytes = nk_str_sub(bytes, (size_t)n, bytes.n);
        offset += (uint64_t)n;
    }
    return 0;
}

int nk_dir_replace(int dir, const char *name, struct nk_str bytes, bool durable)
{
    char temporary[NAME_SIZE];
    snprintf(temporary, sizeof temporary, "%s.new", name);
    int fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0)
        return NK_EIO;
    int r = nk_dir_write_at(fd, bytes, 0);
    if (r == 0 && durable && fsync(fd))
        r = NK_EIO;
    if (close(fd) && r == 0)
        r = NK_EIO;
    if (r == 0 && renameat(dir, temporary, dir, name))
        r = NK_EIO;
    if (r) {
        int why = errno;
        unlinkat(dir, temporary, 0);
        errno = why;
        return r;
    }
    return durable && fsync(dir) ? NK_EIO : 0;
}

int64_t nk_dir_file_size(int fd)
{
    struct stat st;
    return fstat(fd, &st) ? -1 : (int64_t)st.st_size;
}
