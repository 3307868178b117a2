#include "engine/gc_step.h"

#include <lauxlib.h>

#define MARK "host.gc_step.mark"

/* Nothing says how far the collector is but what it calls: the finalizer of a userdata that nobody
 * has. Those that are younger are called before, the others but for the oldest at once. */
static void set_mark(lua_State *L)
{
    lua_newuserdata(L, 1);
    luaL_getmetatable(L, MARK);
    lua_setmetatable(L, -2);
    lua_pop(L, 1);
}

static int on_collected(lua_State *L)
{
    struct pl_gc_step *s = lua_touserdata(L, lua_upvalueindex(1));
    s->ended = true;
    return 0;
}

void pl_gc_step_init(struct pl_gc_step *s, lua_State *L)
{
    *s = (struct pl_gc_step){.ended = false};
    luaL_newmetatable(L, MARK);
    lua_pushlightuserdata(L, s);
    lua_pushcclosure(L, on_collected, 1);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    set_mark(L);
}

bool pl_gc_step(struct pl_gc_step *s, lua_State *L)
{
    if (!s->ended) {
        lua_gc(L, LUA_GCRESTART, 0); /* from now on each allocation makes one step first */
        lua_pushlstring(L, "", 0);   /* which is there already, and allocates nothing */
        lua_pop(L, 1);
    }
    if (!s->ended)
        return false;
    s->ended = false;
    set_mark(L);
    return true;
}
