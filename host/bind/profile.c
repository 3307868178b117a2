#include "bind/profile.h"

#include <lauxlib.h>

struct pl_frame_profile pl_bind_profile_rates(lua_State *L)
{
    struct pl_frame_profile rates = {0};
    if (lua_isnoneornil(L, 2))
        return rates;
    double us = luaL_checknumber(L, 2), bytes = luaL_optnumber(L, 3, 0);
    luaL_argcheck(L, us >= 100 && us <= 1e6, 2, "100 to 1000000 microseconds expected");
    luaL_argcheck(L, bytes == 0 || (bytes >= 256 && bytes <= 1e9), 3,
                  "256 to 1000000000 bytes expected, or 0 for none");
    rates.every_ns = (uint64_t)(us * 1000);
    rates.every_bytes = (uint64_t)bytes;
    return rates;
}
