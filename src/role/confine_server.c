/* SPDX-License-Identifier: Apache-2.0
 *
 * confine_server.c - the walls around an MCP server that was started here. The program is somebody else's, so unlike a
 * role (confine.c) it makes no promise: Landlock grants what the configuration names, and seccomp refuses what
 * no such program needs (server.def). Sockets are none at all, or those of the network; never Unix ones,
 * because the gateway's own processes are reached by such, and Landlock does not guard them.
 *
 * seccomp here ends nobody: programs try things, and go on when they get EPERM.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "role/confine.h"
#include "role/landlock.h"

enum { PATHS_MAX = 192, ABI_WITH_SIGNALS = 6 };

static const char stage[] = "confine";

static const struct rule {
    const char *call;
    int argument; /* -1: any arguments */
    enum scmp_compare op;
    uint64_t mask, value;
} rules[] = {
#define NK_DENY(call) {#call, -1, SCMP_CMP_EQ, 0, 0},
#define NK_DENY_IF(call, argument, mask, value) {#call, argument, SCMP_CMP_MASKED_EQ, mask, value},
#define NK_DENY_OTHERS(call, argument) {#call, argument, SCMP_CMP_NE, 0, 0},
#include "role/server.def"
#undef NK_DENY
#undef NK_DENY_IF
#undef NK_DENY_OTHERS
};

/* Newer than the library, which knows no name for them: fchmodat2, setxattrat, removexattrat, open_tree_attr,
 * file_setattr. From 424 on numbers are the same on every machine. */
static const int newer[] = {452, 463, 466, 467, 469};

/* Families of sockets that are not the network's. */
static const struct rule families[] = {
    {"socket", 0, SCMP_CMP_LT, 0, AF_INET}, {"socket", 0, SCMP_CMP_EQ, 0, 3},
    {"socket", 0, SCMP_CMP_EQ, 0, 4},       {"socket", 0, SCMP_CMP_EQ, 0, 5},
    {"socket", 0, SCMP_CMP_EQ, 0, 6},       {"socket", 0, SCMP_CMP_EQ, 0, 7},
    {"socket", 0, SCMP_CMP_EQ, 0, 8},       {"socket", 0, SCMP_CMP_EQ, 0, 9},
    {"socket", 0, SCMP_CMP_GT, 0, AF_INET6}};
static const struct rule any_socket = {"socket", -1, SCMP_CMP_EQ, 0, 0};

/* What every program opens, as far as it is there. */
static const struct nk_confine_path common[] = {
    {.path = "/usr", .run = true},
    {.path = "/bin", .run = true},
    {.path = "/sbin", .run = true},
    {.path = "/lib", .run = true},
    {.path = "/lib32", .run = true},
    {.path = "/lib64", .run = true},
    {.path = "/etc/ld.so.cache"},
    {.path = "/etc/localtime"},
    {.path = "/etc/alternatives", .run = true},
    {.path = "/etc/ssl/openssl.cnf"},
    {.path = "/etc/ssl/certs"},
    {.path = "/dev/null", .write = true},
    {.path = "/dev/zero"},
    {.path = "/dev/urandom"},
    {.path = "/dev/random"},
};
/* … and one that makes connections. */
static const struct nk_confine_path common_network[] = {
    {.path = "/etc/resolv.conf"}, {.path = "/etc/hosts"},    {.path = "/etc/nsswitch.conf"},
    {.path = "/etc/host.conf"},   {.path = "/etc/gai.conf"}, {.path = "/etc/services"}};

static void add_common(struct nk_confine_path *all, size_t *n, const struct nk_confine_path *list,
                       size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (access(list[i].path, F_OK) == 0)
            all[(*n)++] = list[i];
}

static int landlock(const struct nk_confine_path *paths, size_t count, bool network,
                    struct nk_fault *f)
{
    struct nk_landlock_net net = {.connect = network};
    struct nk_confine_path all[PATHS_MAX];
    size_t n = 0;
    if (nk_confine_landlock_abi() == 0)
        return nk_fault_set(f, NK_EUNSUPPORTED, stage, 0,
                            "this kernel has no Landlock, and without it nothing keeps a server "
                            "from files");
    if (count > PATHS_MAX - NK_COUNT(common) - NK_COUNT(common_network))
        return nk_fault_set(f, NK_ELIMIT, stage, 0, "too many paths");
    for (; n < count; n++)
        all[n] = paths[n];
    add_common(all, &n, common, NK_COUNT(common));
    if (network)
        add_common(all, &n, common_network, NK_COUNT(common_network));
    return nk_landlock_enter(&net, all, n, f);
}

static int deny(scmp_filter_ctx ctx, const struct rule *r, unsigned code)
{
    int nr = seccomp_syscall_resolve_name(r->call);
    if (nr < 0) /* not on this machine */
        return 0;
    if (r->argument < 0)
        return seccomp_rule_add(ctx, SCMP_ACT_ERRNO(code), nr, 0);
    struct scmp_arg_cmp cmp = {.arg = (unsigned)r->argument, .op = r->op};
    cmp.datum_a = r->op == SCMP_CMP_MASKED_EQ ? r->mask : r->value;
    cmp.datum_b = r->op == SCMP_CMP_MASKED_EQ ? r->value : 0;
    return seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO(code), nr, 1, &cmp);
}

/* Where Landlock does not keep signals inside (before ABI 6), a process signals itself alone. */
static int deny_signals(scmp_filter_ctx ctx)
{
    static const char *const to_others[] = {"tkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo",
                                            "pidfd_send_signal"};
    static const char *const to_any[] = {"kill", "tgkill"};
    int rc = 0;
    if (nk_confine_landlock_abi() >= ABI_WITH_SIGNALS)
        return 0;
    for (size_t i = 0; !rc && i < NK_COUNT(to_others); i++)
        rc = deny(ctx, &(struct rule){to_others[i], -1, SCMP_CMP_EQ, 0, 0}, EPERM);
    for (size_t i = 0; !rc && i < NK_COUNT(to_any); i++)
        rc = deny(ctx, &(struct rule){to_any[i], 0, SCMP_CMP_NE, 0, (uint64_t)getpid()}, EPERM);
    return rc;
}

static int fill(scmp_filter_ctx ctx, bool network)
{
    /* Their flags are in memory, where no filter sees them; programs then use clone and openat. */
    const struct rule clone3 = {"clone3", -1, SCMP_CMP_EQ, 0, 0};
    const struct rule openat2 = {"openat2", -1, SCMP_CMP_EQ, 0, 0};
    int rc = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    for (size_t i = 0; !rc && i < NK_COUNT(rules); i++)
        rc = deny(ctx, &rules[i], EPERM);
    for (size_t i = 0; !rc && i < NK_COUNT(newer); i++)
        rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), newer[i], 0);
    for (size_t i = 0; !rc && network && i < NK_COUNT(families); i++)
        rc = deny(ctx, &families[i], EAFNOSUPPORT);
    if (!rc && !network)
        rc = deny(ctx, &any_socket, EPERM);
    if (!rc)
        rc = deny(ctx, &clone3, ENOSYS);
    if (!rc)
        rc = deny(ctx, &openat2, ENOSYS);
    return rc ? rc : deny_signals(ctx);
}

static int seccomp(bool network, struct nk_fault *f)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
    int rc = ctx ? fill(ctx, network) : -ENOMEM;
    if (!rc)
        rc = seccomp_load(ctx);
    seccomp_release(ctx);
    return rc ? nk_fault_set(f, NK_EUNSUPPORTED, stage, 0, "seccomp: %s", strerror(-rc)) : 0;
}

int nk_confine_no_capabilities(struct nk_fault *f)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || syscall(SYS_capset, &header, none))
        return nk_fault_set(f, NK_EIO, stage, 0, "capabilities: %s", strerror(errno));
    return 0;
}

int nk_confine_server(const struct nk_confine_path *paths, size_t path_count, bool network,
                      struct nk_fault *f)
{
    int rc = nk_confine_no_capabilities(f);
    if (!rc)
        rc = landlock(paths, path_count, network, f);
    return rc ? rc : seccomp(network, f);
}
