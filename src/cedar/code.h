/* SPDX-License-Identifier: Apache-2.0
 *
 * code.h - conditions as code for a small stack machine. compile.c makes it, machine.c runs it.
 *
 * A policy's conditions become a row of tests. `when { a && b }` is "a must be true, b must be
 * true", `unless { a || b }` is "a must be false, b must be false"; the first test that does not
 * hold ends the run, an error ends it too, and behind the last test stands DONE:
 *
 *   when { principal.level > 3 && resource.owner == principal }
 *
 *   VAR_ATTR principal level   LESS_CONST > 3    TEST true
 *   VAR_ATTR resource owner    EQ_VAR principal  TEST true
 *   DONE
 *
 * Instructions carry pointers to what they need (values, names, functions), all of it immutable and
 * of the policy set's life. There are no loops and every jump leads forward: a run takes at most as
 * many steps as the code is long. How many places of the stack a run needs is counted when the code
 * is made.
 */
#pragma once

#include "cedar/operate.h"

enum cedar_opcode {
    /* Push one value. */
    CEDAR_OP_CONST,    /* p: the value */
    CEDAR_OP_VAR,      /* a: enum cedar_var */
    CEDAR_OP_VAR_ATTR, /* a: enum cedar_var, p: the name */
    CEDAR_OP_VAR_HAS,  /* a: enum cedar_var, p: n names */
    /* The top becomes another value. */
    CEDAR_OP_ATTR,       /* p: the name */
    CEDAR_OP_HAS,        /* p: n names */
    CEDAR_OP_LIKE,       /* p: n parts of the pattern */
    CEDAR_OP_IS,         /* p: the type's name */
    CEDAR_OP_NOT,        /* */
    CEDAR_OP_NEG,        /* */
    CEDAR_OP_IS_EMPTY,   /* */
    CEDAR_OP_EQ_CONST,   /* p: the value; a 1: != */
    CEDAR_OP_EQ_VAR,     /* n: enum cedar_var; a 1: != */
    CEDAR_OP_LESS_CONST, /* a: enum cedar_order, p: the value */
    CEDAR_OP_IN_CONST,   /* p: the value */
    CEDAR_OP_HAS_CONST,  /* top.contains(p) */
    CEDAR_OP_EXPECT,     /* stays; a: the kind that it must have */
    /* The two upper values become one. */
    CEDAR_OP_EQ,           /* a 1: != */
    CEDAR_OP_LESS,         /* a: enum cedar_order */
    CEDAR_OP_IN,           /* */
    CEDAR_OP_ADD,          /* */
    CEDAR_OP_SUB,          /* */
    CEDAR_OP_MUL,          /* */
    CEDAR_OP_CONTAINS,     /* */
    CEDAR_OP_CONTAINS_ALL, /* */
    CEDAR_OP_CONTAINS_ANY, /* */
    CEDAR_OP_HAS_TAG,      /* */
    CEDAR_OP_GET_TAG,      /* */
    /* Sets, records and calls. */
    CEDAR_OP_LIST,   /* pushes room for n items or members (a 1) */
    CEDAR_OP_ITEM,   /* the top becomes item n of the list below it */
    CEDAR_OP_MEMBER, /* the same for a record; p: its name */
    CEDAR_OP_SET,    /* the list of n items becomes a set */
    CEDAR_OP_RECORD, /* the list of n members becomes a record */
    CEDAR_OP_CALL,   /* the a upper values become p(…), which was called with n arguments */
    CEDAR_OP_POP,    /* */
    /* Where to go on. */
    CEDAR_OP_AND,   /* top false: jump by n and keep it; true: pop */
    CEDAR_OP_OR,    /* top true: jump by n and keep it; false: pop */
    CEDAR_OP_IF,    /* pop; false: jump by n */
    CEDAR_OP_JUMP,  /* by n */
    CEDAR_OP_IS_IN, /* top is not of type p: it becomes false, jump by n; otherwise it stays */
    CEDAR_OP_TEST,  /* pop; it must be a (0 or 1), otherwise the policy does not hold */
    CEDAR_OP_DONE,  /* the policy holds */
    CEDAR_OPCODES,
};

struct cedar_op {
    uint8_t op; /* enum cedar_opcode */
    uint8_t a;
    uint16_t zero; /* so that equal instructions have equal bytes */
    uint32_t n;
    const void *p;
};

/* The tests of a policy, one after the other. */
struct cedar_tests {
    const struct cedar_condition *condition; /* where the next test is; NULL: there is none */
    const struct cedar_node *node;
};

void cedar_tests_begin(struct cedar_tests *t, const struct cedar_condition *conditions);
/* The next test without taking it: the expression and the truth that it must have. */
const struct cedar_node *cedar_tests_peek(const struct cedar_tests *t, bool *want);
void cedar_tests_skip(struct cedar_tests *t);

/* The code of a policy set while it grows. */
struct cedar_writer {
    struct nk_arena *arena;  /* for `ops` alone, which grows in place */
    struct cedar_pool *pool; /* of what the instructions point to */
    struct cedar_op *ops;
    uint32_t n, cap;
    uint32_t level, most; /* places of the stack in use; and the most of them */
    int code;             /* NK_ENOMEM, NK_ELIMIT: nothing is written any more */
};

/* Writes the tests that are left, and DONE. The places that a run needs. */
uint32_t cedar_compile(struct cedar_writer *w, struct cedar_tests rest);

/* Runs code. True: the policy holds. False: it does not, or e->call says why it could not be
 * evaluated. `places` as cedar_compile said; more than CEDAR_PLACES come from the call's arena, as
 * do sets, records and what extension functions make. */
enum { CEDAR_PLACES = 32 };
bool cedar_run(struct cedar_eval *e, const struct cedar_op *code, uint32_t places);
