/* SPDX-License-Identifier: Apache-2.0
 *
 * confine.c - no_new_privs, then Landlock (what may be opened), then seccomp (what may be asked at
 * all). The words of a promise are a table, confine.def; adding a word or a call is one line there.
 *
 * seccomp's default is EPERM, not death: libraries try things, and a role that dies of a library's
 * curiosity is an outage. What only an attacker tries kills. Verdicts of calls without an argument
 * check are cached by the kernel (Linux 5.11), so the hot path pays nothing. Landlock is in
 * landlock.c.
 */
#include "role/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/build.h"
#include "role/landlock.h"

static const char stage[] = "confine";

enum word {
#define NK_WORD(id, name, meaning) WORD_##id,
#define NK_CALL(id, call)
#define NK_SOME(id, call, argument, mask, value)
#define NK_KILL(call)
#include "role/confine.def"
#undef NK_WORD
#undef NK_CALL
#undef NK_SOME
#undef NK_KILL
    WORD_COUNT
};

static const struct {
    const char *name, *meaning;
} words[] = {
#define NK_WORD(id, name, meaning) {name, meaning},
#define NK_CALL(id, call)
#define NK_SOME(id, call, argument, mask, value)
#define NK_KILL(call)
#include "role/confine.def"
#undef NK_WORD
#undef NK_CALL
#undef NK_SOME
#undef NK_KILL
};

struct rule {
    const char *call;
    int word;     /* -1: kill */
    int argument; /* -1: any arguments */
    uint64_t mask, value;
};

static const struct rule rules[] = {
#define NK_WORD(id, name, meaning)
#define NK_CALL(id, call) {#call, WORD_##id, -1, 0, 0},
#define NK_SOME(id, call, argument, mask, value) {#call, WORD_##id, argument, mask, value},
#define NK_KILL(call) {#call, -1, -1, 0, 0},
#include "role/confine.def"
#undef NK_WORD
#undef NK_CALL
#undef NK_SOME
#undef NK_KILL
};

int nk_confine_landlock_abi(void)
{
    long abi = syscall(NK_LANDLOCK_CREATE, NULL, 0, NK_LANDLOCK_VERSION);
    return abi > 0 ? (int)abi : 0;
}

bool nk_confine_has_seccomp(void)
{
    return prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 0 && seccomp_api_get() >= 2;
}

static int parse_promises(const char *promises, uint32_t *set, struct nk_fault *f)
{
    struct nk_str rest = nk_str(promises);
    *set = 1U << WORD_ALWAYS;
    if (nk_build_has_sanitizer())
        *set |= 1U << WORD_SANITIZER;
    while (rest.p) {
        struct nk_str name = nk_str_cut(&rest, ' ');
        size_t i = 0;
        if (name.n == 0)
            continue;
        while (i < WORD_COUNT && !nk_str_eq(name, nk_str(words[i].name)))
            i++;
        if (i == WORD_COUNT)
            return nk_fault_set(f, NK_EINVAL, stage, 0, "no promise is called \"%.*s\"",
                                NK_FMT(name));
        *set |= 1U << i;
    }
    return 0;
}

static bool has(uint32_t set, enum word w)
{
    return set >> w & 1;
}

static int limit_process(uint32_t set, struct nk_fault *f)
{
    struct rlimit none = {0, 0};
    bool good = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && setrlimit(RLIMIT_CORE, &none) == 0;
    /* AddressSanitizer looks at its own process when it reports. */
    if (!has(set, WORD_SANITIZER))
        good =
            good && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 && setrlimit(RLIMIT_NPROC, &none) == 0;
    return good ? 0 : nk_fault_set(f, NK_EIO, stage, 0, "limits: %s", strerror(errno));
}

/* A role that was started with privileges (as root, or to bind a low port) keeps none. One that has
 * files may need root's right to a directory of another user, and nothing else: with the others it
 * could read other processes where there is no Landlock. */
static int drop_capabilities(uint32_t set, struct nk_fault *f)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct have[_LINUX_CAPABILITY_U32S_3] = {{0}};
    uint32_t keep = has(set, WORD_FILES) ? 1U << CAP_DAC_OVERRIDE : 0;
    if (syscall(SYS_capget, &header, have))
        return nk_fault_set(f, NK_EIO, stage, 0, "capabilities: %s", strerror(errno));
    keep &= have[0].permitted;
    memset(have, 0, sizeof have);
    have[0].effective = have[0].permitted = keep;
    return syscall(SYS_capset, &header, have) == 0
               ? 0
               : nk_fault_set(f, NK_EIO, stage, 0, "capabilities: %s", strerror(errno));
}

/* TCP as promised; signals and abstract sockets never. */
static int landlock(uint32_t set, const struct nk_confine_path *paths, size_t count,
                    struct nk_fault *f)
{
    struct nk_landlock_net net = {.bind = has(set, WORD_LISTEN), .connect = has(set, WORD_CONNECT)};
    return nk_landlock_enter(&net, paths, count, f);
}

/* A rule whose call this machine does not have is nothing to allow or refuse. */
static int add_rule(scmp_filter_ctx ctx, const struct rule *r)
{
    int nr = seccomp_syscall_resolve_name(r->call);
    if (nr < 0)
        return 0;
    if (r->word < 0)
        return seccomp_rule_add(ctx, SCMP_ACT_KILL_PROCESS, nr, 0);
    if (r->argument < 0)
        return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 0);
    struct scmp_arg_cmp cmp = {.arg = (unsigned)r->argument,
                               .op = SCMP_CMP_MASKED_EQ,
                               .datum_a = r->mask,
                               .datum_b = r->value};
    return seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, nr, 1, &cmp);
}

/* abort() ends with a signal to the own process: so that a broken invariant ends as SIGABRT. */
static int add_abort(scmp_filter_ctx ctx)
{
    struct scmp_arg_cmp self = {.arg = 0, .op = SCMP_CMP_EQ, .datum_a = (uint64_t)getpid()};
    return seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, &self);
}

/* Rules of a call that is allowed whatever its arguments make the others pointless. */
static bool is_covered(uint32_t set, const struct rule *r)
{
    for (size_t i = 0; i < NK_COUNT(rules); i++)
        if (&rules[i] != r && rules[i].word >= 0 && has(set, (enum word)rules[i].word) &&
            rules[i].argument < 0 && strcmp(rules[i].call, r->call) == 0 &&
            (r->argument >= 0 || &rules[i] < r))
            return true;
    return false;
}

static int seccomp(uint32_t set, struct nk_fault *f)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (!ctx)
        return nk_fault_set(f, NK_EUNSUPPORTED, stage, 0, "seccomp: not in this kernel");
    int rc = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (!rc)
        rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_LOG, 1);
    if (!rc)
        rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    for (size_t i = 0; i < NK_COUNT(rules) && !rc; i++)
        if (rules[i].word < 0 ||
            (has(set, (enum word)rules[i].word) && !is_covered(set, &rules[i])))
            rc = add_rule(ctx, &rules[i]);
    if (!rc)
        rc = add_abort(ctx);
    if (!rc)
        rc = seccomp_load(ctx);
    seccomp_release(ctx);
    return rc ? nk_fault_set(f, NK_EUNSUPPORTED, stage, 0, "seccomp: %s", strerror(-rc)) : 0;
}

int nk_confine(const char *promises, const struct nk_confine_path *paths, size_t path_count,
               struct nk_fault *f)
{
    uint32_t set;
    int rc = parse_promises(promises, &set, f);
    if (!rc)
        rc = limit_process(set, f);
    if (!rc)
        rc = landlock(set, paths, path_count, f);
    if (!rc)
        rc = drop_capabilities(set, f);
    return rc ? rc : seccomp(set, f);
}

const char *nk_confine_meaning(struct nk_str word)
{
    for (size_t i = 0; i < WORD_COUNT; i++)
        if (nk_str_eq(word, nk_str(words[i].name)))
            return words[i].meaning;
    return NULL;
}
