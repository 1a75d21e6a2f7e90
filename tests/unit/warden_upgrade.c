/* SPDX-License-Identifier: Apache-2.0
 *
 * warden_upgrade.c - a warden that becomes another binary, with real processes in small roles. The
 * other binary is this program again, found beside the configuration as "nakoso"; a file "behave"
 * makes it a bad one: one that hangs, dies, speaks another protocol or says no. Each of these leaves
 * every process and the configuration as they were.
 */
#include "warden_client.h"

#include <sys/auxv.h>

static const char *const names[] = {"scribe 0", "gate 0", "courier 0", "gate 1", "courier 1"};
static int pids[NK_COUNT(names)];
static pid_t warden;
static int manager = -1; /* the socket of a service manager */

/* The other binary --------------------------------------------------------------------------------
 */
static bool behaves(const char *word)
{
    char path[256], text[64] = "";
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 16);
    path[n > 0 ? n : 0] = 0;
    char *slash = strrchr(path, '/');
    if (slash)
        memcpy(slash + 1, "behave", sizeof "behave");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    close(fd);
    return n > 0 && strcmp(text, word) == 0;
}

static int say_protocol(void)
{
    if (behaves("hang"))
        pause();
    if (behaves("die"))
        abort();
    if (behaves("slow"))
        poll(NULL, 0, 600);
    if (behaves("chatter"))
        for (int i = 0; i < 5000; i++)
            printf("nakoso nakoso nakoso nakoso nakoso nakoso\n");
    if (!behaves("later"))
        return nk_warden_print_protocol();
    printf("nakoso-upgrade 7 9 3.0\n");
    return 0;
}

static int check(const char *file)
{
    struct nk_arena arena;
    struct nk_bundle b = {0};
    struct nk_config config = {0};
    struct nk_fault f = {0};
    if (behaves("blind"))
        return 0;
    nk_arena_init(&arena, 64 << 20);
    int rc = nk_bundle_load(file, &arena, &b, &f);
    if (!rc)
        rc = nk_config_parse(nk_bundle_get(&b, NK_STR("config")), &arena, &config, &f);
    if (!rc)
        rc = nk_warden_may_adopt(3, &config, &f);
    if (rc)
        printf("nakoso: %s\nand more\n", f.message);
    nk_arena_free(&arena);
    return rc != 0;
}

/* The test ----------------------------------------------------------------------------------------
 */
/* Another file gets the name, as a package manager does it. */
static void install(const char *from)
{
    char bytes[65536];
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(at("new"), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0755);
    for (ssize_t n; (n = read(in, bytes, sizeof bytes)) > 0;)
        NK_MUST(write(out, bytes, (size_t)n) == n);
    NK_MUST(in >= 0 && out >= 0 && close(in) == 0 && close(out) == 0);
    NK_MUST(rename(at("new"), at("nakoso")) == 0);
}

static void start(void)
{
    fflush(stdout);
    warden = fork();
    if (warden == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        int log = open(at("stderr"), O_CREAT | O_WRONLY | O_APPEND, 0600);
        dup2(log, 2);
        close(log);
        execl(at("nakoso"), "nakoso", "run", "-c", at("nakoso.yaml"), NULL);
        _exit(127);
    }
}

static void look(void)
{
    NK_MUST(all_ready());
    for (size_t i = 0; i < NK_COUNT(names); i++)
        pids[i] = pid_of(names[i]);
}

static bool is_under_way(void)
{
    return strstr(status(), "under way") != NULL;
}

/* Every role as it was, or every role another one? */
static bool same(bool same_roles)
{
    bool good = all_ready() && strike(warden, 0) == 0 && !is_under_way();
    for (size_t i = 0; i < NK_COUNT(names); i++)
        good = good && (pid_of(names[i]) == pids[i]) == same_roles;
    return good;
}

/* The ring of a gate that is gone goes when the scribe has said so. */
static bool files_are(unsigned files)
{
    for (int ms = 0; ms < WAIT_MS && open_files(warden) != files; ms += 5)
        pause_ms(5);
    return open_files(warden) == files;
}

static bool serves(void)
{
    bool good = true;
    for (int i = 0; i < 4; i++)
        good = good && strncmp(ask_on("in.sock", "call"), "courier ", 8) == 0 &&
               strcmp(ask_on("in.sock", "note"), "noted\n") == 0;
    return good;
}

static unsigned configuration(void)
{
    const char *text = strstr(status(), "configuration ");
    return text ? (unsigned)strtoul(text + 14, NULL, 10) : 0;
}

static bool is_reply(int held)
{
    char text[8] = "";
    shutdown(held, SHUT_WR);
    bool good = recv(held, text, 5, 0) == 5 && !strcmp(text, "done\n");
    close(held);
    return good;
}

/* What the service manager was told since the last look, and that no other process is the main one. */
static void notified(const char *what, const char *words)
{
    char all[256] = "", text[128];
    bool good = true;
    for (ssize_t n; (n = recv(manager, text, sizeof text - 1, MSG_DONTWAIT)) > 0;) {
        text[n] = 0;
        good = good && !strstr(text, "MAINPID");
        text[strcspn(text, "\n")] = 0;
        snprintf(all + strlen(all), sizeof all - strlen(all), "%s ", text);
    }
    tap_ok(good && !strcmp(all, words), "%s: the service manager hears %s", what, all);
}

static void test_good(void)
{
    look();
    notified("start", "READY=1 ");
    unsigned before = configuration(), files = open_files(warden);
    int held = open_client("in.sock", "hold");
    pause_ms(50);
    int asked = open_client("control.sock", "upgrade\n");
    while (!log_has("upgrade.leave"))
        pause_ms(5);
    tap_ok(strstr(status(), ", upgrade under way") && strstr(status(), " leaving ") && serves(),
           "the next gates serve while the ones before finish");
    TAP_CHECK(is_reply(held));
    const char *said = answer_of(asked);
    tap_ok(strncmp(said, "ok: nakoso ", 11) == 0, "who asked for the upgrade hears: %s", said);
    tap_ok(same(false) && serves() && configuration() == before + 1,
           "every role is another process, and the warden is the same one");
    tap_ok(files_are(files), "no descriptor is left over (%u, %u)", files, open_files(warden));
    notified("upgrade", "RELOADING=1 READY=1 ");
    look();
    kill(warden, SIGUSR2);
    for (int ms = 0; ms < WAIT_MS && (configuration() != before + 2 || is_under_way()); ms += 5)
        pause_ms(5);
    tap_ok(same(false) && serves() && configuration() == before + 2, "SIGUSR2 upgrades as well");
    TAP_CHECK(files_are(files) && log_has("upgrade.done"));
    notified("SIGUSR2", "RELOADING=1 READY=1 ");
}

/* Before exec: nothing has changed. */
static void refused(const char *what, const char *why)
{
    unsigned before = configuration();
    const char *said = tell("upgrade");
    tap_ok(strncmp(said, "error: ", 7) == 0 && strstr(said, why), "%s: %s", what, said);
    tap_ok(same(true) && serves() && configuration() == before, "%s: nothing has changed", what);
    notified(what, "RELOADING=1 READY=1 ");
}

static void test_refused(void)
{
    static const char *const bad[][2] = {{"hang", "does not end"},
                                         {"die", "ended with signal 6"},
                                         {"chatter", "is no nakoso that can take over"},
                                         {"later", "upgrade protocols 7 to 9"}};
    look();
    unlink(at("nakoso"));
    refused("no file", "No such file");
    put("nakoso", "this is no program\n");
    chmod(at("nakoso"), 0755);
    refused("no program", "cannot be run");
    install("/bin/true");
    refused("another program", "is no nakoso that can take over: it says nothing");
    install("/proc/self/exe");
    for (size_t i = 0; i < NK_COUNT(bad); i++) {
        put("behave", bad[i][0]);
        refused(bad[i][0], bad[i][1]);
    }
    put("behave", "");
    put("nakoso.yaml", "listen: nonsense\n");
    refused("a broken configuration", "nakoso.yaml:1:9: ");
    configure("in.sock", "control: elsewhere.sock\n");
    refused("what cannot change", "control: cannot change");
    configure("in.sock", "");
}

/* After exec: the old binary comes back, to its own roles and its own configuration. */
static void undone(const char *what, const char *why)
{
    unsigned before = configuration(), files = open_files(warden);
    int held = open_client("in.sock", "hold");
    pause_ms(50);
    const char *said = tell("upgrade");
    tap_ok(strncmp(said, "error: ", 7) == 0 && strstr(said, why), "%s: %s", what, said);
    tap_ok(is_reply(held) && same(true) && serves() && configuration() == before,
           "%s: all is as it was", what);
    tap_ok(files_are(files), "%s: no descriptor is left over (%u, %u)", what, files,
           open_files(warden));
    notified(what, "RELOADING=1 READY=1 ");
}

static void test_undone(void)
{
    look();
    put("policy/a.cedar", "// crash\n");
    undone("its gates die at the start", "does not come up: a gate ended");
    put("policy/a.cedar", "// hang\n");
    undone("its gates hang at the start", "not every role was ready in time");
    put("policy/a.cedar", "// fine\n");
    put("behave", "blind");
    put("nakoso.yaml", "listen: nonsense\n");
    undone("the configuration broke behind the check", "nakoso.yaml:1:9: ");
    put("behave", "");
    configure("in.sock", "");
    TAP_CHECK(strncmp(tell("reload"), "ok: ", 4) == 0 && same(true));
    look();
    TAP_CHECK(strncmp(tell("upgrade"), "ok: ", 4) == 0 && same(false) && serves());
    notified("a reload and an upgrade", "RELOADING=1 READY=1 RELOADING=1 READY=1 ");
}

/* Listeners come and go with the configuration that the new binary reads, and come back with the old. */
static void test_listeners(void)
{
    look();
    configure("other.sock", "");
    put("policy/a.cedar", "// crash\n");
    undone("other listeners and gates that die", "does not come up");
    TAP_CHECK(open_client("other.sock", "who") < 0);
    put("policy/a.cedar", "// fine\n");
    unsigned files = open_files(warden);
    TAP_CHECK(!strncmp(tell("upgrade"), "ok: ", 4) && same(false) && files_are(files));
    tap_ok(strlen(ask_on("other.sock", "who")) > 0 && open_client("in.sock", "who") < 0,
           "an upgrade takes the listeners of the configuration");
    configure("in.sock", "");
    TAP_CHECK(!strncmp(tell("upgrade"), "ok: ", 4) && serves() && files_are(files));
    char rest[128];
    while (recv(manager, rest, sizeof rest, MSG_DONTWAIT) > 0)
        continue;
}

static void test_together(void)
{
    put("behave", "slow");
    int first = open_client("control.sock", "upgrade\n");
    pause_ms(100);
    tap_ok(!strcmp(tell("upgrade"), "error: an upgrade runs already"), "one upgrade at a time");
    int reload = open_client("control.sock", "reload\n");
    look();
    unsigned before = configuration();
    TAP_CHECK(strncmp(answer_of(first), "ok: nakoso ", 11) == 0);
    const char *said = answer_of(reload);
    tap_ok(strncmp(said, "ok: configuration ", 18) == 0 && configuration() == before + 2,
           "a reload during an upgrade comes behind it: %s", said);
    TAP_CHECK(same(false));
    put("behave", "");
    put("policy/a.cedar", "// slow\n");
    look();
    reload = open_client("control.sock", "reload\n");
    pause_ms(50);
    said = tell("upgrade");
    tap_ok(strncmp(said, "ok: nakoso ", 11) == 0 && !strncmp(answer_of(reload), "ok: ", 4) &&
               same(false),
           "an upgrade during a reload comes behind it: %s", said);
    put("policy/a.cedar", "// fine\n");
    notified("upgrades and reloads", "RELOADING=1 READY=1 RELOADING=1 READY=1 RELOADING=1 READY=1 "
                                     "RELOADING=1 READY=1 ");
    close(manager); /* nobody listens any more: that is no reason to stop */
}

/* Roles die while the old gates leave: the new ones are started again, the old ones are not. */
static void test_deaths(void)
{
    static const char *const dying[] = {"gate 0 ready", "courier 1 ready", "scribe 0",
                                        "courier 0 ready"};
    for (size_t i = 0; i < NK_COUNT(dying); i++) {
        look();
        int held = open_client("in.sock", "hold");
        pause_ms(50);
        int asked = open_client("control.sock", "upgrade\n");
        while (!strstr(status(), "leaving"))
            pause_ms(5);
        int pid = pid_of(dying[i]);
        TAP_CHECK(strike(pid, SIGKILL) == 0 && gone(pid));
        for (int ms = 0; ms < WAIT_MS && count(status(), " ready ") < 6; ms += 5)
            pause_ms(5); /* all five, and the courier of the gate that is held */
        bool good = serves() && is_reply(held);
        const char *said = answer_of(asked);
        tap_ok(good && strncmp(said, "ok: nakoso ", 11) == 0 && same(false) && serves(),
               "%s dies during an upgrade: %s", dying[i], said);
    }
    look();
    int held = open_client("in.sock", "hold");
    pause_ms(50);
    int asked = open_client("control.sock", "upgrade\n");
    while (!strstr(status(), "leaving"))
        pause_ms(5);
    for (size_t i = 0; i < NK_COUNT(names); i++)
        if (i > 0)
            strike(pids[i], SIGKILL);
    close(held);
    tap_ok(strncmp(answer_of(asked), "ok: nakoso ", 11) == 0 && same(false) && serves(),
           "the old roles die during an upgrade");
}

static void test_grace(void)
{
    look();
    int held = open_client("in.sock", "hold");
    pause_ms(50);
    tap_ok(strncmp(tell("upgrade"), "ok: ", 4) == 0 && same(false),
           "a client that holds on is cut off after the grace");
    close(held);
}

static void test_stop(void)
{
    int held = open_client("in.sock", "hold");
    pause_ms(50);
    int asked = open_client("control.sock", "upgrade\n");
    while (!strstr(status(), "leaving"))
        pause_ms(5);
    kill(warden, SIGTERM);
    tap_ok(!strcmp(answer_of(asked), "error: nakoso stops"), "a stop ends an upgrade");
    TAP_CHECK(is_reply(held));
    int end = end_of(warden);
    tap_ok(WIFEXITED(end) && WEXITSTATUS(end) == 0, "and all processes, with status 0");
    TAP_CHECK(access(at("control.sock"), F_OK) && access(at("in.sock"), F_OK));
    int fd = open("/dev/null", O_RDONLY);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        _exit(nk_warden_adopt(at("nakoso.yaml"), fd));
    end = end_of(pid);
    tap_ok(WIFEXITED(end) && WEXITSTATUS(end) == 1, "what is no state is not taken over");
}

static void test_log(void)
{
    static char text[1 << 18];
    int fd = open(at("audit/log"), O_RDONLY);
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = 0;
    unsigned lines = 0, notes = count(text, "\n");
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        lines += strlen(line) > 10;
    tap_ok(lines == notes && lines >= 60, "the log has all %u records", lines);
}

static void listen_as_manager(void)
{
    struct sockaddr_un here = {.sun_family = AF_UNIX};
    snprintf(here.sun_path, sizeof here.sun_path, "%s", at("notify"));
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    NK_MUST(bind(manager, (void *)&here, sizeof here) == 0);
    setenv("NOTIFY_SOCKET", here.sun_path, 1);
}

int main(int argc, char **argv)
{
    struct nk_warden_options o = {
        .grace_ms = GRACE_MS, .settle_ms = SETTLE_MS, .patience_ms = PATIENCE_MS};
    if (argc == 3 && strcmp(argv[1], "--role") == 0)
        return nk_role_enter(argv[2], roles, NK_COUNT(roles));
    if (argc == 2 && strcmp(argv[1], "--upgrade-protocol") == 0)
        return say_protocol();
    if (argc > 2 && strcmp(argv[1], "check") == 0)
        return check(argv[3]);
    if (argc == 6)
        return nk_warden_adopt(argv[3], (int)strtol(argv[5], NULL, 10));
    if (argc == 4)
        return nk_warden_run(argv[3], &o);
    snprintf(dir, sizeof dir, "/tmp/nakoso-warden-XXXXXX");
    NK_MUST(mkdtemp(dir) && mkdir(at("policy"), 0700) == 0);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    put("policy/a.cedar", "// fine\n");
    configure("in.sock", "");
    install("/proc/self/exe");
    listen_as_manager();
    start();
    test_good();
    test_refused();
    test_undone();
    test_listeners();
    test_together();
    test_deaths();
    test_grace();
    test_stop();
    test_log();
    if (tap_failed)
        printf("# kept: %s\n", dir);
    else
        nftw(dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    return tap_done();
}
