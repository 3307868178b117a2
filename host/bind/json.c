/* host.json: strict JSON straight into Lua values, and back. */
#include "base/json.h"
#include "bind/bind.h"
#include "bind/json_decode.h"
#include "bind/json_encode.h"
#include "engine/task.h"

#include <lauxlib.h>

/* --- decoding
 * -------------------------------------------------------------------------------------- */

static int build(lua_State *L, struct pl_json_reader *r, enum pl_json_token token);

static int build_array(lua_State *L, struct pl_json_reader *r)
{
    luaL_checkstack(L, 6, "JSON");
    lua_newtable(L);
    pl_lua_push_array_mt(L);
    lua_setmetatable(L, -2);
    for (int i = 1;; i++) {
        enum pl_json_token token = pl_json_next(r);
        if (token == PL_JSON_ARRAY_END)
            return 0;
        if (token == PL_JSON_ERROR || build(L, r, token) < 0)
            return -1;
        lua_rawseti(L, -2, i);
    }
}

static int build_object(lua_State *L, struct pl_json_reader *r)
{
    luaL_checkstack(L, 6, "JSON");
    lua_newtable(L);
    for (;;) {
        enum pl_json_token token = pl_json_next(r);
        if (token == PL_JSON_OBJECT_END)
            return 0;
        if (token != PL_JSON_KEY)
            return -1;
        lua_pushlstring(L, r->str, r->len);
        lua_pushvalue(L, -1);
        lua_rawget(L, -3);
        if (!lua_isnil(L, -1)) {
            pl_json_refuse(r, "invalid_json", "the key stands twice in one object");
            return -1;
        }
        lua_pop(L, 1);
        token = pl_json_next(r);
        if (token == PL_JSON_ERROR || build(L, r, token) < 0)
            return -1;
        lua_rawset(L, -3);
    }
}

/* Pushes the value that begins with `token`. -1: r->err is set, the stack may hold more. */
static int build(lua_State *L, struct pl_json_reader *r, enum pl_json_token token)
{
    switch (token) {
    case PL_JSON_NULL:
        pl_lua_push_null(L);
        return 0;
    case PL_JSON_TRUE:
    case PL_JSON_FALSE:
        lua_pushboolean(L, token == PL_JSON_TRUE);
        return 0;
    case PL_JSON_NUMBER:
        lua_pushnumber(L, r->number);
        return 0;
    case PL_JSON_STRING:
        lua_pushlstring(L, r->str, r->len);
        return 0;
    case PL_JSON_ARRAY:
        return build_array(L, r);
    case PL_JSON_OBJECT:
        return build_object(L, r);
    default:
        return -1;
    }
}

int pl_lua_push_json(lua_State *L, const char *text, size_t len,
                     const struct pl_json_limits *limits, struct pl_err *err)
{
    int top = lua_gettop(L);
    struct pl_json_reader r;
    pl_json_open(&r, text, len, limits);
    enum pl_json_token token = pl_json_next(&r);
    int rc = token == PL_JSON_ERROR ? -1 : build(L, &r, token);
    if (rc == 0 && pl_json_next(&r) != PL_JSON_END)
        rc = -1;
    pl_json_close(&r);
    if (rc == 0)
        return 0;
    *err = r.err;
    lua_settop(L, top);
    return -1;
}

/* decode(text[, {max_depth=, max_nodes=}]) -> value | nil, err */
static int json_decode(lua_State *L)
{
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    struct pl_json_limits limits = PL_JSON_LIMITS_DEFAULT;
    if (!lua_isnoneornil(L, 2)) {
        limits.depth = (uint32_t)pl_lua_opt_number(L, 2, "max_depth", limits.depth);
        limits.nodes = (uint32_t)pl_lua_opt_number(L, 2, "max_nodes", limits.nodes);
    }
    lua_settop(L, 1);
    struct pl_err err;
    if (pl_lua_push_json(L, text, len, &limits, &err) < 0)
        return pl_lua_push_fail(L, &err);
    return 1;
}

/* array([t]) -> t, marked as a JSON array */
static int json_array(lua_State *L)
{
    if (lua_isnoneornil(L, 1)) {
        lua_settop(L, 0);
        lua_newtable(L);
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    pl_lua_push_array_mt(L);
    lua_setmetatable(L, 1);
    lua_settop(L, 1);
    return 1;
}

static int json_is_array(lua_State *L)
{
    lua_pushboolean(L, pl_lua_is_array(L, 1));
    return 1;
}

int pl_bind_json(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"decode", json_decode}, {"encode", pl_json_encode},  {"shape", pl_json_shape},
        {"array", json_array},   {"is_array", json_is_array}, {NULL, NULL},
    };
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    pl_lua_push_null(L);
    lua_setfield(L, -2, "null");
    pl_lua_push_array_mt(L);
    lua_setfield(L, -2, "array_mt");
    return 1;
}
