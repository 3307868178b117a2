#include "bind/supervise.h"

#include "engine/task.h"
#include "loop/supervisor.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

/* Adds the string or number on top as `key` and pops it. What a C string cannot hold is refused:
 * the rest of it would be lost. */
static void add(lua_State *L, struct pl_buf *params, const char *key)
{
    size_t len;
    const char *value = lua_tolstring(L, -1, &len);
    if (value == NULL || strlen(value) != len) {
        pl_buf_free(params);
        luaL_error(L, "supervise: '%s': a string or a number expected", key);
    }
    pl_supervisor_param(params, key, value);
    lua_pop(L, 1);
}

static void add_option(lua_State *L, struct pl_buf *params, const char *key)
{
    lua_getfield(L, 1, key);
    if (lua_isnil(L, -1))
        lua_pop(L, 1);
    else
        add(L, params, key);
}

static void add_list(lua_State *L, struct pl_buf *params, const char *field, const char *key)
{
    lua_getfield(L, 1, field);
    int n = lua_istable(L, -1) ? (int)lua_objlen(L, -1) : 0;
    for (int i = 1; i <= n; i++) {
        lua_rawgeti(L, -1, i);
        add(L, params, key);
    }
    lua_pop(L, 1);
}

/* Each pair of the table `field` as format(key, value); keys must be strings. */
static void add_map(lua_State *L, struct pl_buf *params, const char *field, const char *key_format,
                    const char *value_format)
{
    lua_getfield(L, 1, field);
    int at = lua_gettop(L);
    if (!lua_istable(L, at)) {
        lua_pop(L, 1);
        return;
    }
    lua_pushnil(L);
    while (lua_next(L, at) != 0) {
        const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";
        char key[64];
        snprintf(key, sizeof key, key_format, name);
        if (value_format != NULL) {
            lua_pushfstring(L, value_format, name, lua_tostring(L, -1));
            lua_remove(L, -2);
        }
        add(L, params, key);
    }
    lua_pop(L, 1);
}

/* supervise{listen={NAME=address}, home=, argv_for_worker={...}[, workers=, hang_ms=, start_ms=,
 * drain_ms=, ready_message=, env={NAME=value}]}: becomes the supervisor. Returns only when it
 * cannot: nil, err. What this process has open is gone then: close databases first. */
int pl_bind_supervise(lua_State *L)
{
    static const char *const options[] = {"home",     "workers",  "hang_ms",
                                          "start_ms", "drain_ms", "ready_message"};
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    luaL_checkstack(L, 16, NULL);
    struct pl_buf params = {0};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        add_option(L, &params, options[i]);
    add_map(L, &params, "listen", "listen.%s", NULL);
    add_map(L, &params, "env", "env", "%s=%s");
    add_list(L, &params, "argv_for_worker", "arg");
    struct pl_err err;
    pl_supervisor_exec(&params, &err);
    pl_buf_free(&params);
    return pl_lua_push_fail(L, &err);
}
