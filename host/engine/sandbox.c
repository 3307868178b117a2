#include "engine/sandbox.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/utf8.h"
#include "engine/preempt.h"
#include "engine/sandbox_lib.h"
#include "engine/task_impl.h"
#include "loop/watchdog.h"

#include <lauxlib.h>
#include <lualib.h>
#include <string.h>

struct build {
    const char *prelude;
    size_t len;
};

/* Protected: builds the environment and makes it the globals of the state. */
static int build(lua_State *L)
{
    struct build *b = lua_touserdata(L, 1);
    pl_sandbox_push_raw(L);
    if (luaL_loadbufferx(L, b->prelude, b->len, "=sandbox", "bt") != 0)
        return lua_error(L);
    lua_insert(L, -2);
    lua_call(L, 1, 1);
    lua_replace(L, LUA_GLOBALSINDEX);
    lua_newtable(L); /* the libraries that are open now stay out of reach; see loads_ffi */
    lua_setfield(L, LUA_REGISTRYINDEX, "_LOADED");
    return 0;
}

struct pl_state *pl_sandbox_new(struct pl_engine *engine, const char *name, size_t mem_limit,
                                const char *prelude, size_t prelude_len, struct pl_err *err)
{
    struct pl_state *state = pl_state_capped(engine, name, mem_limit, err);
    if (state == NULL)
        return NULL;
    struct build b = {prelude, prelude_len};
    if (lua_cpcall(state->L, build, &b) != 0) {
        const char *msg = lua_tostring(state->L, -1);
        pl_fail(err, state->broken ? "memory_limit" : PL_E_INVALID, false, "sandbox.new", "%s",
                msg != NULL ? msg : "cannot build the environment");
        pl_state_unref(state);
        return NULL;
    }
    return state;
}

static int fail_broken(const struct pl_state *state, const char *op, struct pl_err *err)
{
    return pl_fail(err, "disabled", false, op,
                   "the state of '%s' was stopped by force and cannot be used again", state->name);
}

struct compile {
    const char *slot, *source, *chunkname;
    const char *mode; /* what the source may be: "t" text, "b" bytecode */
    size_t len;
    bool ffi;
};

/* LuaJIT's lexer opens the ffi by itself for a 64-bit or imaginary number, and registers it. */
static bool loads_ffi(lua_State *L)
{
    lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED");
    lua_getfield(L, -1, LUA_FFILIBNAME);
    bool yes = !lua_isnil(L, -1);
    lua_pop(L, 2);
    return yes;
}

static int compile(lua_State *L)
{
    struct compile *c = lua_touserdata(L, 1);
    pl_sandbox_push_slots(L);
    int rc = luaL_loadbufferx(L, c->source, c->len, c->chunkname, c->mode);
    c->ffi = loads_ffi(L);
    if (rc != 0 || c->ffi)
        return lua_error(L);
    lua_setfield(L, -2, c->slot);
    return 0;
}

static int keep(struct pl_state *state, struct compile *c, struct pl_err *err)
{
    if (state->broken)
        return fail_broken(state, "sandbox.compile", err);
    pl_watchdog_running(state->name); /* source alone may crash the compiler */
    int rc = lua_cpcall(state->L, compile, c);
    pl_watchdog_running(NULL);
    if (rc == 0)
        return 0;
    if (c->ffi) {
        state->broken = true;
        return pl_fail(err, "syntax", false, "sandbox.compile",
                       "%s: numbers with the suffix LL, ULL or i belong to the ffi, which is not "
                       "available",
                       c->chunkname);
    }
    const char *msg = lua_tostring(state->L, -1);
    pl_fail(err, state->broken ? "memory_limit" : "syntax", false, "sandbox.compile", "%s",
            msg != NULL ? msg : "cannot compile");
    pl_utf8_repair(err->message, strlen(err->message)); /* it quotes the text */
    lua_pop(state->L, 1);
    return -1;
}

int pl_sandbox_compile(struct pl_state *state, const char *slot, const char *source, size_t len,
                       const char *chunkname, struct pl_err *err)
{
    if (len > PL_SOURCE_MAX)
        return pl_fail(err, PL_E_TOO_LARGE, false, "sandbox.compile",
                       "%s: source of %zu bytes, at most %d are allowed", chunkname, len,
                       PL_SOURCE_MAX);
    struct compile c = {slot, source, chunkname, "t", len, false};
    return keep(state, &c, err);
}

int pl_sandbox_load(struct pl_state *state, const char *slot, const char *code, size_t len,
                    struct pl_err *err)
{
    struct compile c = {slot, code, "=host", "b", len, false};
    return keep(state, &c, err);
}

/* Pushes the function of a slot, or nil, on a coroutine of the state. */
static void push_slot(struct pl_state *state, lua_State *co, const char *slot)
{
    size_t cap = pl_state_lift_cap(state);
    pl_sandbox_push_slots(co);
    lua_pushstring(co, slot);
    lua_rawget(co, -2);
    lua_replace(co, 1);
    lua_settop(co, 1);
    pl_state_restore_cap(state, cap);
}

struct pl_task *pl_sandbox_call(struct pl_state *state, const char *slot, double cpu_ms,
                                double timeout_ms, struct pl_err *err)
{
    if (state->broken) {
        fail_broken(state, "sandbox.call", err);
        return NULL;
    }
    struct pl_task *task = pl_task_new(state, pl_task_current());
    pl_task_ref(task);
    push_slot(state, task->co, slot);
    if (!lua_isfunction(task->co, -1)) {
        pl_fail(err, PL_E_NOT_FOUND, false, "sandbox.call", "'%s' has no function '%s'",
                state->name, slot);
        lua_settop(task->co, 0);
        task->err = *err;
        pl_task_end(task, PL_TASK_FAILED);
        pl_task_unref(task);
        return NULL;
    }
    task->cpu_limit_ns = cpu_ms > 0 ? (uint64_t)(cpu_ms * 1e6) : 0;
    task->deadline_ns = pl_task_deadline(task, timeout_ms);
    return task;
}

void pl_sandbox_resume(struct pl_task *task, int nargs,
                       void (*on_stop)(struct pl_task *task, void *arg), void *arg)
{
    task->on_stop = NULL;
    pl_task_ref(task);
    if (pl_share_is_free(task->state->share)) {
        pl_task_run(task, nargs);
    } else {
        task->status = PL_TASK_READY;
        task->transfer = nargs;
        pl_share_wait(task);
    }
    if (task->status == PL_TASK_READY) {
        task->on_stop = on_stop;
        task->on_stop_arg = arg;
    }
    pl_task_unref(task);
}

lua_State *pl_sandbox_door(struct pl_task *task)
{
    return pl_task_top(task);
}

int pl_sandbox_check(const struct pl_task *task, struct pl_err *err)
{
    return task->state->broken ? fail_broken(task->state, "sandbox.call", err) : 0;
}

void pl_sandbox_fail(struct pl_task *task, const struct pl_err *err)
{
    if (task->status == PL_TASK_DONE || task->status == PL_TASK_FAILED)
        return;
    task->err = *err;
    pl_task_end(task, PL_TASK_FAILED);
}
