/* SPDX-License-Identifier: Apache-2.0
 *
 * ledger.c - the audit log on disk: starts after every kind of end, a disk that is full, a writer
 * that is killed, and a verifier that must find each changed byte.
 */
#include "edge/ledger.h"
#include "edge/ledger_verify.h"

#include "tap.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const unsigned char seed[32] = {1, 2, 3}, other_seed[32] = {9};
static char top[256], here[512];
static int dir = -1;

/* Directories -------------------------------------------------------------------------------------
 */
static void clear(int at)
{
    DIR *d = fdopendir(openat(at, ".", O_RDONLY | O_DIRECTORY));
    for (struct dirent *e; d && (e = readdir(d));) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (unlinkat(at, e->d_name, 0) == 0)
            continue;
        int sub = openat(at, e->d_name, O_RDONLY | O_DIRECTORY);
        clear(sub);
        close(sub);
        unlinkat(at, e->d_name, AT_REMOVEDIR);
    }
    closedir(d);
}

/* An empty directory, as `dir`. */
static void fresh(void)
{
    if (dir < 0) {
        snprintf(here, sizeof here, "%s/log", top);
        mkdir(here, 0700);
        dir = open(here, O_RDONLY | O_DIRECTORY);
    }
    clear(dir);
}

static size_t read_all(const char *name, char *to, size_t max)
{
    int fd = openat(dir, name, O_RDONLY);
    ssize_t n = fd < 0 ? -1 : read(fd, to, max);
    if (fd >= 0)
        close(fd);
    return n < 0 ? 0 : (size_t)n;
}

static void write_all(const char *name, const char *p, size_t n)
{
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, p, n) != (ssize_t)n)
        exit(1);
    close(fd);
}

static bool there(const char *name)
{
    return faccessat(dir, name, F_OK, 0) == 0;
}

/* Logs --------------------------------------------------------------------------------------------
 */
static struct nk_fault fault;

static struct nk_ledger_options options(void)
{
    return (struct nk_ledger_options){
        .origin = NK_STR("test.example/audit"), .seed = seed, .unix_ms = 1700000000000};
}

static struct nk_ledger *open_log(uint64_t segment_bytes, uint64_t read_all_bytes)
{
    struct nk_ledger_options o = options();
    o.segment_bytes = segment_bytes;
    o.read_all_bytes = read_all_bytes;
    fault = (struct nk_fault){.code = 0};
    return nk_ledger_open(dir, &o, &fault);
}

static int add(struct nk_ledger *l, int count, int size)
{
    char facts[4096];
    for (int i = 0; i < count; i++) {
        uint64_t n = nk_ledger_size(l);
        int k = snprintf(facts, sizeof facts, "\"kind\":\"test\",\"i\":%llu,\"pad\":\"%0*d\"",
                         (unsigned long long)n, size, 0);
        int r = nk_ledger_append(l, 1 + n % 3, n / 3, (struct nk_str){facts, (size_t)k}, &fault);
        if (r)
            return r;
    }
    return 0;
}

static int verify(struct nk_ledger_report *out)
{
    int r = nk_ledger_verify(dir, (struct nk_str){NULL, 0}, out);
    if (r)
        printf("# verify: %s %s record %lld line %llu: %s\n", nk_error_name(r), out->file,
               (long long)out->record, (unsigned long long)out->line, out->message);
    return r;
}

/* A log of `signed_count` records under a checkpoint and `more` behind it, closed. */
static void make_log(int signed_count, int more, uint64_t segment_bytes)
{
    fresh();
    struct nk_ledger *l = open_log(segment_bytes, 0);
    if (!l || add(l, signed_count, 8) || nk_ledger_checkpoint(l, &fault) || add(l, more, 8) ||
        nk_ledger_sync(l, &fault)) {
        printf("# %s\n", fault.message);
        exit(1);
    }
    nk_ledger_close(l);
}

static void life(void)
{
    struct nk_ledger_report report;
    uint64_t seq;
    fresh();
    struct nk_ledger *l = open_log(0, 0);
    TAP_CHECK(l && nk_ledger_size(l) == 0);
    TAP_CHECK(nk_ledger_sync(l, &fault) == 0 && nk_ledger_checkpoint(l, &fault) == 0);
    TAP_CHECK(!there("checkpoint"));
    TAP_CHECK(add(l, 10, 8) == 0 && nk_ledger_size(l) == 10 && nk_ledger_written(l) == 0);
    TAP_CHECK(nk_ledger_write(l, &fault) == 0 && nk_ledger_written(l) == 10 &&
              nk_ledger_durable(l) == 0);
    TAP_CHECK(nk_ledger_sync(l, &fault) == 0 && nk_ledger_durable(l) == 10);
    TAP_CHECK(nk_ledger_checkpoint(l, &fault) == 0 && nk_ledger_checkpointed(l) == 10);
    TAP_CHECK(nk_ledger_append(l, 1, 1, NK_STR("\"n\":1"), &fault) == NK_EINVAL);
    struct nk_digest d = nk_sha256(NK_STR("{}"));
    TAP_CHECK(nk_ledger_put_set(l, d, NK_STR("{}"), &fault) == 0);
    TAP_CHECK(nk_ledger_put_set(l, d, NK_STR("{}"), &fault) == 0);
    struct nk_ledger_options o = options();
    fault.code = 0;
    TAP_CHECK(nk_ledger_open(dir, &o, &fault) == NULL && fault.code == NK_ECONFLICT);
    nk_ledger_close(l);

    l = open_log(0, 0);
    TAP_CHECK(l && nk_ledger_size(l) == 10 && nk_ledger_opening(l)->checkpoint == 10);
    TAP_CHECK(nk_ledger_last_seq(l, 1, &seq) && seq == 3);
    TAP_CHECK(nk_ledger_last_seq(l, 2, &seq) && seq == 2);
    TAP_CHECK(!nk_ledger_last_seq(l, 4, &seq));
    TAP_CHECK(add(l, 5, 8) == 0 && nk_ledger_checkpoint(l, &fault) == 0);
    nk_ledger_close(l);
    TAP_CHECK(verify(&report) == 0 && report.size == 15 && report.covered == 15 &&
              report.checkpoints == 2 && report.sets == 1);
}

/* A log goes on under its own key and name only. */
static void owners(void)
{
    struct nk_ledger_options o = options();
    make_log(3, 0, 0);
    o.seed = other_seed;
    fault.code = 0;
    TAP_CHECK(!nk_ledger_open(dir, &o, &fault) && fault.code == NK_ECONFLICT);
    o = options();
    o.origin = NK_STR("other.example");
    fault.code = 0;
    TAP_CHECK(!nk_ledger_open(dir, &o, &fault) && fault.code == NK_ECONFLICT);
    o.origin = NK_STR("not a name");
    fault.code = 0;
    TAP_CHECK(!nk_ledger_open(dir, &o, &fault) && fault.code == NK_EINVAL);
}

/* Reading -----------------------------------------------------------------------------------------
 */
static void segments(void)
{
    struct nk_ledger_report report;
    struct nk_ledger_line line;
    struct nk_chain_line said;
    fresh();
    int failed = 0, wrong = 0;
    struct nk_ledger *l = open_log(3000, 0);
    for (int i = 0; i < 100; i++)
        failed += add(l, 1, 8) || nk_ledger_write(l, &fault);
    TAP_CHECK(failed == 0 && nk_ledger_checkpoint(l, &fault) == 0);
    nk_ledger_close(l);
    struct nk_arena a;
    uint64_t *firsts;
    size_t count;
    nk_arena_init(&a, 1 << 20);
    TAP_CHECK(nk_ledger_segments(dir, &a, &firsts, &count, NULL) == 0 && count == 5);
    for (uint64_t from = 0; from < 100; from++) {
        struct nk_ledger_reader *r = nk_ledger_reader_open(dir, from, NULL);
        uint64_t n = from;
        while (r && nk_ledger_reader_next(r, &line, NULL) == 0) {
            wrong += line.n != n || nk_chain_line_read(line.text, &said) || said.n != n;
            n++;
        }
        wrong += n != 100 || line.text.n != 0;
        nk_ledger_reader_close(r);
    }
    TAP_CHECK(wrong == 0);
    TAP_CHECK(nk_ledger_reader_open(dir, 101, NULL) == NULL);
    TAP_CHECK(verify(&report) == 0 && report.size == 100);
    l = open_log(3000, 0);
    TAP_CHECK(l && nk_ledger_size(l) == 100 && add(l, 1, 8) == 0 &&
              nk_ledger_checkpoint(l, &fault) == 0);
    nk_ledger_close(l);
    TAP_CHECK(verify(&report) == 0 && report.size == 101);

    /* A segment that is lost is noticed, wherever it stood. */
    char name[NK_LEDGER_NAME_SIZE];
    for (size_t i = 0; i < count; i += count - 1) {
        nk_ledger_segment_name(firsts[i], name);
        renameat(dir, name, dir, "away");
        TAP_CHECK(verify(&report) != 0);
        TAP_CHECK(open_log(3000, 0) == NULL);
        renameat(dir, "away", dir, name);
    }
    nk_ledger_segment_name(firsts[2], name);
    renameat(dir, name, dir, "away");
    TAP_CHECK(verify(&report) != 0 && report.record == firsts[2]);
    TAP_CHECK(open_log(3000, 0) == NULL);
    nk_arena_free(&a);
}

/* A reader beside the writer sees every record once, across segments. */
static void follow(void)
{
    struct nk_ledger_line line = {0};
    int wrong = 0;
    uint64_t n = 0;
    fresh();
    struct nk_ledger *l = open_log(3000, 0);
    if (add(l, 1, 8) || nk_ledger_sync(l, &fault))
        exit(1);
    struct nk_ledger_reader *r = nk_ledger_reader_open(dir, 0, NULL);
    for (int i = 0; i < 200; i++) {
        while (nk_ledger_reader_next(r, &line, NULL) == 0)
            wrong += line.n != n++;
        wrong += n != nk_ledger_written(l);
        wrong += add(l, i % 7, 8) || nk_ledger_write(l, &fault);
    }
    TAP_CHECK(wrong == 0 && n > 500);
    nk_ledger_reader_close(r);
    nk_ledger_close(l);
}

/* Ends of logs ------------------------------------------------------------------------------------
 */
static const char first_segment[] = "00000000000000000000.jsonl";

/* The log cut at `cut` behind its checkpoint: what is wrong with how it is opened. */
static int heal(const char *log, size_t cut)
{
    static char torn[1 << 20];
    struct nk_ledger_report report;
    struct nk_ledger *l = open_log(0, 0);
    size_t whole = cut;
    uint64_t count = 0;
    int wrong = 0;
    if (!l)
        return 1;
    while (whole && log[whole - 1] != '\n')
        whole--;
    for (size_t i = 0; i < whole; i++)
        count += log[i] == '\n';
    wrong += nk_ledger_size(l) != count || nk_ledger_opening(l)->torn_bytes != cut - whole;
    if (cut > whole)
        wrong += read_all(nk_ledger_opening(l)->torn_file, torn, sizeof torn) != cut - whole ||
                 memcmp(torn, log + whole, cut - whole) != 0;
    wrong += add(l, 1, 8) || nk_ledger_sync(l, &fault);
    nk_ledger_close(l);
    return wrong + (verify(&report) != 0);
}

static void torn_ends(void)
{
    static char log[1 << 20];
    int wrong = 0, refused = 0;
    make_log(5, 4, 0);
    size_t n = read_all(first_segment, log, sizeof log), lines = 0, signed_end = 0;
    for (size_t i = 0; i < n; i++) {
        lines += log[i] == '\n';
        if (lines == 5 && !signed_end)
            signed_end = i + 1;
    }
    for (size_t cut = n; cut > 0; cut--) {
        write_all(first_segment, log, cut);
        if (cut < signed_end)
            refused += !open_log(0, 0) && fault.code == NK_ECRYPTO;
        else
            wrong += heal(log, cut);
    }
    tap_ok(wrong == 0, "a log cut anywhere behind its checkpoint is healed, nothing whole is lost");
    tap_ok(refused == (int)signed_end - 1, "a log cut below its checkpoint is refused");
    write_all(first_segment, "", 0);
    TAP_CHECK(!open_log(0, 0) && fault.code == NK_ECRYPTO);
    unlinkat(dir, first_segment, 0);
    TAP_CHECK(!open_log(0, 0) && fault.code == NK_ECRYPTO);

    /* Blocks that the file system never filled. */
    memset(log + n, 0, 5000);
    write_all(first_segment, log, n + 5000);
    struct nk_ledger *l = open_log(0, 0);
    TAP_CHECK(l && nk_ledger_size(l) == 9 && nk_ledger_opening(l)->torn_bytes == 5000);
    nk_ledger_close(l);
    /* More than a crash can tear is not cut off. */
    write_all(first_segment, log, n);
    int fd = openat(dir, first_segment, O_WRONLY);
    TAP_CHECK(fd >= 0 && ftruncate(fd, 10 << 20) == 0);
    close(fd);
    TAP_CHECK(!open_log(0, 0) && fault.code == NK_ECRYPTO);
}

static void changed_bytes(void)
{
    static char log[1 << 20];
    struct nk_ledger_report report;
    int unseen = 0, opened = 0, elsewhere = 0;
    make_log(20, 0, 0);
    size_t n = read_all(first_segment, log, sizeof log), record = 0;
    for (size_t i = 0; i < n; i++) {
        for (int bit = (int)(i % 8); bit < 8; bit += 8) {
            log[i] ^= (char)(1 << bit);
            write_all(first_segment, log, n);
            struct nk_ledger *l = open_log(0, 0);
            opened += l != NULL;
            nk_ledger_close(l);
            bool found = nk_ledger_verify(dir, (struct nk_str){NULL, 0}, &report) != 0;
            unseen += !found;
            elsewhere += found && report.record != record;
            log[i] ^= (char)(1 << bit);
        }
        record += log[i] == '\n';
    }
    tap_ok(opened == 0, "no log with a changed byte below its checkpoint is opened");
    tap_ok(unseen == 0, "verify finds each changed byte");
    tap_ok(elsewhere == 0, "and names its record (%d times another)", elsewhere);
    write_all(first_segment, log, n);
    TAP_CHECK(verify(&report) == 0);

    static const char *const files[] = {"checkpoint", "checkpoints", "key.pub"};
    for (size_t k = 0; k < NK_COUNT(files); k++) {
        n = read_all(files[k], log, sizeof log);
        unseen = opened = 0;
        for (size_t i = 0; i < n * 8; i++) {
            log[i / 8] ^= (char)(1 << i % 8);
            write_all(files[k], log, n);
            unseen += nk_ledger_verify(dir, (struct nk_str){NULL, 0}, &report) == 0;
            log[i / 8] ^= (char)(1 << i % 8);
        }
        write_all(files[k], log, n);
        tap_ok(unseen == 0 && n > 0, "verify finds each changed bit of %s", files[k]);
    }
    n = read_all("checkpoint", log, sizeof log);
    log[30] ^= 1;
    write_all("checkpoint", log, n);
    TAP_CHECK(!open_log(0, 0) && fault.code == NK_ECRYPTO);
    log[30] ^= 1;
    write_all("checkpoint", log, n);

    /* Another key that signs another log is not believed when the right one is known. */
    char key[512];
    n = read_all("key.pub", key, sizeof key);
    fresh();
    struct nk_ledger_options o = options();
    o.seed = other_seed;
    struct nk_ledger *l = nk_ledger_open(dir, &o, &fault);
    TAP_CHECK(l && add(l, 3, 8) == 0 && nk_ledger_checkpoint(l, &fault) == 0);
    nk_ledger_close(l);
    TAP_CHECK(nk_ledger_verify(dir, (struct nk_str){NULL, 0}, &report) == 0);
    TAP_CHECK(nk_ledger_verify(dir, (struct nk_str){key, n - 1}, &report) == NK_ECRYPTO);
}

static void notes(void)
{
    static char text[1 << 16];
    struct nk_ledger_report report;
    fresh();
    struct nk_ledger *l = open_log(0, 0);
    for (int i = 0; i < 9; i++)
        if (add(l, 2, 8) || nk_ledger_checkpoint(l, &fault))
            exit(1);
    nk_ledger_close(l);
    TAP_CHECK(verify(&report) == 0 && report.checkpoints == 9);
    size_t n = read_all("checkpoints", text, sizeof text), whole = n / 9;
    int wrong = 0;
    for (size_t cut = n; cut >= n - whole; cut--) { /* a crash while the last was written */
        write_all("checkpoints", text, cut);
        l = open_log(0, 0);
        wrong += !l || add(l, 1, 8) || nk_ledger_sync(l, &fault);
        wrong += l && verify(&report);
        nk_ledger_close(l);
    }
    tap_ok(wrong == 0, "a torn end of checkpoints is healed");
    l = open_log(0, 0);
    TAP_CHECK(l && nk_ledger_checkpoint(l, &fault) == 0);
    nk_ledger_close(l);
    TAP_CHECK(verify(&report) == 0 && report.covered == report.size);
}

static void states(void)
{
    static char text[1 << 17];
    struct nk_ledger_report report;
    uint64_t seq;
    fresh();
    struct nk_ledger *l = open_log(1 << 20, 0);
    int failed = 0;
    for (int i = 0; i < 30; i++)
        failed += add(l, 100, 2000) || nk_ledger_checkpoint(l, &fault);
    TAP_CHECK(failed == 0 && there("state"));
    nk_ledger_close(l);
    l = open_log(1 << 20, 1);
    TAP_CHECK(l && nk_ledger_size(l) == 3000 && nk_ledger_opening(l)->read < 1500);
    TAP_CHECK(nk_ledger_last_seq(l, 3, &seq) && seq == 2999 / 3);
    TAP_CHECK(add(l, 100, 8) == 0 && nk_ledger_checkpoint(l, &fault) == 0);
    nk_ledger_close(l);
    TAP_CHECK(verify(&report) == 0 && report.size == 3100 && report.covered == 3100);
    size_t n = read_all("state", text, sizeof text);
    int trusted = 0;
    for (size_t i = 0; i < n; i += 61) {
        text[i] ^= 4;
        write_all("state", text, n);
        l = open_log(1 << 20, 1);
        trusted += !l || nk_ledger_opening(l)->read != 3100;
        nk_ledger_close(l);
        trusted += nk_ledger_verify(dir, (struct nk_str){NULL, 0}, &report) == 0;
        text[i] ^= 4;
        i += n / 20;
    }
    tap_ok(trusted == 0, "a changed state is not trusted");
    write_all("state", text, n);
    unlinkat(dir, "checkpoint", 0);
    unlinkat(dir, "checkpoints", 0);
    TAP_CHECK(!open_log(1 << 20, 1) && fault.code == NK_ECRYPTO);
}

/* Disks that refuse -------------------------------------------------------------------------------
 */
static void limit_files(rlim_t bytes)
{
    struct rlimit lim;
    getrlimit(RLIMIT_FSIZE, &lim);
    lim.rlim_cur = bytes;
    setrlimit(RLIMIT_FSIZE, &lim);
}

static void file_limit(void)
{
    struct nk_ledger_report report;
    int wrong = 0, full = 0;
    signal(SIGXFSZ, SIG_IGN);
    fresh();
    struct nk_ledger *l = open_log(0, 0);
    for (rlim_t limit = 700; limit < 9000; limit += 97) {
        limit_files(limit);
        wrong += add(l, 1, 8);
        int r = nk_ledger_sync(l, &fault);
        if (r) {
            struct stat st;
            full++;
            wrong += r != NK_EFULL || nk_ledger_durable(l) == nk_ledger_size(l);
            if (fstatat(dir, first_segment, &st, 0) == 0 && st.st_size) {
                char last;
                int fd = openat(dir, first_segment, O_RDONLY);
                wrong += pread(fd, &last, 1, st.st_size - 1) != 1 || last != '\n';
                close(fd);
            }
        } else {
            wrong += nk_ledger_durable(l) != nk_ledger_size(l);
        }
    }
    limit_files(RLIM_INFINITY);
    TAP_CHECK(full > 10);
    TAP_CHECK(nk_ledger_checkpoint(l, &fault) == 0);
    uint64_t size = nk_ledger_size(l);
    nk_ledger_close(l);
    tap_ok(wrong == 0, "a refused write leaves whole lines and is repeated");
    TAP_CHECK(verify(&report) == 0 && report.size == size);

    /* As much as may wait, and no more. */
    limit_files(100);
    l = open_log(0, 0);
    TAP_CHECK(l == NULL || nk_ledger_size(l) == size);
    limit_files(RLIM_INFINITY);
    nk_ledger_close(l);
    l = open_log(0, 0);
    limit_files(100);
    int r = 0;
    while (r == 0)
        r = add(l, 1, 4000);
    TAP_CHECK(r == NK_EFULL && nk_ledger_sync(l, &fault) == NK_EFULL);
    limit_files(RLIM_INFINITY);
    TAP_CHECK(nk_ledger_checkpoint(l, &fault) == 0 && nk_ledger_durable(l) == nk_ledger_size(l));
    size = nk_ledger_size(l);
    nk_ledger_close(l);
    TAP_CHECK(verify(&report) == 0 && report.size == size);
}

/* In a child, because mounts of its own end with it: 0 passed, 77 not possible here. */
static int full_disk_child(void)
{
    struct nk_ledger_report report;
    char small[600];
    snprintf(small, sizeof small, "%s/small", top);
    mkdir(small, 0700);
    if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("tmpfs", small, "tmpfs", 0, "size=256k"))
        return 77;
    dir = open(small, O_RDONLY | O_DIRECTORY);
    struct nk_ledger *l = open_log(30000, 0);
    int r = l ? 0 : NK_EIO;
    while (r == 0) {
        r = add(l, 10, 500);
        if (r == 0)
            r = nk_ledger_checkpoint(l, &fault);
    }
    if (r != NK_EFULL)
        return 1;
    uint64_t durable = nk_ledger_durable(l), size = nk_ledger_size(l);
    if (nk_ledger_sync(l, &fault) != NK_EFULL && nk_ledger_checkpoint(l, &fault) != NK_EFULL)
        return 2;
    if (mount("none", small, NULL, MS_REMOUNT, "size=4m"))
        return 3;
    if (nk_ledger_checkpoint(l, &fault) || nk_ledger_durable(l) != size || durable > size)
        return 4;
    nk_ledger_close(l);
    return verify(&report) == 0 && report.size == size ? 0 : 5;
}

static void full_disk(void)
{
    int status = 0;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        _exit(full_disk_child());
    waitpid(pid, &status, 0);
    if (WEXITSTATUS(status) == 77)
        tap_skip("a full disk", "this user may not mount");
    else
        tap_ok(WIFEXITED(status) && WEXITSTATUS(status) == 0, "a full disk (%d)", status >> 8);
}

/* Writers that are killed -------------------------------------------------------------------------
 */
static void killed_child(int report_to)
{
    struct nk_ledger *l = open_log(20000, 0);
    for (unsigned i = 0; l; i++) {
        uint64_t said[2];
        if (add(l, 1 + (int)(i % 5), 50) || nk_ledger_write(l, &fault))
            _exit(1);
        if (i % 3 == 0 && nk_ledger_sync(l, &fault))
            _exit(1);
        if (i % 20 == 0 && nk_ledger_checkpoint(l, &fault))
            _exit(1);
        said[0] = nk_ledger_written(l);
        said[1] = nk_ledger_checkpointed(l);
        if (write(report_to, said, sizeof said) != sizeof said)
            _exit(1);
    }
    printf("# %s\n", fault.message);
    _exit(1);
}

static void killed(void)
{
    struct nk_ledger_report report;
    int wrong = 0;
    fresh();
    srand(7);
    for (int round = 0; round < 25; round++) {
        int p[2];
        uint64_t said[2], last[2] = {0, 0};
        if (pipe(p))
            exit(1);
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0)
            killed_child(p[1]);
        close(p[1]);
        struct timespec pause = {0, 1000000 + rand() % 20000000};
        if (read(p[0], last, sizeof last) != sizeof last)
            wrong++;
        nanosleep(&pause, NULL);
        kill(pid, SIGKILL);
        while (read(p[0], said, sizeof said) == sizeof said)
            memcpy(last, said, sizeof said);
        close(p[0]);
        waitpid(pid, NULL, 0);
        struct nk_ledger *l = open_log(20000, 0);
        wrong += !l || nk_ledger_size(l) < last[0] || nk_ledger_opening(l)->checkpoint < last[1];
        if (!l)
            printf("# %s\n", fault.message);
        nk_ledger_close(l);
        wrong += verify(&report);
    }
    tap_ok(wrong == 0, "25 writers killed: no written record is lost, all that is there fits");
}

int main(void)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(top, sizeof top, "%s/ledger-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(top))
        return 1;
    life();
    owners();
    segments();
    follow();
    torn_ends();
    changed_bytes();
    notes();
    states();
    file_limit();
    full_disk();
    killed();
    close(dir);
    int at = open(top, O_RDONLY | O_DIRECTORY);
    clear(at);
    close(at);
    rmdir(top);
    return tap_done();
}
