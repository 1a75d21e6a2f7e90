/* SPDX-License-Identifier: Apache-2.0
 *
 * sandbox.c - for each role, what it must not do, tried by real processes behind the real
 * nk_role_confine, on this kernel and with Landlock as older kernels have it, or none. A table:
 * one row an attempt, one column a role. Then the same for MCP servers that are started here: what they must
 * not do whatever the configuration grants.
 *
 * Older Landlocks are pretended: nk_confine_landlock_abi is wrapped, so that the rights that such a
 * kernel would not know are not asked for. What only Landlock refuses shows as BY_LANDLOCK_n: below
 * that ABI the attempt succeeds, and THREATMODEL.md says so.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "base/build.h"
#include "role/confine.h"
#include "role/role.h"
#include "tap.h"

int __real_nk_confine_landlock_abi(void);
int __wrap_nk_confine_landlock_abi(void);

static int pretended = -1; /* ABI; -1: what the kernel has */

int __wrap_nk_confine_landlock_abi(void)
{
    return pretended < 0 ? __real_nk_confine_landlock_abi() : pretended;
}

/* A place of the test's own, a file beside it, a neighbour such as another role, and descriptors
 * that were open before. */
static char dir[] = "/tmp/nakoso-sandbox-XXXXXX", state[64], beside[64], neighbour_mem[64];
static int state_fd, listener, event, program;
static pid_t neighbour;
static struct sockaddr_un abstract = {.sun_family = AF_UNIX};
static socklen_t abstract_size;

/* Files */
static int try_read(void)
{
    return open(beside, O_RDONLY);
}
static int try_write(void)
{
    return open(beside, O_WRONLY);
}
static int try_truncate_open(void)
{
    return open(beside, O_WRONLY | O_TRUNC);
}
static int try_truncate(void)
{
    return truncate(beside, 0);
}
static int try_create(void)
{
    return openat(state_fd, "../new", O_CREAT | O_WRONLY, 0600);
}
static int try_unlink(void)
{
    return unlinkat(state_fd, "../victim", 0);
}
static int try_mkdir(void)
{
    return mkdirat(state_fd, "../directory", 0700);
}
static int try_list(void)
{
    return open("/etc", O_RDONLY | O_DIRECTORY);
}
static int try_chmod(void)
{
    return chmod(beside, 0666);
}
static int try_chown(void)
{
    return chown(beside, 1, 1);
}
static int try_link(void)
{
    return linkat(AT_FDCWD, beside, state_fd, "link", 0);
}
static int try_symlink(void)
{
    return symlinkat("/etc/passwd", state_fd, "symlink");
}
static int try_write_state(void)
{
    return openat(state_fd, "log", O_CREAT | O_WRONLY | O_APPEND, 0600);
}
static int try_rename_state(void)
{
    return try_write_state() < 0 ? -1 : renameat(state_fd, "log", state_fd, "log.1");
}
static int try_rename_out(void)
{
    return try_write_state() < 0 ? -1 : renameat(state_fd, "log", state_fd, "../log");
}
static int try_sync_state(void)
{
    int fd = try_write_state();
    return fd < 0 || write(fd, "x", 1) != 1 ? -1 : fdatasync(fd);
}
static int try_special_file(void)
{
    return mknodat(state_fd, "fifo", S_IFIFO | 0600, 0);
}
static int try_memfd(void)
{
    return memfd_create("x", 0);
}

/* Network */
static int try_tcp(void)
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
static int try_vsock(void)
{
    return socket(AF_VSOCK, SOCK_STREAM, 0);
}
/* To the test's own listener. */
static int try_connect(void)
{
    struct sockaddr_in at;
    socklen_t size = sizeof at;
    int fd = try_tcp();
    if (fd < 0 || getsockname(listener, (void *)&at, &size))
        return -1;
    return connect(fd, (void *)&at, size);
}
static int try_abstract(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    return fd < 0 ? -1 : connect(fd, (void *)&abstract, abstract_size);
}
static int try_bind(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = try_tcp();
    return bind(fd < 0 ? listener : fd, (void *)&at, sizeof at);
}
static int try_listen(void)
{
    return listen(listener, 1);
}
static int try_accept(void)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    return fd >= 0 || errno == EAGAIN ? 0 : -1;
}
static int try_pair(void)
{
    int fds[2];
    return socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
}

/* Other processes */
static int try_exec(void)
{
    return execl("/bin/true", "true", NULL);
}
static int try_exec_memory(void)
{
    char *const none[] = {NULL};
    return (int)syscall(SYS_execveat, program, "", none, none, AT_EMPTY_PATH);
}
static int try_fork(void)
{
    return (int)syscall(SYS_fork);
}
static int try_clone3(void)
{
    return (int)syscall(SYS_clone3, NULL, 0);
}
static int try_ptrace(void)
{
    return (int)ptrace(PTRACE_ATTACH, neighbour, NULL, NULL);
}
static int try_read_memory(void)
{
    char to[8];
    struct iovec local = {to, sizeof to}, remote = {&neighbour, sizeof to};
    return (int)process_vm_readv(neighbour, &local, 1, &remote, 1, 0);
}
static int try_write_memory(void)
{
    char from[8] = "";
    struct iovec local = {from, sizeof from}, remote = {&neighbour, sizeof from};
    return (int)process_vm_writev(neighbour, &local, 1, &remote, 1, 0);
}
static int try_open_memory(void)
{
    return open(neighbour_mem, O_RDWR);
}
static int try_kill(void)
{
    return kill(neighbour, 0);
}
static int try_tgkill(void)
{
    return (int)syscall(SYS_tgkill, neighbour, neighbour, 0);
}
static int try_own_signals(void)
{
    return fcntl(event, F_SETOWN, neighbour);
}
static int try_pidfd(void)
{
    return (int)syscall(SYS_pidfd_open, neighbour, 0);
}
static int try_take_descriptor(void)
{
    return (int)syscall(SYS_pidfd_getfd, event, 0, 0);
}
static int try_limit_neighbour(void)
{
    struct rlimit none = {0, 0};
    return prlimit(neighbour, RLIMIT_NOFILE, &none, NULL);
}
static int try_be_debugged(void)
{
    return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}
static int try_dump_core(void)
{
    struct rlimit r = {1, 1};
    return setrlimit(RLIMIT_CORE, &r);
}

/* The machine */
static int try_bpf(void)
{
    return (int)syscall(SYS_bpf, 0, NULL, 0);
}
static int try_perf(void)
{
    return (int)syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0);
}
static int try_userfaultfd(void)
{
    return (int)syscall(SYS_userfaultfd, 0);
}
static int try_io_uring(void)
{
    return (int)syscall(SYS_io_uring_setup, 1, NULL);
}
static int try_io_uring_enter(void)
{
    return (int)syscall(SYS_io_uring_enter, event, 0, 0, 0, NULL);
}
static int try_unshare(void)
{
    return unshare(CLONE_NEWNS);
}
static int try_setns(void)
{
    return setns(event, 0);
}
static int try_mount(void)
{
    return mount("none", dir, "tmpfs", 0, NULL);
}
static int try_chroot(void)
{
    return chroot(dir);
}
static int try_module(void)
{
    return (int)syscall(SYS_finit_module, event, "", 0);
}
static int try_keys(void)
{
    return (int)syscall(SYS_keyctl, 0, 0);
}
static int try_setuid(void)
{
    return (int)syscall(SYS_setuid, 1);
}
static int try_capabilities(void)
{
    return (int)syscall(SYS_capset, NULL, NULL);
}
static int try_clock(void)
{
    struct timespec t = {1, 0};
    return clock_settime(CLOCK_REALTIME, &t);
}
static int try_host_name(void)
{
    return sethostname("x", 1);
}
static int try_ioctl(void)
{
    return (int)syscall(SYS_ioctl, 0, 0x5412 /* TIOCSTI */, "x");
}
static int try_old_calls(void)
{
    return (int)syscall(SYS_personality, 0x0400000 /* READ_IMPLIES_EXEC */);
}

/* Memory, and what a role needs */
static int try_map_code(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
               ? -1
               : 0;
}
static int try_make_code(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? 0 : mprotect(p, 4096, PROT_READ | PROT_EXEC);
}
static int try_map(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
                   MAP_FAILED
               ? -1
               : 0;
}
static int try_wake(void)
{
    uint64_t one = 1;
    return write(event, &one, sizeof one) == sizeof one ? 0 : -1;
}
static int try_abort(void)
{
    abort();
}

enum outcome { ALLOWED, REFUSED, KILLED, ABORTED, BROKEN, BY_LANDLOCK_1, BY_LANDLOCK_6 };
static const char *const outcomes[] = {"allowed",
                                       "refused",
                                       "killed",
                                       "aborted",
                                       "broken",
                                       "refused by Landlock alone",
                                       "refused by Landlock alone, from ABI 6 on"};

#define ALL(x) x, x, x

static const struct {
    const char *attempt;
    int (*run)(void);
    enum outcome gate, courier, scribe;
    bool sanitizer_differs; /* AddressSanitizer needs this call itself */
} cases[] = {
    {"map memory", try_map, ALL(ALLOWED), false},
    {"wake another role", try_wake, ALL(ALLOWED), false},
    {"abort on a broken invariant", try_abort, ALL(ABORTED), false},
    {"accept on a listener it was given", try_accept, ALLOWED, REFUSED, REFUSED, false},
    {"connect", try_connect, REFUSED, ALLOWED, REFUSED, false},
    {"write below the audit directory", try_write_state, REFUSED, REFUSED, ALLOWED, false},
    {"rename below the audit directory", try_rename_state, REFUSED, REFUSED, ALLOWED, false},
    {"make a write durable", try_sync_state, REFUSED, REFUSED, ALLOWED, false},

    {"read a file", try_read, REFUSED, REFUSED, BY_LANDLOCK_1, false},
    {"write to a file", try_write, REFUSED, REFUSED, BY_LANDLOCK_1, false},
    {"open and empty a file", try_truncate_open, REFUSED, REFUSED, BY_LANDLOCK_1, false},
    {"truncate a file", try_truncate, ALL(REFUSED), false},
    {"create a file", try_create, REFUSED, REFUSED, BY_LANDLOCK_1, false},
    {"remove a file", try_unlink, REFUSED, REFUSED, BY_LANDLOCK_1, false},
    {"make a directory", try_mkdir, REFUSED, REFUSED, BY_LANDLOCK_1, false},
    {"list a directory", try_list, REFUSED, REFUSED, BY_LANDLOCK_1, false},
    {"move a file out of the audit directory", try_rename_out, REFUSED, REFUSED, BY_LANDLOCK_1,
     false},
    {"change the mode of a file", try_chmod, ALL(REFUSED), false},
    {"change the owner of a file", try_chown, ALL(REFUSED), false},
    {"link to a file", try_link, ALL(REFUSED), false},
    {"make a symbolic link", try_symlink, ALL(REFUSED), false},
    {"make a special file", try_special_file, ALL(REFUSED), false},
    {"make a memory file", try_memfd, ALL(REFUSED), false},

    {"open a TCP socket", try_tcp, REFUSED, ALLOWED, REFUSED, false},
    {"reach an abstract socket", try_abstract, REFUSED, BY_LANDLOCK_6, REFUSED, false},
    {"open a netlink socket", try_netlink, ALL(REFUSED), false},
    {"open a packet socket", try_packet, ALL(REFUSED), false},
    {"open a vsock socket", try_vsock, ALL(REFUSED), false},
    {"bind", try_bind, ALL(REFUSED), false},
    {"listen", try_listen, ALL(REFUSED), false},
    {"make a socket pair", try_pair, ALL(REFUSED), false},

    {"run a program", try_exec, ALL(KILLED), false},
    {"run a program that it holds open", try_exec_memory, ALL(KILLED), false},
    {"fork", try_fork, ALL(REFUSED), false},
    {"clone3", try_clone3, ALL(REFUSED), false},
    {"trace another role", try_ptrace, ALL(KILLED), false},
    {"read another role's memory", try_read_memory, ALL(KILLED), false},
    {"write another role's memory", try_write_memory, ALL(KILLED), false},
    {"open another role's /proc/PID/mem", try_open_memory, ALL(REFUSED), false},
    {"signal another role", try_kill, ALL(REFUSED), false},
    {"signal a thread of another role", try_tgkill, ALL(REFUSED), false},
    {"let the kernel signal another role", try_own_signals, ALL(REFUSED), false},
    {"get hold of another process", try_pidfd, ALL(REFUSED), false},
    {"take a descriptor of another process", try_take_descriptor, ALL(REFUSED), false},
    {"limit another role", try_limit_neighbour, ALL(REFUSED), true},
    {"let others look into it", try_be_debugged, ALL(REFUSED), true},
    {"raise its limits", try_dump_core, ALL(REFUSED), true},

    {"load a BPF program", try_bpf, ALL(KILLED), false},
    {"watch the processor's counters", try_perf, ALL(KILLED), false},
    {"handle page faults", try_userfaultfd, ALL(KILLED), false},
    {"set up an io_uring", try_io_uring, ALL(KILLED), false},
    {"enter an io_uring", try_io_uring_enter, ALL(REFUSED), false},
    {"leave its name spaces", try_unshare, ALL(KILLED), false},
    {"enter other name spaces", try_setns, ALL(KILLED), false},
    {"mount", try_mount, ALL(KILLED), false},
    {"change its root", try_chroot, ALL(KILLED), false},
    {"load a module", try_module, ALL(KILLED), false},
    {"use the kernel's key rings", try_keys, ALL(KILLED), false},
    {"become another user", try_setuid, ALL(KILLED), false},
    {"change its capabilities", try_capabilities, ALL(KILLED), false},
    {"set the clock", try_clock, ALL(REFUSED), false},
    {"rename the machine", try_host_name, ALL(REFUSED), false},
    {"talk to a device", try_ioctl, ALL(REFUSED), true},
    {"become another personality", try_old_calls, ALL(REFUSED), false},
    {"map code", try_map_code, ALL(REFUSED), true},
    {"make memory code", try_make_code, ALL(REFUSED), true},
};

/* An MCP server, which is no role: it may write in `state`. */
enum { SERVER = NK_ROLE_COUNT };

static int confine(enum nk_role role, struct nk_fault *f)
{
    struct nk_role_start s = {.role = role, .state_dir = role == NK_ROLE_SCRIBE ? state_fd : -1};
    struct nk_confine_path path = {.path = state, .write = true, .link = true};
    return (int)role == SERVER ? nk_confine_server(&path, 1, false, f) : nk_role_confine(&s, f);
}

/* In the child: what is left of the process says what happened. */
static void attempt(enum nk_role role, int (*run)(void))
{
    struct nk_fault f = {0};
    if (confine(role, &f)) {
        fprintf(stderr, "# %s\n", f.message);
        _exit(BROKEN);
    }
    errno = 0;
    bool done = run() >= 0;
    bool refused = errno == EPERM || errno == EACCES || errno == EXDEV;
    _exit(done ? ALLOWED : refused ? REFUSED : BROKEN);
}

static enum outcome outcome(enum nk_role role, int abi, int (*run)(void))
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        pretended = abi;
        freopen("/dev/null", "w", stderr);
        attempt(role, run);
    }
    waitpid(pid, &status, 0);
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGSYS ? KILLED : WTERMSIG(status) == SIGABRT ? ABORTED : BROKEN;
    return (enum outcome)WEXITSTATUS(status);
}

static enum outcome with_abi(enum outcome expect, int abi)
{
    int from = expect == BY_LANDLOCK_1 ? 1 : expect == BY_LANDLOCK_6 ? 6 : 0;
    return from == 0 ? expect : abi >= from ? REFUSED : ALLOWED;
}

static void put_file(const char *name)
{
    int fd = openat(state_fd, name, O_CREAT | O_WRONLY, 0600);
    if (fd < 0 || write(fd, "x", 1) != 1)
        abort();
    close(fd);
}

static void check(size_t i, enum nk_role role, enum outcome expect)
{
    int newest = __real_nk_confine_landlock_abi();
    int oldest = nk_build_has_sanitizer() ? newest : 0; /* it opens files: Landlock alone refuses */
    char name[160], wrong[256] = "";
    snprintf(name, sizeof name, "%s: %s: %s", nk_role_name(role), cases[i].attempt,
             outcomes[expect]);
    if (cases[i].sanitizer_differs && nk_build_has_sanitizer()) {
        tap_skip(name, "differs with AddressSanitizer");
        return;
    }
    for (int abi = oldest; abi <= newest; abi++) {
        put_file("../victim");
        unlinkat(state_fd, "../directory", AT_REMOVEDIR);
        enum outcome got = outcome(role, abi, cases[i].run);
        size_t n = strlen(wrong);
        if (got != with_abi(expect, abi))
            snprintf(wrong + n, sizeof wrong - n, "; %s with Landlock %d", outcomes[got], abi);
    }
    tap_ok(!*wrong, "%s (Landlock %d to %d)%s", name, oldest, newest, wrong);
}

static int (*const of_servers[])(void) = {try_read,
                                          try_write,
                                          try_truncate_open,
                                          try_truncate,
                                          try_create,
                                          try_unlink,
                                          try_mkdir,
                                          try_list,
                                          try_rename_out,
                                          try_chmod,
                                          try_chown,
                                          try_link,
                                          try_special_file,
                                          try_tcp,
                                          try_abstract,
                                          try_netlink,
                                          try_packet,
                                          try_vsock,
                                          try_listen,
                                          try_ptrace,
                                          try_read_memory,
                                          try_write_memory,
                                          try_open_memory,
                                          try_kill,
                                          try_tgkill,
                                          try_own_signals,
                                          try_take_descriptor,
                                          try_limit_neighbour,
                                          try_bpf,
                                          try_perf,
                                          try_userfaultfd,
                                          try_io_uring,
                                          try_io_uring_enter,
                                          try_unshare,
                                          try_setns,
                                          try_mount,
                                          try_chroot,
                                          try_module,
                                          try_keys,
                                          try_setuid,
                                          try_capabilities,
                                          try_clock,
                                          try_host_name,
                                          try_old_calls};

static const char *name_of(int (*run)(void))
{
    size_t i = 0;
    while (cases[i].run != run)
        i++;
    return cases[i].attempt;
}

/* Refused with every Landlock; and without one no server begins. */
static void check_server(int (*run)(void))
{
    int newest = __real_nk_confine_landlock_abi();
    char wrong[256] = "";
    for (int abi = 0; abi <= newest; abi++) {
        put_file("../victim");
        unlinkat(state_fd, "../directory", AT_REMOVEDIR);
        enum outcome got = outcome((enum nk_role)SERVER, abi, run);
        size_t n = strlen(wrong);
        if (got != (abi ? REFUSED : BROKEN))
            snprintf(wrong + n, sizeof wrong - n, "; %s with Landlock %d", outcomes[got], abi);
    }
    tap_ok(!*wrong, "MCP server: %s: refused (Landlock 1 to %d)%s", name_of(run), newest, wrong);
}

/* Another process of the same user, closed as roles are. */
static void start_neighbour(void)
{
    neighbour = fork();
    if (neighbour == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
        for (;;)
            pause();
    }
    snprintf(neighbour_mem, sizeof neighbour_mem, "/proc/%d/mem", (int)neighbour);
}

static void setup(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int waiting = socket(AF_UNIX, SOCK_STREAM, 0);
    int n = snprintf(abstract.sun_path + 1, sizeof abstract.sun_path - 1, "nakoso-sandbox-%d",
                     (int)getpid());
    abstract_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    event = eventfd(0, EFD_NONBLOCK);
    program = open("/bin/true", O_RDONLY);
    if (!mkdtemp(dir) || bind(listener, (void *)&at, sizeof at) || listen(listener, 16) ||
        bind(waiting, (void *)&abstract, abstract_size) || listen(waiting, 1024))
        abort();
    snprintf(state, sizeof state, "%s/state", dir);
    snprintf(beside, sizeof beside, "%s/beside", dir);
    if (mkdir(state, 0700) || (state_fd = open(state, O_RDONLY | O_DIRECTORY)) < 0)
        abort();
    put_file("../beside");
    start_neighbour();
}

static void cleanup(void)
{
    static const char *const files[] = {"log",       "log.1",  "fifo",      "symlink", "link",
                                        "../beside", "../new", "../victim", "../log"};
    kill(neighbour, SIGKILL);
    waitpid(neighbour, NULL, 0);
    for (size_t i = 0; i < NK_COUNT(files); i++)
        unlinkat(state_fd, files[i], 0);
    unlinkat(state_fd, "../directory", AT_REMOVEDIR);
    rmdir(state);
    tap_ok(rmdir(dir) == 0, "nothing else was made");
}

int main(void)
{
    if (!nk_confine_has_seccomp()) {
        tap_skip("roles", "no seccomp here");
        return tap_done();
    }
    setup();
    for (size_t i = 0; i < NK_COUNT(cases); i++) {
        check(i, NK_ROLE_GATE, cases[i].gate);
        check(i, NK_ROLE_COURIER, cases[i].courier);
        check(i, NK_ROLE_SCRIBE, cases[i].scribe);
        check(i, NK_ROLE_RUNNER, cases[i].gate); /* the promise is a gate's */
    }
    for (size_t i = 0; i < NK_COUNT(of_servers) && __real_nk_confine_landlock_abi(); i++)
        check_server(of_servers[i]);
    cleanup();
    return tap_done();
}
