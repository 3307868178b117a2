#include "engine/walk.h"

#include "engine/state.h"
#include "engine/task.h"

#include <lauxlib.h>
#include <stdio.h>

#define OP "copy"

/* Appends one step of the path. */
static size_t path_step(const struct pl_walk *w, int at, char *out, size_t size)
{
    int n;
    if (lua_type(w->from, at) == LUA_TSTRING)
        n = snprintf(out, size, ".%.32s", lua_tostring(w->from, at));
    else if (lua_type(w->from, at) == LUA_TNUMBER)
        n = snprintf(out, size, "[%.14g]", lua_tonumber(w->from, at));
    else
        n = snprintf(out, size, "[%s]", luaL_typename(w->from, at));
    return n > 0 && (size_t)n < size ? (size_t)n : size - 1;
}

static int refuse(struct pl_walk *w, const char *code, const char *what)
{
    char path[128] = "$";
    size_t len = 1;
    for (int i = 0; i < w->depth && len + 1 < sizeof path; i++)
        len += path_step(w, w->key_at[i], path + len, sizeof path - len);
    return pl_fail(w->err, code, false, OP, "%s: %s", path, what);
}

static int walk_value(struct pl_walk *w, int at, int type);

/* What JSON and SQL can name: any other key would be a surprise to whoever reads the value. */
static int walk_key(struct pl_walk *w, int at)
{
    int type = lua_type(w->from, at);
    if (type == LUA_TSTRING || type == LUA_TNUMBER)
        return walk_value(w, at, type);
    char what[64];
    snprintf(what, sizeof what, "a %s as a key cannot cross", lua_typename(w->from, type));
    w->depth--; /* the path names the table that has it */
    return refuse(w, PL_E_INVALID, what);
}

static int walk_pairs(struct pl_walk *w, int at)
{
    int level = w->depth++;
    lua_pushnil(w->from);
    int key = lua_gettop(w->from), value = key + 1;
    w->key_at[level] = key;
    while (lua_next(w->from, at) != 0) {
        if (walk_key(w, key) < 0 || walk_value(w, value, lua_type(w->from, value)) < 0)
            return -1;
        w->sink->pair(w);
        lua_pop(w->from, 1);
    }
    w->depth = level;
    return 0;
}

static int walk_table(struct pl_walk *w, int at)
{
    if (w->depth >= w->limits->depth || w->depth >= PL_WALK_DEPTH_MAX)
        return refuse(w, PL_E_TOO_LARGE, "nested too deep, or a cycle");
    bool array = false;
    if (lua_getmetatable(w->from, at)) {
        lua_pop(w->from, 1);
        array = pl_lua_is_array(w->from, at);
        if (!array)
            return refuse(w, PL_E_INVALID, "a table with a metatable cannot cross");
    }
    uint32_t pairs = 0, room = (w->limits->nodes - w->nodes) / 2;
    lua_pushnil(w->from);
    while (lua_next(w->from, at) != 0) {
        lua_pop(w->from, 1);
        if (++pairs > room)
            return refuse(w, PL_E_TOO_LARGE, "too many values");
    }
    size_t items = lua_objlen(w->from, at);
    w->sink->open(w, items <= pairs ? (uint32_t)items : 0, pairs, array);
    if (walk_pairs(w, at) < 0)
        return -1;
    w->sink->close(w, array);
    return 0;
}

static int walk_text(struct pl_walk *w, int at)
{
    size_t len;
    const char *s = lua_tolstring(w->from, at, &len);
    w->bytes += len;
    if (w->bytes > w->limits->bytes)
        return refuse(w, PL_E_TOO_LARGE, "too many bytes of text");
    w->sink->text(w, s, len);
    return 0;
}

static int walk_value(struct pl_walk *w, int at, int type)
{
    lua_State *from = w->from;
    if (++w->nodes > w->limits->nodes)
        return refuse(w, PL_E_TOO_LARGE, "too many values");
    switch (type) {
    case LUA_TTABLE:
        return walk_table(w, at);
    case LUA_TSTRING:
        return walk_text(w, at);
    case LUA_TNIL:
    case LUA_TBOOLEAN:
    case LUA_TNUMBER:
        break;
    default: {
        if (pl_lua_is_null(from, at))
            break;
        char what[64];
        snprintf(what, sizeof what, "a %s cannot cross", luaL_typename(from, at));
        return refuse(w, PL_E_INVALID, what);
    }
    }
    w->sink->scalar(w, at, type);
    return 0;
}

int pl_walk(struct pl_walk *w, int at)
{
    return walk_value(w, at, lua_type(w->from, at));
}

bool pl_walk_reserve(lua_State *from, int idx, const struct pl_copy_limits *limits)
{
    if (lua_type(from, idx) != LUA_TTABLE)
        return true;
    int levels = limits->depth < PL_WALK_DEPTH_MAX ? limits->depth : PL_WALK_DEPTH_MAX;
    return pl_state_check_stack(from, 2 * levels + 4);
}
