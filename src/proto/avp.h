/* SPDX-License-Identifier: Apache-2.0
 *
 * avp.h - the API of Amazon Verified Permissions (AWS JSON 1.0: POST /, the operation in X-Amz-Target), so
 * that its clients work with another endpoint alone. Shapes, names and limits: API reference of Verified
 * Permissions, 2021-12-01. Reading turns a request into one struct nk_avp_call; what it means is decided
 * elsewhere. Policy stores come from files, so operations that change one are known, and refused.
 */
#pragma once

#include "cedar/cedar.h"
#include "cedar/view.h"
#include "proto/proto.h"

/* Places in the dialect's table of endpoints. */
enum nk_avp_op {
#define AVP(id, name, action, who) NK_AVP_##id,
#include "proto/avp.def"
#undef AVP
};

enum {
    NK_AVP_BATCH_MAX = 30,
    NK_AVP_POLICIES_MAX = 100, /* of one BatchGetPolicy */
    NK_AVP_PAGE = 10,
    NK_AVP_PAGE_MAX = 50,
    NK_AVP_BODY_MAX = 1 << 20,
    NK_AVP_DEPTH = 24, /* sets and records inside one another */
};

/* One question. What was not given is of a reserved type, which no policy can name. */
struct nk_avp_ask {
    struct nk_cedar_uid principal, action, resource;
    struct nk_cedar_member *context; /* with room for one more */
    size_t context_count;
    uint32_t at; /* the question in the body, to be repeated in the answer */
};

struct nk_avp_ref {
    struct nk_str store, policy;
    uint32_t at;
};

enum nk_avp_match { NK_AVP_ANY, NK_AVP_UNSPECIFIED, NK_AVP_IDENTIFIER };

struct nk_avp_filter {
    enum nk_avp_match principal_match, resource_match;
    struct nk_cedar_uid principal, resource;
    struct nk_str type;           /* "STATIC", "TEMPLATE_LINKED", or absent */
    struct nk_str template_id;    /* or absent */
    struct nk_str principal_type; /* of identity sources, or absent */
};

struct nk_avp_call {
    enum nk_avp_op op;
    struct nk_str store; /* absent: ListPolicyStores, BatchGetPolicy */
    struct nk_str id;    /* of a policy, template or identity source */
    struct nk_avp_ask *asks;
    size_t ask_count;
    uint32_t entities; /* in the body, or NK_JSON_NONE */
    struct nk_str identity_token, access_token;
    struct nk_avp_ref *refs; /* BatchGetPolicy */
    size_t ref_count;
    int64_t max_results;
    struct nk_str next; /* nextToken, or absent */
    struct nk_avp_filter filter;
};

bool nk_avp_is_batch(enum nk_avp_op op);
bool nk_avp_has_token(enum nk_avp_op op);
/* The call that parse_call has read. */
const struct nk_avp_call *nk_avp_call(const struct nk_call *call);

/* Reads the body; on NK_EINVAL call->subject names the member. */
int nk_avp_parse_call(struct nk_call *call, struct nk_arena *a, struct nk_fault *f) NK_CHECKED;
/* The entities of a question go into `into`. An action, or an entity of one of the n `closed` types (which
 * come from tokens alone), is NK_EINVAL. */
int nk_avp_entities(const struct nk_call *call, const struct nk_str *closed, size_t n,
                    struct nk_arena *a, struct nk_cedar_entities *into,
                    struct nk_fault *f) NK_CHECKED;
/* AttributeValue, and a map of them, as Cedar values. */
int nk_avp_value(const struct nk_json *doc, uint32_t at, struct nk_arena *a,
                 const struct nk_cedar_value **out, struct nk_fault *f) NK_CHECKED;
int nk_avp_record(const struct nk_json *doc, uint32_t at, struct nk_arena *a,
                  const struct nk_cedar_value **out, struct nk_fault *f) NK_CHECKED;
/* The members of such a map, with room for one more. */
int nk_avp_members(const struct nk_json *doc, uint32_t at, struct nk_arena *a,
                   struct nk_cedar_member **out, size_t *n, struct nk_fault *f) NK_CHECKED;
/* EntityIdentifier. */
int nk_avp_entity(const struct nk_json *doc, uint32_t at, struct nk_arena *a,
                  struct nk_cedar_uid *out, struct nk_fault *f) NK_CHECKED;

/* Members of answers: "decision", "determiningPolicies", "errors"; an EntityIdentifier. */
void nk_avp_put_decision(const struct nk_cedar_answer *answer, struct nk_buf *out);
void nk_avp_put_entity(const char *name, struct nk_cedar_uid uid, struct nk_buf *out);
/* A policy as GetPolicy shows it, or (without its text) as ListPolicies does: all members but dates. */
void nk_avp_put_policy(struct nk_str store, const struct nk_cedar_policy_view *v, bool whole,
                       struct nk_buf *out);
