/* The small helpers of engine/task.h that every binding uses. */
#include "engine/task.h"

#include <lauxlib.h>

/* Its address is the registry key of the array metatable of a state. */
static const char array_key = 'a';

int pl_lua_push_fail(lua_State *L, const struct pl_err *err)
{
    lua_pushnil(L);
    lua_createtable(L, 0, 4);
    lua_pushstring(L, err->code);
    lua_setfield(L, -2, "code");
    lua_pushstring(L, err->message);
    lua_setfield(L, -2, "message");
    lua_pushboolean(L, err->retryable);
    lua_setfield(L, -2, "retryable");
    lua_pushstring(L, err->op);
    lua_setfield(L, -2, "op");
    return 2;
}

void pl_lua_push_null(lua_State *L)
{
    lua_pushlightuserdata(L, NULL);
}

int pl_lua_is_null(lua_State *L, int idx)
{
    return lua_islightuserdata(L, idx) && lua_touserdata(L, idx) == NULL;
}

void pl_lua_push_array_mt(lua_State *L)
{
    lua_pushlightuserdata(L, (void *)&array_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    if (!lua_isnil(L, -1))
        return;
    lua_pop(L, 1);
    lua_createtable(L, 0, 2);
    lua_pushliteral(L, "array");
    lua_setfield(L, -2, "__name");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pushlightuserdata(L, (void *)&array_key);
    lua_pushvalue(L, -2);
    lua_rawset(L, LUA_REGISTRYINDEX);
}

int pl_lua_is_array(lua_State *L, int idx)
{
    if (!lua_istable(L, idx) || !lua_getmetatable(L, idx))
        return 0;
    lua_pushlightuserdata(L, (void *)&array_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    int same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same;
}

/* Leaves the field (or nil) on the stack. */
static int get_field(lua_State *L, int idx, const char *field)
{
    if (lua_isnoneornil(L, idx)) {
        lua_pushnil(L);
        return LUA_TNIL;
    }
    luaL_checktype(L, idx, LUA_TTABLE);
    lua_getfield(L, idx, field);
    return lua_type(L, -1);
}

static int wrong_field(lua_State *L, const char *field, const char *expected)
{
    return luaL_error(L, "option '%s': %s expected, got %s", field, expected, luaL_typename(L, -1));
}

double pl_lua_opt_number(lua_State *L, int idx, const char *field, double otherwise)
{
    int type = get_field(L, idx, field);
    if (type != LUA_TNIL && type != LUA_TNUMBER)
        wrong_field(L, field, "number");
    double v = type == LUA_TNUMBER ? lua_tonumber(L, -1) : otherwise;
    lua_pop(L, 1);
    return v;
}

int pl_lua_opt_boolean(lua_State *L, int idx, const char *field, int otherwise)
{
    int type = get_field(L, idx, field);
    if (type != LUA_TNIL && type != LUA_TBOOLEAN)
        wrong_field(L, field, "boolean");
    int v = type == LUA_TBOOLEAN ? lua_toboolean(L, -1) : otherwise;
    lua_pop(L, 1);
    return v;
}

const char *pl_lua_opt_string(lua_State *L, int idx, const char *field, size_t *len)
{
    int type = get_field(L, idx, field);
    if (type == LUA_TNIL)
        return NULL;
    if (type != LUA_TSTRING)
        wrong_field(L, field, "string");
    return lua_tolstring(L, -1, len);
}
