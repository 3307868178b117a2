#include "engine/lib.h"
#include "engine/lib_buf.h"
#include "engine/long_call.h"

/* gsub in two ways. With a string, a number or a plain table as replacement all is done here. With
 * a function (or a table that may call one) the loop is in Lua, around `gsub_begin`: LuaJIT can
 * neither preempt nor suspend what a C function has called, so a callback of the stock gsub could
 * not wait at the door, and its end could be caught. */

struct gsub {
    struct pl_lib_buf out;
    const unsigned char *copied; /* subject up to here is in `out` */
    int count, max;
    int64_t until_due; /* work left before it is asked whether the slice is over */
};

#define WORK 5000

static void gsub_init(struct gsub *g, const struct pl_search *search, int max)
{
    size_t len = (size_t)(search->subject_end - search->subject);
    pl_lib_buf_init(&g->out, len + len / 8);
    g->copied = search->subject;
    g->count = 0;
    g->max = max;
    g->until_due = WORK;
}

/* Adds what stands between the last match and this one. */
static void add_gap(lua_State *L, struct gsub *g, int slot, const struct pl_pattern *m)
{
    pl_lib_buf_add(L, &g->out, slot, g->copied, (size_t)(m->start - g->copied));
    g->copied = m->end;
}

/* Adds the value on top of L: false and nil keep what was found. Returns whether it is one that can
 * be added. */
static bool add_value(lua_State *L, struct gsub *g, int slot, const unsigned char *start,
                      const unsigned char *end)
{
    if (!lua_toboolean(L, -1)) {
        pl_lib_buf_add(L, &g->out, slot, start, (size_t)(end - start));
        return true;
    }
    size_t len;
    const char *text = lua_tolstring(L, -1, &len);
    if (text != NULL)
        pl_lib_buf_add(L, &g->out, slot, text, len);
    return text != NULL;
}

/* Whether the search can go on behind the match: an empty one moves on by a byte. */
static bool advance(struct pl_pattern *m, const struct gsub *g)
{
    if (g->count >= g->max || m->search.anchored)
        return false;
    if (m->end == m->start && m->end == m->search.subject_end)
        return false;
    pl_pattern_from(m, m->end + (m->end == m->start));
    return true;
}

/* Pushes the result and how many were replaced. */
static int push_result(lua_State *L, struct gsub *g, int slot, const struct pl_search *search)
{
    const unsigned char *from = g->copied;
    size_t rest = (size_t)(search->subject_end - from);
    if (g->out.len == 0) { /* nothing was put together: the rest is the result */
        lua_pushlstring(L, (const char *)from, rest);
    } else {
        pl_lib_buf_add(L, &g->out, slot, from, rest);
        pl_lib_buf_push(L, &g->out);
    }
    lua_pushinteger(L, g->count);
    return 2;
}

/* --- all at once ---------------------------------------------------------------------------------
 */

enum { SUBJECT = 1, PATTERN, REPL, MAX, OUT, LAST = OUT };

struct replace {
    struct pl_pattern m;
    struct gsub g;
    const char *text; /* the replacement, NULL: a table */
    size_t len;
    int level; /* of errors */
};

/* Adds the replacement with its %0 to %9. */
static void add_text(lua_State *L, struct replace *w)
{
    const char *p = w->text, *end = p + w->len;
    for (;;) {
        const char *escape = memchr(p, '%', (size_t)(end - p));
        pl_lib_buf_add(L, &w->g.out, OUT, p, (size_t)((escape != NULL ? escape : end) - p));
        if (escape == NULL)
            return;
        unsigned char c = (unsigned char)escape[1]; /* NUL at the end, as in Lua 5.1 */
        if (c == '0') {
            pl_lib_buf_add(L, &w->g.out, OUT, w->m.start, (size_t)(w->m.end - w->m.start));
        } else if (c > '0' && c <= '9') {
            size_t len;
            pl_lib_push_capture(L, &w->m, c - '1', w->level);
            const char *text = lua_tolstring(L, -1, &len);
            pl_lib_buf_add(L, &w->g.out, OUT, text, len);
            lua_pop(L, 1);
        } else {
            pl_lib_buf_add(L, &w->g.out, OUT, &c, 1);
        }
        p = escape + 2;
        if (p > end)
            return;
    }
}

/* Returns false when the table holds what is no replacement; that value is on top of L. */
static bool add_replacement(lua_State *L, struct replace *w)
{
    add_gap(L, &w->g, OUT, &w->m);
    if (w->text != NULL) {
        add_text(L, w);
        return true;
    }
    pl_lib_push_capture(L, &w->m, 0, w->level);
    lua_rawget(L, REPL);
    if (!add_value(L, &w->g, OUT, w->m.start, w->m.end))
        return false;
    lua_pop(L, 1);
    return true;
}

static int go_on_replacing(lua_State *L, void *work)
{
    struct replace *w = work;
    bool more = w->g.max > 0;
    while (more) {
        enum pl_pattern_result found = pl_lib_search(L, &w->m, w->level);
        if (found == PL_PATTERN_MORE)
            return PL_LONG_CALL_MORE;
        if (found != PL_PATTERN_FOUND)
            break;
        size_t before = w->g.out.len;
        w->g.count++;
        if (!add_replacement(L, w)) {
            lua_pushnil(L);
            lua_pushfstring(L, "invalid replacement value (a %s)", luaL_typename(L, -2));
            return 2;
        }
        w->g.until_due -= 16 + w->m.spent + (int64_t)(w->g.out.len - before) / 16;
        more = advance(&w->m, &w->g);
        if (w->g.until_due < 0) {
            w->g.until_due = WORK;
            pl_lib_check(L, &w->m, w->level);
            if (more && pl_long_call_due(L))
                return PL_LONG_CALL_MORE;
        }
    }
    return push_result(L, &w->g, OUT, &w->m.search);
}

/* gsub(s, pattern, repl [, max]), repl a string, a number or a table, which is read raw. With a
 * table: nil and a message when it holds what is no replacement, which may be found in any slice;
 * other errors are raised for the caller's caller then. */
static int lib_gsub(lua_State *L)
{
    struct pl_lib_texts t;
    pl_lib_check_texts(L, &t);
    int max = pl_lib_opt_int(L, MAX, INT_MAX);
    int type = lua_type(L, REPL);
    luaL_argcheck(L, type == LUA_TSTRING || type == LUA_TNUMBER || type == LUA_TTABLE, REPL,
                  "string/function/table expected");
    lua_settop(L, LAST);
    PL_UNINITIALIZED struct replace w;
    w.text = type == LUA_TTABLE ? NULL : lua_tolstring(L, REPL, &w.len);
    w.level = type == LUA_TTABLE ? 2 : 1;
    pl_lib_search_init(L, &w.m.search, &t, true, w.level);
    pl_pattern_from(&w.m, w.m.search.subject);
    gsub_init(&w.g, &w.m.search, max);
    return pl_long_call(L, go_on_replacing, &w, sizeof w);
}

/* --- one by one ----------------------------------------------------------------------------------
 */

/* What is kept from one match to the next. */
struct step_state {
    struct pl_search search;
    struct gsub g;
    const unsigned char *start, *end; /* of the match that waits for its replacement */
    bool waits, done;
    bool key; /* only the first capture is asked for */
};

struct step {
    struct pl_pattern m;
    struct step_state *state; /* anchored, as all it refers to, by the function that runs */
};

/* Where the memory of the result is kept: in the function, or, in later slices, on the stack. */
#define STEP_OUT lua_upvalueindex(4)
enum { STEP_VALUE = 1, STEP_SPARE };

/* Errors are the author's, who called the Lua function that calls us. */
#define STEP_LEVEL 2

static int go_on_stepping(lua_State *L, void *work)
{
    struct step *w = work;
    struct step_state *state = w->state;
    enum pl_pattern_result found = PL_PATTERN_NONE;
    if (!state->done)
        found = pl_lib_search(L, &w->m, STEP_LEVEL);
    if (found == PL_PATTERN_MORE)
        return PL_LONG_CALL_MORE;
    if (found != PL_PATTERN_FOUND) {
        state->done = true;
        lua_pushnil(L);
        return 1 + push_result(L, &state->g, STEP_SPARE, &state->search);
    }
    state->g.count++;
    state->start = w->m.start;
    state->end = w->m.end;
    state->waits = true;
    int n = 1;
    if (state->key)
        pl_lib_push_capture(L, &w->m, 0, STEP_LEVEL);
    else
        n = pl_lib_push_captures(L, &w->m, true, STEP_LEVEL);
    state->done = !advance(&w->m, &state->g);
    return n;
}

/* step(value) -> captures of the next match | nil, result, count. `value` replaces the match
 * before. Upvalues: state, subject, pattern, memory of the result. */
static int step(lua_State *L)
{
    PL_UNINITIALIZED struct step w;
    struct step_state *state = w.state = lua_touserdata(L, lua_upvalueindex(1));
    lua_settop(L, STEP_SPARE);
    w.m.search = state->search;
    w.m.start = state->start;
    w.m.end = state->end;
    if (state->waits) {
        state->waits = false;
        add_gap(L, &state->g, STEP_OUT, &w.m);
        lua_pushvalue(L, STEP_VALUE);
        if (!add_value(L, &state->g, STEP_OUT, state->start, state->end))
            pl_lib_error(L, STEP_LEVEL, "invalid replacement value (a %s)", luaL_typename(L, -1));
        lua_pop(L, 1);
    }
    if (!state->done)
        pl_pattern_from(&w.m, state->end + (state->g.count > 0 && state->end == state->start));
    return pl_long_call(L, go_on_stepping, &w, sizeof w);
}

/* gsub_begin(s, pattern, max, key) -> step, single: whether each match has but one capture. `key`:
 * it returns one of each, as a table is asked for. */
static int lib_gsub_begin(lua_State *L)
{
    struct pl_lib_texts t;
    pl_lib_check_texts(L, &t);
    int max = pl_lib_opt_int(L, 3, INT_MAX);
    bool key = lua_toboolean(L, 4);
    lua_settop(L, 2);
    struct step_state *state = lua_newuserdata(L, sizeof *state);
    pl_lib_search_init(L, &state->search, &t, true, STEP_LEVEL);
    gsub_init(&state->g, &state->search, max);
    state->start = state->end = state->search.subject;
    state->waits = false;
    state->done = max <= 0;
    state->key = key;
    const char *paren = strchr(t.pattern, '(');
    bool single = paren == NULL || strchr(paren + 1, '(') == NULL;
    lua_insert(L, 1);
    lua_pushnil(L);
    lua_pushcclosure(L, step, 4);
    lua_pushboolean(L, single);
    return 2;
}

const luaL_Reg pl_lib_gsub[] = {
    {"gsub", lib_gsub},
    {"gsub_begin", lib_gsub_begin},
    {NULL, NULL},
};
