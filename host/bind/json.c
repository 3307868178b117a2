/* host.json: strict JSON straight into Lua values, and back. */
#include "base/json.h"
#include "bind/bind.h"
#include "engine/task.h"

#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

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

/* decode(text[, {max_depth=, max_nodes=}]) -> value | nil, err. A raise out of memory would leave
 * the scratch buffer of the reader behind: the core state has no cap, so it is the process that
 * ends. */
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
    struct pl_json_reader r;
    pl_json_open(&r, text, len, &limits);
    enum pl_json_token token = pl_json_next(&r);
    int rc = token == PL_JSON_ERROR ? -1 : build(L, &r, token);
    if (rc == 0 && pl_json_next(&r) != PL_JSON_END)
        rc = -1;
    pl_json_close(&r);
    if (rc < 0) {
        lua_settop(L, 1);
        return pl_lua_push_fail(L, &r.err);
    }
    return 1;
}

/* --- encoding
 * -------------------------------------------------------------------------------------- */

struct writer {
    struct pl_buf out;
    uint32_t nodes;
    int depth;
    bool sorted;
    int indent;
    int step[PL_JSON_DEPTH_MAX]; /* per level, for the path: an index, or minus where the key is */
    struct pl_err err;
};

#define NODES_MAX 200000

static int write_value(lua_State *L, struct writer *w, int at);

/* "$.buttons[2].data": where the value is that is being written. */
static void describe_path(lua_State *L, const struct writer *w, char *out, size_t size)
{
    size_t len = (size_t)snprintf(out, size, "$");
    for (int i = 0; i < w->depth && len < size; i++) {
        int step = w->step[i];
        if (step > 0)
            len += (size_t)snprintf(out + len, size - len, "[%d]", step);
        else if (step < 0)
            len += (size_t)snprintf(out + len, size - len, ".%.32s", lua_tostring(L, -step));
    }
}

static int refuse(lua_State *L, struct writer *w, const char *what)
{
    char path[128];
    describe_path(L, w, path, sizeof path);
    return pl_fail(&w->err, PL_E_INVALID, false, "json", "cannot encode %s: %s", path, what);
}

static void newline(struct writer *w)
{
    if (w->indent == 0)
        return;
    pl_buf_putc(&w->out, '\n');
    for (int i = 0; i < w->depth * w->indent; i++)
        pl_buf_putc(&w->out, ' ');
}

static int write_array(lua_State *L, struct writer *w, int at)
{
    int n = (int)lua_objlen(L, at);
    pl_buf_putc(&w->out, '[');
    w->depth++;
    for (int i = 1; i <= n; i++) {
        w->step[w->depth - 1] = i;
        if (i > 1)
            pl_buf_putc(&w->out, ',');
        newline(w);
        lua_rawgeti(L, at, i);
        if (write_value(L, w, lua_gettop(L)) < 0)
            return -1;
        lua_pop(L, 1);
    }
    w->depth--;
    if (n > 0)
        newline(w);
    pl_buf_putc(&w->out, ']');
    return 0;
}

/* Writes the pair whose key is at `at` and whose value is above it. */
static int write_pair(lua_State *L, struct writer *w, int at, bool first)
{
    w->step[w->depth - 1] = 0;
    if (lua_type(L, at) != LUA_TSTRING)
        return refuse(L, w, "the keys of an object must be strings, those of a list 1 to n");
    w->step[w->depth - 1] = -at;
    size_t len;
    const char *key = lua_tolstring(L, at, &len);
    if (!first)
        pl_buf_putc(&w->out, ',');
    newline(w);
    if (pl_json_put_string(&w->out, key, len) < 0)
        return refuse(L, w, "a key is not valid UTF-8");
    pl_buf_putc(&w->out, ':');
    if (w->indent > 0)
        pl_buf_putc(&w->out, ' ');
    return write_value(L, w, at + 1);
}

/* Pushes the list of the keys of the table at `at`, sorted. */
static int sorted_keys(lua_State *L, struct writer *w, int at)
{
    lua_newtable(L);
    int n = 0;
    lua_pushnil(L);
    while (lua_next(L, at) != 0) {
        lua_pop(L, 1);
        if (lua_type(L, -1) != LUA_TSTRING)
            return refuse(L, w, "the keys of an object must be strings, those of a list 1 to n");
        lua_pushvalue(L, -1);
        lua_rawseti(L, -3, ++n);
    }
    lua_getglobal(L, "table");
    lua_getfield(L, -1, "sort");
    lua_pushvalue(L, -3);
    lua_call(L, 1, 0);
    lua_pop(L, 1);
    return n;
}

static int write_object(lua_State *L, struct writer *w, int at)
{
    bool first = true;
    pl_buf_putc(&w->out, '{');
    w->step[w->depth++] = 0;
    if (w->sorted) {
        int n = sorted_keys(L, w, at);
        if (n < 0)
            return -1;
        int keys = lua_gettop(L);
        for (int i = 1; i <= n; i++) {
            lua_rawgeti(L, keys, i);
            lua_pushvalue(L, -1);
            lua_rawget(L, at);
            if (write_pair(L, w, lua_gettop(L) - 1, first) < 0)
                return -1;
            first = false;
            lua_settop(L, keys);
        }
    } else {
        lua_pushnil(L);
        while (lua_next(L, at) != 0) {
            if (write_pair(L, w, lua_gettop(L) - 1, first) < 0)
                return -1;
            first = false;
            lua_pop(L, 1);
        }
    }
    w->depth--;
    if (!first)
        newline(w);
    pl_buf_putc(&w->out, '}');
    return 0;
}

/* A list must have no other keys: they would be lost without a word. */
static bool only_items(lua_State *L, int at, size_t items)
{
    size_t keys = 0;
    lua_pushnil(L);
    while (lua_next(L, at) != 0) {
        lua_pop(L, 1);
        keys++;
    }
    return keys == items;
}

static int write_table(lua_State *L, struct writer *w, int at)
{
    if (w->depth == PL_JSON_DEPTH_MAX)
        return refuse(L, w, "nested too deep, or a cycle");
    if (!lua_checkstack(L, 10))
        return refuse(L, w, "nested too deep");
    int top = lua_gettop(L);
    size_t items = lua_objlen(L, at);
    bool list = items > 0 || pl_lua_is_array(L, at);
    if (list && !only_items(L, at, items))
        return refuse(L, w, "a list with other keys than 1 to n, or with holes");
    int rc = list ? write_array(L, w, at) : write_object(L, w, at);
    if (rc == 0)
        lua_settop(L, top);
    return rc;
}

static int write_value(lua_State *L, struct writer *w, int at)
{
    if (++w->nodes > NODES_MAX)
        return refuse(L, w, "too many values");
    switch (lua_type(L, at)) {
    case LUA_TNIL:
        pl_buf_puts(&w->out, "null");
        return 0;
    case LUA_TBOOLEAN:
        pl_buf_puts(&w->out, lua_toboolean(L, at) ? "true" : "false");
        return 0;
    case LUA_TNUMBER:
        return pl_json_put_number(&w->out, lua_tonumber(L, at)) < 0
                   ? refuse(L, w, "a number is not finite")
                   : 0;
    case LUA_TSTRING: {
        size_t len;
        const char *s = lua_tolstring(L, at, &len);
        return pl_json_put_string(&w->out, s, len) < 0 ? refuse(L, w, "a string is not valid UTF-8")
                                                       : 0;
    }
    case LUA_TTABLE:
        return write_table(L, w, at);
    default:
        if (pl_lua_is_null(L, at)) {
            pl_buf_puts(&w->out, "null");
            return 0;
        }
        return refuse(L, w, luaL_typename(L, at));
    }
}

/* encode(value[, {sorted=, indent=}]) -> text | nil, err */
static int json_encode(lua_State *L)
{
    luaL_checkany(L, 1);
    struct writer w = {.depth = 0};
    if (!lua_isnoneornil(L, 2)) {
        w.sorted = pl_lua_opt_boolean(L, 2, "sorted", 0);
        w.indent = (int)pl_lua_opt_number(L, 2, "indent", 0);
    }
    lua_settop(L, 1);
    pl_buf_reserve(&w.out, 1024); /* most messages */
    if (write_value(L, &w, 1) < 0) {
        pl_buf_free(&w.out);
        return pl_lua_push_fail(L, &w.err);
    }
    lua_pushlstring(L, w.out.data, w.out.len);
    pl_buf_free(&w.out);
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
        {"decode", json_decode},
        {"encode", json_encode},
        {"array", json_array},
        {"is_array", json_is_array},
        {NULL, NULL},
    };
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    pl_lua_push_null(L);
    lua_setfield(L, -2, "null");
    pl_lua_push_array_mt(L);
    lua_setfield(L, -2, "array_mt");
    return 1;
}
