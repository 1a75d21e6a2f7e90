/* SPDX-License-Identifier: Apache-2.0
 *
 * a2a.h - the Agent2Agent protocol over its JSON-RPC binding, in its versions 1.0 and 0.3: which methods there are, and
 * what the objects in their messages are made of. https://a2a-protocol.org/latest/specification/ (1.0; its source of
 * truth is specification/a2a.proto) and https://a2a-protocol.org/v0.3.0/specification/.
 *
 * A message is never passed on as it came. Each object is written anew from the members that the protocol gives it: ids of
 * tasks and contexts, texts and data go through the caller's hands, and what is none of the protocol's does not go on.
 */
#pragma once

#include "crypt/crypt.h"
#include "proto/jsonrpc.h"
#include "proto/proto.h"

/* Rows of the dialect's table: first those that an HTTP method tells, then the methods of a2a.def. */
enum nk_a2a_op {
    NK_A2A_MESSAGE, /* a message that is not read yet */
    NK_A2A_CARD,    /* GET: the agent card */
#define A2A(id, name, one, old, action, one_in, old_in, one_out, old_out) NK_A2A_##id,
#include "proto/a2a.def"
#undef A2A
    NK_A2A_OPS, /* no method that is known */
};
const struct nk_dialect *nk_a2a_dialect(void);
const struct nk_endpoint *nk_a2a_endpoint(enum nk_a2a_op op);
/* The method of this name in 1.0 (or in 0.3); NK_A2A_OPS: it has none. */
enum nk_a2a_op nk_a2a_op(struct nk_str method, bool is_new);
/* Does its result hold what an agent says? */
bool nk_a2a_has_content(enum nk_a2a_op op);

/* What the header A2A-Version says (1.0, section 3.6: no header, or an empty one, is 0.3): *is_new. NK_EUNSUPPORTED: another
 * version, or two of them. */
int nk_a2a_version(const struct nk_http_head *h, bool *is_new) NK_CHECKED;

/* What a member is. */
enum nk_a2a_kind {
    NK_A2A_WORD,       /* a scalar of the protocol: passes */
    NK_A2A_WORDS,      /* strings */
    NK_A2A_OBJECT,     /* another object */
    NK_A2A_LIST,       /* such objects */
    NK_A2A_ID_TASK,    /* id of a task */
    NK_A2A_ID_TASKS,   /* such ids */
    NK_A2A_ID_CONTEXT, /* id of a context */
    NK_A2A_ID_PAGE,    /* where a list goes on */
    NK_A2A_ROLE,       /* who says it */
    NK_A2A_TEXT,       /* of a part */
    NK_A2A_DATA,       /* of a part: any JSON value */
    NK_A2A_FILE,       /* of a part: bytes or a URL */
    NK_A2A_NOTE,       /* free text about something */
    NK_A2A_FREE,       /* metadata: any object */
    NK_A2A_RECIPIENT,  /* URL that is sent to */
    NK_A2A_CREDENTIAL, /* for it */
};

/* What the caller makes of a member that is neither WORD, WORDS, OBJECT nor LIST (of ID_TASKS: of each id, as ID_TASK):
 * appends its value. NK_ENOTFOUND: the member is not there; in a FILE the part becomes a text that says so. Any other
 * error ends the writing. */
struct nk_a2a_visit {
    int (*value)(void *ctx, enum nk_a2a_kind kind, const struct nk_json *doc, uint32_t at,
                 struct nk_buf *out, struct nk_fault *f);
    void *ctx;
    bool is_new;
    bool is_answer;     /* else a request */
    struct nk_str gone; /* a text in place of a part that is not there */
    struct nk_arena *a;
};
/* Appends entry `at`, the parameters of a request (NK_JSON_NONE: none) or its result, written anew. NK_EINVAL (stage
 * "a2a"): it is not what the method has there; NK_ELIMIT, NK_ENOMEM; or what `value` says. */
int nk_a2a_write(enum nk_a2a_op op, const struct nk_json *doc, uint32_t at,
                 const struct nk_a2a_visit *v, struct nk_buf *out, struct nk_fault *f) NK_CHECKED;

enum { NK_A2A_CARD_MAX = 1 << 20 }; /* bytes of a card in its canonical form */

/* The digest of agent card `card` (RFC 8785, SHA-256, without "signatures"); memory of `a` is needed meanwhile. NK_EINVAL: it is
 * no object, or has no canonical form; NK_ELIMIT, NK_ENOMEM. */
int nk_a2a_card_digest(const struct nk_json_limits *limits, const struct nk_json *doc,
                       uint32_t card, struct nk_arena *a, struct nk_digest *out,
                       struct nk_fault *f) NK_CHECKED;

/* A2A 1.0, section 5.4. */
enum nk_a2a_code {
    NK_A2A_TASK_NOT_FOUND = -32001,
    NK_A2A_NO_PUSH = -32003,
    NK_A2A_NO_EXTENDED_CARD = -32007,
    NK_A2A_NO_VERSION = -32009,
};
