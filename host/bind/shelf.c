/* host.shelf: values under keys that all workers of a host have at hand. */
#include "loop/shelf.h"
#include "bind/bind.h"
#include "engine/engine.h"

#include <lauxlib.h>
#include <string.h>

#define SHELF      "host.shelf"
#define VALUES_MAX 32

struct handle {
    struct pl_shelf shelf;
    char bytes[PL_SHELF_TEXT_MAX]; /* of the values that come or go */
};

static struct handle *check_shelf(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, SHELF);
    if (h->shelf.slots == NULL)
        luaL_error(L, "the shelf is closed");
    return h;
}

/* open(name) -> shelf | nil, err: the one that the workers of this host share, for the keys of that
 * name; in a process that is no worker, one of its own */
static int shelf_open(lua_State *L)
{
    size_t len;
    const char *name = luaL_checklstring(L, 1, &len);
    struct handle *h = lua_newuserdata(L, sizeof *h);
    h->shelf = (struct pl_shelf){0};
    luaL_getmetatable(L, SHELF);
    lua_setmetatable(L, -2);
    struct pl_err err;
    return pl_shelf_open(&h->shelf, name, len, &err) < 0 ? pl_lua_push_fail(L, &err) : 1;
}

/* --- values as bytes: their kind, then a number, or a string behind its length
 * --------------------
 *
 * Not those of engine/wire.h: a turn does this twice, for a dozen plain values, and tables under
 * protection would take ten times as long.
 */

enum kind { NIL, FALSE, TRUE, NUMBER, STRING };

static bool add(struct handle *h, size_t *len, const void *data, size_t n)
{
    if (n > sizeof h->bytes - *len)
        return false;
    memcpy(h->bytes + *len, data, n);
    *len += n;
    return true;
}

/* Appends the value at `idx`; returns false when there is no room for it. Raises when it is a table
 * or the like. */
static bool pack(lua_State *L, int idx, struct handle *h, size_t *len)
{
    int type = lua_type(L, idx);
    if (type == LUA_TNUMBER) {
        lua_Number n = lua_tonumber(L, idx);
        return add(h, len, &(char){NUMBER}, 1) && add(h, len, &n, sizeof n);
    }
    if (type == LUA_TSTRING) {
        size_t n;
        const char *s = lua_tolstring(L, idx, &n);
        return add(h, len, &(char){STRING}, 1) && add(h, len, &n, sizeof n) && add(h, len, s, n);
    }
    if (type == LUA_TBOOLEAN)
        return add(h, len, &(char){lua_toboolean(L, idx) ? TRUE : FALSE}, 1);
    luaL_argcheck(L, type == LUA_TNIL || pl_lua_is_null(L, idx), idx,
                  "nil, a boolean, a number or a string expected");
    return add(h, len, &(char){NIL}, 1);
}

static bool take(struct handle *h, size_t *at, size_t len, void *data, size_t n)
{
    if (n > len - *at)
        return false;
    memcpy(data, h->bytes + *at, n);
    *at += n;
    return true;
}

/* Pushes the next value of `len` bytes; returns false when there is none. The bytes are another
 * worker's: whatever they are, they lead nowhere else. */
static bool unpack(lua_State *L, struct handle *h, size_t *at, size_t len)
{
    char kind;
    size_t n;
    lua_Number number;
    if (!take(h, at, len, &kind, 1))
        return false;
    switch (kind) {
    case NIL:
        lua_pushnil(L);
        return true;
    case FALSE:
    case TRUE:
        lua_pushboolean(L, kind == TRUE);
        return true;
    case NUMBER:
        if (!take(h, at, len, &number, sizeof number))
            return false;
        /* LuaJIT keeps the types of values in the bits of NaNs: only the plain one may get in. */
        lua_pushnumber(L, number == number ? number : (lua_Number)__builtin_nan(""));
        return true;
    case STRING:
        if (!take(h, at, len, &n, sizeof n) || n > len - *at)
            return false;
        lua_pushlstring(L, h->bytes + *at, n);
        *at += n;
        return true;
    default:
        return false;
    }
}

/* --- the shelf -----------------------------------------------------------------------------------
 */

/* shelf:put(key, value...) -> whether they are there now: not when they are too large, or another
 * worker is writing in the same place. At most 32 values: booleans, numbers, strings, nil and null,
 * which both come back as nil */
static int shelf_put(lua_State *L)
{
    size_t key_len, len = 0;
    struct handle *h = check_shelf(L);
    const char *key = luaL_checklstring(L, 2, &key_len);
    int top = lua_gettop(L);
    luaL_argcheck(L, top <= VALUES_MAX + 2, top, "too many values");
    bool fits = true;
    for (int i = 3; i <= top; i++)
        fits = pack(L, i, h, &len) && fits;
    lua_pushboolean(L, fits && pl_shelf_put(&h->shelf, key, key_len, h->bytes, len));
    return 1;
}

/* shelf:get(key) -> value... | nothing */
static int shelf_get(lua_State *L)
{
    size_t key_len, at = 0;
    struct handle *h = check_shelf(L);
    const char *key = luaL_checklstring(L, 2, &key_len);
    int len = pl_shelf_get(&h->shelf, key, key_len, h->bytes), n = 0;
    if (len < 0)
        return 0;
    luaL_checkstack(L, VALUES_MAX, NULL);
    while (n < VALUES_MAX && unpack(L, h, &at, (size_t)len))
        n++;
    return n;
}

/* shelf:drop(key) */
static int shelf_drop(lua_State *L)
{
    size_t key_len;
    struct handle *h = check_shelf(L);
    const char *key = luaL_checklstring(L, 2, &key_len);
    pl_shelf_drop(&h->shelf, key, key_len);
    return 0;
}

/* shelf:close() */
static int shelf_close(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, SHELF);
    pl_shelf_close(&h->shelf);
    return 0;
}

int pl_bind_shelf(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"put", shelf_put},     {"get", shelf_get}, {"drop", shelf_drop},
        {"close", shelf_close}, {NULL, NULL},
    };
    static const luaL_Reg functions[] = {{"open", shelf_open}, {NULL, NULL}};
    pl_bind_class(L, SHELF, methods, shelf_close);
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    return 1;
}
