/* SPDX-License-Identifier: Apache-2.0
 *
 * macro.h - every macro of the project. There are at most twelve, and they live here, so that a
 * reader who knows this page knows the whole dialect. Tables (.def files) are the one other use of
 * the preprocessor.
 */
#pragma once

#include <stddef.h>

/* A result that must be looked at: the build fails when a caller drops it. */
#define NK_CHECKED __attribute__((warn_unused_result))

/* printf-like: the format is argument F, the values start at argument A. */
#define NK_PRINTF(F, A) __attribute__((format(printf, F, A)))

/* A function that becomes part of each caller, also where the compiler thinks that too long: for the
 * innermost loops of parsers alone. */
#define NK_INLINE static inline __attribute__((always_inline))

/* A function for what hardly ever happens: branches to it are laid out as not taken. */
#define NK_COLD __attribute__((cold))

/* Number of elements of an array. */
#define NK_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A programmer's error, never a peer's. It stays on in release builds: the role dies with the place
 * and the condition, the warden starts it again, and the log says so. */
#define NK_MUST(cond) ((cond) ? (void)0 : nk_must_fail(#cond, __FILE__, __LINE__))

/* A string literal as a slice. */
#define NK_STR(literal) ((struct nk_str){(literal), sizeof(literal) - 1})

/* A slice as the two arguments of "%.*s". */
#define NK_FMT(s) (int)(s).n, (s).p

/* The structure that holds MEMBER at address PTR. */
#define NK_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

NK_COLD _Noreturn void nk_must_fail(const char *cond, const char *file, int line);
