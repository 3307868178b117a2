#include "bind/bind.h"

#include <lauxlib.h>

static void preload(lua_State *L, const char *name, lua_CFunction open)
{
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "preload");
    lua_pushcfunction(L, open);
    lua_setfield(L, -2, name);
    lua_pop(L, 2);
}

void pl_bind_all(lua_State *L)
{
#define PL_BIND_PRELOAD(name) preload(L, "host." #name, pl_bind_##name);
    PL_BIND_MODULES(PL_BIND_PRELOAD)
#undef PL_BIND_PRELOAD
}

void pl_bind_class(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction gc)
{
    luaL_newmetatable(L, name);
    lua_newtable(L);
    luaL_register(L, NULL, methods);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, gc);
    lua_setfield(L, -2, "__gc");
    lua_pushstring(L, name);
    lua_setfield(L, -2, "__name");
    lua_pop(L, 1);
}
