/* SPDX-License-Identifier: Apache-2.0
 *
 * warden.c - the warden with real processes in small roles: this program starts itself as gate,
 * courier and scribe (tests/warden_mains.h). A policy file can make roles refuse ("refuse") or crash
 * ("crash") a configuration.
 */
#include "warden_client.h"

static void test_start(pid_t warden)
{
    struct stat st;
    TAP_CHECK(all_ready());
    TAP_CHECK(strstr(ask_on("in.sock", "who"), " 1\n"));
    TAP_CHECK(strncmp(ask_on("in.sock", "call"), "courier ", 8) == 0);
    TAP_CHECK(strcmp(ask_on("in.sock", "note"), "noted\n") == 0);
    TAP_CHECK(stat(at("control.sock"), &st) == 0 && (st.st_mode & 0777) == 0600);
    pid_t second = start_warden();
    tap_ok(WEXITSTATUS(end_of(second)) == 1 && log_has("another nakoso runs"),
           "a second warden on the same configuration does not start");
    TAP_CHECK(strike(warden, 0) == 0 && strcmp(ask_on("in.sock", "note"), "noted\n") == 0);
}

static void test_crash(const char *role)
{
    char before[64];
    int pid = pid_of(role);
    const char *other = strcmp(role, "gate 0") == 0 ? "gate 1" : "gate 0";
    int other_pid = pid_of(other);
    snprintf(before, sizeof before, "%s", ask_on("in.sock", "who"));
    strike(pid, SIGKILL);
    tap_ok(gone(pid) && all_ready(), "%s is killed, and started again", role);
    tap_ok(pid_of(role) != pid && pid_of(other) == other_pid, "%s goes on meanwhile", other);
    bool good = true;
    for (int i = 0; i < 6; i++)
        good = good && strncmp(ask_on("in.sock", "call"), "courier ", 8) == 0 &&
               strcmp(ask_on("in.sock", "note"), "noted\n") == 0;
    tap_ok(good, "calls and records pass after the crash of %s", role);
}

/* Records of a dead gate that the scribe had not taken yet are stored by its successor. */
static void test_both_crash(void)
{
    int gate = pid_of("gate 0"), scribe = pid_of("scribe 0");
    strike(scribe, SIGSTOP);
    int notes = open_client("in.sock", "note"), more = open_client("in.sock", "note");
    pause_ms(100);
    strike(gate, SIGKILL);
    strike(pid_of("gate 1"), SIGKILL);
    strike(scribe, SIGKILL);
    TAP_CHECK(gone(gate) && gone(scribe) && all_ready());
    TAP_CHECK(close(notes) == 0 && close(more) == 0 &&
              strcmp(ask_on("in.sock", "note"), "noted\n") == 0);
}

static void test_log_whole(unsigned least)
{
    static char text[65536];
    char instances[64][12];
    unsigned next[64] = {0}, seen = 0, lines = 0;
    bool good = true;
    int fd = open(at("audit/log"), O_RDONLY);
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = 0;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"), lines++) {
        unsigned slot, number, k = 0;
        char instance[12];
        if (sscanf(line, "%u %8s %u", &slot, instance, &number) != 3)
            good = false;
        while (k < seen && strcmp(instances[k], instance))
            k++;
        if (k == seen && seen < 63)
            memcpy(instances[seen++], instance, sizeof instance);
        good = good && number <= next[k]; /* a batch may come again, none may be missing */
        next[k] = number + 1;
    }
    tap_ok(good && lines >= least, "every record is stored (%u of %u gates)", lines, seen);
}

static void test_reload(void)
{
    char who[64];
    snprintf(who, sizeof who, "%s", ask_on("in.sock", "who"));
    put("policy/a.cedar", "// refuse\n");
    tap_ok(strstr(tell("reload"), "policy says refuse"), "a reload that a gate refuses says why");
    tap_ok(strstr(ask_on("in.sock", "who"), " 1\n"), "and changes nothing");
    put("policy/a.cedar", "// crash\n");
    tap_ok(strstr(tell("reload"), "ended while it prepared"), "a reload that kills a gate is none");
    /* The dead gate comes back on the old configuration. */
    TAP_CHECK(all_ready() && strstr(ask_on("in.sock", "who"), " 1\n"));
    put("policy/a.cedar", "// fine\n");
    put("nakoso.yaml", "listen: nonsense\n");
    tap_ok(strstr(tell("reload"), "nakoso.yaml:1:9: "),
           "a broken file is refused, by line and column");
    configure("in.sock", "log: {level: debug}\n");
    int held = open_client("in.sock", "hold");
    pause_ms(50);
    const char *said = tell("reload");
    tap_ok(strncmp(said, "ok: ", 4) == 0, "a good one is taken");
    bool moved = true;
    for (int i = 0; i < 4; i++)
        moved = moved && !strstr(ask_on("in.sock", "who"), " 1\n");
    tap_ok(moved, "every gate runs on the new configuration");
    shutdown(held, SHUT_WR);
    char text[8] = "";
    tap_ok(recv(held, text, 5, 0) == 5 && !strcmp(text, "done\n"),
           "a connection lives through a reload");
    close(held);
    configure("other.sock", "");
    tell("reload");
    tap_ok(strlen(ask_on("other.sock", "who")) > 0 && open_client("in.sock", "who") < 0,
           "listeners come and go");
    configure("in.sock", "");
    TAP_CHECK(strncmp(tell("reload"), "ok: ", 4) == 0);
}

static void test_hangup(pid_t warden)
{
    unsigned before = (unsigned)strtoul(strstr(status(), "configuration ") + 14, NULL, 10);
    strike(warden, SIGHUP);
    unsigned after = before;
    for (int ms = 0; ms < WAIT_MS && after == before; ms += 5) {
        pause_ms(5);
        after = (unsigned)strtoul(strstr(status(), "configuration ") + 14, NULL, 10);
    }
    tap_ok(after == before + 1, "SIGHUP reloads as well");
}

/* A gate that crashes at every start is tried less and less often; a reload mends it. */
static void test_crash_loop(void)
{
    char line[64];
    TAP_CHECK(all_ready());
    for (int i = 0; i < 4; i++) {
        int pid = pid_of("gate 1");
        strike(pid, SIGKILL);
        gone(pid);
        all_ready();
    }
    int pid = pid_of("gate 1");
    strike(pid, SIGKILL);
    gone(pid);
    snprintf(line, sizeof line, "%.40s", strstr(status(), "gate 1"));
    tap_ok(strstr(line, "gate 1 down"), "after crash upon crash a gate waits: %s", line);
    TAP_CHECK(strstr(status(), "gate 0 ready"));
    tap_ok(all_ready(), "and comes back");
}

static void test_stop(pid_t warden)
{
    int held = open_client("in.sock", "hold");
    pause_ms(50);
    int scribe = pid_of("scribe 0");
    strike(warden, SIGTERM);
    pause_ms(100);
    TAP_CHECK(strike(scribe, 0) == 0 && strike(warden, 0) == 0);
    shutdown(held, SHUT_WR);
    char text[8] = "";
    tap_ok(recv(held, text, 5, 0) == 5 && !strcmp(text, "done\n"),
           "SIGTERM lets what is in flight finish");
    close(held);
    int status_ = end_of(warden);
    tap_ok(WIFEXITED(status_) && WEXITSTATUS(status_) == 0, "then all end, with status 0");
    TAP_CHECK(gone(scribe) && access(at("control.sock"), F_OK) && access(at("in.sock"), F_OK));
}

static void test_forced_stop(void)
{
    pid_t warden = start_warden();
    TAP_CHECK(all_ready());
    int held = open_client("in.sock", "hold");
    pause_ms(50);
    strike(warden, SIGINT);
    int status_ = end_of(warden);
    tap_ok(WIFEXITED(status_) && WEXITSTATUS(status_) == 0,
           "a client that holds on is cut off after the grace");
    close(held);
}

static void test_orphans(void)
{
    static const char *const names[] = {"scribe 0", "gate 0", "courier 0", "gate 1", "courier 1"};
    int pids[NK_COUNT(names)];
    pid_t warden = start_warden();
    bool ended = all_ready();
    for (size_t i = 0; i < NK_COUNT(names); i++)
        pids[i] = pid_of(names[i]);
    strike(warden, SIGKILL);
    end_of(warden);
    for (size_t i = 0; i < NK_COUNT(names); i++)
        ended = ended && pids[i] > 0 && gone(pids[i]);
    tap_ok(ended, "no role outlives a killed warden");
}

static void test_bad_start(void)
{
    put("policy/a.cedar", "// crash\n");
    pid_t warden = start_warden();
    int status_ = end_of(warden);
    tap_ok(WIFEXITED(status_) && WEXITSTATUS(status_) == 1, "a role that cannot start ends all");
    TAP_CHECK(log_has("did not come up"));
    put("nakoso.yaml", "nonsense: 1\n");
    status_ = end_of(start_warden());
    tap_ok(WIFEXITED(status_) && WEXITSTATUS(status_) == 1, "so does a broken configuration");
}

int main(int argc, char **argv)
{
    static const char *const crashing[] = {"gate 0", "courier 0", "scribe 0", "courier 1"};
    if (argc == 3 && strcmp(argv[1], "--role") == 0)
        return nk_role_enter(argv[2], roles, NK_COUNT(roles));
    snprintf(dir, sizeof dir, "/tmp/nakoso-warden-XXXXXX");
    NK_MUST(mkdtemp(dir) && mkdir(at("policy"), 0700) == 0);
    /* Orphans become ours, so that their end can be seen. */
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    put("policy/a.cedar", "// fine\n");
    configure("in.sock", "");
    pid_t warden = start_warden();
    test_start(warden);
    unsigned files = open_files(warden);
    for (size_t i = 0; i < NK_COUNT(crashing); i++)
        test_crash(crashing[i]);
    test_both_crash();
    /* The rings of dead gates go when the scribe has said so. */
    for (int ms = 0; ms < WAIT_MS && open_files(warden) != files; ms += 5)
        pause_ms(5);
    tap_ok(open_files(warden) == files, "no descriptor leaks (%u, %u)", files, open_files(warden));
    test_log_whole(20);
    test_reload();
    test_hangup(warden);
    tap_ok(open_files(warden) == files, "none by reloads (%u)", open_files(warden));
    test_crash_loop();
    test_stop(warden);
    test_forced_stop();
    test_orphans();
    test_bad_start();
    if (tap_failed)
        printf("# kept: %s\n", dir);
    else
        nftw(dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    return tap_done();
}
