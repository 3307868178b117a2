#include "engine/copy.h"

#include "engine/state.h"
#include "engine/task.h"

#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define OP        "copy"
#define DEPTH_MAX 64

struct copy {
    lua_State *from;
    int idx;
    const struct pl_copy_limits *limits;
    struct pl_err *err;
    uint32_t nodes;
    size_t bytes;
    int depth;
    int key_at[DEPTH_MAX]; /* stack index of the key being copied at each depth, for the path */
};

/* --- errors
 * ---------------------------------------------------------------------------------------- */

/* Appends one step of the path. */
static size_t path_step(const struct copy *c, int at, char *out, size_t size)
{
    int n;
    if (lua_type(c->from, at) == LUA_TSTRING)
        n = snprintf(out, size, ".%.32s", lua_tostring(c->from, at));
    else if (lua_type(c->from, at) == LUA_TNUMBER)
        n = snprintf(out, size, "[%.14g]", lua_tonumber(c->from, at));
    else
        n = snprintf(out, size, "[%s]", luaL_typename(c->from, at));
    return n > 0 && (size_t)n < size ? (size_t)n : size - 1;
}

static int refuse(struct copy *c, const char *code, const char *what)
{
    char path[128] = "$";
    size_t len = 1;
    for (int i = 0; i < c->depth && len + 1 < sizeof path; i++)
        len += path_step(c, c->key_at[i], path + len, sizeof path - len);
    return pl_fail(c->err, code, false, OP, "%s: %s", path, what);
}

/* --- the copy, protected in `to`
 * --------------------------------------------------------------------- */

static int copy_value(struct copy *c, lua_State *to, int at);

/* Makes room at once for the items and keys of the table at `at`: a table that grows is built anew
 * at each power of two. */
static void push_table_for(struct copy *c, lua_State *to, int at)
{
    size_t items = lua_objlen(c->from, at), all = 0;
    lua_pushnil(c->from);
    while (lua_next(c->from, at) != 0) {
        lua_pop(c->from, 1);
        if (++all > c->limits->nodes) { /* refused before they are copied */
            lua_pop(c->from, 1);
            items = all = 0;
            break;
        }
    }
    lua_createtable(to, items <= all ? (int)items : 0, items < all ? (int)(all - items) : 0);
}

static int copy_table(struct copy *c, lua_State *to, int at)
{
    lua_State *from = c->from;
    if (c->depth >= c->limits->depth || c->depth >= DEPTH_MAX)
        return refuse(c, PL_E_TOO_LARGE, "nested too deep, or a cycle");
    int array = 0;
    if (lua_getmetatable(from, at)) {
        lua_pop(from, 1);
        array = pl_lua_is_array(from, at);
        if (!array)
            return refuse(c, PL_E_INVALID, "a table with a metatable cannot cross");
    }
    luaL_checkstack(to, 8, NULL);
    push_table_for(c, to, at);
    int level = c->depth++;
    lua_pushnil(from);
    while (lua_next(from, at) != 0) {
        int value = lua_gettop(from);
        c->key_at[level] = value - 1;
        if (copy_value(c, to, value - 1) < 0 || copy_value(c, to, value) < 0)
            return -1;
        lua_rawset(to, -3);
        lua_pop(from, 1);
    }
    c->depth = level;
    if (array) {
        pl_lua_push_array_mt(to);
        lua_setmetatable(to, -2);
    }
    return 0;
}

static int copy_value(struct copy *c, lua_State *to, int at)
{
    lua_State *from = c->from;
    if (++c->nodes > c->limits->nodes)
        return refuse(c, PL_E_TOO_LARGE, "too many values");
    switch (lua_type(from, at)) {
    case LUA_TNIL:
        lua_pushnil(to);
        return 0;
    case LUA_TBOOLEAN:
        lua_pushboolean(to, lua_toboolean(from, at));
        return 0;
    case LUA_TNUMBER:
        lua_pushnumber(to, lua_tonumber(from, at));
        return 0;
    case LUA_TSTRING: {
        size_t len;
        const char *s = lua_tolstring(from, at, &len);
        c->bytes += len;
        if (c->bytes > c->limits->bytes)
            return refuse(c, PL_E_TOO_LARGE, "too many bytes of text");
        lua_pushlstring(to, s, len);
        return 0;
    }
    case LUA_TTABLE:
        return copy_table(c, to, at);
    case LUA_TLIGHTUSERDATA:
        if (lua_touserdata(from, at) != NULL)
            break;
        pl_lua_push_null(to);
        return 0;
    default:
        break;
    }
    char what[64];
    snprintf(what, sizeof what, "a %s cannot cross", luaL_typename(from, at));
    return refuse(c, PL_E_INVALID, what);
}

static int protected_copy(lua_State *to)
{
    struct copy *c = lua_touserdata(to, 1);
    if (copy_value(c, to, c->idx) < 0)
        return luaL_error(to, "refused");
    return 1;
}

/* Scalars need no protection but for strings, whose memory may end: those go the long way. */
static int copy_scalar(lua_State *to, lua_State *from, int idx)
{
    switch (lua_type(from, idx)) {
    case LUA_TNIL:
        lua_pushnil(to);
        return 1;
    case LUA_TBOOLEAN:
        lua_pushboolean(to, lua_toboolean(from, idx));
        return 1;
    case LUA_TNUMBER:
        lua_pushnumber(to, lua_tonumber(from, idx));
        return 1;
    default:
        return 0;
    }
}

/* Room for the keys and values of every level, before anything is protected: growing the stack of
 * `from` inside would raise in `from`, and unwind into a call of another state. Giving a value away
 * must not fail because the giver is at its cap either. */
static bool reserve(lua_State *from, int idx, const struct pl_copy_limits *limits)
{
    if (lua_type(from, idx) != LUA_TTABLE)
        return true;
    struct pl_state *state = pl_state_of(from);
    int levels = limits->depth < DEPTH_MAX ? limits->depth : DEPTH_MAX;
    size_t cap = pl_state_lift_cap(state);
    bool room = lua_checkstack(from, 2 * levels + 4);
    pl_state_restore_cap(state, cap);
    return room;
}

int pl_copy(lua_State *to, lua_State *from, int idx, const struct pl_copy_limits *limits,
            struct pl_err *err)
{
    struct pl_err scratch;
    if (err == NULL)
        err = &scratch;
    int from_top = lua_gettop(from);
    if (idx < 0)
        idx = from_top + idx + 1;
    struct pl_state *state = pl_state_of(to);
    bool room = reserve(from, idx, limits);
    size_t cap = pl_state_lift_cap(state);
    room = room && lua_checkstack(to, 4);
    if (room && copy_scalar(to, from, idx)) {
        pl_state_restore_cap(state, cap);
        return 0;
    }
    if (!room) {
        pl_state_restore_cap(state, cap);
        return pl_fail(err, PL_E_TOO_LARGE, false, OP, "no room on the stack");
    }
    struct copy c = {.from = from, .idx = idx, .limits = limits, .err = err};
    err->code = NULL;
    /* On the main coroutine, which never runs Lua of its own: `to` may be suspended in a wait, and
     * a protected call there would end the wait. */
    lua_State *main = state->L;
    lua_pushcfunction(main, protected_copy);
    lua_pushlightuserdata(main, &c);
    pl_state_restore_cap(state, cap);
    if (lua_pcall(main, 1, 1, 0) == 0) {
        lua_xmove(main, to, 1);
        return 0;
    }
    lua_pop(main, 1);
    lua_settop(from, from_top);
    if (err->code == NULL)
        pl_fail(err, "memory_limit", false, OP, "not enough memory in '%s'", state->name);
    return -1;
}
