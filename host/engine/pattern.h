/* Lua 5.1 patterns, matched in steps that can be counted.
 *
 * The library's own matcher backtracks on the C stack until it is done: one find with a few `.-`
 * ran for 30 s, and no hook, signal or deadline could reach it. This one keeps its choices in an
 * array and stops when the steps that it was given are used up; called again it goes on where it
 * was. What it finds is what LuaJIT finds, with the same errors (spec/engine/pattern_spec.lua
 * compares them on generated cases), down to the depth at which LuaJIT gives up: the array never
 * grows.
 *
 * A search borrows subject and pattern. It may be copied and moved freely between two runs; there
 * is nothing to free. Nothing here knows Lua, allocates, or can longjmp. */
#ifndef PL_ENGINE_PATTERN_H
#define PL_ENGINE_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PL_PATTERN_CAPTURES 32
#define PL_PATTERN_DEPTH    199 /* choices open at once; LuaJIT: "pattern too complex" */

/* Lengths of captures that are none. */
#define PL_CAPTURE_OPEN     (-1)
#define PL_CAPTURE_POSITION (-2)

/* A struct pl_pattern is 7 KB, of which most searches use little: -ftrivial-auto-var-init would
 * cost more than the search. */
#define PL_UNINITIALIZED __attribute__((uninitialized))

enum pl_pattern_result {
    PL_PATTERN_NONE,  /* no match at or after `from` */
    PL_PATTERN_FOUND, /* start, end and captures are set */
    PL_PATTERN_MORE,  /* the steps are used up: run it again */
    PL_PATTERN_ERROR, /* `error` says what is wrong with the pattern */
};

struct pl_capture {
    const unsigned char *start;
    ptrdiff_t len; /* or one of PL_CAPTURE_* */
};

struct pl_choice {
    const unsigned char *at;   /* where the subject is taken up again */
    const unsigned char *rest; /* where the pattern is */
    const unsigned char *edge; /* greedy: the least `at`; lazy: the item that may be taken again */
    int kind, capture;
};

/* What is looked for, and where. */
struct pl_search {
    const unsigned char *subject, *subject_end;
    const unsigned char *pattern, *pattern_end;
    const unsigned char *first, *first_end; /* the item every match begins with, NULL: not known */
    bool literal;                           /* it is one byte */
    bool anchored;
};

/* One match of it, and what there is to do until it is found. */
struct pl_pattern {
    struct pl_search search;
    bool checked;                     /* for the caller: pl_pattern_check was asked */
    const unsigned char *start, *end; /* of the match, in the subject */
    int captures;
    struct pl_capture capture[PL_PATTERN_CAPTURES];
    const char *error; /* static text */
    int64_t spent;     /* steps, since pl_pattern_from */

    int phase, depth;
    const unsigned char *s, *p;          /* where it is */
    const unsigned char *item_from, *ep; /* a repeated item: first byte taken, end of the item */
    size_t nesting;                      /* of %b */
    int64_t steps;
    struct pl_choice choice[PL_PATTERN_DEPTH];
};

/* Prepares a search. `anchors`: whether a leading ^ binds the match to where it starts (everywhere
 * but in gmatch). Both strings must be followed by a NUL, as Lua's are; the pattern ends at its
 * first one, as in Lua 5.1. */
void pl_search_init(struct pl_search *search, const char *subject, size_t subject_len,
                    const char *pattern, size_t pattern_len, bool anchors);

/* Starts to look for the first match of m->search, which is set, at or after `from`. */
void pl_pattern_from(struct pl_pattern *m, const unsigned char *from);

/* Goes on for about `steps` steps: a byte compared, or a choice taken back, is one. */
enum pl_pattern_result pl_pattern_run(struct pl_pattern *m, int64_t steps);

/* What is wrong with a pattern anywhere, NULL when no run can fail. A run finds only what it
 * reaches. */
const char *pl_pattern_check(const struct pl_search *search);

/* Whether the pattern has no special byte, so that a plain search finds the same. */
bool pl_pattern_is_plain(const char *pattern, size_t len);

#endif
