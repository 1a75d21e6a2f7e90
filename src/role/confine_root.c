/* SPDX-License-Identifier: Apache-2.0
 *
 * confine_root.c - what the warden keeps of root, or of what a service manager gave it: to bind a low
 * port at a reload, and to read and keep files of another user. The rest goes, also from the
 * bounding set, so that no program that it starts (a role, the next version) has it again; see
 * capabilities(7), "Transformation of capabilities during execve()".
 */
#include "role/confine.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/build.h"

static const unsigned kept[] = {CAP_NET_BIND_SERVICE, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH,
                                CAP_FOWNER};

static bool is_kept(unsigned cap)
{
    bool any = cap == CAP_SYS_PTRACE && nk_build_has_sanitizer(); /* it looks for leaks so */
    for (size_t i = 0; i < NK_COUNT(kept); i++)
        any = any || kept[i] == cap;
    return any;
}

int nk_confine_root(struct nk_fault *f)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct have[_LINUX_CAPABILITY_U32S_3] = {{0}};
    int rc = (int)syscall(SYS_capget, &header, have);
    for (unsigned cap = 0; !rc && prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
        uint32_t bit = is_kept(cap) ? 0 : UINT32_C(1) << cap % 32;
        /* Who may not change the bounding set has nothing that exec could give back: no_new_privs. */
        if (bit && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) && errno != EPERM)
            rc = -1;
        have[cap / 32].effective &= ~bit;
        have[cap / 32].permitted &= ~bit;
        have[cap / 32].inheritable &= ~bit;
    }
    if (!rc)
        rc = (int)syscall(SYS_capset, &header, have);
    return rc ? nk_fault_set(f, NK_EIO, "confine", 0, "capabilities: %s", strerror(errno)) : 0;
}
