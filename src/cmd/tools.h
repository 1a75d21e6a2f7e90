/* SPDX-License-Identifier: Apache-2.0
 *
 * tools.h - what the commands over tool definitions share: what a server offers, the file of what is
 * approved, and how both are shown. Private to src/cmd.
 */
#pragma once

#include "cmd/policy_text.h"
#include "tool/openapi.h"
#include "tool/trust.h"

enum { NK_OFFER_MAX = 16 << 20, NK_TOOLS_ARENA = 512 << 20 };

/* A list of definitions that somebody offers. */
struct nk_offer {
    const char *name; /* the file, "-" or the URL */
    struct nk_str text;
    struct nk_json doc;
    uint32_t tools;        /* the array */
    struct nk_openapi api; /* that it was made from; ways NULL: from none */
};

/* How a server is reached; NULL: nothing of the kind. */
struct nk_fetch {
    const char *token; /* file with a bearer token, readable by its owner alone */
    const char *ca;    /* PEM file of authorities */
};

/* Reads an offer: a file, "-" (standard input), or the http(s) URL of an MCP server, which is asked. A
 * file holds an answer of tools/list, its result, the array alone, approved tools, or an OpenAPI document. */
int nk_offer_read(const char *from, const struct nk_fetch *how, struct nk_arena *a,
                  struct nk_offer *out, struct nk_fault *f) NK_CHECKED;
/* Parts of it (tools_actions.c): text that is YAML becomes JSON; an OpenAPI document becomes the list of its operations, and
 * what cannot be one is told on stderr. */
int nk_offer_yaml(struct nk_offer *offer, struct nk_arena *a, struct nk_fault *f) NK_CHECKED;
int nk_offer_api(struct nk_offer *offer, struct nk_arena *a, struct nk_fault *f) NK_CHECKED;
/* Asks an MCP server for all pages of tools/list; *out is {"tools":[…]}. Speaks revision 2026-07-28, and
 * when the server does not, the sessions of 2025-11-25 and before. */
int nk_fetch_tools(const char *url, const struct nk_fetch *how, struct nk_arena *a,
                   struct nk_str *out, struct nk_fault *f) NK_CHECKED;

/* One exchange over HTTP/1.1, for people who wait: at most 30 s. Headers are lines "Name: value\r\n". */
struct nk_ask {
    const char *method, *url;
    struct nk_str headers, body;
    const struct nk_fetch *how;
};
struct nk_told {
    int status;
    struct nk_str session; /* Mcp-Session-Id, or absent */
    struct nk_str type;    /* Content-Type */
    struct nk_str body;
};
int nk_ask_http(const struct nk_ask *ask, struct nk_arena *a, struct nk_told *out,
                struct nk_fault *f) NK_CHECKED;

/* The file of approved tools. */
struct nk_approved_file {
    const char *path;
    int directory; /* locked while it is edited, or -1 */
    struct nk_str base;
    struct nk_approvals approvals;
};
/* Which file: --approved, `tools.file` of --config, or tools.json. Both NULL is the last. */
int nk_approved_path(const char *approved, const char *config, struct nk_arena *a, const char **out,
                     struct nk_fault *f) NK_CHECKED;
/* Opens and reads it; one that is not there is empty. With `edit`, others wait until it is closed. */
int nk_approved_open(struct nk_approved_file *file, const char *path, bool edit, struct nk_arena *a,
                     struct nk_fault *f) NK_CHECKED;
/* Replaces it by `text`, which it reads first; all or nothing. */
int nk_approved_write(struct nk_approved_file *file, struct nk_str text, struct nk_arena *a,
                      struct nk_fault *f) NK_CHECKED;
void nk_approved_close(struct nk_approved_file *file);
/* Appends one approved tool as the file has it; `doc` and `at` are its definition. */
void nk_approved_put(struct nk_buf *out, struct nk_str server, const struct nk_json *doc,
                     uint32_t at, const struct nk_digest *digest, struct nk_str since,
                     struct nk_fault *f);

/* What is shown of a finding, indented by two; `level` gets the worst. */
void nk_finding_put(const struct nk_trust_finding *finding, enum nk_lang lang, struct nk_buf *out);
const char *nk_level_name(enum nk_trust_level level, enum nk_lang lang);
/* Findings of that level. */
size_t nk_findings_of(const struct nk_trust_findings *findings, enum nk_trust_level level);
/* One tool of an offer beside what is approved: its state and digest, what has changed, what it
 * resembles, findings. */
int nk_offer_put_tool(const struct nk_offer *offer, const struct nk_trust_tool *tool,
                      const struct nk_approvals *approvals, struct nk_str server, enum nk_lang lang,
                      struct nk_arena *a, struct nk_trust_findings *findings, struct nk_buf *out,
                      struct nk_fault *f) NK_CHECKED;

/* The sub-commands; argv[0] is their name. */
#define TOOLS(name, text) int nk_cmd_tools_##name(int argc, char **argv);
#include "cmd/tools.def"
#undef TOOLS
