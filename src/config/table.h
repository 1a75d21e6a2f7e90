/* SPDX-License-Identifier: Apache-2.0
 *
 * table.h - config.def as an array of rows, and how one written value becomes a field. Private to
 * this module.
 */
#pragma once

#include "config/config.h"
#include "json/json.h"

enum nk_config_section {
    NK_CONFIG_ROOT,
    NK_CONFIG_LISTEN,
    NK_CONFIG_CERTIFICATE,
    NK_CONFIG_UPSTREAM,
    NK_CONFIG_PIN,
    NK_CONFIG_ENDPOINT,
    NK_CONFIG_HEALTH,
    NK_CONFIG_OAUTH,
    NK_CONFIG_MODEL,
    NK_CONFIG_IDENTITY,
    NK_CONFIG_ISSUER,
    NK_CONFIG_ATTRIBUTE,
    NK_CONFIG_CLIENT,
    NK_CONFIG_TOKEN,
    NK_CONFIG_TOKEN_ATTRIBUTE,
    NK_CONFIG_EGRESS,
    NK_CONFIG_REACH,
    NK_CONFIG_POLICY,
    NK_CONFIG_STORE,
    NK_CONFIG_SOURCE,
    NK_CONFIG_AUDIENCE,
    NK_CONFIG_HOOK,
    NK_CONFIG_HOOK_RULE,
    NK_CONFIG_AGENT,
    NK_CONFIG_ACTION,
    NK_CONFIG_AGENT_TOOL,
    NK_CONFIG_MCP,
    NK_CONFIG_MCP_SERVER,
    NK_CONFIG_MCP_HOST,
    NK_CONFIG_MCP_ISSUER,
    NK_CONFIG_MCP_SCOPE,
    NK_CONFIG_REMOTE_MCP,
    NK_CONFIG_A2A,
    NK_CONFIG_AUDIT,
    NK_CONFIG_DNS,
    NK_CONFIG_LIMITS,
    NK_CONFIG_LOG,
    NK_CONFIG_TELEMETRY,
    NK_CONFIG_OTLP,
    NK_CONFIG_OTLP_HEADER,
    NK_CONFIG_TOOLS,
    NK_CONFIG_TOOL_RULE,
    NK_CONFIG_TOOL_GROUP,
    NK_CONFIG_TOOL_FIELD,
};

enum nk_config_kind {
    NK_CONFIG_KIND_TEXT,     /* any text without control characters */
    NK_CONFIG_KIND_NAME,     /* letters, digits and . _ - / : @ */
    NK_CONFIG_KIND_PATH,     /* relative ones are relative to the configuration file */
    NK_CONFIG_KIND_ADDRESS,  /* IPv4:PORT, [IPv6]:PORT, unix:PATH */
    NK_CONFIG_KIND_ORIGIN,   /* http(s)://HOST[:PORT] or unix:PATH */
    NK_CONFIG_KIND_ENDPOINT, /* http(s)://HOST[:PORT][/PATH] */
    NK_CONFIG_KIND_KEYSET,   /* file:PATH, https://…, http:// to this machine */
    NK_CONFIG_KIND_SECRET,   /* file:PATH or env:NAME */
    NK_CONFIG_KIND_HOST,     /* a name or an address */
    NK_CONFIG_KIND_PROXY,    /* http://HOST:PORT or "direct" */
    NK_CONFIG_KIND_PIN,      /* base64 of 32 bytes */
    NK_CONFIG_KIND_REACH,    /* HOST:PORT, ADDRESS/BITS:PORT, unix:PATH */
    NK_CONFIG_KIND_STATUSES, /* some of 429, 502, 503, 504, separated by commas, or "none" */
    NK_CONFIG_KIND_SERVERS,  /* IPv4[:PORT] or [IPv6][:PORT], separated by commas */
    NK_CONFIG_KIND_CHOICE,   /* one of the words of the range */
    NK_CONFIG_KIND_SWITCH,   /* the same with two words, kept as bool: is it the second? */
    NK_CONFIG_KIND_NUMBER,
    NK_CONFIG_KIND_SIZE, /* bytes */
    NK_CONFIG_KIND_TIME, /* milliseconds */
    NK_CONFIG_KIND_LIST,
    NK_CONFIG_KIND_GROUP,
};

struct nk_config_row {
    enum nk_config_section section;
    enum nk_config_kind kind;
    const char *key;
    bool required;
    size_t at, count_at;          /* offset of the field, and of a list's count */
    size_t item_size;             /* of one entry of a list */
    enum nk_config_section items; /* of a list or group */
    const char *value;            /* default, or the example where required; "": none */
    const char *range;
    const char *english, *japanese;
};

const struct nk_config_row *nk_config_rows(size_t *n);
/* The row of `key` in a section, or NULL. */
const struct nk_config_row *nk_config_row(enum nk_config_section section, struct nk_str key);
/* The one row of a section whose entries are plain values (its key is ""), or NULL. */
const struct nk_config_row *nk_config_bare(enum nk_config_section section);

/* A value as its kind keeps it. */
struct nk_config_value {
    struct nk_str text;
    int64_t number;
};

/* Reads one written value; paths are made absolute with `directory` (absent: left as they are).
 * On an error `why` (at least 200 bytes) says what is expected, without repeating a secret. */
int nk_config_scalar(const struct nk_config_row *row, struct nk_str text, struct nk_str directory,
                     struct nk_arena *a, struct nk_config_value *out, char why[200]) NK_CHECKED;
/* The two ends of a row's range, in the kind's unit; false when it has none. */
bool nk_config_range(const struct nk_config_row *row, int64_t *low, int64_t *high);
/* Stores a value in the field of `row` in the structure at `base`. */
void nk_config_store(const struct nk_config_row *row, void *base, const struct nk_config_value *v);
/* Is it one that holds a number (NUMBER, SIZE, TIME)? */
bool nk_config_is_number(enum nk_config_kind kind);
/* The forms of the compound kinds, for scalar.c: 0 or an explanation. */
const char *nk_config_bad_address(struct nk_str s);
const char *nk_config_bad_origin(struct nk_str s);
const char *nk_config_bad_endpoint(struct nk_str s);
const char *nk_config_bad_keyset(struct nk_str s);
const char *nk_config_bad_secret(struct nk_str s);
const char *nk_config_bad_host(struct nk_str s);
const char *nk_config_bad_proxy(struct nk_str s);
const char *nk_config_bad_pin(struct nk_str s);
const char *nk_config_bad_reach(struct nk_str s);
const char *nk_config_bad_statuses(struct nk_str s);
const char *nk_config_bad_servers(struct nk_str s);
/* Entry i of a list, or NK_JSON_NONE. */
uint32_t nk_config_item(const struct nk_json *doc, uint32_t list, size_t i);
/* Where the value of `key` of an object stands, or the object, or 0: for faults. The same of entry i of a list. */
size_t nk_config_offset(const struct nk_json *doc, uint32_t object, const char *key);
size_t nk_config_offset_in(const struct nk_json *doc, uint32_t list, size_t i, const char *key);
/* The rules of upstream i and its endpoints; `at` is its entry. */
int nk_config_check_upstream(const struct nk_config *c, size_t i, const struct nk_json *doc,
                             uint32_t at, struct nk_fault *f) NK_CHECKED;
/* The rules of MCP endpoints; of policy stores and hooks. */
int nk_config_check_mcp(const struct nk_config *c, const struct nk_json *doc,
                        struct nk_fault *f) NK_CHECKED;
int nk_config_check_stores(const struct nk_config *c, const struct nk_json *doc,
                           struct nk_fault *f) NK_CHECKED;
/* The rules of tokens for tools; of agents. */
int nk_config_check_tokens(const struct nk_config *c, const struct nk_json *doc,
                           struct nk_fault *f) NK_CHECKED;
int nk_config_check_agents(const struct nk_config *c, const struct nk_json *doc,
                           struct nk_fault *f) NK_CHECKED;
/* The rules between keys: unique names, references, pairs. `doc` is for offsets. */
int nk_config_check(const struct nk_config *c, const struct nk_json *doc,
                    struct nk_fault *f) NK_CHECKED;
