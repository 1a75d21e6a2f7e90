/* SPDX-License-Identifier: Apache-2.0
 *
 * warden.c - the warden with real processes in small roles: this program starts itself as gate,
 * courier and scribe. A gate answers lines: "who" with its instance and configuration, "call" with
 * what the courier said, "note" when the scribe has stored a record. A policy file can make roles
 * refuse ("refuse") or crash ("crash") a configuration.
 */
#include "role/warden.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "role/stats.h"
#include "tap.h"

enum { WAIT_MS = 10000, GRACE_MS = 1500, SETTLE_MS = 60000 };

/* The roles. --------------------------------------------------------------------------------------
 */
struct test_role {
    struct nk_role_start *s;
    struct nk_ring *calls, *answers, *audit;
    struct nk_ring *audits[NK_ROLE_AUDITS_MAX];
    uint32_t generation, prepared;
    int listener, prepared_listener, client, log;
    bool is_draining;
};

static bool policy_has(const struct nk_bundle *b, const char *word)
{
    for (size_t i = 0; i < b->count; i++)
        if (nk_str_starts(b->blobs[i].name, NK_STR("policy/")) &&
            nk_str_search(b->blobs[i].bytes, nk_str(word)) >= 0)
            return true;
    return false;
}

static void prepare(struct test_role *r, struct nk_control *m)
{
    struct nk_arena arena;
    struct nk_bundle b;
    struct nk_fault f = {0};
    nk_arena_init(&arena, 1 << 20);
    if (nk_bundle_open(m->bundle, &arena, &b, &f) == 0) {
        if (r->s->role == NK_ROLE_GATE && policy_has(&b, "refuse"))
            f = (struct nk_fault){.code = NK_EINVAL, .message = "policy says refuse"};
        if (r->s->role == NK_ROLE_GATE && policy_has(&b, "crash"))
            _exit(3);
        nk_bundle_unmap(&b);
    }
    nk_arena_free(&arena);
    if (r->s->role == NK_ROLE_GATE) {
        r->prepared_listener = m->listeners[0];
        m->listeners[0] = -1;
    }
    r->prepared = m->generation;
    nk_control_close(m);
    NK_MUST(nk_role_prepared(r->s, m->generation, &f) == 0);
}

static void commit(struct test_role *r)
{
    r->generation = r->prepared;
    if (r->s->role == NK_ROLE_GATE) {
        close(r->listener);
        r->listener = r->prepared_listener;
    }
}

static void take_rings(struct test_role *r, const struct nk_control *m)
{
    bool is_gate = r->s->role == NK_ROLE_GATE;
    nk_ring_close(r->calls);
    nk_ring_close(r->answers);
    r->calls = nk_role_ring_open(&m->calls, is_gate);
    r->answers = nk_role_ring_open(&m->answers, !is_gate);
    NK_MUST(r->calls && r->answers);
}

static void take_audit(struct test_role *r, const struct nk_control *m)
{
    uint32_t n = r->s->audit_count;
    r->s->audits = realloc(r->s->audits, (n + 1) * sizeof *r->s->audits);
    r->s->audits[n] = (struct nk_role_audit){m->slot, m->instance, m->ended, m->audit};
    r->audits[n] = nk_role_ring_open(&m->audit, false);
    r->s->audit_count++;
}

static void take_ended(struct test_role *r, uint32_t instance)
{
    for (uint32_t i = 0; i < r->s->audit_count; i++)
        if (r->s->audits[i].instance == instance)
            r->s->audits[i].ended = true;
}

/* False when the role is to end. */
static bool obey(struct test_role *r)
{
    struct nk_control m;
    int rc;
    while ((rc = nk_control_recv(r->s->control, &m)) == 0) {
        if (m.kind == NK_CONTROL_PREPARE)
            prepare(r, &m);
        else if (m.kind == NK_CONTROL_COMMIT)
            commit(r);
        else if (m.kind == NK_CONTROL_ABANDON)
            close(r->prepared_listener);
        else if (m.kind == NK_CONTROL_RINGS)
            take_rings(r, &m);
        else if (m.kind == NK_CONTROL_AUDIT)
            take_audit(r, &m);
        else if (m.kind == NK_CONTROL_ENDED)
            take_ended(r, m.instance);
        else if (m.kind == NK_CONTROL_DRAIN)
            r->is_draining = true;
    }
    return rc == NK_EAGAIN;
}

static void begin(struct test_role *r, struct nk_role_start *s)
{
    struct nk_fault f = {0};
    *r = (struct test_role){.s = s, .listener = s->listeners[0], .client = -1, .log = -1};
    r->prepared_listener = -1;
    r->generation = s->generation;
    if (s->role == NK_ROLE_SCRIBE)
        r->log = openat(s->state_dir, "log", O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
    if (s->role != NK_ROLE_SCRIBE)
        take_rings(r, &(struct nk_control){.calls = s->calls, .answers = s->answers});
    NK_MUST(nk_role_confine(s, &f) == 0);
    NK_MUST(nk_role_ready(s, NULL) == 0);
}

static void wait_for(struct test_role *r, int fd)
{
    struct pollfd p[] = {{r->s->control, POLLIN, 0}, {r->client, POLLIN, 0}, {fd, POLLIN, 0}};
    poll(p, 3, 5); /* rings are looked at every 5 ms: their wake-ups are another test */
}

static void reply(struct test_role *r, const char *text)
{
    send(r->client, text, strlen(text), MSG_NOSIGNAL);
    close(r->client);
    r->client = -1;
}

static void serve_line(struct test_role *r, const char *line)
{
    struct nk_ring_record rec = {.type = 1, .payload = NK_STR("x")};
    char who[32];
    if (strncmp(line, "call", 4) == 0) {
        NK_MUST(nk_ring_put(r->calls, &rec) == 0);
        nk_ring_publish(r->calls);
    } else if (strncmp(line, "note", 4) == 0) {
        NK_MUST(nk_ring_put(r->audit, &rec) == 0);
        nk_ring_publish(r->audit);
    } else if (strncmp(line, "hold", 4) != 0) {
        snprintf(who, sizeof who, "%08x %u\n", r->s->instance, r->generation);
        reply(r, who);
    }
}

static int gate_main(struct nk_role_start *s)
{
    struct test_role r;
    struct nk_ring_record rec;
    char line[16] = "";
    if (policy_has(&s->bundle, "crash"))
        return 3;
    begin(&r, s);
    r.audit = nk_role_ring_open(&s->audit, true);
    NK_MUST(r.audit);
    while (obey(&r) && !(r.is_draining && r.client < 0)) {
        wait_for(&r, r.listener);
        if (r.client < 0 && !r.is_draining) {
            memset(line, 0, sizeof line);
            r.client = accept4(r.listener, NULL, NULL, SOCK_NONBLOCK);
        }
        if (r.client < 0)
            continue;
        ssize_t n = recv(r.client, line, sizeof line - 1, 0);
        if (n > 0)
            serve_line(&r, line);
        else if (n == 0 && !strncmp(line, "hold", 4))
            reply(&r, "done\n");
        while (nk_ring_next(r.answers, &rec) == 0) {
            reply(&r, "courier answers\n");
            nk_ring_release(r.answers);
        }
        if (r.client >= 0 && !strncmp(line, "note", 4) &&
            nk_ring_durable(r.audit) == nk_ring_committed(r.audit))
            reply(&r, "noted\n");
    }
    nk_ring_close(r.audit);
    nk_ring_close(r.calls);
    nk_ring_close(r.answers);
    return 0;
}

static int courier_main(struct nk_role_start *s)
{
    struct test_role r;
    struct nk_ring_record rec;
    begin(&r, s);
    while (obey(&r) && !r.is_draining) {
        while (nk_ring_next(r.calls, &rec) == 0) {
            struct nk_ring_record out = {.type = 2, .stream = s->instance};
            NK_MUST(nk_ring_put(r.answers, &out) == 0);
            nk_ring_publish(r.answers);
        }
        nk_ring_release(r.calls);
        wait_for(&r, -1);
    }
    nk_ring_close(r.calls);
    nk_ring_close(r.answers);
    return 0;
}

/* True when something was stored. */
static bool store(struct test_role *r, uint32_t i)
{
    struct nk_ring_record rec;
    char text[64];
    uint64_t last = 0;
    bool any = false;
    while (nk_ring_next(r->audits[i], &rec) == 0) {
        int n = snprintf(text, sizeof text, "%u %08x %llu\n", r->s->audits[i].slot,
                         r->s->audits[i].instance, (unsigned long long)rec.number);
        NK_MUST(write(r->log, text, (size_t)n) == n);
        last = rec.number + 1;
        any = true;
    }
    if (any)
        nk_ring_set_durable(r->audits[i], last);
    nk_ring_release(r->audits[i]);
    return any;
}

static int scribe_main(struct nk_role_start *s)
{
    struct test_role r;
    struct nk_role_audit *given = s->audits;
    begin(&r, s);
    s->audits = malloc(NK_ROLE_AUDITS_MAX * sizeof *given);
    memcpy(s->audits, given, s->audit_count * sizeof *given);
    for (uint32_t i = 0; i < s->audit_count; i++)
        r.audits[i] = nk_role_ring_open(&s->audits[i].ring, false);
    bool any = true, go_on = true;
    while (go_on || any) {
        any = false;
        for (uint32_t i = 0; i < s->audit_count; i++) {
            if (!r.audits[i])
                continue;
            bool some = store(&r, i);
            any = any || some;
            if (!some && s->audits[i].ended) {
                NK_MUST(nk_role_drained(s, s->audits[i].instance) == 0);
                nk_ring_close(r.audits[i]);
                nk_role_ring_close(&s->audits[i].ring);
                r.audits[i] = NULL;
            }
        }
        go_on = go_on && obey(&r) && !r.is_draining;
        if (go_on)
            wait_for(&r, -1);
    }
    free(s->audits);
    return 0;
}

/* The test. ---------------------------------------------------------------------------------------
 */
static char dir[64];

static const char *at(const char *name)
{
    static char path[4][128];
    static unsigned turn;
    char *p = path[turn++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", dir, name);
    return p;
}

static void put(const char *name, const char *text)
{
    FILE *f = fopen(at(name), "w");
    NK_MUST(f && fputs(text, f) >= 0);
    fchmod(fileno(f), 0600);
    fclose(f);
}

static void configure(const char *listen, const char *more)
{
    char text[1024];
    snprintf(text, sizeof text,
             "listen:\n  - {address: \"unix:%s/%s\"}\n"
             "upstreams:\n  - {name: up, dialect: openai, url: \"http://127.0.0.1:1\"}\n"
             "models:\n  - {name: m, upstream: up}\n"
             "policy: {directory: policy}\naudit: {directory: audit}\nworkers: 2\n%s",
             dir, listen, more);
    put("nakoso.yaml", text);
}

static void pause_ms(int ms)
{
    poll(NULL, 0, ms);
}

static const char *status(void)
{
    static char text[4096];
    struct nk_buf out;
    struct nk_fault f = {0};
    nk_buf_init(&out, 65536);
    text[0] = 0;
    if (nk_warden_ask(at("control.sock"), "status", &out, &f) == 0)
        snprintf(text, sizeof text, "%.*s", NK_FMT(nk_buf_str(&out)));
    nk_buf_free(&out);
    return text;
}

static unsigned count(const char *text, const char *word)
{
    unsigned n = 0;
    for (; (text = strstr(text, word)); text += strlen(word))
        n++;
    return n;
}

static bool all_ready(void)
{
    for (int ms = 0; ms < WAIT_MS; ms += 5) {
        if (count(status(), " ready ") == 5)
            return true;
        pause_ms(5);
    }
    return false;
}

/* Process of a role, 0 when it is down. */
static int pid_of(const char *role)
{
    const char *line = strstr(status(), role), *p = line ? strstr(line, "process ") : NULL;
    return p ? (int)strtol(p + 8, NULL, 10) : 0;
}

/* Never the process group: a role that is down has no process. */
static int strike(int pid, int sig)
{
    return pid > 0 ? kill(pid, sig) : -1;
}

static int open_client(const char *listen, const char *line)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    snprintf(to.sun_path, sizeof to.sun_path, "%s", at(listen));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval patience = {WAIT_MS / 1000, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(fd, (void *)&to, sizeof to) || send(fd, line, strlen(line), MSG_NOSIGNAL) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static const char *ask_on(const char *listen, const char *line)
{
    static char text[64];
    int fd = open_client(listen, line);
    ssize_t n = recv(fd, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = 0;
    close(fd);
    return text;
}

static pid_t start_warden(void)
{
    pid_t pid = (fflush(stdout), fork());
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        int log = open(at("stderr"), O_CREAT | O_WRONLY | O_APPEND, 0600);
        dup2(log, 2);
        close(log);
        struct nk_warden_options o = {.grace_ms = GRACE_MS, .settle_ms = SETTLE_MS};
        exit(nk_warden_run(at("nakoso.yaml"), &o));
    }
    return pid;
}

static int end_of(pid_t pid)
{
    int status = -1;
    for (int ms = 0; ms < WAIT_MS; ms += 5) {
        if (waitpid(pid, &status, WNOHANG) == pid)
            return status;
        pause_ms(5);
    }
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    return -1;
}

static unsigned open_files(pid_t pid)
{
    char path[64];
    unsigned n = 0;
    snprintf(path, sizeof path, "/proc/%d/fd", pid);
    DIR *d = opendir(path);
    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d))
        n += e->d_name[0] != '.';
    if (d)
        closedir(d);
    return n;
}

static bool gone(int pid)
{
    for (int ms = 0; ms < WAIT_MS && pid > 0; ms += 5) {
        waitpid(pid, NULL, WNOHANG); /* an orphan is ours to reap */
        if (kill(pid, 0) && errno == ESRCH)
            return true;
        pause_ms(5);
    }
    return false;
}

static bool log_has(const char *word)
{
    static char text[1 << 20];
    int fd = open(at("stderr"), O_RDONLY);
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = 0;
    return strstr(text, word) != NULL;
}

static const char *reload(void)
{
    static char text[512];
    struct nk_buf out;
    struct nk_fault f = {0};
    nk_buf_init(&out, 65536);
    int rc = nk_warden_ask(at("control.sock"), "reload", &out, &f);
    snprintf(text, sizeof text, "%.*s", rc ? 0 : (int)out.n, out.p ? out.p : "");
    nk_buf_free(&out);
    return text;
}

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
    tap_ok(strstr(reload(), "policy says refuse"), "a reload that a gate refuses says why");
    tap_ok(strstr(ask_on("in.sock", "who"), " 1\n"), "and changes nothing");
    put("policy/a.cedar", "// crash\n");
    tap_ok(strstr(reload(), "ended while it prepared"), "a reload that kills a gate is none");
    /* The dead gate comes back on the old configuration. */
    TAP_CHECK(all_ready() && strstr(ask_on("in.sock", "who"), " 1\n"));
    put("policy/a.cedar", "// fine\n");
    put("nakoso.yaml", "listen: nonsense\n");
    tap_ok(strstr(reload(), "nakoso.yaml:1:9: "), "a broken file is refused, by line and column");
    configure("in.sock", "log: {level: debug}\n");
    int held = open_client("in.sock", "hold");
    pause_ms(50);
    const char *said = reload();
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
    reload();
    tap_ok(strlen(ask_on("other.sock", "who")) > 0 && open_client("in.sock", "who") < 0,
           "listeners come and go");
    configure("in.sock", "");
    TAP_CHECK(strncmp(reload(), "ok: ", 4) == 0);
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

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st, (void)type, (void)where;
    return remove(path);
}

static const struct nk_role_entry roles[] = {
    {"gate", NK_ROLE_GATE, gate_main},
    {"courier", NK_ROLE_COURIER, courier_main},
    {"scribe", NK_ROLE_SCRIBE, scribe_main},
};

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
