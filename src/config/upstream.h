/* SPDX-License-Identifier: Apache-2.0
 *
 * upstream.h - the configuration of an upstream; see config.h.
 */
#pragma once

#include "base/str.h"

struct nk_config_text { /* an entry of a list of plain values */
    struct nk_str text;
};

struct nk_config_endpoint {
    struct nk_str url;        /* "https://api.openai.com", "http://127.0.0.1:9000", "unix:/path" */
    int64_t weight;           /* share of the calls, relative to the others */
    struct nk_str credential; /* "file:PATH" or "env:NAME"; absent: the upstream's */
    struct nk_str ca;         /* absent: the upstream's */
};

struct nk_config_health {
    int64_t failures;         /* in a row, until an endpoint is left out */
    int64_t eject, eject_max; /* for how long: at first, at most */
    struct nk_str path;       /* asked for every `interval`; absent: nothing is */
    int64_t interval, timeout;
};

/* An access token that is fetched: RFC 6749, section 4.4; RFC 8693. */
struct nk_config_oauth {
    struct nk_str token_url; /* absent: none is fetched */
    struct nk_str client_id, client_secret;
    bool exchanges;                          /* the caller's token for one of ours */
    struct nk_str scope, resource, audience; /* absent: not asked for */
};

/* One line of the environment of an MCP server. */
struct nk_config_variable {
    struct nk_str name;
    struct nk_str value;  /* either this … */
    struct nk_str secret; /* … or "file:PATH" or "env:NAME" */
};

/* How an MCP server runs that is started here, and speaks on its standard input and output. */
struct nk_config_process {
    const struct nk_config_variable *environment;
    size_t environment_count;
    const struct nk_config_text *read, *write; /* paths, beside what every program needs */
    size_t read_count, write_count;
    struct nk_str directory; /* where it starts; absent: / */
    bool network;            /* may it make connections? */
    int64_t memory;          /* of each process of it */
    int64_t processes;       /* and threads, all of our user's together */
    int64_t sessions;        /* at once */
    int64_t message_bytes;
    int64_t start_timeout, idle_timeout;
};

/* One trust domain: what policies speak of, whichever endpoint serves it. */
struct nk_config_upstream {
    struct nk_str name;
    struct nk_str dialect; /* "openai", "anthropic", "mcp", "a2a" or "http" */
    struct nk_str path;    /* of an MCP server or A2A agent; absent: see nk_config_mcp_path */
    struct nk_str url;     /* short for one endpoint; absent: `endpoints` */
    const struct nk_config_text *command; /* a server that is started here; none: it is reached */
    size_t command_count;
    struct nk_config_process process;
    struct nk_str served_at, served_path; /* with `command`: where the runner answers for it */
    struct nk_str credential;             /* "file:PATH" or "env:NAME"; absent: none is sent */
    struct nk_str token_audience;         /* of the identity that its tools get; absent: none */
    struct nk_str token_header;           /* that carries it */
    struct nk_str mcp_revision;        /* of an MCP server: "any", "2025-11-25" or "2026-07-28" */
    struct nk_str ca;                  /* PEM file of trusted authorities; absent: the system's */
    const struct nk_config_text *pins; /* base64 of SHA-256 of a public key; one must match */
    size_t pin_count;
    struct nk_str client_certificate, client_key; /* PEM files; absent: none is shown */
    struct nk_str tls_server_name;                /* absent: the host of the URL */
    bool tls_only_13;
    struct nk_str proxy;            /* "http://HOST:PORT", "direct"; absent: the common one */
    struct nk_str proxy_credential; /* "file:PATH" or "env:NAME" */
    bool is_private;                /* its name may lead to a private address */
    const struct nk_config_endpoint *endpoints;
    size_t endpoint_count;
    int64_t connect_timeout, first_byte_timeout, idle_timeout;
    int64_t timeout;       /* of the whole exchange */
    int64_t pool;          /* idle keep-alive connections kept */
    struct nk_str http2;   /* "off", "auto" or "on" */
    int64_t max_in_flight; /* of each endpoint; 0: no limit */
    int64_t retries, retry_budget;
    struct nk_str retry_on_status; /* "429,503", "none" */
    struct nk_config_health health;
    struct nk_config_oauth oauth;
};

/* The endpoints of an upstream, whichever way they are written: at least one, and each with the
 * upstream's credential and authorities where it has none of its own. */
size_t nk_config_endpoint_count(const struct nk_config_upstream *u);
struct nk_config_endpoint nk_config_endpoint(const struct nk_config_upstream *u, size_t i);
/* Where an MCP server answers. */
struct nk_str nk_config_mcp_path(const struct nk_config_upstream *u);
/* Where an A2A agent answers. */
struct nk_str nk_config_a2a_path(const struct nk_config_upstream *u);
/* Does it serve tools, and no models? */
bool nk_config_serves_tools(const struct nk_config_upstream *u);
/* Is it a server that is started here? */
bool nk_config_is_started(const struct nk_config_upstream *u);
/* Is `status` in a list such as "429,503"? */
bool nk_config_has_status(struct nk_str list, int status);
