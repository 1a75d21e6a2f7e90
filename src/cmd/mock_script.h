/* SPDX-License-Identifier: Apache-2.0
 *
 * mock_script.h - what a scripted model does, as read from a text file:
 *
 *     models "gpt-4o" "claude-x"           what GET /v1/models lists
 *     key "sk-upstream"                    the only credential that is accepted; otherwise 401
 *
 *     when model "gpt-*" and text contains "1234"
 *       say "The patient is well."
 *       stream pieces 8 pace 5ms
 *       usage 120 34
 *     when tool result
 *       echo
 *     otherwise
 *       obey
 *
 * The first rule whose conditions all hold answers; without one, the model echoes. Conditions, put
 * together by "and", each with "not" in front if need be:
 *
 *     model "NAME"   (a * at the end stands for the rest)      text contains "…"   (anything it
 * reads) last contains "…"   (the last message)                   path "/v1/…" header NAME contains
 * "…"                                 streaming tool result   (the last message is a tool's answer)
 * first N times   (this rule, so far)
 *
 * What it then does, one thing a line:
 *
 *     say "…"                        echo (what it read last)    obey (the last instruction it
 * read) call tool NAME {json}          may be given several times  finish "length" stream pieces N
 * pace 5ms       either or both              usage INPUT OUTPUT delay 200ms before the first byte
 * header NAME "value" status 429 error "…"           an error in the API's form  drop after N
 * events close                          without an answer           silent   (never answers)
 *     garbage                        an answer that is no JSON   raw "…" type "text/plain"
 *
 * Texts know \n \t \" \\ and \u… as JSON does. "#" begins a comment. To obey: `say "…"` or `call
 * tool NAME {…}` anywhere in what it read, the last one wins; it has no judgement of its own.
 */
#pragma once

#include "base/arena.h"
#include "json/json.h"

enum nk_mock_test {
    NK_MOCK_MODEL,
    NK_MOCK_TEXT,
    NK_MOCK_LAST,
    NK_MOCK_PATH,
    NK_MOCK_HEADER,
    NK_MOCK_STREAMING,
    NK_MOCK_TOOL_RESULT,
    NK_MOCK_TIMES,
};

struct nk_mock_condition {
    enum nk_mock_test test;
    bool negated;
    struct nk_str name; /* NK_MOCK_HEADER */
    struct nk_str value;
    int64_t number; /* NK_MOCK_TIMES */
};

enum nk_mock_manner {
    NK_MOCK_ANSWERS,
    NK_MOCK_ERROR,   /* status and message */
    NK_MOCK_GARBAGE, /* what a dialect does not know */
    NK_MOCK_RAW,     /* message, with type */
    NK_MOCK_CLOSES,
    NK_MOCK_SILENT,
};

enum { NK_MOCK_CALLS = 8, NK_MOCK_HEADERS = 8, NK_MOCK_CONDITIONS = 8 };

struct nk_mock_call {
    struct nk_str name, arguments; /* arguments: a JSON object */
};

struct nk_mock_plan {
    enum nk_mock_manner manner;
    bool echo, obey;
    struct nk_str say; /* absent: nothing is said */
    struct nk_mock_call calls[NK_MOCK_CALLS];
    size_t call_count;
    int status;
    struct nk_str message, type, finish;
    struct nk_str header_names[NK_MOCK_HEADERS], header_values[NK_MOCK_HEADERS];
    size_t header_count;
    int64_t delay_us, pace_us;
    int64_t pieces;                      /* 0: word by word */
    int64_t drop_after;                  /* events; -1: never */
    int64_t input_tokens, output_tokens; /* -1: counted */
};

struct nk_mock_rule {
    struct nk_mock_condition conditions[NK_MOCK_CONDITIONS];
    size_t condition_count;
    struct nk_mock_plan plan;
    int64_t used; /* how often it has answered */
    struct nk_mock_rule *next;
};

struct nk_mock_script {
    struct nk_str key;
    struct nk_str models[64];
    size_t model_count;
    struct nk_mock_rule *rules;
};

/* A plan that only echoes. */
struct nk_mock_plan nk_mock_default(void);
/* Reads a script; everything lives in `a`, views point into `text`. Errors: NK_EINVAL, NK_ELIMIT;
 * f->offset is the line. An empty text is an empty script. */
int nk_mock_script_parse(struct nk_str text, struct nk_arena *a, struct nk_mock_script *out,
                         struct nk_fault *f) NK_CHECKED;
/* The last `say "…"` or `call tool NAME {…}` in `text` goes into *plan; false when there is none.
 */
bool nk_mock_obey(struct nk_str text, struct nk_arena *a, struct nk_mock_plan *plan);
