/* SPDX-License-Identifier: Apache-2.0
 *
 * tool.h - tools that a model may call: which there are, and whether one may be called. Which there are is
 * configuration (tools.json and `tools.rules`), never what a server says meanwhile. Whether one may be
 * called the judge says, about the person who is proven to ask, with the arguments that the call has.
 *
 * One question is the whole of it: nk_tool_decide. A caller does nothing of a tool's unless the outcome is
 * NK_TOOL_ALLOW, writes `record` before it does it, and lets no part of the result out that `redact` and
 * `denied` name. docs/tools.md says what policies see.
 */
#pragma once

#include "cedar/cedar.h"
#include "config/config.h"
#include "crypt/crypt.h"
#include "ident/ident.h"
#include "field/field.h"
#include "json/schema.h"
#include "tool/judge.h"

enum {
    NK_TOOLS_MAX = 4096,
    NK_TOOLS_FILE_MAX = 16 << 20,     /* bytes of tools.json */
    NK_TOOL_NAME_MAX = 256,           /* bytes of a full name, registered or not */
    NK_TOOL_ARGUMENTS_MAX = 48 << 10, /* bytes of one call's: its record holds them */
};

/* What calling a tool does, as a bit set; names of action groups in policies. */
enum nk_tool_group {
    NK_TOOL_READ = 1,
    NK_TOOL_EFFECT_INTERNAL = 2,
    NK_TOOL_EFFECT_EXTERNAL = 4,
    NK_TOOL_DESTRUCTIVE = 8,
    NK_TOOL_MONEY = 16,
    NK_TOOL_CREDENTIAL = 32,
};
enum { NK_TOOL_GROUPS = 6 };
/* The name of bit i. */
struct nk_str nk_tool_group_name(unsigned i);

struct nk_tool_type;

struct nk_tool {
    struct nk_str full; /* "ehr___get_patient": server, three underscores, name */
    struct nk_str
        server;         /* of an upstream, or "client": the client of a model API runs it itself */
    struct nk_str name; /* as the server calls it */
    size_t upstream;    /* index in the configuration; SIZE_MAX: client */
    struct nk_str definition; /* JSON object of the members that the digest covers; absent: none was
                                  approved, a rule names the tool (client alone) */
    struct nk_str title, description; /* absent: none */
    const struct nk_schema
        *input; /* NULL: not known; then arguments are not checked, and policies do not see them */
    const struct nk_schema *output; /* NULL: not declared */
    struct nk_digest digest;        /* of the definition; zero without one */
    unsigned groups;                /* enum nk_tool_group */
    const struct nk_str *classes;   /* of its fields, each once; the rules count them from 0 */
    size_t class_count;
    const struct nk_field_rules *rules; /* for results; NULL: whatever comes passes */
    const struct nk_tool_type *type;    /* of `input` in policies (tool/type.h); NULL: not known */
};

struct nk_tools; /* the registry; immutable */

/* Reads tools.json (absent: none) and the rules of the configuration, which must outlive the registry, as must
 * `file`. NK_EINVAL (a digest does not fit its definition, a schema is wrong …), NK_ECONFLICT (two tools of one
 * full name), NK_ENOTFOUND (no such upstream), NK_ELIMIT, NK_EUNSUPPORTED, NK_ENOMEM: the fault (stage "tools")
 * names the tool and what to do. */
int nk_tools_new(const struct nk_config *c, struct nk_str file, const uint64_t seed[2],
                 struct nk_arena *a, const struct nk_tools **out, struct nk_fault *f) NK_CHECKED;
/* In the order of their full names (by bytes). */
size_t nk_tools_count(const struct nk_tools *t);
const struct nk_tool *nk_tools_at(const struct nk_tools *t, size_t i);
/* NULL: not registered. */
const struct nk_tool *nk_tools_find(const struct nk_tools *t, struct nk_str full);
const struct nk_tool *nk_tools_find_of(const struct nk_tools *t, struct nk_str server,
                                       struct nk_str name);

/* Appends the tools' actions as declarations of a Cedar schema, to follow one such as policy/nakoso.cedarschema. */
void nk_tools_put_schema(const struct nk_tools *tools, struct nk_buf *out);

/* SHA-256 of the canonical form (RFC 8785) of a definition: of its members name, title, description,
 * inputSchema, outputSchema and annotations, as far as they are there; others do not count. NK_EINVAL when
 * entry `at` is no object with a name, or a number in it is none for RFC 8785; NK_ELIMIT, NK_ENOMEM. */
int nk_tool_definition_digest(const struct nk_json *doc, uint32_t at,
                              struct nk_digest *out) NK_CHECKED;

/* The conversation as far as it is known. */
struct nk_tool_session {
    struct nk_str id; /* absent: none */
    int64_t turn;     /* answers of the model so far, this one included; 0: not known */
    int64_t calls;    /* tools called so far in this session, this one not included */
};

/* A question. gate/tool.h fills in what a transaction knows. */
struct nk_tool_ask {
    const struct nk_tool *tool; /* NULL: not registered */
    struct nk_str name;      /* full name; registered or not, as the client's side asked for it */
    struct nk_str arguments; /* JSON text; absent or empty: {} */
    const struct nk_principal *principal;
    struct nk_str entities;                /* the principal as entity JSON, for the record */
    const struct nk_cedar_entities *store; /* sealed: it, over those of the configuration */
    const struct nk_cedar_policies *policies;
    struct nk_tool_session session;
    const char *dialect; /* static: "mcp", "openai" … */
    /* What a person has agreed to: `approval` of an earlier verdict, which the caller knows from a source that no
     * client can forge, unexpired and for the first time. NULL: nobody was asked. It counts only when it is
     * that of this very question. */
    const struct nk_digest *approved;
    bool japanese; /* language of `why` */
};

struct nk_tool_verdict {
    enum nk_tool_outcome outcome;
    struct nk_digest
        approval; /* of principal, who acts for it, session id, tool, definition, exact arguments */
    const struct nk_str
        *redact; /* ALLOW: JSON Pointers (RFC 6901) of what has to go from the result */
    size_t redact_count;
    uint64_t denied; /* ALLOW: bit i: tool->classes[i] may not be read */
    struct nk_cedar_answer
        answer;                  /* allow: the outcome is ALLOW; reasons: what made it what it is */
    const struct nk_str *waived; /* ids of forbids that were satisfied and did not decide */
    size_t waived_count;
    struct nk_str
        why; /* for people: why it is refused, or what a person has to agree to. Absent: allowed */
    struct nk_str
        record; /* members of the audit record: ,"tool":{…},"cedar":{…},"entities":[…],"decision":"…" … */
};

/* Decides. 0: it was decided, whatever the outcome. NK_EINVAL, NK_ELIMIT: the arguments are not what the tool
 * takes, and nobody was asked; the outcome is NK_TOOL_REFUSE, and `why` and `record` say so. NK_ENOMEM: only the
 * outcome is set, NK_TOOL_REFUSE. The verdict lives in `a`. */
int nk_tool_decide(const struct nk_tool_ask *ask, struct nk_arena *a, struct nk_tool_verdict *out,
                   struct nk_fault *f) NK_CHECKED;
/* May it be listed: is there, as far as partial evaluation sees, any argument with which the outcome would not be
 * NK_TOOL_REFUSE? Never false when there is one. `arguments` and `approved` are not looked at. */
int nk_tool_may_list(const struct nk_tool_ask *ask, struct nk_arena *a, bool *out,
                     struct nk_fault *f) NK_CHECKED;

/* Which of the tool's classes (bits, as in a verdict) this principal may not read, whatever a call's arguments are. */
int nk_tool_denied(const struct nk_tool_ask *ask, struct nk_arena *a, uint64_t *denied,
                   struct nk_fault *f) NK_CHECKED;

/* Appends who acts for the principal, as questions about tools and their fields tell it: ,"actor":{…}; or nothing. */
void nk_tool_put_actor(struct nk_buf *out, const struct nk_principal *p);
