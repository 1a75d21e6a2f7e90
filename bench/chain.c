/* SPDX-License-Identifier: Apache-2.0
 *
 * chain.c - what a record costs: made into a line (with the check and the hash), written and synced in
 * groups, and checked again. One figure a line.
 */
#include "chain/chain.h"
#include "edge/ledger.h"
#include "edge/ledger_verify.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static struct nk_str facts(size_t size)
{
    static char text[8192];
    int n = snprintf(
        text, sizeof text,
        "\"kind\":\"decision\",\"time\":\"2026-11-22T04:00:01.234Z\",\"request\":\"r-1\","
        "\"facts\":{\"match\":{\"source\":\"head\",\"method\":\"POST\",\"path\":\"/v1/chat/"
        "completions\",\"dialect\":\"openai\"}},\"cedar\":{\"principal\":{\"type\":\"User\","
        "\"id\":\"alice\"},\"context\":{\"stream\":false,\"messages\":2}},\"pad\":\"%0*d\"",
        (int)(size - 270), 0);
    return (struct nk_str){text, (size_t)n};
}

static void bench_append(size_t size)
{
    struct nk_chain c;
    struct nk_buf out;
    struct nk_arena a;
    struct nk_str f = facts(size);
    int count = 100000;
    nk_chain_init(&c);
    nk_arena_init(&a, 1 << 22);
    nk_buf_init(&out, 1 << 20);
    double from = now_us();
    for (int i = 0; i < count; i++) {
        nk_buf_clear(&out);
        if (nk_chain_append(&c, 1, (uint64_t)i, f, &a, &out, NULL))
            exit(1);
        nk_arena_reset(&a);
    }
    printf("append       %4zu B   %6.2f us/record\n", f.n, (now_us() - from) / count);
    nk_buf_free(&out);
    nk_arena_free(&a);
}

static void bench_ledger(int dir, int group)
{
    static const unsigned char seed[32] = {1};
    struct nk_ledger_options o = {.origin = NK_STR("bench"), .seed = seed};
    struct nk_fault fault = {.code = 0};
    struct nk_ledger *l = nk_ledger_open(dir, &o, &fault);
    struct nk_str f = facts(600);
    int count = group < 100 ? 2000 : 100000;
    double from = now_us();
    for (int i = 0; l && i < count; i++)
        if (nk_ledger_append(l, 1, (uint64_t)i, f, &fault) ||
            (i % group == 0 && nk_ledger_sync(l, &fault)))
            exit(1);
    if (!l || nk_ledger_checkpoint(l, &fault)) {
        fprintf(stderr, "%s\n", fault.message);
        exit(1);
    }
    printf("ledger       %4zu B   %6.2f us/record, fdatasync every %d\n", f.n,
           (now_us() - from) / count, group);
    nk_ledger_close(l);
}

static void bench_verify(int dir)
{
    struct nk_ledger_report report;
    double from = now_us();
    if (nk_ledger_verify(dir, (struct nk_str){NULL, 0}, &report))
        exit(1);
    printf("verify       %4d B   %6.2f us/record\n", 600, (now_us() - from) / (double)report.size);
}

int main(int argc, char **argv)
{
    char path[] = "/tmp/bench-chain-XXXXXX", command[64];
    const char *where = argc > 1 ? argv[1] : mkdtemp(path);
    int dir = where ? open(where, O_RDONLY | O_DIRECTORY) : -1;
    if (dir < 0)
        return 1;
    bench_append(300);
    bench_append(1000);
    bench_append(4000);
    bench_ledger(dir, 400);
    bench_ledger(dir, 10);
    bench_verify(dir);
    static const char *const files[] = {
        "00000000000000000000.jsonl", "checkpoint", "checkpoints", "key.pub", "lock", "state"};
    for (size_t i = 0; i < NK_COUNT(files); i++)
        unlinkat(dir, files[i], 0);
    snprintf(command, sizeof command, "%s", where);
    close(dir);
    return argc > 1 ? 0 : rmdir(command);
}
