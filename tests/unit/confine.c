/* SPDX-License-Identifier: Apache-2.0
 *
 * confine.c - what the words of a promise permit, tried by real processes on this kernel. What each
 * role may is in sandbox.c.
 */
#include "role/confine.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
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
static int try_exec(void)
{
    return execl("/bin/true", "true", NULL);
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
static int try_abort(void)
{
    abort();
}

enum outcome { ALLOWED, REFUSED, KILLED, ABORTED };
static const char *const outcomes[] = {"allowed", "refused", "killed", "aborted"};

static const struct {
    const char *promise, *attempt;
    int (*run)(void);
    enum outcome expect;
    bool sanitizer_differs; /* AddressSanitizer needs this call itself */
} cases[] = {
    {"", "wake another role", try_wake, ALLOWED, false},
    {"", "accept", try_accept, REFUSED, false},
    {"", "map memory", try_map, REFUSED, true},
    {"", "run a program", try_exec, KILLED, false},
    {"", "abort on a broken invariant", try_abort, ABORTED, false},
    {"memory", "map memory", try_map, ALLOWED, false},
    {"memory", "map code", try_map_code, REFUSED, true},
    {"accept", "accept on a listener it was given", try_accept, ALLOWED, false},
    {"memory listen", "listen", try_listen, ALLOWED, false},
    {"memory listen", "connect", try_connect, REFUSED, false},
    {"memory connect", "connect", try_connect, ALLOWED, false},
    {"memory connect", "listen", try_listen, REFUSED, false},
    {"memory files", "write below the directory", try_write_inside, ALLOWED, false},
    {"memory files", "rename below the directory", try_rename_inside, ALLOWED, false},
    {"memory files", "make a write durable", try_sync_inside, ALLOWED, false},
    {"memory files", "write beside the directory", try_write_beside, REFUSED, false},
    {"memory files", "read a file elsewhere", try_read_file, REFUSED, false},
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
