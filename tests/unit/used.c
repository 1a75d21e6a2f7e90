/* SPDX-License-Identifier: Apache-2.0
 *
 * used.c - what is good for once: in a row, when the table is full, when time goes by, and by four processes at the same
 * time, of which never two may succeed.
 */
#include "gate/used.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tap.h"

enum { NOW_MS = 1763800000, PROCESSES = 4, THINGS = 20000 };

static const int64_t now = NOW_MS * 1000LL;

static uint64_t number(uint64_t i)
{
    i = (i + 1) * 0x9E3779B97F4A7C15U;
    return i ^ i >> 29;
}

static void in_a_row(struct nk_used *u)
{
    int64_t end = now + 600000;
    TAP_CHECK(nk_used_once(u, number(1), end, now) == 0);
    TAP_CHECK(nk_used_once(u, number(1), end, now) == NK_ENOTFOUND);
    TAP_CHECK(nk_used_once(u, number(1), end, end - 1) == NK_ENOTFOUND);
    TAP_CHECK(nk_used_once(u, number(2), end, now) == 0);
    TAP_CHECK(nk_used_once(u, number(3), now, now) == NK_ENOTFOUND);
}

static void full(struct nk_used *u)
{
    int64_t end = now + 600000;
    size_t good = 0, again = 0, none = 0;
    for (uint64_t i = 0; i < 2 * NK_USED; i++) {
        int rc = nk_used_once(u, number(i), end, now);
        good += rc == 0;
        none += rc == NK_EFULL;
    }
    for (uint64_t i = 0; i < 2 * NK_USED; i++)
        again += nk_used_once(u, number(i), end, now) == 0;
    tap_ok(good > NK_USED * 9 / 10 && good <= NK_USED && none + good == 2 * NK_USED && !again,
           "%zu are noted, then it is full, and none is good twice", good);
    good = 0;
    for (uint64_t i = 0; i < 1000; i++)
        good += nk_used_once(u, number(i + 99999), end + 700000, end + 2000) == 0;
    tap_ok(good == 1000, "what is over makes room");
}

static void at_once(struct nk_used *u, unsigned char *won)
{
    for (int p = 0; p < PROCESSES; p++)
        if (fork() == 0) {
            for (uint64_t i = 0; i < THINGS; i++) /* some end soon: their places are taken anew */
                won[i * PROCESSES + (uint64_t)p] =
                    nk_used_once(u, number(i), now + 2000 + (int64_t)(i / 8), now + (int64_t)i) ==
                    0;
            _exit(0);
        }
    int status, ended = 0;
    while (wait(&status) > 0)
        ended += status == 0;
    size_t once = 0, twice = 0;
    for (size_t i = 0; i < THINGS; i++) {
        int n = 0;
        for (size_t p = 0; p < PROCESSES; p++)
            n += won[i * PROCESSES + p];
        once += n == 1;
        twice += n > 1;
    }
    tap_ok(ended == PROCESSES && once > 1000 && !twice, "%zu of %d were good once, none twice",
           once, (int)THINGS);
}

int main(void)
{
    struct nk_used *u =
        mmap(NULL, sizeof *u, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    unsigned char *won =
        mmap(NULL, THINGS * PROCESSES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    NK_MUST(u != MAP_FAILED && won != MAP_FAILED);
    in_a_row(u);
    memset(u, 0, sizeof *u);
    full(u);
    memset(u, 0, sizeof *u);
    at_once(u, won);
    return tap_done();
}
