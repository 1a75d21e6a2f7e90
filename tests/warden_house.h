/* SPDX-License-Identifier: Apache-2.0
 *
 * warden_house.h - a directory with a configuration, and a warden's process in it.
 */
#pragma once

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "warden_mains.h"

enum { WAIT_MS = 10000, GRACE_MS = 1500, SETTLE_MS = 60000, PATIENCE_MS = 1500 };

static char dir[64];

static inline const char *at(const char *name)
{
    static char path[4][128];
    static unsigned turn;
    char *p = path[turn++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", dir, name);
    return p;
}

static inline void put(const char *name, const char *text)
{
    FILE *f = fopen(at(name), "w");
    NK_MUST(f && fputs(text, f) >= 0);
    fchmod(fileno(f), 0600);
    fclose(f);
}

static inline void configure(const char *listen, const char *more)
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

static inline void pause_ms(int ms)
{
    poll(NULL, 0, ms);
}

/* Never the process group: a role that is down has no process. */
static inline int strike(int pid, int sig)
{
    return pid > 0 ? kill(pid, sig) : -1;
}

static inline pid_t start_warden(void)
{
    pid_t pid = (fflush(stdout), fork());
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        int log = open(at("stderr"), O_CREAT | O_WRONLY | O_APPEND, 0600);
        dup2(log, 2);
        close(log);
        struct nk_warden_options o = {
            .grace_ms = GRACE_MS, .settle_ms = SETTLE_MS, .patience_ms = PATIENCE_MS};
        exit(nk_warden_run(at("nakoso.yaml"), &o));
    }
    return pid;
}

static inline int end_of(pid_t pid)
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

static inline unsigned open_files(pid_t pid)
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

static inline bool gone(int pid)
{
    for (int ms = 0; ms < WAIT_MS && pid > 0; ms += 5) {
        waitpid(pid, NULL, WNOHANG); /* an orphan is ours to reap */
        if (kill(pid, 0) && errno == ESRCH)
            return true;
        pause_ms(5);
    }
    return false;
}

static inline bool log_has(const char *word)
{
    static char text[1 << 20];
    int fd = open(at("stderr"), O_RDONLY);
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = 0;
    return strstr(text, word) != NULL;
}

static inline int remove_entry(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st, (void)type, (void)where;
    return remove(path);
}
