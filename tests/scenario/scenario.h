/* SPDX-License-Identifier: Apache-2.0
 *
 * scenario.h - a .gate file: a story of clients, an upstream and what is expected, one step a line.
 * The same file is played against the pure core (core.c: no socket, virtual time) and against the
 * real daemon (daemon.c: all roles, loopback), over HTTP/1.1 and over HTTP/2 (h2.c). docs/scenarios.md lists the steps.
 */
#pragma once

#include "gate/gate.h"

enum {
    STEPS_MAX = 256,
    KEYS_MAX = 16,
    MODELS_MAX = 16,
    CALLS_MAX = 16,
    LINE_MAX_BYTES = 65536,
    LANES_MAX = 4
};

struct scenario_step {
    int line;
    struct nk_str word; /* "client", "upstream", "expect" … */
    struct nk_str rest; /* what follows, trimmed; escapes not yet resolved */
};

struct scenario_key {
    struct nk_str name, type, id, groups; /* groups: comma-separated */
    char secret[64];
};

struct scenario_model {
    struct nk_str name, dialect, upstream_name;
};

struct scenario {
    struct nk_arena arena;
    const char *file;
    struct nk_str title;
    struct nk_buf store,
        hooks; /* policies of the policy store "shop"; hooks and their rules, JSON */
    struct nk_buf policy, entities, config; /* config: further members of "limits", JSON */
    struct nk_buf top;                      /* further members of the configuration, JSON */
    struct nk_buf tools, tool_rules;        /* JSON; tools: entries of tools.json */
    bool strict;
    bool errors_deny; /* policy.errors: deny */
    bool http1;       /* it is about the framing of HTTP/1.1 */
    struct scenario_key keys[KEYS_MAX];
    size_t key_count;
    struct scenario_model models[MODELS_MAX];
    size_t model_count;
    struct scenario_step steps[STEPS_MAX]; /* client, header, upstream, gone, expect, in order */
    size_t step_count;
};

/* What a driver saw. Texts live in the buffers. */
struct sighting {
    int status;
    bool complete;  /* the answer ended properly */
    bool cut;       /* the connection ended before the answer did */
    bool cancelled; /* the upstream call was cancelled */
    struct nk_buf head, body;
    struct nk_buf call_head, call_body; /* what the model (upstream) saw last */
    size_t calls;                       /* since the last client step */
    struct nk_buf records;              /* all audit lines, LF after each */
};

struct driver {
    const char *name;
    /* 0, or a message of what cannot be done. */
    const char *(*open)(struct scenario *s, struct sighting *seen);
    const char *(*client)(struct scenario *s, struct sighting *seen, const struct scenario_key *key,
                          struct nk_str method, struct nk_str target, struct nk_str headers,
                          struct nk_str body);
    /* "STATUS TYPE", "data TEXT", "end", "fail HOW", "on N" */
    const char *(*upstream)(struct scenario *s, struct sighting *seen, struct nk_str what);
    const char *(*gone)(struct scenario *s, struct sighting *seen);
    /* Waits until a call has reached the upstream. */
    void (*wait_call)(struct scenario *s, struct sighting *seen);
    /* Brings `seen` up to date before an expectation is looked at. */
    void (*settle)(struct scenario *s, struct sighting *seen);
    /* Decides the recorded facts again; "" when all is identical, else what differs. */
    const char *(*replay)(struct scenario *s, struct sighting *seen);
    void (*close)(struct scenario *s, struct sighting *seen);
};

extern const struct driver core_driver, daemon_driver, h2_driver;

/* Reads a file; NULL and a message on stderr when it cannot be read. */
struct scenario *scenario_read(const char *file);
void scenario_free(struct scenario *s);
/* \n, \r, \t, \\ and \xHH resolved; memory in the scenario's arena. */
struct nk_str scenario_unescape(struct scenario *s, struct nk_str text);
/* The canonical configuration JSON of the scenario (daemon: upstream at `port`). */
void scenario_config(const struct scenario *s, int upstream_port, struct nk_buf *out);
/* "name: value" lines, names in lower case. */
void scenario_put_headers(const struct nk_http_head *h, struct nk_buf *out);
/* tools.json, with the digests of what stands in it. */
void scenario_tools(const struct scenario *s, struct nk_buf *out);
/* The API key file. */
void scenario_keys(struct scenario *s, struct nk_buf *out);
