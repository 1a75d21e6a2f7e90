/* SPDX-License-Identifier: Apache-2.0
 *
 * trust.h - which of the tools that a server offers may be used, and what is strange about them. A
 * server is never believed: it can say one thing when it is looked at and another thing later, take
 * the name of a tool that people trust, or write instructions to the model into its descriptions.
 *
 * Approval decides alone. A definition that is not, by its digest, exactly the one that somebody
 * approved under this server and name is quarantined: not listed and not callable. What is found in
 * the texts is for the person who approves: it says what to look at, and is never proof that a tool is
 * harmless. Members of a definition that the digest covers: MCP 2026-07-28, `Tool`, without `_meta`
 * and `icons`, which a gate does not pass on.
 *
 * All functions are pure. What they give back lives in the arena; texts are views of the documents.
 */
#pragma once

#include "crypt/crypt.h"
#include "json/json.h"

enum {
    NK_TRUST_TOOLS_MAX = 4096,    /* in one list, and approved */
    NK_TRUST_FINDINGS_MAX = 64,   /* kept of one definition; the rest is counted */
    NK_TRUST_EXCERPT_MAX = 80,    /* bytes of a text that a finding shows */
    NK_TRUST_FILE_MAX = 16 << 20, /* bytes of tools.json */
};

/* Approved definitions -----------------------------------------------------------------------------
 *
 * tools.json: {"format":1,"tools":[{"server":"ehr","name":"get_patient", … the members below that
 * are there …, "sha256":"<64 hex>","approved":"2026-11-26T09:00:00Z"}]}, sorted by server and name. */
enum nk_tool_member {
    NK_TOOL_NAME,
    NK_TOOL_TITLE,
    NK_TOOL_DESCRIPTION,
    NK_TOOL_INPUT,  /* inputSchema */
    NK_TOOL_OUTPUT, /* outputSchema */
    NK_TOOL_ANNOTATIONS,
    NK_TOOL_MEMBERS,
};
/* "inputSchema" … */
struct nk_str nk_tool_member_name(enum nk_tool_member member);

struct nk_approval {
    struct nk_str server, name;
    struct nk_digest digest;   /* over all members that are there (RFC 8785, SHA-256) */
    struct nk_digest nameless; /* over those but the name: the same tool under another name */
    struct nk_str since;       /* "approved", RFC 3339; absent when the file does not say */
    uint32_t at;               /* its entry in nk_approvals.doc */
};

struct nk_approvals {
    struct nk_json doc;
    struct nk_approval *list; /* sorted by server and name; no two are the same */
    size_t n;
};

/* Reads tools.json (an absent text: nothing is approved). NK_EINVAL (stage "tools") when it is not as
 * above, names a tool twice or its sha256 is not that of the definition beside it: then all of it is
 * refused. NK_ELIMIT, NK_ENOMEM. */
int nk_approvals_read(struct nk_str file, struct nk_arena *a, struct nk_approvals *out,
                      struct nk_fault *f) NK_CHECKED;
/* NULL: not approved. */
const struct nk_approval *nk_approvals_find(const struct nk_approvals *approvals,
                                            struct nk_str server, struct nk_str name);

/* One list of a server ----------------------------------------------------------------------------
 */
enum nk_trust_state {
    NK_TRUST_APPROVED,  /* exactly what was approved: the only one that may be listed and called */
    NK_TRUST_NEW,       /* nothing is approved under this name */
    NK_TRUST_CHANGED,   /* something else is approved under this name */
    NK_TRUST_RENAMED,   /* new, but what was approved of this server under another name */
    NK_TRUST_TWICE,     /* the list has this name more than once */
    NK_TRUST_MALFORMED, /* no definition of a tool */
};
/* "approved", "new" … */
const char *nk_trust_state_name(enum nk_trust_state state);

/* How a name that is not approved resembles one that is. */
enum nk_trust_likeness {
    NK_TRUST_UNLIKE,
    NK_TRUST_NEAR,      /* one letter more, less or other, or two in a long name */
    NK_TRUST_NAMESAKE,  /* another server has a tool of this very name */
    NK_TRUST_LOOKALIKE, /* a reader takes one for the other: letters of other scripts, case, signs */
};

struct nk_trust_tool {
    uint32_t at;        /* its entry in the document */
    struct nk_str name; /* absent: malformed */
    enum nk_trust_state state;
    unsigned changed; /* CHANGED: bit 1 << member for each that is not as approved */
    struct nk_digest digest;
    const struct nk_approval
        *approval; /* CHANGED and APPROVED: under this name; RENAMED: the one that
                                           it was; otherwise NULL */
    enum nk_trust_likeness likeness;
    const struct nk_approval *like; /* the approved tool that it resembles, or NULL */
};

/* Judges the array `tools` of `doc`, one answer (or page of answers) of tools/list from `server`, and
 * gives an array of tools in the same order. NK_EINVAL when it is no array, NK_ELIMIT, NK_ENOMEM. */
int nk_trust_judge(const struct nk_approvals *approvals, struct nk_str server,
                   const struct nk_json *doc, uint32_t tools, struct nk_arena *a,
                   struct nk_trust_tool **out, size_t *n, struct nk_fault *f) NK_CHECKED;

/* What is in the texts ----------------------------------------------------------------------------
 */
enum nk_trust_level { NK_TRUST_ERROR, NK_TRUST_WARNING, NK_TRUST_NOTE };

enum nk_trust_rule {
#define FOUND(name, id, level, en, ja) NK_TRUST_##name,
#include "tool/trust.def"
#undef FOUND
    NK_TRUST_RULES,
};

struct nk_trust_finding {
    enum nk_trust_rule rule;
    struct nk_str where; /* JSON Pointer below the definition: "/inputSchema/properties/q/title" */
    uint32_t at;         /* the string's entry in the document */
    struct nk_str excerpt; /* around the place, with U+… for what cannot be seen */
};

struct nk_trust_findings {
    struct nk_trust_finding list[NK_TRUST_FINDINGS_MAX];
    size_t n;     /* in the list, in the order of the document */
    size_t total; /* with those that had no room */
};

/* Looks at every string and member name of the definition `at`. Names of approved tools of servers
 * other than `server` are what it should not speak of; `approvals` may be NULL. NK_ENOMEM. */
int nk_trust_inspect(const struct nk_json *doc, uint32_t at, const struct nk_approvals *approvals,
                     struct nk_str server, struct nk_arena *a, struct nk_trust_findings *out,
                     struct nk_fault *f) NK_CHECKED;
/* The same for every string of an agent's card (A2A), whatever its members are. */
int nk_trust_inspect_card(const struct nk_json *doc, uint32_t at, struct nk_arena *a,
                          struct nk_trust_findings *out, struct nk_fault *f) NK_CHECKED;
/* Appends `s` so that it is seen as it is: white space is a space, and "<U+200B>" stands for what a screen does
 * not show or obeys. */
void nk_trust_put_seen(struct nk_buf *out, struct nk_str s);
const char *nk_trust_rule_id(enum nk_trust_rule rule);
enum nk_trust_level nk_trust_rule_level(enum nk_trust_rule rule);
const char *nk_trust_rule_text(enum nk_trust_rule rule, bool japanese);
