/* SPDX-License-Identifier: Apache-2.0
 *
 * model.h - a conversation with a model, whatever API the model has: what is said and which tools there are, written as
 * a request of the upstream's dialect; its answer, whole or streamed, read back. Dialects whose models can be talked
 * to so: "openai" (chat completions) and "anthropic" (messages).
 *
 * A conversation is built by us, member by member: nothing of it is passed on as it came. So a request holds no tool
 * of the provider, no stored prompt and no member that nobody has read (`extra` is held to a list of names).
 */
#pragma once

#include "proto/proto.h"

enum {
    NK_MODEL_MAX_MESSAGES = 4096, /* of one conversation */
    NK_MODEL_MAX_PARTS = 1024,    /* of one message, result or answer */
    NK_MODEL_MAX_TOOLS = 512,     /* offered */
    NK_MODEL_MAX_STOPS = 16,      /* stop sequences */
    NK_MODEL_MAX_TEXT = 8 << 20,  /* bytes of one answer's text and reasoning */
};

enum nk_model_part_type {
    NK_MODEL_TEXT,
    NK_MODEL_JSON,        /* in results alone */
    NK_MODEL_IMAGE,       /* from users, and in results */
    NK_MODEL_REASONING,   /* from the assistant; given back as it came, where the API takes it */
    NK_MODEL_TOOL_USE,    /* from the assistant */
    NK_MODEL_TOOL_RESULT, /* from users, each for a tool use of the message before */
};

struct nk_model_part {
    enum nk_model_part_type type;
    /* TEXT: the text, UTF-8; JSON: strict JSON; IMAGE: base64 with padding; REASONING: the text, or with `redacted` what
     * the provider gave instead of it; TOOL_USE: the arguments, a JSON object. */
    struct nk_str text;
    struct nk_str media;                 /* IMAGE: "image/png" … */
    struct nk_str signature;             /* REASONING: the provider's, or absent */
    bool redacted;                       /* REASONING */
    struct nk_str id;                    /* TOOL_USE, TOOL_RESULT: the call's */
    struct nk_str name;                  /* TOOL_USE: the tool's, as it was offered */
    const struct nk_model_part *content; /* TOOL_RESULT: TEXT, JSON and IMAGE; may be none */
    size_t content_count;
    bool failed; /* TOOL_RESULT: the tool says so, or was not allowed to run */
};

enum nk_model_role { NK_MODEL_USER, NK_MODEL_ASSISTANT };

struct nk_model_message {
    enum nk_model_role role;
    const struct nk_model_part *parts; /* at least one */
    size_t count;
};

struct nk_model_tool {
    struct nk_str name;        /* [A-Za-z0-9_-], 1 to 128 */
    struct nk_str description; /* or absent */
    struct nk_str schema;      /* of the arguments: JSON Schema, an object */
    bool strict; /* arguments shall follow the schema, where the provider can see to it */
};

enum nk_model_choice {
    NK_MODEL_CHOICE_AUTO, /* the model chooses; also where there are no tools */
    NK_MODEL_CHOICE_ANY,  /* it has to use one */
    NK_MODEL_CHOICE_ONE,  /* it has to use `choice_name` */
    NK_MODEL_CHOICE_NONE, /* it may not */
};

/* What is asked of a model. All slices are the caller's. */
struct nk_model_request {
    struct nk_str model;         /* as the upstream calls it */
    const struct nk_str *system; /* texts */
    size_t system_count;
    const struct nk_model_message *messages; /* neighbours of one role are fine */
    size_t message_count;
    const struct nk_model_tool *tools;
    size_t tool_count;
    enum nk_model_choice choice;
    struct nk_str choice_name;
    bool one_call;                    /* at most one tool use in an answer */
    int64_t max_tokens;               /* of the answer; 0: not given (Anthropic's API gets 4096) */
    struct nk_str temperature, top_p; /* JSON numbers as written; absent: not given */
    const struct nk_str *stops;
    size_t stop_count;
    bool stream;
    /* JSON object of members of the upstream's own dialect, or absent. A name that is not on that dialect's list of
     * harmless settings is NK_EINVAL. */
    struct nk_str extra;
};

enum nk_model_stop {
    NK_MODEL_STOP_UNKNOWN, /* not told (yet), or a reason of no known kind */
    NK_MODEL_STOP_END,
    NK_MODEL_STOP_TOOL_USE,
    NK_MODEL_STOP_LENGTH,   /* max_tokens */
    NK_MODEL_STOP_SEQUENCE, /* one of `stops` */
    NK_MODEL_STOP_FILTER,   /* the provider's filter, or the model refused */
    NK_MODEL_STOP_CONTEXT,  /* the model's context is full */
};

struct nk_model_usage {
    int64_t input, output; /* tokens; -1: not known. Input counts what is in the cache as well … */
    int64_t cache_read, cache_write; /* … which is these; -1: not told */
};

struct nk_model_answer {
    const struct nk_model_part *parts; /* TEXT, REASONING, TOOL_USE, in their order */
    size_t count;
    enum nk_model_stop stop;
    struct nk_str finish;     /* the provider's own word for it, or absent */
    struct nk_str stopped_by; /* which of `stops`, or absent: not told */
    struct nk_str model;      /* the provider's name of it, or absent */
    struct nk_model_usage usage;
};

bool nk_model_speaks(const struct nk_dialect *d);
/* Method and path of the request: "POST", "/v1/messages". */
struct nk_str nk_model_path(const struct nk_dialect *d);
/* Value of the header of that dialect that names the version of its API, or absent; *name is the header's. */
struct nk_str nk_model_version(const struct nk_dialect *d, struct nk_str *name);
/* Appends the body of the request. NK_EINVAL (stage "model"; the message says which part is wrong, for the client),
 * NK_EUNSUPPORTED: nothing in that API says this; NK_ELIMIT, NK_ENOMEM. */
int nk_model_write(const struct nk_dialect *d, const struct nk_model_request *r, struct nk_arena *a,
                   struct nk_buf *out, struct nk_fault *f) NK_CHECKED;
/* Reads a whole answer (of status 200). Everything in *out lives in `a`. NK_EINVAL: the answer breaks its dialect, or
 * has something that is not asked for (a hosted tool's call, a second choice); NK_ELIMIT, NK_ENOMEM. */
int nk_model_read(const struct nk_dialect *d, const struct nk_json *body, struct nk_arena *a,
                  struct nk_model_answer *out, struct nk_fault *f) NK_CHECKED;

/* A piece of a streamed answer. Text and reasoning come in fragments, at once; a tool use comes whole, when it is
 * complete. Pieces of one part come in a row; `part` counts parts from 0, as they will stand in the answer. */
struct nk_model_piece {
    size_t part;
    bool begins; /* the first piece of its part */
    /* TEXT, REASONING: text is the fragment (may be empty, then a signature is told); TOOL_USE: the whole part. */
    struct nk_model_part what;
};

struct nk_model_stream;
/* NULL when memory is out. All that lasts lives in `a`. With `keep` the whole answer is there at the end, otherwise only
 * what is not its parts. */
struct nk_model_stream *nk_model_stream_new(const struct nk_dialect *d, bool keep,
                                            struct nk_arena *a) NK_CHECKED;
/* Reads one event (its data already parsed as `data`, n == 0 for "[DONE]" and events without data). *pieces live in
 * `scratch` and the event. Errors as of nk_model_read; NK_EIO: the provider says that it failed. */
int nk_model_stream_event(struct nk_model_stream *s, const struct nk_sse_event *e,
                          const struct nk_json *data, struct nk_arena *scratch,
                          const struct nk_model_piece **pieces, size_t *count,
                          struct nk_fault *f) NK_CHECKED;
/* The answer as far as it came; true when the stream said that it is complete. */
bool nk_model_stream_end(const struct nk_model_stream *s, struct nk_model_answer *so_far);
