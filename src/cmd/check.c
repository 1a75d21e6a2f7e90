/* SPDX-License-Identifier: Apache-2.0
 *
 * check.c - `nakoso check -c FILE` reads and builds all that the roles would: configuration,
 * policies, keys, certificates. `nakoso check --sandbox` says what each role promises, and what of
 * that this kernel enforces.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "cmd/cmd.h"
#include "edge/sock.h"
#include "role/confine.h"
#include "role/egress.h"
#include "role/gate.h"
#include "role/origin.h"
#include "role/reach.h"
#include "role/warden.h"

enum { ARENA_MAX = 512 << 20, DIAGNOSTICS_MAX = 4 << 20 };

/* What will be shown, but not be believed. */
static void warn(const struct nk_tls *tls, const char *list, size_t i)
{
    char text[128];
    for (size_t j = 0; j < nk_tls_count(tls); j++) {
        struct nk_tls_facts facts;
        nk_tls_facts(tls, j, &facts);
        if (nk_tls_warning(&facts, (int64_t)time(NULL) * 1000, text))
            fprintf(stderr, "nakoso: warning: %s[%zu], certificate %zu: %s\n", list, i, j, text);
    }
}

/* In the language of the person who asks. */
static bool reads_japanese(void)
{
    static const char *const names[] = {"LC_ALL", "LC_MESSAGES", "LANG"};
    for (size_t i = 0; i < NK_COUNT(names); i++) {
        const char *value = getenv(names[i]);
        if (value && *value)
            return strncmp(value, "ja", 2) == 0;
    }
    return false;
}

/* Everything about policies and entities that the schema finds: the fault names the first alone. */
static void show_diagnostics(const struct nk_bundle *b)
{
    struct nk_buf all;
    nk_buf_init(&all, DIAGNOSTICS_MAX);
    (void)!gate_setup_diagnose(b, reads_japanese(), &all);
    if (all.n)
        fwrite(all.p, 1, all.n, stderr);
    nk_buf_free(&all);
}

/* What the gate would build. */
static int check_gate(const struct nk_bundle *b, const struct nk_config *c, struct nk_fault *f)
{
    struct nk_role_start start = {.seed = {1, 2}};
    struct nk_setup *setup = gate_setup_load(&start, b, 1, f);
    if (!setup)
        return f->code ? f->code : NK_EINVAL;
    nk_setup_release(setup);
    int rc = 0;
    for (size_t i = 0; i < c->listen_count && !rc; i++) {
        struct nk_tls *tls = NULL;
        rc = gate_tls_load(b, c, i, NULL, &tls, f);
        if (tls)
            warn(tls, "listen", i);
        nk_tls_free(tls);
    }
    return rc;
}

/* What the courier would build. */
static int check_courier(const struct nk_bundle *b, const struct nk_config *c, struct nk_arena *a,
                         struct nk_fault *f)
{
    struct egress egress;
    int rc = egress_new(c, a, &egress, f);
    for (size_t i = 0; i < c->upstream_count && !rc; i++) {
        for (size_t j = 0; j < nk_config_endpoint_count(&c->upstreams[i]) && !rc; j++) {
            struct nk_tls *tls = NULL;
            rc = reach_tls(b, c, i, j, NULL, &tls, f);
            if (tls && j == 0)
                warn(tls, "upstreams", i);
            nk_tls_free(tls);
        }
    }
    struct nk_tls *collector = NULL;
    if (!rc)
        rc = reach_collector(b, NULL, &collector, f);
    nk_tls_free(collector);
    return rc;
}

/* `state` >= 0: could the warden that left it go on with this configuration as this version? */
static int check_config(const char *file, int state)
{
    struct nk_arena arena;
    struct nk_bundle bundle = {0};
    struct nk_config config = {0};
    struct nk_fault f = {0};
    nk_arena_init(&arena, ARENA_MAX);
    int rc = nk_bundle_load(file, &arena, &bundle, &f);
    if (!rc)
        rc = nk_config_parse(nk_bundle_get(&bundle, NK_STR("config")), &arena, &config, &f);
    if (!rc)
        show_diagnostics(&bundle);
    if (!rc)
        rc = check_gate(&bundle, &config, &f);
    if (!rc)
        rc = check_courier(&bundle, &config, &arena, &f);
    if (!rc && nk_config_starts_any(&config) && nk_confine_landlock_abi() == 0)
        rc =
            nk_fault_set(&f, NK_EUNSUPPORTED, "config", 0,
                         "upstreams[].command: this kernel has no Landlock, and without it nothing "
                         "keeps MCP servers from files");
    if (!rc && state >= 0)
        rc = nk_warden_may_adopt(state, &config, &f);
    if (rc) {
        fprintf(stderr, "nakoso: %s\n", f.code ? f.message : nk_error_name(rc));
    } else {
        size_t policies = 0;
        for (size_t i = 0; i < bundle.count; i++)
            policies += nk_str_starts(bundle.blobs[i].name, NK_STR("policy/"));
        printf("%s is good: %zu listeners, %zu upstreams, %zu models, %zu policy files%s\n", file,
               config.listen_count, config.upstream_count, config.model_count, policies,
               policies ? "" : " (every request is refused)");
        if (policies && !config.schema.p)
            printf("policies are not validated: policy.schema names no Cedar schema\n");
    }
    nk_bundle_wipe(&bundle);
    nk_arena_free(&arena);
    return rc ? 1 : 0;
}

static void print_landlock(int abi)
{
    static const struct {
        int since;
        const char *what;
    } rights[] = {{1, "files"},
                  {2, "moves between directories"},
                  {3, "truncation"},
                  {4, "TCP bind and connect"},
                  {5, "ioctl on devices"},
                  {6, "signals and abstract sockets"}};
    printf("Landlock: ");
    if (abi == 0)
        printf("not in this kernel");
    else
        printf("ABI %d", abi);
    for (size_t i = 0; i < NK_COUNT(rights); i++)
        printf("%s %s%s", i ? "," : ":", abi >= rights[i].since ? "" : "without ", rights[i].what);
    printf("\n");
}

static int check_sandbox(void)
{
    static const enum nk_role all[] = {NK_ROLE_GATE, NK_ROLE_COURIER, NK_ROLE_SCRIBE,
                                       NK_ROLE_RUNNER};
    bool seccomp = nk_confine_has_seccomp();
    print_landlock(nk_confine_landlock_abi());
    printf("seccomp: %s\n", seccomp ? "refuses and logs what is not promised; kills for programs, "
                                      "tracing, BPF and the like"
                                    : "not in this kernel: no role will start");
    for (size_t i = 0; i < NK_COUNT(all); i++) {
        struct nk_str rest = nk_str(nk_role_promise(all[i]));
        printf("\n%s may at worst: %s\n", nk_role_name(all[i]), nk_role_worst(all[i]));
        while (rest.p) {
            struct nk_str word = nk_str_cut(&rest, ' ');
            printf("  %-8.*s %s\n", NK_FMT(word), nk_confine_meaning(word));
        }
    }
    return seccomp ? 0 : 1;
}

int nk_cmd_check(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--sandbox") == 0)
        return check_sandbox();
    if (argc == 3 && strcmp(argv[1], "-c") == 0)
        return check_config(argv[2], -1);
    if (argc == 5 && strcmp(argv[1], "-c") == 0 && strcmp(argv[3], "--adopt") == 0)
        return check_config(argv[2], (int)strtol(argv[4], NULL, 10));
    fputs("usage: nakoso check -c FILE\n       nakoso check --sandbox\n", stderr);
    return 2;
}
