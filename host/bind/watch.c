/* host.watch: folders that are watched for changes. */
#include "drivers/watch.h"
#include "base/buf.h"
#include "bind/bind.h"
#include "engine/engine.h"

#include <lauxlib.h>
#include <stdlib.h>

#define WATCH       "host.watch"
#define FOLDERS_MAX 20000

struct handle {
    struct pl_watch *watch; /* NULL: closed */
};

static struct pl_watch *check_watch(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, WATCH);
    luaL_argcheck(L, h->watch != NULL, 1, "the watch is closed");
    return h->watch;
}

static int push_changed(lua_State *L, struct pl_op *op)
{
    if (op->err.code != NULL)
        return pl_lua_push_fail(L, &op->err);
    lua_pushboolean(L, 1);
    return 1;
}

/* watch:folders(paths) -> true | nil, err. These and no others; those that are not there are left
 * out. */
static int watch_folders(lua_State *L)
{
    struct pl_watch *watch = check_watch(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    size_t n = lua_objlen(L, 2);
    luaL_argcheck(L, n <= FOLDERS_MAX, 2, "too many folders");
    /* The strings stay in the table meanwhile; the array is Lua's, so that an error frees it. */
    const char **paths = lua_newuserdata(L, (n + 1) * sizeof *paths);
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, 2, (int)i + 1);
        luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, 2, "a list of paths expected");
        paths[i] = lua_tostring(L, -1);
        lua_pop(L, 1);
    }
    struct pl_err err;
    if (pl_watch_folders(watch, paths, n, &err) < 0)
        return pl_lua_push_fail(L, &err);
    lua_pushboolean(L, 1);
    return 1;
}

/* watch:wait([seconds]) -> true | nil, err. Until something has changed since the last wait ended.
 */
static int watch_wait(lua_State *L)
{
    struct pl_watch *watch = check_watch(L);
    double seconds = luaL_optnumber(L, 2, 0);
    luaL_argcheck(L, seconds >= 0 && seconds < 1e9, 2, "seconds expected, 0 or more");
    lua_settop(L, 1); /* anchors the watch while this task waits */
    struct pl_task *task = pl_task_current();
    struct pl_op *op =
        pl_watch_wait(watch, pl_task_owner(task), pl_task_deadline(task, seconds * 1000));
    if (op == NULL)
        return luaL_error(L, "another task is waiting for this watch");
    return pl_task_wait(L, op, push_changed);
}

static int watch_close(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, WATCH);
    struct pl_watch *watch = h->watch;
    h->watch = NULL;
    if (watch != NULL)
        pl_watch_close(watch);
    return 0;
}

/* new() -> watch */
static int watch_new(lua_State *L)
{
    struct handle *h = lua_newuserdata(L, sizeof *h);
    h->watch = NULL;
    luaL_getmetatable(L, WATCH);
    lua_setmetatable(L, -2);
    h->watch = pl_watch_new(pl_state_of(L)->engine->loop);
    return 1;
}

int pl_bind_watch(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"folders", watch_folders}, {"wait", watch_wait}, {"close", watch_close}, {NULL, NULL}};
    static const luaL_Reg functions[] = {{"new", watch_new}, {NULL, NULL}};
    pl_bind_class(L, WATCH, methods, watch_close);
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    return 1;
}
