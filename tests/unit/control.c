/* SPDX-License-Identifier: Apache-2.0
 *
 * control.c - messages between a warden and a role, also of another version: a longer struct, a kind
 * that came later, descriptors for members that are not known. Nothing leaks, nothing is guessed.
 */
#include "role/control.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "tap.h"

static int sv[2];

static unsigned open_files(void)
{
    unsigned n = 0;
    DIR *d = opendir("/proc/self/fd");
    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d))
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

/* `size` bytes, of which the first are `m`, with `count` descriptors of one file. */
static void send_raw(const struct nk_control *m, size_t size, int count)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(8 * sizeof(int))];
    } space = {0};
    char bytes[2 * sizeof *m] = "";
    int fds[8];
    memcpy(bytes, m, size < sizeof *m ? size : sizeof *m);
    for (int i = 0; i < 8; i++)
        fds[i] = sv[0];
    struct iovec iov = {bytes, size};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    if (count) {
        msg.msg_control = space.bytes;
        msg.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
        memcpy(CMSG_DATA(c), fds, (size_t)count * sizeof(int));
    }
    NK_MUST(sendmsg(sv[0], &msg, 0) == (ssize_t)size);
}

static void test_plain(void)
{
    struct nk_control m, got;
    unsigned files = open_files();
    nk_control_init(&m, NK_CONTROL_AUDIT);
    m.slot = 3;
    m.instance = 77;
    m.ended = 1;
    m.audit = (struct nk_role_ring){sv[0], sv[1], sv[0]};
    TAP_CHECK(nk_control_send(sv[0], &m) == 0 && nk_control_recv(sv[1], &got) == 0);
    TAP_CHECK(got.kind == NK_CONTROL_AUDIT && got.slot == 3 && got.instance == 77 &&
              got.ended == 1);
    TAP_CHECK(got.audit.memfd > 2 && got.audit.eventfd > 2 && got.audit.backfd > 2 &&
              got.bundle == -1 && fcntl(got.audit.memfd, F_GETFD) == FD_CLOEXEC);
    nk_control_close(&got);
    TAP_CHECK(open_files() == files);
    nk_control_init(&m, NK_CONTROL_PING);
    TAP_CHECK(nk_control_send(sv[0], &m) == 0 && nk_control_recv(sv[1], &got) == NK_EAGAIN);
    tap_ok(nk_control_recv(sv[0], &got) == 0 && got.kind == NK_CONTROL_PONG, "PING is answered");
    TAP_CHECK(nk_control_recv(sv[1], &got) == NK_EAGAIN);
}

static void test_versions(void)
{
    struct nk_control m, got;
    unsigned files = open_files();
    nk_control_init(&m, NK_CONTROL_DRAIN);
    m.grace_ms = 1234;
    send_raw(&m, sizeof m + 40, 0);
    tap_ok(nk_control_recv(sv[1], &got) == 0 && got.kind == NK_CONTROL_DRAIN &&
               got.grace_ms == 1234,
           "what a longer message has more is not read");
    m.bundle = 0;
    send_raw(&m, sizeof m + 40, 3);
    tap_ok(nk_control_recv(sv[1], &got) == 0 && got.bundle > 2, "nor its descriptors");
    nk_control_close(&got);
    TAP_CHECK(open_files() == files);
    nk_control_init(&m, NK_CONTROL_KINDS + 5);
    m.bundle = 0;
    send_raw(&m, sizeof m, 1);
    tap_ok(nk_control_recv(sv[1], &got) == NK_EAGAIN, "a kind that came later is passed over");
    nk_control_init(&m, NK_CONTROL_COMMIT);
    send_raw(&m, sizeof m, 0);
    TAP_CHECK(nk_control_recv(sv[1], &got) == 0 && got.kind == NK_CONTROL_COMMIT);
    tap_ok(open_files() == files, "and its descriptors are closed");
}

static void test_refused(void)
{
    struct nk_control m, got;
    unsigned files = open_files();
    nk_control_init(&m, NK_CONTROL_COMMIT);
    send_raw(&m, offsetof(struct nk_control, mail) - 8, 0); /* less than the first version had */
    TAP_CHECK(nk_control_recv(sv[1], &got) == NK_EINVAL);
    send_raw(&m, sizeof m, 2); /* descriptors that nobody asked for */
    TAP_CHECK(nk_control_recv(sv[1], &got) == NK_EINVAL);
    m.bundle = 0;
    send_raw(&m, sizeof m, 0);
    TAP_CHECK(nk_control_recv(sv[1], &got) == NK_EINVAL);
    m.bundle = 5;
    send_raw(&m, sizeof m, 1);
    TAP_CHECK(nk_control_recv(sv[1], &got) == NK_EINVAL);
    m.bundle = m.admin = 0; /* one for both */
    send_raw(&m, sizeof m + 8, 1);
    TAP_CHECK(nk_control_recv(sv[1], &got) == NK_EINVAL);
    nk_control_init(&m, NK_CONTROL_START);
    m.listener_count = NK_ROLE_LISTENERS_MAX + 1;
    send_raw(&m, sizeof m, 0);
    TAP_CHECK(nk_control_recv(sv[1], &got) == NK_EINVAL);
    nk_control_init(&m, NK_CONTROL_START);
    m.slot = NK_ROLE_PAIRS_MAX;
    send_raw(&m, sizeof m, 0);
    TAP_CHECK(nk_control_recv(sv[1], &got) == NK_EINVAL);
    tap_ok(open_files() == files, "what is refused leaves no descriptor");
    close(sv[0]);
    TAP_CHECK(nk_control_recv(sv[1], &got) == NK_EIO);
}

int main(void)
{
    NK_MUST(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv) == 0);
    test_plain();
    test_versions();
    test_refused();
    close(sv[1]);
    return tap_done();
}
