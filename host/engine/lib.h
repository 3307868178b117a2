/* The library of sandboxed states, where the stock one is unbounded: patterns, and functions whose
 * work grows with what they are given. Each behaves as LuaJIT's, but is preempted while it works.
 */
#ifndef PL_ENGINE_LIB_H
#define PL_ENGINE_LIB_H

#include "engine/pattern.h"

#include <lauxlib.h>
#include <limits.h>

/* What lua/parley/engine/{strings,tables}.lua make their libraries of: find, match,
 * gmatch, gsub; what guards rep and format; insert. It decides what of it a plugin sees. */
extern const luaL_Reg pl_lib_find[], pl_lib_gsub[], pl_lib_string[], pl_lib_table[];

/* --- for the files of the library ----------------------------------------------------------------
 */

/* An optional integer as LuaJIT takes it: cut to 32 bits, the least when it does not fit. Raises on
 * what is not a number. */
int pl_lib_opt_int(lua_State *L, int arg, int otherwise);

/* Runs the search until it ends or has to leave (PL_PATTERN_MORE). What is wrong with the pattern
 * is raised at the caller's line, `level` as for luaL_where. */
enum pl_pattern_result pl_lib_search(lua_State *L, struct pl_pattern *m, int level);

/* The first two arguments of a search. */
struct pl_lib_texts {
    const char *subject, *pattern;
    size_t subject_len, pattern_len;
};

/* Takes them from the indices 1 and 2. Raises when they are no strings. */
void pl_lib_check_texts(lua_State *L, struct pl_lib_texts *texts);

/* Prepares a search. Raises when the pattern is longer than any that an author can write: a [set]
 * is compared in one go. */
void pl_lib_search_init(lua_State *L, struct pl_search *search, const struct pl_lib_texts *texts,
                        bool anchors, int level);

/* Raises what is wrong with the pattern anywhere: before a call is suspended. */
void pl_lib_check(lua_State *L, struct pl_pattern *m, int level);

/* Pushes capture `i`, or the whole match for the first one of a pattern without captures. Raises as
 * above. */
void pl_lib_push_capture(lua_State *L, const struct pl_pattern *m, int i, int level);

/* Pushes all captures, `whole`: the whole match when the pattern has none. Returns how many. */
int pl_lib_push_captures(lua_State *L, const struct pl_pattern *m, bool whole, int level);

/* error(message, level) with the line in front. */
int pl_lib_error(lua_State *L, int level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
