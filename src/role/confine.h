/* SPDX-License-Identifier: Apache-2.0
 *
 * confine.h - a role gives up everything it does not need, in one readable line:
 *
 *     nk_confine("recv send accept clock memory", NULL, 0, &fault)
 *
 * mapped to no_new_privs, an empty (or nearly empty) Landlock domain and a seccomp filter that
 * refuses and logs; exec, ptrace, bpf and the like kill. What this kernel really grants is what
 * `nakoso check --sandbox` prints.
 */
#pragma once

#include "base/str.h"

struct nk_confine_path {
    const char *path; /* a directory or file; NULL: what `fd` has open */
    int fd;
    bool write; /* create, write, rename, remove below it; otherwise read only */
    bool link;  /* with write: also symbolic links, and moves to another directory */
    bool run;   /* programs may be run from there */
};

/* Promises: see confine.def for the words and the system calls behind each. NK_EUNSUPPORTED when
 * the kernel lacks seccomp; a missing or older Landlock is logged and goes on (layers hold alone).
 */
int nk_confine(const char *promises, const struct nk_confine_path *paths, size_t path_count,
               struct nk_fault *f) NK_CHECKED;
/* For the warden, which starts programs and reads files: gives up every capability but the few that
 * it needs (confine_root.c), for itself and for all that it will start. no_new_privs must be set. */
int nk_confine_root(struct nk_fault *f) NK_CHECKED;
/* For a program that is not ours, right before it is run: what it may open is `paths`, with all below them, and what
 * every program opens (/usr, /lib, /dev/null …); programs that it runs have no more. server.def says what it may not
 * ask the kernel for. NK_EUNSUPPORTED where the kernel has no Landlock: nothing else would keep it from files. */
int nk_confine_server(const struct nk_confine_path *paths, size_t path_count, bool network,
                      struct nk_fault *f) NK_CHECKED;
/* Gives up every capability, for good: nothing that is run later has one again (no_new_privs). */
int nk_confine_no_capabilities(struct nk_fault *f) NK_CHECKED;
/* Landlock ABI of this kernel (0: none) and whether seccomp filters work. */
int nk_confine_landlock_abi(void);
bool nk_confine_has_seccomp(void);
/* What a word of a promise means, in a few words of English; NULL for no word. */
const char *nk_confine_meaning(struct nk_str word);
