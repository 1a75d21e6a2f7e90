/* SPDX-License-Identifier: Apache-2.0
 *
 * warden_upgrade.c - from one binary to the next, first half: the running one. It asks the file at
 * its own path whether it could take over, with this configuration and from this state; all that can
 * be known before is asked before. Then it becomes that file by exec: the same process with the same
 * children and descriptors, so a service manager sees nothing and no request notices.
 *
 *     WAIT --no reload runs--> ASK --its protocol fits--> CHECK --it could go on--> exec
 *
 * A "no" anywhere, or silence, leaves everything as it was. The second half is in warden_replace.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>
#include "edge/notify.h"
#include "role/warden_own.h"

int nk_warden_print_protocol(void)
{
    printf("nakoso-upgrade %d %d %s\n", NK_WARDEN_PROTOCOL_LEAST, NK_WARDEN_PROTOCOL, NK_VERSION);
    return 0;
}

/* The name by which this program was started: what a restart would run. It may be a link that is
 * moved to the next version, so it is not resolved. */
void warden_upgrade_init(struct warden *w)
{
    struct warden_upgrade *u = &w->upgrade;
    const char *name = (const char *)(uintptr_t)getauxval(AT_EXECFN);
    char here[PATH_MAX] = "";
    int n = 0;
    u->binary = u->self = -1;
    if (!name || strncmp(name, "/proc/", 6) == 0 || strncmp(name, "/dev/fd/", 8) == 0) {
        n = (int)readlink("/proc/self/exe", u->path, sizeof u->path);
        if (n >= 0 && n < (int)sizeof u->path)
            u->path[n] = 0;
    } else if (name[0] == '/') {
        n = snprintf(u->path, sizeof u->path, "%s", name);
    } else if (getcwd(here, sizeof here)) {
        n = snprintf(u->path, sizeof u->path, "%s/%s", here, name);
    }
    if (n <= 0 || n >= (int)sizeof u->path)
        u->path[0] = 0; /* not known: an upgrade says so */
}

bool warden_upgrade_runs(const struct warden *w)
{
    return w->upgrade.stage != WARDEN_UPGRADE_NONE;
}

static void close_files(struct warden_upgrade *u)
{
    if (u->binary >= 0)
        close(u->binary);
    if (u->self >= 0)
        close(u->self);
    u->binary = u->self = -1;
}

void warden_upgrade_end(struct warden *w)
{
    warden_probe_end(w);
    nk_loop_disarm(w->loop, &w->upgrade.timer);
    close_files(&w->upgrade);
    warden_setup_free(w->upgrade.setup, w->setup);
    w->upgrade.setup = NULL;
    w->upgrade.stage = WARDEN_UPGRADE_NONE;
    w->is_reload_wanted = false;
}

void warden_upgrade_over(struct warden *w, const char *answer)
{
    bool is_reload_wanted = w->is_reload_wanted;
    warden_upgrade_end(w);
    nk_notify("READY=1");
    warden_client_answer(w, WARDEN_WAITS_UPGRADE, answer);
    warden_gauges(w);
    if (is_reload_wanted)
        warden_reload(w, NULL);
}

void warden_upgrade_fail(struct warden *w, const char *why)
{
    char text[512];
    nk_log(NK_LOG_ERROR, "upgrade.failed", "%s; nakoso %s goes on", why, NK_VERSION);
    nk_stats_add(&w->stats, NK_STAT_UPGRADES_FAILED, 1);
    snprintf(text, sizeof text, "error: %s\n", why);
    warden_upgrade_over(w, text);
}

static NK_PRINTF(2, 3) void refuse(struct warden *w, const char *fmt, ...)
{
    char why[480];
    va_list args;
    va_start(args, fmt);
    vsnprintf(why, sizeof why, fmt, args);
    va_end(args);
    warden_upgrade_fail(w, why);
}

int warden_upgrade_exec(struct warden *w, struct warden_pair *pairs)
{
    char number[16];
    char *argv[] = {
        (char *)"nakoso",  (char *)"run", (char *)"-c", (char *)(uintptr_t)w->config_file,
        (char *)"--adopt", number,        NULL};
    int state = warden_state_write(w, pairs);
    if (state < 0)
        return state;
    snprintf(number, sizeof number, "%d", state);
    nk_log(NK_LOG_INFO, "upgrade.exec", "nakoso %s becomes %s", NK_VERSION, w->upgrade.version);
    if (warden_state_share(w, pairs, true) == 0 && fcntl(state, F_SETFD, 0) == 0)
        fexecve(w->upgrade.binary, argv, environ);
    int keep = errno, rc = warden_state_share(w, pairs, false);
    close(state);
    errno = keep;
    return rc ? rc : NK_EIO;
}

static const char *first_line(const char *said, char *out, size_t size)
{
    snprintf(out, size, "%.*s", (int)strcspn(said, "\n"), said);
    return out[0] ? out : "it says nothing";
}

static void checked(struct warden *w, bool good, const char *said)
{
    char line[300];
    if (!good) {
        refuse(w, "nakoso %s would not go on: %s", w->upgrade.version,
               first_line(strncmp(said, "nakoso: ", 8) ? said : said + 8, line, sizeof line));
        return;
    }
    w->upgrade.is_undone = false;
    w->upgrade.why[0] = 0;
    (void)!warden_upgrade_exec(w, w->pairs);
    refuse(w, "%s cannot be run: %s", w->upgrade.path, strerror(errno));
}

static void check(struct warden *w)
{
    const char *words[] = {"check", "-c", w->config_file, "--adopt", "3", NULL};
    w->upgrade.stage = WARDEN_UPGRADE_CHECK;
    w->upgrade.self = open("/proc/self/exe", O_PATH | O_CLOEXEC);
    int state = w->upgrade.self < 0 ? NK_EIO : warden_state_write(w, w->pairs);
    int rc = state < 0 ? state : warden_probe_start(w, words, state, checked);
    if (state >= 0)
        close(state);
    if (rc)
        refuse(w, "the new binary cannot be asked: %s", strerror(errno));
}

static void asked(struct warden *w, bool good, const char *said)
{
    struct warden_upgrade *u = &w->upgrade;
    unsigned least = 0, own = 0;
    char line[300];
    if (!good || sscanf(said, "nakoso-upgrade %u %u %31s", &least, &own, u->version) != 3)
        refuse(w, "%s is no nakoso that can take over: %s", u->path,
               first_line(said, line, sizeof line));
    else if (NK_WARDEN_PROTOCOL < least || NK_WARDEN_PROTOCOL > own)
        refuse(w,
               "nakoso %s takes over by the upgrade protocols %u to %u, and nakoso %s speaks %d: "
               "stop the one and start the other",
               u->version, least, own, NK_VERSION, NK_WARDEN_PROTOCOL);
    else
        check(w);
}

static void ask(struct warden *w)
{
    static const char *const words[] = {"--upgrade-protocol", NULL};
    struct warden_upgrade *u = &w->upgrade;
    char state[64];
    snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%lld",
             (long long)nk_loop_now(w->loop));
    nk_notify(state);
    u->stage = WARDEN_UPGRADE_ASK;
    u->binary = open(u->path, O_PATH | O_CLOEXEC);
    if (u->binary < 0)
        refuse(w, "%s: %s", u->path[0] ? u->path : "the binary's path", strerror(errno));
    else if (warden_probe_start(w, words, -1, asked))
        refuse(w, "the new binary cannot be asked: %s", strerror(errno));
}

void warden_upgrade(struct warden *w, struct warden_client *client)
{
    const char *no = w->phase != WARDEN_RUN   ? "nakoso starts or stops"
                     : warden_upgrade_runs(w) ? "an upgrade runs already"
                                              : NULL;
    if (no) {
        nk_log(NK_LOG_WARNING, "upgrade.busy", "not now: %s", no);
        if (client)
            warden_client_refuse(client, no);
        return;
    }
    if (client)
        client->waits = WARDEN_WAITS_UPGRADE;
    w->upgrade.stage = WARDEN_UPGRADE_WAIT;
    warden_upgrade_progress(w);
}

void warden_upgrade_progress(struct warden *w)
{
    if (w->upgrade.stage != WARDEN_UPGRADE_WAIT)
        warden_replace_progress(w);
    else if (!warden_reload_runs(w))
        ask(w);
}
