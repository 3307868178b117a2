#include "bind/json_encode.h"

#include "base/json.h"
#include "base/utf8.h"
#include "bind/bind.h"
#include "engine/task.h"

#include <assert.h>
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct writer {
    struct pl_buf out;
    uint32_t nodes;
    int depth;
    bool sorted, repair;
    int indent;
    const char *member;          /* of a shape: in which member it is; NULL: in none */
    int step[PL_JSON_DEPTH_MAX]; /* per level, for the path: an index, or minus where the key is */
    struct pl_err err;
};

#define NODES_MAX 200000
#define USUAL     1024 /* bytes of most messages */
#define SHAPE_MAX 32   /* members */

static int write_value(lua_State *L, struct writer *w, int at);

/* "$.buttons[2].data": where the value is that is being written. */
static void describe_path(lua_State *L, const struct writer *w, char *out, size_t size)
{
    size_t len = (size_t)snprintf(out, size, w->member != NULL ? "$.%s" : "$", w->member);
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

static int put_text(struct writer *w, const char *s, size_t len)
{
    if (pl_json_put_string(&w->out, s, len) == 0)
        return 0;
    if (!w->repair)
        return -1;
    char *copy = pl_xmemdup(s, len);
    pl_utf8_repair(copy, len);
    int rc = pl_json_put_string(&w->out, copy, len);
    free(copy);
    return rc;
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
    if (put_text(w, key, len) < 0)
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
        return put_text(w, s, len) < 0 ? refuse(L, w, "a string is not valid UTF-8") : 0;
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

int pl_json_encode(lua_State *L)
{
    luaL_checkany(L, 1);
    struct writer w = {.depth = 0};
    if (!lua_isnoneornil(L, 2)) {
        w.sorted = pl_lua_opt_boolean(L, 2, "sorted", 0);
        w.repair = pl_lua_opt_boolean(L, 2, "repair", 0);
        w.indent = (int)pl_lua_opt_number(L, 2, "indent", 0);
    }
    lua_settop(L, 1);
    pl_buf_reserve(&w.out, USUAL);
    if (write_value(L, &w, 1) < 0) {
        pl_buf_free(&w.out);
        return pl_lua_push_fail(L, &w.err);
    }
    lua_pushlstring(L, w.out.data, w.out.len);
    pl_buf_free(&w.out);
    return 1;
}

/* --- shapes
 * ---------------------------------------------------------------------------------------- */

struct member {
    const char *name; /* the upvalue table keeps it */
    uint32_t key, key_len;
    bool text; /* the value is JSON already */
};

struct shape {
    uint32_t len;
    char *keys; /* behind the members: `"name":` of each, in JSON */
    struct member members[];
};

static int put_member(lua_State *L, struct writer *w, const struct shape *s, uint32_t i, bool first)
{
    const struct member *m = &s->members[i];
    int at = (int)i + 1;
    if (!first)
        pl_buf_putc(&w->out, ',');
    pl_buf_append(&w->out, s->keys + m->key, m->key_len);
    w->member = m->name;
    if (!m->text)
        return write_value(L, w, at);
    size_t len;
    const char *text = lua_type(L, at) == LUA_TSTRING ? lua_tolstring(L, at, &len) : NULL;
    if (text == NULL)
        return refuse(L, w, "its JSON as a text expected");
    pl_buf_append(&w->out, text, len);
    return 0;
}

/* (value...) -> text | nil, err */
static int encode_shape(lua_State *L)
{
    const struct shape *s = lua_touserdata(L, lua_upvalueindex(1));
    struct writer w = {.depth = 0};
    bool first = true;
    lua_settop(L, (int)s->len);
    pl_buf_reserve(&w.out, USUAL);
    pl_buf_putc(&w.out, '{');
    for (uint32_t i = 0; i < s->len; i++) {
        if (lua_isnil(L, (int)i + 1))
            continue;
        if (put_member(L, &w, s, i, first) < 0) {
            pl_buf_free(&w.out);
            return pl_lua_push_fail(L, &w.err);
        }
        first = false;
    }
    pl_buf_putc(&w.out, '}');
    lua_pushlstring(L, w.out.data, w.out.len);
    pl_buf_free(&w.out);
    return 1;
}

static bool has(lua_State *L, int list, const char *name)
{
    bool found = false;
    int n = lua_istable(L, list) ? (int)lua_objlen(L, list) : 0;
    for (int i = 1; i <= n && !found; i++) {
        lua_rawgeti(L, list, i);
        const char *one = lua_tostring(L, -1);
        found = one != NULL && strcmp(one, name) == 0;
        lua_pop(L, 1);
    }
    return found;
}

int pl_json_shape(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    uint32_t n = (uint32_t)lua_objlen(L, 1);
    luaL_argcheck(L, n >= 1 && n <= SHAPE_MAX, 1, "1 to 32 names expected");
    lua_settop(L, 2);
    size_t room = 0;
    for (uint32_t i = 1; i <= n; i++) {
        lua_rawgeti(L, 1, (int)i);
        luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, 1, "names expected");
        room += lua_objlen(L, -1) + sizeof "\"\":";
        lua_pop(L, 1);
    }
    struct shape *s = lua_newuserdata(L, sizeof *s + n * sizeof s->members[0] + room);
    s->len = n;
    s->keys = (char *)&s->members[n];
    uint32_t at = 0;
    for (uint32_t i = 0; i < n; i++) {
        lua_rawgeti(L, 1, (int)i + 1);
        const char *name = lua_tostring(L, -1);
        luaL_argcheck(L, strpbrk(name, "\"\\") == NULL, 1, "plain names expected");
        int len = snprintf(s->keys + at, room - at, "\"%s\":", name);
        s->members[i] = (struct member){name, at, (uint32_t)len, has(L, 2, name)};
        at += (uint32_t)len;
        lua_pop(L, 1);
    }
    lua_pushvalue(L, 1); /* the names stay where they are as long as the function does */
    lua_pushcclosure(L, encode_shape, 2);
    return 1;
}
