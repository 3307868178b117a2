#include "bind/json.h"

#include "engine/engine.h"

#include <lauxlib.h>

/* (name, value) -> whatever host.json's function of this name returns */
static int call(lua_State *L)
{
    lua_getglobal(L, "require");
    lua_pushliteral(L, "host.json");
    lua_call(L, 1, 1);
    lua_pushvalue(L, 1);
    lua_gettable(L, -2);
    lua_pushvalue(L, 2);
    lua_call(L, 1, LUA_MULTRET);
    return lua_gettop(L) - 3;
}

/* Applies the function to the value on top of L. */
static int apply(lua_State *L, const char *name)
{
    lua_State *M = pl_state_of(L)->L;
    lua_checkstack(M, 8);
    lua_checkstack(L, 4);
    int base = lua_gettop(M) - (L == M ? 1 : 0);
    lua_xmove(L, M, 1);
    lua_pushcfunction(M, call);
    lua_insert(M, base + 1);
    lua_pushstring(M, name);
    lua_insert(M, base + 2);
    if (lua_pcall(M, 2, LUA_MULTRET, 0) != 0) {
        struct pl_err err;
        const char *text = lua_tostring(M, -1);
        pl_fail(&err, PL_E_INVALID, false, "json", "%s", text != NULL ? text : "(error object)");
        lua_settop(M, base);
        pl_lua_push_fail(M, &err);
    }
    int n = lua_gettop(M) - base;
    lua_xmove(M, L, n);
    return n;
}

int pl_bind_json_decode(lua_State *L, const char *text, size_t len)
{
    lua_pushlstring(L, text, len);
    return apply(L, "decode");
}

int pl_bind_json_encode(lua_State *L)
{
    return apply(L, "encode");
}
