/* SPDX-License-Identifier: Apache-2.0
 *
 * policy_report.h - diagnostics of several files, for people (as a compiler prints them), programs
 * (JSON) and code review (SARIF 2.1.0). Private to src/cmd.
 */
#pragma once

#include "cedar/diag.h"
#include "cmd/policy_text.h"

struct nk_report_file {
    struct nk_str name, text;
};

struct nk_report {
    const struct nk_report_file *files;
    size_t file_count;
    const struct nk_cedar_diags *diags;
    enum nk_lang lang;
};

/* Append the whole report. */
void nk_report_text(const struct nk_report *r, struct nk_buf *out);
void nk_report_json(const struct nk_report *r, struct nk_buf *out);
void nk_report_sarif(const struct nk_report *r, struct nk_buf *out);
