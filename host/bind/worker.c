/* host.worker: what a worker knows of its supervisor, and what it is asked. */
#include "loop/worker.h"
#include "base/buf.h"
#include "base/utf8.h"
#include "bind/bind.h"
#include "bind/json.h"
#include "bind/supervise.h"
#include "engine/engine.h"
#include "loop/board.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#define HANDLERS "host.worker.handlers"

static const struct pl_worker_info *check_info(lua_State *L)
{
    const struct pl_worker_info *info = pl_worker_info();
    if (info == NULL)
        luaL_error(L, "this process is not a worker");
    return info;
}

/* --- questions -----------------------------------------------------------------------------------
 */

struct question {
    struct pl_task *task;
    uint64_t id;
    bool drain;
};

/* The message of an error may quote a name or a text that is no UTF-8. */
static void repair_message(lua_State *L)
{
    size_t len;
    if (!lua_istable(L, -1))
        return;
    lua_getfield(L, -1, "message");
    const char *text = lua_tolstring(L, -1, &len);
    if (text != NULL) {
        char *copy = pl_xmemdup(text, len);
        pl_utf8_repair(copy, len);
        lua_pushlstring(L, copy, len);
        free(copy);
        lua_setfield(L, -3, "message");
    }
    lua_pop(L, 1);
}

static void answer(uint64_t id, lua_State *L, bool ok)
{
    if (!ok)
        repair_message(L);
    if (pl_bind_json_encode(L) != 1) {
        ok = false;
        lua_remove(L, -2); /* the nil before the error table */
        pl_bind_json_encode(L);
    }
    size_t len;
    const char *json = lua_tolstring(L, -1, &len);
    pl_worker_answer(id, ok, json, len);
}

/* The handler has returned, or raised. A handler reports failure as `nil, err`. */
static void on_handled(struct pl_task *task, void *arg)
{
    struct question *q = arg;
    lua_State *co = pl_task_coroutine(task);
    lua_State *L = pl_state_of(co)->L;
    int top = lua_gettop(L);
    bool done = pl_task_get_status(task) == PL_TASK_DONE;
    bool ok = done && (lua_gettop(co) < 2 || !lua_isnil(co, 1) || lua_isnil(co, 2));
    if (!done) {
        pl_lua_push_fail(L, pl_task_error(task));
    } else if (lua_gettop(co) == 0) {
        lua_pushnil(L);
    } else {
        lua_pushvalue(co, ok ? 1 : 2);
        lua_xmove(co, L, 1);
    }
    answer(q->id, L, ok);
    lua_settop(L, top);
    if (q->drain)
        pl_worker_exit(done ? 0 : 70);
    pl_task_unref(task);
    free(q);
}

static void refuse(uint64_t id, const char *event)
{
    char json[160];
    int n =
        snprintf(json, sizeof json,
                 "{\"code\":\"not_supported\",\"message\":\"no worker handles '%.40s'\"}", event);
    pl_worker_answer(id, false, json, (size_t)n);
}

static void on_message(uint64_t id, const char *event, const char *json, size_t len, void *arg)
{
    struct pl_engine *engine = arg;
    lua_State *L = engine->core->L;
    int top = lua_gettop(L);
    bool drain = strcmp(event, "drain") == 0;
    lua_getfield(L, LUA_REGISTRYINDEX, HANDLERS);
    lua_getfield(L, -1, event);
    lua_remove(L, -2);
    if (!lua_isfunction(L, -1)) {
        lua_settop(L, top);
        if (drain)
            pl_worker_exit(0);
        else
            refuse(id, event);
        return;
    }
    if (pl_bind_json_decode(L, json, len) == 2)
        lua_pop(L, 1);
    struct question *q = pl_xmalloc(sizeof *q);
    q->id = id;
    q->drain = drain;
    struct pl_task *task = pl_task_spawn(engine, L, 1, NULL);
    enum pl_task_status status = pl_task_get_status(task);
    if (status == PL_TASK_DONE || status == PL_TASK_FAILED)
        on_handled(task, q);
    else
        pl_task_on_end(task, on_handled, q);
}

/* on(event, fn|nil): fn(request) runs in a task of its own; what it returns is the answer; `nil,
 * err` and a raised error are failures. After "drain" the process ends: fn returns when the work is
 * done.
 */
static int worker_on(lua_State *L)
{
    luaL_checkstring(L, 1);
    if (!lua_isnoneornil(L, 2))
        luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_settop(L, 2);
    lua_getfield(L, LUA_REGISTRYINDEX, HANDLERS);
    lua_insert(L, 1);
    lua_settable(L, 1);
    pl_worker_on_message(on_message, pl_state_of(L)->engine);
    return 0;
}

/* --- the rest ------------------------------------------------------------------------------------
 */

/* listeners() -> {NAME = descriptor} */
static int worker_listeners(lua_State *L)
{
    const struct pl_worker_info *info = check_info(L);
    lua_createtable(L, 0, (int)info->listeners_len);
    for (uint32_t i = 0; i < info->listeners_len; i++) {
        lua_pushinteger(L, info->listeners[i].fd);
        lua_setfield(L, -2, info->listeners[i].name);
    }
    return 1;
}

/* ready(): from now on a missing heartbeat is a hang, and questions are sent */
static int worker_ready(lua_State *L)
{
    check_info(L);
    pl_worker_ready();
    return 0;
}

/* nudge(): the other workers of this host get "look"; nothing where there are none */
static int worker_nudge(lua_State *L)
{
    (void)L;
    pl_worker_nudge();
    return 0;
}

/* suspect() -> {plugin, signal, trace_id}: the plugin that was on the CPU when this worker's
 * predecessor ended itself by a signal, like "SEGV", or hung (no signal) | nil */
static int worker_suspect(lua_State *L)
{
    const struct pl_worker_info *info = pl_worker_info();
    if (info == NULL || info->suspect.plugin[0] == '\0')
        return 0;
    lua_createtable(L, 0, 3);
    lua_pushstring(L, info->suspect.plugin);
    lua_setfield(L, -2, "plugin");
    if (info->suspect.signal != 0)
        lua_pushstring(L, sigabbrev_np(info->suspect.signal));
    else
        lua_pushnil(L);
    lua_setfield(L, -2, "signal");
    if (info->suspect.trace[0] != '\0') {
        lua_pushstring(L, info->suspect.trace);
        lua_setfield(L, -2, "trace_id");
    }
    return 1;
}

/* running(name|nil): the plugin that is to blame for a hang or a crash from here on. The engine
 * says it by itself for what runs in a sandboxed state. */
static int worker_running(lua_State *L)
{
    pl_watchdog_running(luaL_optstring(L, 1, NULL));
    return 0;
}

/* publish(text) -> true | nil, err: what the other workers and the successor of this one can read
 * from now on, whatever becomes of this process; at most 1 MiB */
static int worker_publish(lua_State *L)
{
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    struct pl_err err;
    if (pl_board_publish(text, len, &err) < 0)
        return pl_lua_push_fail(L, &err);
    lua_pushboolean(L, true);
    return 1;
}

/* published(index) -> what the worker of that index, or the last one before it, has published |
 * nil: nothing, or this process is no worker */
static int worker_published(lua_State *L)
{
    lua_Integer index = luaL_checkinteger(L, 1);
    luaL_argcheck(L, index >= 0 && index < UINT32_MAX, 1, "the index of a worker expected");
    struct pl_buf text = {0};
    if (pl_board_read((uint32_t)index, &text) == 1)
        lua_pushlstring(L, text.len > 0 ? text.data : "", text.len);
    else
        lua_pushnil(L);
    pl_buf_free(&text);
    return 1;
}

static void forget(struct pl_op *op)
{
    free(op);
}

static int push_nothing(lua_State *L, struct pl_op *op)
{
    (void)L;
    (void)op;
    return 0;
}

/* exit(code): ends the worker; never returns */
static int worker_exit(lua_State *L)
{
    static const struct pl_op_class forever = {NULL, forget};
    check_info(L);
    pl_worker_exit((int)luaL_optinteger(L, 1, 0));
    struct pl_task *task = pl_task_current();
    struct pl_op *op = pl_xcalloc(1, sizeof *op);
    pl_op_start(op, pl_task_loop(task), pl_task_owner(task), "worker.exit", 0, &forever);
    return pl_task_wait(L, op, push_nothing);
}

int pl_bind_worker(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"supervise", pl_bind_supervise},
        {"listeners", worker_listeners},
        {"ready", worker_ready},
        {"on", worker_on},
        {"nudge", worker_nudge},
        {"suspect", worker_suspect},
        {"running", worker_running},
        {"publish", worker_publish},
        {"published", worker_published},
        {"exit", worker_exit},
        {NULL, NULL},
    };
    lua_newtable(L);
    lua_setfield(L, LUA_REGISTRYINDEX, HANDLERS);
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    const struct pl_worker_info *info = pl_worker_info();
    if (info != NULL) {
        lua_pushinteger(L, (lua_Integer)info->index);
        lua_setfield(L, -2, "index");
        lua_pushinteger(L, (lua_Integer)info->count);
        lua_setfield(L, -2, "count");
        lua_pushboolean(L, info->replaces);
        lua_setfield(L, -2, "replaces");
    }
    return 1;
}
