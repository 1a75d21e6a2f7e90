/* SPDX-License-Identifier: Apache-2.0
 *
 * audit.c - `nakoso audit`: reads and proves the audit log, beside a running scribe or anywhere
 * else; it needs the directory and nothing more.
 */
#include "cmd/audit.h"
#include "cmd/audit_args.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "edge/ledger_verify.h"

static int usage(void)
{
    fputs("usage: nakoso audit show [--from N] [--to N] [--request ID] [--json] DIR\n"
          "                                     the records, one a line\n"
          "       nakoso audit verify [--key KEY] DIR\n"
          "                                     chain, tree, signatures, policy sets: is all as it "
          "was?\n"
          "       nakoso audit prove N [--key KEY] DIR\n"
          "                                     a proof (JSON) that record N is in the log\n"
          "       nakoso audit prove --consistency OLD [NEW] [--key KEY] DIR\n"
          "                                     a proof that the log of NEW records goes on from "
          "OLD's\n"
          "       nakoso audit verify-proof [--key KEY] FILE\n"
          "                                     checks such a proof without the log\n"
          "KEY is a verifier key (origin+hash+key) or a file that holds one. Without it the log's "
          "own\n"
          "key.pub is believed, which proves only that the log fits itself.\n",
          stderr);
    return 2;
}

static void report_problem(const struct nk_ledger_report *report)
{
    struct nk_buf out;
    nk_buf_init(&out, 4096);
    nk_buf_add(&out, NK_STR("BAD          "));
    nk_audit_put_safe(&out, nk_str(report->file));
    if (report->line)
        nk_buf_printf(&out, ", line %llu (byte %llu)", (unsigned long long)report->line,
                      (unsigned long long)report->offset);
    if (report->record != UINT64_MAX)
        nk_buf_printf(&out, ", record %llu", (unsigned long long)report->record);
    if (report->file[0])
        nk_buf_add(&out, NK_STR(": "));
    nk_audit_put_safe(&out, nk_str(report->message));
    nk_buf_add_char(&out, '\n');
    (void)nk_audit_print(&out);
    nk_buf_free(&out);
}

static void report_state(const struct nk_ledger_report *report)
{
    struct nk_buf out;
    nk_buf_init(&out, 4096);
    nk_buf_printf(&out, "records      %llu\nroot         ", (unsigned long long)report->size);
    nk_buf_add_hex(&out, report->root.b, sizeof report->root.b);
    nk_buf_printf(&out, "\ncheckpoints  %llu, the last over %llu records\n",
                  (unsigned long long)report->checkpoints, (unsigned long long)report->covered);
    if (report->size > report->covered)
        nk_buf_printf(&out, "unsigned     %llu records at the end, chained but not yet signed\n",
                      (unsigned long long)(report->size - report->covered));
    nk_buf_printf(&out, "policy sets  %llu\n", (unsigned long long)report->sets);
    if (report->sets_missing)
        nk_buf_printf(&out, "missing      %llu policy sets that records name: no replay of these\n",
                      (unsigned long long)report->sets_missing);
    nk_buf_add(&out, NK_STR("key          "));
    nk_audit_put_safe(&out, nk_str(report->key));
    nk_buf_add_char(&out, '\n');
    (void)nk_audit_print(&out);
    nk_buf_free(&out);
}

static int verify(int argc, char **argv)
{
    struct nk_audit_args args;
    struct nk_ledger_report report;
    struct nk_arena a;
    struct nk_str key = {NULL, 0};
    if (nk_audit_args_read(argc, argv, "k", &args) || args.word_count != 1)
        return 2;
    int dir = nk_audit_dir(args.words[0]);
    if (dir < 0)
        return 1;
    nk_arena_init(&a, 1 << 20);
    int r = args.key ? nk_audit_key(dir, args.key, &a, &key) : 0;
    if (r == 0) {
        r = nk_ledger_verify(dir, key, &report);
        report_state(&report);
        if (r)
            report_problem(&report);
        else
            puts("OK");
    }
    nk_arena_free(&a);
    close(dir);
    return r || fflush(stdout) ? 1 : 0;
}

int nk_cmd_audit(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
    } commands[] = {{"show", nk_audit_show},
                    {"verify", verify},
                    {"prove", nk_audit_prove},
                    {"verify-proof", nk_audit_verify_proof}};
    int status = 2;
    if (argc >= 2)
        for (size_t i = 0; i < NK_COUNT(commands); i++)
            if (strcmp(argv[1], commands[i].name) == 0) {
                status = commands[i].run(argc - 1, argv + 1);
                return status == 2 ? usage() : status;
            }
    return usage();
}
