#include "engine/sandbox_lib.h"
#include "engine/sandbox_trace.h"

#include "base/clock.h"
#include "engine/lib.h"
#include "engine/sandbox.h"
#include "engine/task_impl.h"

#include <lauxlib.h>
#include <lualib.h>
#include <sys/random.h>

static const char slots_key = 's';

void pl_sandbox_push_slots(lua_State *L)
{
    lua_pushlightuserdata(L, (void *)&slots_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    if (!lua_isnil(L, -1))
        return;
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushlightuserdata(L, (void *)&slots_key);
    lua_pushvalue(L, -2);
    lua_rawset(L, LUA_REGISTRYINDEX);
}

/* slot(name) -> function | nil */
static int raw_slot(lua_State *L)
{
    luaL_checkstring(L, 1);
    pl_sandbox_push_slots(L);
    lua_pushvalue(L, 1); /* all of it: a zero in a name does not end it */
    lua_rawget(L, -2);
    return 1;
}

/* export(name, function): what the host may call */
static int raw_export(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    pl_sandbox_push_slots(L);
    lua_pushvalue(L, 2);
    lua_setfield(L, -2, name);
    return 0;
}

/* clock_ms() -> the host's wall clock */
static int raw_clock_ms(lua_State *L)
{
    lua_pushnumber(L, (double)pl_wall_ms());
    return 1;
}

/* call_id() -> the number of the call that runs now, not of its coroutines */
static int raw_call_id(lua_State *L)
{
    struct pl_task *task = pl_task_current();
    lua_pushnumber(L, task != NULL ? (double)task->id : 0);
    return 1;
}

static struct pl_task *yieldable_task(lua_State *L, const char *what)
{
    struct pl_task *task = pl_task_current();
    if (task == NULL || task->state != pl_state_of(L) || pl_task_top(task) != L ||
        !lua_isyieldable(L))
        luaL_error(L,
                   "%s cannot be used here: inside a sort comparator, a gsub callback or a "
                   "metamethod called by the library",
                   what);
    return task;
}

/* host(name, ...) -> the answer of the service. The one door. */
static int raw_door(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TSTRING);
    struct pl_task *task = yieldable_task(L, "a host service");
    task->request = PL_REQ_DOOR;
    return lua_yield(L, lua_gettop(L));
}

/* --- coroutines of the scheduler -----------------------------------------------------------------
 */

static int co_create(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_State *co = lua_newthread(L);
    lua_pushvalue(L, 1);
    lua_xmove(L, co, 1);
    return 1;
}

static bool is_active(const struct pl_task *task, const lua_State *co)
{
    if (co == task->co)
        return true;
    for (uint32_t i = 0; i < task->depth; i++)
        if (task->nested[i] == co)
            return true;
    return false;
}

static const char *status_of(const struct pl_task *task, lua_State *co)
{
    if (task != NULL && co == pl_task_top(task))
        return "running";
    if (task != NULL && is_active(task, co))
        return "normal";
    if (pl_task_is_suspended(co))
        return "suspended";
    if (lua_status(co) == LUA_YIELD)
        return "normal"; /* in another event of this plugin */
    if (lua_status(co) == 0 && lua_gettop(co) > 0)
        return "suspended"; /* not started: its function is on the stack */
    return "dead";
}

static int co_status(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTHREAD);
    lua_pushstring(L, status_of(pl_task_current(), lua_tothread(L, 1)));
    return 1;
}

static int co_resume(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTHREAD);
    lua_State *co = lua_tothread(L, 1);
    struct pl_task *task = yieldable_task(L, "coroutine.resume");
    const char *status = status_of(task, co);
    if (status[0] != 's') {
        lua_pushboolean(L, 0);
        lua_pushfstring(L, "cannot resume %s coroutine", status);
        return 2;
    }
    int n = lua_gettop(L) - 1;
    if (task->depth == PL_COROUTINE_DEPTH || !pl_state_check_stack(co, n)) {
        lua_pushboolean(L, 0);
        lua_pushliteral(L, "too many nested coroutines or values");
        return 2;
    }
    if (lua_status(co) == LUA_YIELD)
        lua_settop(co, 0); /* the mark */
    lua_xmove(L, co, n);
    task->target = co;
    task->transfer = n;
    task->request = PL_REQ_RESUME;
    return lua_yield(L, 1); /* the thread stays on the stack, anchored */
}

static int co_yield (lua_State *L)
{
    struct pl_task *task = yieldable_task(L, "coroutine.yield");
    if (task->depth == 0)
        return luaL_error(L, "attempt to yield outside a coroutine");
    task->transfer = lua_gettop(L);
    task->request = PL_REQ_YIELD;
    return lua_yield(L, task->transfer);
}

static int co_running(lua_State *L)
{
    struct pl_task *task = pl_task_current();
    if (task == NULL || task->depth == 0)
        return 0; /* as Lua 5.1: nil in the main one */
    lua_pushthread(L);
    return 1;
}

static int co_isyieldable(lua_State *L)
{
    struct pl_task *task = pl_task_current();
    lua_pushboolean(L, task != NULL && task->depth > 0 && lua_isyieldable(L));
    return 1;
}

/* -------------------------------------------------------------------------------------------------
 */

static void open_library(lua_State *L, const char *name, lua_CFunction open)
{
    lua_pushcfunction(L, open);
    lua_pushstring(L, name);
    lua_call(L, 1, 0);
}

void pl_sandbox_push_raw(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"slot", raw_slot},
        {"export", raw_export},
        {"clock_ms", raw_clock_ms},
        {"call_id", raw_call_id},
        {"door", raw_door},
        {"trace", pl_sandbox_trace},
        {"traced", pl_sandbox_traced},
        {"co_create", co_create},
        {"co_resume", co_resume},
        {"co_yield", co_yield },
        {"co_status", co_status},
        {"co_running", co_running},
        {"co_isyieldable", co_isyieldable},
        {NULL, NULL},
    };
    open_library(L, "", luaopen_base);
    open_library(L, LUA_TABLIBNAME, luaopen_table);
    open_library(L, LUA_STRLIBNAME, luaopen_string);
    open_library(L, LUA_MATHLIBNAME, luaopen_math);
    open_library(L, LUA_BITLIBNAME, luaopen_bit);
    open_library(L, LUA_OSLIBNAME, luaopen_os);
    lua_pushvalue(L, LUA_GLOBALSINDEX); /* becomes `raw`: the prelude makes other globals */
    luaL_register(L, NULL, functions);
    lua_newtable(L);
    luaL_register(L, NULL, pl_lib_find);
    luaL_register(L, NULL, pl_lib_gsub);
    luaL_register(L, NULL, pl_lib_string);
    luaL_register(L, NULL, pl_lib_table);
    lua_setfield(L, -2, "lib");
    pl_lua_push_null(L);
    lua_setfield(L, -2, "null");
    pl_lua_push_array_mt(L);
    lua_setfield(L, -2, "array_mt");
    uint32_t seed = 0;
    while (getrandom(&seed, sizeof seed, 0) < 0)
        continue;
    lua_pushnumber(L, seed);
    lua_setfield(L, -2, "seed");
}
