/* SPDX-License-Identifier: Apache-2.0
 *
 * config.h - the configuration as plain structures. Names, types, defaults, limits and one line of
 * documentation of every key are in config.def; the parser, the checks, the JSON Schema for editors
 * and docs/reference/configuration.md come from that table. Durations are milliseconds, sizes
 * bytes. Slices live in the arena that the configuration was read into. Immutable once read.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "config/agent.h"
#include "config/a2a.h"
#include "config/mcp.h"
#include "config/store.h"
#include "config/telemetry.h"
#include "config/token.h"
#include "config/tools.h"

struct nk_config_certificate {
    struct nk_str certificate; /* PEM chain file */
    struct nk_str key;         /* PEM private key file */
    struct nk_str ocsp;        /* DER file; absent: nothing is stapled */
};

struct nk_config_listen {
    struct nk_str address;         /* "127.0.0.1:8080", "[::1]:8080" or "unix:/run/nakoso.sock" */
    struct nk_str tls_certificate; /* short form of one entry of `certificates` */
    struct nk_str tls_key;
    const struct nk_config_certificate *certificates; /* none of either: no TLS */
    size_t certificate_count;
    bool tls_only_13;
    struct nk_str client_ca;  /* PEM file; absent: clients show no certificate */
    bool client_optional;     /* a client may also come without one */
    struct nk_str client_crl; /* PEM file; absent: revocation is not looked at */
    bool http2;               /* offered beside HTTP/1.1 */
};

struct nk_config_model {
    struct nk_str name;
    struct nk_str upstream;      /* name of an upstream */
    struct nk_str upstream_name; /* what the upstream calls it; absent: the same */
};

struct nk_config_claim { /* one line of the mapping table: claim -> attribute */
    struct nk_str claim, attribute;
};

struct nk_config_issuer {
    struct nk_str issuer;   /* exact value of `iss` */
    struct nk_str audience; /* must be (one of) `aud` */
    struct nk_str jwks;     /* "file:PATH", "https://…" or "http://127.0.0.1…" */
    int64_t jwks_refresh;
    int64_t clock_skew;
    struct nk_str principal_type;  /* "User" */
    struct nk_str principal_claim; /* "sub" */
    struct nk_str groups_claim;    /* absent: no groups */
    const struct nk_config_claim *attributes;
    size_t attribute_count;
};

struct nk_config_limits {
    int64_t head_bytes, headers, body_bytes, reply_bytes, event_bytes; /* HTTP, SSE */
    int64_t json_depth, json_values;
    int64_t header_timeout, body_timeout, idle_timeout, write_timeout; /* slow or silent clients */
    int64_t handshake_timeout;
    int64_t connections, requests; /* at once, per gate */
    int64_t streams;               /* requests at once on one HTTP/2 connection */
    int64_t stream_window;         /* bytes of an answer that may wait for a slow client */
};

struct nk_config_header {
    struct nk_str name, value; /* value: "file:PATH" or "env:NAME" */
    struct nk_str prefix;      /* before the value, or absent */
};

struct nk_config {
    const struct nk_config_listen *listen;
    size_t listen_count;
    struct nk_str admin; /* address of /metrics, /healthz, /readyz; absent: none */
    const struct nk_config_upstream *upstreams;
    size_t upstream_count;
    const struct nk_config_model *models;
    size_t model_count;
    struct nk_str keys;         /* API key file; absent: no keys */
    struct nk_str sigv4_secret; /* "file:PATH" or "env:NAME" */
    const struct nk_config_issuer *issuers;
    size_t issuer_count;
    struct nk_config_token token;          /* that tools get */
    struct nk_str certificate_type;        /* of whom a client's certificate names; absent: none */
    struct nk_str proxy, proxy_credential; /* as an upstream's, for all that have none */
    const struct nk_config_text *egress_allow; /* none: the upstreams, issuers and proxies */
    size_t egress_allow_count;
    struct nk_str policy;    /* directory of *.cedar files */
    struct nk_str entities;  /* Cedar entity JSON file; absent: none */
    struct nk_str schema;    /* Cedar schema file; absent: policies are not validated */
    bool policy_errors_deny; /* a forbid that errs denies */
    const struct nk_config_store *stores;
    size_t store_count;
    const struct nk_config_hook *hooks;
    size_t hook_count;
    const struct nk_config_agent *agents;
    size_t agent_count;
    const struct nk_config_mcp *mcp;
    size_t mcp_count;
    const struct nk_config_a2a *a2a;
    size_t a2a_count;
    struct nk_str remote_mcp; /* URL in place of those that requests name; absent: as they come */
    bool remote_mcp_asks;     /* … and each call of such a server needs the client's approval */
    struct nk_str session_secret; /* absent: a random one */
    struct nk_str audit;          /* directory of the chain */
    bool audit_strict;
    int64_t audit_group;        /* group commit interval */
    int64_t audit_checkpoint;   /* at most this long between signed checkpoints */
    struct nk_str audit_origin; /* name of this log in checkpoints */
    struct nk_str dns_servers;  /* "127.0.0.1:53,[::1]"; absent: the system's */
    int64_t dns_ttl_max, dns_stale;
    int64_t workers;         /* gate + courier pairs */
    int64_t grace;           /* for requests under way, at a stop or an upgrade */
    struct nk_str control;   /* Unix socket of `nakoso reload` */
    struct nk_str log_level; /* error, warning, info, debug */
    struct nk_config_limits limits;
    struct nk_config_telemetry telemetry;
    struct nk_config_tools tools;
};

/* Reads the canonical JSON form (what the edge makes of the YAML file). Unknown keys, wrong types
 * and values out of range are errors that name the key and what to write instead; fault->offset is
 * the byte offset in `json`. Also checks that names are unique and references resolve. */
int nk_config_parse(struct nk_str json, struct nk_arena *a, struct nk_config *out,
                    struct nk_fault *f) NK_CHECKED;
/* The same, with relative paths made absolute by `directory` (without a slash at its end). */
int nk_config_parse_at(struct nk_str json, struct nk_str directory, struct nk_arena *a,
                       struct nk_config *out, struct nk_fault *f) NK_CHECKED;
/* Writes the canonical JSON form: all keys, defaults included, in one order. Reading it back gives the same configuration. */
void nk_config_write(const struct nk_config *c, struct nk_buf *out);
/* The upstream of this name: its index, upstream_count without one; or itself, NULL without one. */
size_t nk_config_upstream_index(const struct nk_config *c, struct nk_str name);
const struct nk_config_upstream *nk_config_upstream_named(const struct nk_config *c,
                                                          struct nk_str name);
/* Is any upstream started here? And the Unix socket at which those are served; absent: out of memory. */
bool nk_config_starts_any(const struct nk_config *c);
struct nk_str nk_config_served_at(const struct nk_config *c, struct nk_arena *a);
/* Does the URL of an upstream or issuer point to this machine (127.0.0.1, [::1], unix:)? */
bool nk_config_is_local(struct nk_str url);
/* For reading JSON of at most `max` bytes: as deep and with as many values as limits.json_depth and limits.json_values allow. */
struct nk_json_limits nk_config_json_limits(const struct nk_config *c, int64_t max);
/* JSON Schema (2020-12) of the YAML file, and the reference in Markdown. */
void nk_config_schema(struct nk_buf *out);
void nk_config_reference(struct nk_buf *out);
