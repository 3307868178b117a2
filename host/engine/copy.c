#include "engine/copy.h"

#include "engine/state.h"
#include "engine/task.h"
#include "engine/walk.h"

#include <lauxlib.h>

#define OP "copy"

/* --- the sink, protected in `to` -----------------------------------------------------------------
 */

static void copy_text(struct pl_walk *w, const char *s, size_t len)
{
    lua_pushlstring(w->to, s, len);
}

static void copy_scalar(struct pl_walk *w, int at, int type)
{
    lua_State *to = w->to;
    switch (type) {
    case LUA_TNIL:
        lua_pushnil(to);
        break;
    case LUA_TBOOLEAN:
        lua_pushboolean(to, lua_toboolean(w->from, at));
        break;
    case LUA_TNUMBER:
        lua_pushnumber(to, lua_tonumber(w->from, at));
        break;
    default:
        pl_lua_push_null(to);
    }
}

/* Room at once for all items and keys: a table that grows is built anew at each power of two. */
static void copy_open(struct pl_walk *w, uint32_t items, uint32_t pairs, bool array)
{
    (void)array;
    luaL_checkstack(w->to, 8, NULL);
    lua_createtable(w->to, (int)items, (int)(pairs - items));
}

static void copy_pair(struct pl_walk *w)
{
    lua_rawset(w->to, -3);
}

static void copy_close(struct pl_walk *w, bool array)
{
    if (!array)
        return;
    pl_lua_push_array_mt(w->to);
    lua_setmetatable(w->to, -2);
}

static const struct pl_sink sink = {copy_text, copy_scalar, copy_open, copy_pair, copy_close};

/* ------------------------------------------------------------------------------------------------
 */

struct copy {
    struct pl_walk walk;
    int idx;
};

static int protected_copy(lua_State *to)
{
    struct copy *c = lua_touserdata(to, 1);
    c->walk.to = to;
    if (pl_walk(&c->walk, c->idx) < 0)
        return luaL_error(to, "refused");
    return 1;
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
    struct copy c = {
        .walk = {.from = from, .limits = limits, .err = err, .sink = &sink, .to = to},
        .idx = idx,
    };
    if (!pl_walk_reserve(from, idx, limits))
        return pl_fail(err, PL_E_TOO_LARGE, false, OP, "no room on the stack");
    /* Scalars need no protection but for strings, whose memory may end. */
    int type = lua_type(from, idx);
    if (type == LUA_TNIL || type == LUA_TBOOLEAN || type == LUA_TNUMBER) {
        if (!pl_state_check_stack(to, 1))
            return pl_fail(err, PL_E_TOO_LARGE, false, OP, "no room on the stack");
        copy_scalar(&c.walk, idx, type);
        return 0;
    }
    if (pl_state_build(to, protected_copy, &c, OP, err) == 0)
        return 0;
    lua_settop(from, from_top);
    return -1;
}
