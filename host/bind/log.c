/* host.log: log lines of core Lua, with the trace id of the task. */
#include "base/log.h"
#include "base/redact.h"
#include "bind/bind.h"
#include "engine/task.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

static void put_value(lua_State *L, struct pl_log_line *line, const char *key, int at);

static void put_items(lua_State *L, struct pl_log_line *line, int at)
{
    int n = (int)lua_objlen(L, at);
    for (int i = 1; i <= n && !line->full; i++) {
        lua_rawgeti(L, at, i);
        put_value(L, line, NULL, lua_gettop(L));
        lua_pop(L, 1);
    }
}

/* The pairs of the table at `at`, but for the trace id, which has its own place. */
static void put_pairs(lua_State *L, struct pl_log_line *line, int at)
{
    lua_pushnil(L);
    while (lua_next(L, at) != 0) {
        char other[32];
        const char *key = other;
        int value = lua_gettop(L);
        if (lua_type(L, -2) == LUA_TSTRING)
            key = lua_tostring(L, -2);
        else if (lua_type(L, -2) == LUA_TNUMBER)
            snprintf(other, sizeof other, "%.14g", lua_tonumber(L, -2));
        else
            snprintf(other, sizeof other, "(%s)", luaL_typename(L, -2));
        bool is_trace = line->depth == 0 && strcmp(key, "trace_id") == 0 && line->trace[0] != '\0';
        if (!line->full && !is_trace)
            put_value(L, line, key, value);
        lua_pop(L, 1);
    }
}

static void put_value(lua_State *L, struct pl_log_line *line, const char *key, int at)
{
    size_t len;
    const char *s;
    switch (lua_type(L, at)) {
    case LUA_TBOOLEAN:
        pl_log_word(line, key, lua_toboolean(L, at) ? "true" : "false");
        return;
    case LUA_TNUMBER:
        pl_log_number(line, key, lua_tonumber(L, at));
        return;
    case LUA_TSTRING:
        s = lua_tolstring(L, at, &len);
        pl_log_string(line, key, s, len);
        return;
    case LUA_TTABLE: {
        luaL_checkstack(L, 6, "log");
        bool list = lua_objlen(L, at) > 0 || pl_lua_is_array(L, at);
        if (!pl_log_nest(line, key, list ? '[' : '{'))
            return;
        if (list)
            put_items(L, line, at);
        else
            put_pairs(L, line, at);
        pl_log_unnest(line);
        return;
    }
    default:
        if (lua_isnil(L, at) || pl_lua_is_null(L, at)) {
            pl_log_word(line, key, "null");
            return;
        }
        s = luaL_typename(L, at);
        pl_log_string(line, key, s, strlen(s));
    }
}

static const char *trace_of(lua_State *L, int fields)
{
    if (lua_istable(L, fields)) {
        lua_getfield(L, fields, "trace_id"); /* stays on the stack, anchored */
        if (lua_type(L, -1) == LUA_TSTRING)
            return lua_tostring(L, -1);
    }
    struct pl_task *task = pl_task_current();
    return task != NULL ? pl_task_trace(task) : NULL;
}

static enum pl_log_level check_level(lua_State *L, int idx)
{
    int level = pl_log_level_named(luaL_checkstring(L, idx));
    luaL_argcheck(L, level >= 0, idx, "debug, info, warn or error expected");
    return (enum pl_log_level)level;
}

/* message and fields at `idx` and `idx + 1` */
static void check_event(lua_State *L, int idx)
{
    luaL_checkstring(L, idx);
    if (!lua_isnoneornil(L, idx + 1))
        luaL_checktype(L, idx + 1, LUA_TTABLE);
    lua_settop(L, idx + 1);
}

static int write_event(lua_State *L, enum pl_log_level level, int idx)
{
    if (level < pl_log_get_level())
        return 0;
    check_event(L, idx);
    struct pl_log_line line;
    if (!pl_log_open(&line, level, trace_of(L, idx + 1), lua_tostring(L, idx)))
        return 0;
    if (lua_istable(L, idx + 1))
        put_pairs(L, &line, idx + 1);
    pl_log_close(&line);
    return 0;
}

/* log(level, message[, fields]) */
static int log_log(lua_State *L)
{
    return write_event(L, check_level(L, 1), 2);
}

/* debug, info, warn, error(message[, fields]) */
static int log_debug(lua_State *L)
{
    return write_event(L, PL_LOG_DEBUG, 1);
}

static int log_info(lua_State *L)
{
    return write_event(L, PL_LOG_INFO, 1);
}

static int log_warn(lua_State *L)
{
    return write_event(L, PL_LOG_WARN, 1);
}

static int log_error(lua_State *L)
{
    return write_event(L, PL_LOG_ERROR, 1);
}

static enum pl_log_form check_form(lua_State *L, const char *name)
{
    if (name == NULL || strcmp(name, "auto") == 0)
        return PL_LOG_AUTO;
    if (strcmp(name, "json") == 0)
        return PL_LOG_JSON;
    if (strcmp(name, "human") == 0)
        return PL_LOG_HUMAN;
    return (enum pl_log_form)luaL_error(L, "log form: auto, json or human expected, got '%s'",
                                        name);
}

/* line(level, message, fields, form) -> the line as it would be written, without colour */
static int log_line(lua_State *L)
{
    enum pl_log_level level = check_level(L, 1);
    enum pl_log_form form = check_form(L, luaL_optstring(L, 4, "json"));
    check_event(L, 2);
    size_t len;
    const char *message = lua_tolstring(L, 2, &len);
    struct pl_log_line line;
    pl_log_begin(&line, form, level, trace_of(L, 3), message, len);
    if (lua_istable(L, 3))
        put_pairs(L, &line, 3);
    pl_log_end(&line);
    lua_pushlstring(L, line.data, line.len);
    return 1;
}

/* setup{level=, form="auto"|"json"|"human", process=}: where the process begins */
static int log_setup(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    enum pl_log_form form = check_form(L, pl_lua_opt_string(L, 1, "form", NULL));
    const char *process = pl_lua_opt_string(L, 1, "process", NULL);
    lua_getfield(L, 1, "level");
    if (!lua_isnil(L, -1))
        pl_log_set_level(check_level(L, lua_gettop(L)));
    pl_log_setup(2, form, process);
    return 0;
}

/* level([name]) -> name: reads and sets the threshold */
static int log_level(lua_State *L)
{
    if (!lua_isnoneornil(L, 1))
        pl_log_set_level(check_level(L, 1));
    lua_pushstring(L, pl_log_level_name(pl_log_get_level()));
    return 1;
}

/* redact(text) -> text without secrets: for audit rows and error messages */
static int log_redact(lua_State *L)
{
    size_t n, at, len;
    const char *s = luaL_checklstring(L, 1, &n);
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    while ((len = pl_redact_find(s, n, &at)) > 0) {
        luaL_addlstring(&b, s, at);
        luaL_addstring(&b, PL_REDACTED);
        s += at + len;
        n -= at + len;
    }
    luaL_addlstring(&b, s, n);
    luaL_pushresult(&b);
    return 1;
}

/* dropped() -> lines that the descriptor did not take */
static int log_dropped(lua_State *L)
{
    lua_pushnumber(L, (double)pl_log_dropped());
    return 1;
}

int pl_bind_log(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"log", log_log},         {"debug", log_debug}, {"info", log_info},
        {"warn", log_warn},       {"error", log_error}, {"line", log_line},
        {"setup", log_setup},     {"level", log_level}, {"redact", log_redact},
        {"dropped", log_dropped}, {NULL, NULL},
    };
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    return 1;
}
