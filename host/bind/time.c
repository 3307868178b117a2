/* host.time: the clocks. */
#include "base/clock.h"
#include "bind/bind.h"

#include <lauxlib.h>

/* now() -> seconds since the epoch, exact to the millisecond */
static int time_now(lua_State *L)
{
    lua_pushnumber(L, (double)pl_wall_ms() / 1000);
    return 1;
}

/* now_ms() -> integer milliseconds since the epoch */
static int time_now_ms(lua_State *L)
{
    lua_pushnumber(L, (double)pl_wall_ms());
    return 1;
}

/* mono() -> seconds on a clock that never jumps, for durations only */
static int time_mono(lua_State *L)
{
    lua_pushnumber(L, (double)pl_now_ns() / 1e9);
    return 1;
}

/* live() -> as mono(), without what this process has stood still: for the deadlines of what it does
 * itself (pl_live_ns) */
static int time_live(lua_State *L)
{
    lua_pushnumber(L, (double)pl_live_ns() / 1e9);
    return 1;
}

/* rfc3339([ms]) -> "2026-01-02T03:04:05.678Z", of now when `ms` is absent */
static int time_rfc3339(lua_State *L)
{
    double ms = luaL_optnumber(L, 1, (double)pl_wall_ms());
    luaL_argcheck(L, ms >= 0 && ms < 253402300800000.0, 1, "milliseconds before year 10000");
    char out[PL_RFC3339_LEN + 1];
    pl_rfc3339((uint64_t)ms, out);
    lua_pushlstring(L, out, PL_RFC3339_LEN);
    return 1;
}

/* advance(seconds): moves the wall clock of this process, and with it that of every plugin, for
 * tests that own the time */
static int time_advance(lua_State *L)
{
    double seconds = luaL_checknumber(L, 1);
    luaL_argcheck(L, seconds >= 0 && seconds < 1e10, 1, "seconds expected");
    pl_wall_advance((uint64_t)(seconds * 1000));
    return 0;
}

int pl_bind_time(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"now", time_now},   {"now_ms", time_now_ms},   {"mono", time_mono},
        {"live", time_live}, {"rfc3339", time_rfc3339}, {"advance", time_advance},
        {NULL, NULL},
    };
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    return 1;
}
