/* SPDX-License-Identifier: Apache-2.0
 *
 * landlock.c - a Landlock domain with as many of its rights as this kernel knows: what it does not
 * know is left out by ABI (docs.kernel.org/userspace-api/landlock.html). seccomp holds alone where a
 * right is missing; tests/unit/sandbox.c says for each attempt which of the two refuses it.
 */
#include "role/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "edge/log.h"

static const char stage[] = "confine";

/* As in linux/landlock.h of Linux 6.15; older headers lack some. */
enum {
    PATH_BENEATH = 1,
    FS_ABI1 = 0x1FFF,
    FS_REFER = 1 << 13,
    FS_TRUNCATE = 1 << 14,
    FS_IOCTL = 1 << 15,
    FS_READ = 1 << 2 | 1 << 3,                                       /* files, directories */
    FS_WRITE = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 7 | 1 << 8 | 1 << 14, /* and make, remove */
    FS_LINK = 1 << 12 | 1 << 13,                                     /* symbolic; to elsewhere */
    FS_RUN = 1 << 0,
    FS_OF_FILES = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 14,
    NET_BIND = 1,
    NET_CONNECT = 2,
    SCOPE_ALL = 3, /* abstract Unix sockets, signals */
};

struct rules {
    uint64_t fs, net, scope;
};

struct path_rule {
    uint64_t allowed;
    int32_t parent;
} __attribute__((packed));

static int allow(int rules_fd, const struct nk_confine_path *p, uint64_t handled)
{
    struct stat st;
    int fd = p->path ? open(p->path, O_PATH | O_CLOEXEC) : p->fd;
    int rc = fd < 0 || fstat(fd, &st) ? -1 : 0;
    struct path_rule path = {.parent = fd};
    path.allowed =
        (FS_READ | (p->write ? FS_WRITE : 0) | (p->link ? FS_LINK : 0) | (p->run ? FS_RUN : 0)) &
        handled;
    if (!rc && !S_ISDIR(st.st_mode))
        path.allowed &= FS_OF_FILES;
    if (!rc && syscall(NK_LANDLOCK_ADD_RULE, rules_fd, PATH_BENEATH, &path, 0))
        rc = -1;
    if (p->path && fd >= 0) {
        int keep = errno;
        close(fd);
        errno = keep;
    }
    return rc;
}

static struct rules known_to(int abi, const struct nk_landlock_net *net)
{
    struct rules r = {.fs = FS_ABI1};
    r.fs |= (abi >= 2 ? FS_REFER : 0) | (abi >= 3 ? FS_TRUNCATE : 0) | (abi >= 5 ? FS_IOCTL : 0);
    if (abi >= 4)
        r.net = (net->bind ? 0 : NET_BIND) | (net->connect ? 0 : NET_CONNECT);
    if (abi >= 6)
        r.scope = SCOPE_ALL;
    return r;
}

int nk_landlock_enter(const struct nk_landlock_net *net, const struct nk_confine_path *paths,
                      size_t count, struct nk_fault *f)
{
    int abi = nk_confine_landlock_abi();
    if (abi == 0) {
        nk_log(NK_LOG_WARNING, "confine.landlock", "this kernel has no Landlock; seccomp alone");
        return 0;
    }
    struct rules handled = known_to(abi, net);
    int fd = (int)syscall(NK_LANDLOCK_CREATE, &handled, sizeof handled, 0);
    if (fd < 0)
        return nk_fault_set(f, NK_EIO, stage, 0, "Landlock: %s", strerror(errno));
    int rc = 0;
    for (size_t i = 0; i < count && !rc; i++)
        if (allow(fd, &paths[i], handled.fs))
            rc = nk_fault_set(f, NK_EIO, stage, 0, "Landlock: %s: %s",
                              paths[i].path ? paths[i].path : "directory", strerror(errno));
    if (!rc && syscall(NK_LANDLOCK_RESTRICT, fd, 0))
        rc = nk_fault_set(f, NK_EIO, stage, 0, "Landlock: %s", strerror(errno));
    close(fd);
    return rc;
}
