/* SPDX-License-Identifier: Apache-2.0
 *
 * confine.c - what each promise permits, refuses and kills, on this kernel, tried by real
 * processes.
 */
#include "role/confine.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/build.h"
#include "tap.h"

/* A place of the test's own, and descriptors opened before the process is confined. */
static char dir[] = "/tmp/nakoso-confine-XXXXXX";
static int dir_fd, listener, event;

static int try_read_file(void)
{
    return open("/etc/passwd", O_RDONLY);
}
static int try_write_inside(void)
{
    return openat(dir_fd, "log", O_CREAT | O_WRONLY | O_APPEND, 0600);
}
static int try_rename_inside(void)
{
    int fd = try_write_inside();
    return fd < 0 ? -1 : renameat(dir_fd, "log", dir_fd, "log.1");
}
static int try_sync_inside(void)
{
    int fd = try_write_inside();
    return fd < 0 || write(fd, "x", 1) != 1 ? -1 : fdatasync(fd);
}
static int try_write_beside(void)
{
    return openat(dir_fd, "../nakoso-confine-beside", O_CREAT | O_WRONLY, 0600);
}
static int try_run_inside(void)
{
    return openat(dir_fd, "device", O_RDONLY) >= 0 ? 0 : mknodat(dir_fd, "device", S_IFIFO, 0);
}
static int try_exec(void)
{
    return execl("/bin/true", "true", NULL);
}
static int try_fork(void)
{
    return (int)syscall(SYS_fork);
}
static int try_ptrace(void)
{
    return (int)ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}
static int try_bpf(void)
{
    return (int)syscall(SYS_bpf, 0, NULL, 0);
}
static int try_io_uring(void)
{
    return (int)syscall(SYS_io_uring_setup, 1, NULL);
}
static int try_unshare(void)
{
    return unshare(CLONE_NEWNS);
}
static int try_socket(void)
{
    return socket(AF_INET, SOCK_STREAM, 0);
}
static int try_netlink(void)
{
    return socket(AF_NETLINK, SOCK_RAW, 0);
}
static int try_packet(void)
{
    return socket(AF_PACKET, SOCK_RAW, 0);
}
/* To the test's own listener. */
static int try_connect(void)
{
    struct sockaddr_in at;
    socklen_t size = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || getsockname(listener, (void *)&at, &size))
        return -1;
    return connect(fd, (void *)&at, size);
}
static int try_listen(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (void *)&at, sizeof at))
        return -1;
    return listen(fd, 1);
}
static int try_accept(void)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    return fd >= 0 || errno == EAGAIN ? 0 : -1;
}
static int try_wake(void)
{
    uint64_t one = 1;
    return write(event, &one, sizeof one) == sizeof one ? 0 : -1;
}
static int try_map(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
                   MAP_FAILED
               ? -1
               : 0;
}
static int try_map_code(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
               ? -1
               : 0;
}
static int try_kill(void)
{
    return kill(getppid(), 0);
}
static int try_setuid(void)
{
    return (int)syscall(SYS_setuid, 1);
}
static int try_dump_core(void)
{
    struct rlimit r = {1, 1};
    return setrlimit(RLIMIT_CORE, &r);
}
static int try_abort(void)
{
    abort();
}

enum outcome { ALLOWED, REFUSED, KILLED, ABORTED };
static const char *const outcomes[] = {"allowed", "refused", "killed", "aborted"};

#define GATE "memory clock loop recv send accept"
#define COURIER "memory clock loop recv send connect"
#define SCRIBE "memory clock loop recv send files"

static const struct {
    const char *promise, *attempt;
    int (*run)(void);
    enum outcome expect;
    bool sanitizer_differs; /* AddressSanitizer needs this call itself */
} cases[] = {
    {GATE, "accept on a listener it was given", try_accept, ALLOWED, false},
    {GATE, "wake another role", try_wake, ALLOWED, false},
    {GATE, "map memory", try_map, ALLOWED, false},
    {GATE, "map code", try_map_code, REFUSED, true},
    {GATE, "read a file", try_read_file, REFUSED, false},
    {GATE, "write below the state directory", try_write_inside, REFUSED, false},
    {GATE, "open a socket", try_socket, REFUSED, false},
    {GATE, "connect", try_connect, REFUSED, false},
    {GATE, "listen", try_listen, REFUSED, false},
    {GATE, "signal its parent", try_kill, REFUSED, false},
    {GATE, "start a process", try_fork, REFUSED, false},
    {GATE, "raise its limits", try_dump_core, REFUSED, true},
    {GATE, "run a program", try_exec, KILLED, false},
    {GATE, "trace its parent", try_ptrace, KILLED, false},
    {GATE, "load a BPF program", try_bpf, KILLED, false},
    {GATE, "set up an io_uring", try_io_uring, KILLED, false},
    {GATE, "leave its name spaces", try_unshare, KILLED, false},
    {GATE, "become another user", try_setuid, KILLED, false},
    {GATE, "abort on a broken invariant", try_abort, ABORTED, false},
    {COURIER, "connect", try_connect, ALLOWED, false},
    {COURIER, "listen", try_listen, REFUSED, false},
    {COURIER, "accept", try_accept, REFUSED, false},
    {COURIER, "open a netlink socket", try_netlink, REFUSED, false},
    {COURIER, "open a packet socket", try_packet, REFUSED, false},
    {COURIER, "read a file", try_read_file, REFUSED, false},
    {COURIER, "write below the state directory", try_write_inside, REFUSED, false},
    {COURIER, "run a program", try_exec, KILLED, false},
    {SCRIBE, "write below the state directory", try_write_inside, ALLOWED, false},
    {SCRIBE, "rename below the state directory", try_rename_inside, ALLOWED, false},
    {SCRIBE, "make a write durable", try_sync_inside, ALLOWED, false},
    {SCRIBE, "write beside the state directory", try_write_beside, REFUSED, false},
    {SCRIBE, "make a special file", try_run_inside, REFUSED, false},
    {SCRIBE, "read a file elsewhere", try_read_file, REFUSED, false},
    {SCRIBE, "open a socket", try_socket, REFUSED, false},
    {SCRIBE, "accept", try_accept, REFUSED, false},
    {SCRIBE, "run a program", try_exec, KILLED, false},
    {"memory listen", "listen", try_listen, ALLOWED, false},
    {"memory listen", "connect", try_connect, REFUSED, false},
    {"", "wake another role", try_wake, ALLOWED, false},
    {"", "accept", try_accept, REFUSED, false},
    {"", "map memory", try_map, REFUSED, true},
};

/* In the child: what is left of the process says what happened. */
static void attempt(const char *promise, int (*run)(void))
{
    struct nk_confine_path paths[] = {{.fd = dir_fd, .write = true}};
    struct nk_fault f = {0};
    bool files = strstr(promise, "files") != NULL;
    if (nk_confine(promise, paths, files, &f)) {
        fprintf(stderr, "# %s\n", f.message);
        _exit(9);
    }
    errno = 0;
    int rc = run();
    _exit(rc >= 0 ? ALLOWED : errno == EPERM || errno == EACCES ? REFUSED : 8);
}

static int outcome(const char *promise, int (*run)(void))
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        freopen("/dev/null", "w", stderr);
        attempt(promise, run);
    }
    waitpid(pid, &status, 0);
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGSYS ? KILLED : WTERMSIG(status) == SIGABRT ? ABORTED : 8;
    return WEXITSTATUS(status);
}

static void setup(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    event = eventfd(0, EFD_NONBLOCK);
    if (!mkdtemp(dir) || bind(listener, (void *)&at, sizeof at) || listen(listener, 16) ||
        (dir_fd = open(dir, O_RDONLY | O_DIRECTORY)) < 0)
        abort();
}

/* What a program has that a warden starts: bits of CapEff and CapBnd beyond those that are kept. */
static uint64_t privileges_left(void)
{
    uint64_t kept = 1 << CAP_NET_BIND_SERVICE | 1 << CAP_DAC_OVERRIDE | 1 << CAP_DAC_READ_SEARCH |
                    1 << CAP_FOWNER | (nk_build_has_sanitizer() ? 1 << CAP_SYS_PTRACE : 0);
    char line[64] = "", *at;
    uint64_t left = 0;
    int lines = 0;
    FILE *p = popen("grep -E '^Cap(Eff|Prm|Bnd):' /proc/self/status", "r");
    while (p && fgets(line, sizeof line, p)) {
        at = strchr(line, ':');
        left |= at ? strtoull(at + 1, NULL, 16) & ~kept : UINT64_MAX;
        lines++;
    }
    return !p || pclose(p) || lines != 3 ? UINT64_MAX : left;
}

static void test_root(void)
{
    if (geteuid() != 0 || privileges_left() == 0) {
        tap_skip("a warden keeps few of root's capabilities", "this is not root");
        return;
    }
    int status = -1;
    pid_t pid = (fflush(stdout), fork());
    if (pid == 0) {
        struct nk_fault f = {0};
        bool good = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && nk_confine_root(&f) == 0 &&
                    nk_confine_root(&f) == 0; /* as the next version does */
        _exit(!good ? 1 : privileges_left() ? 2 : socket(AF_PACKET, SOCK_RAW, 0) >= 0 ? 3 : 0);
    }
    waitpid(pid, &status, 0);
    tap_ok(status == 0,
           "a warden keeps few of root's capabilities, and so does what it starts (%d)", status);
}

int main(void)
{
    setup();
    test_root();
    if (!nk_confine_has_seccomp()) {
        tap_skip("promises", "no seccomp here");
        return tap_done();
    }
    for (size_t i = 0; i < NK_COUNT(cases); i++) {
        bool skip = cases[i].sanitizer_differs && nk_build_has_sanitizer();
        bool by_landlock = cases[i].run == try_write_beside || cases[i].run == try_read_file;
        char name[160];
        snprintf(name, sizeof name, "\"%s\" may %s: %s", cases[i].promise, cases[i].attempt,
                 outcomes[cases[i].expect]);
        if (skip || (by_landlock && nk_confine_landlock_abi() == 0)) {
            tap_skip(name, skip ? "differs with AddressSanitizer" : "no Landlock here");
            continue;
        }
        int got = outcome(cases[i].promise, cases[i].run);
        tap_ok(got == (int)cases[i].expect, "%s%s%s", name,
               got == (int)cases[i].expect ? "" : ", not ",
               got == (int)cases[i].expect ? ""
               : got <= ABORTED            ? outcomes[got]
                                           : "broken");
    }
    struct nk_fault f = {0};
    tap_ok(nk_confine("memory fly", NULL, 0, &f) == NK_EINVAL, "an unknown word is refused: %s",
           f.message);
    TAP_CHECK(nk_confine_meaning(NK_STR("accept")) && !nk_confine_meaning(NK_STR("fly")));
    unlinkat(dir_fd, "log", 0);
    unlinkat(dir_fd, "log.1", 0);
    unlinkat(dir_fd, "../nakoso-confine-beside", 0);
    rmdir(dir);
    return tap_done();
}
