/* host.sandbox: sandboxed states, as the plugin manager and the rules use them.
 *
 * A call is a loop of its caller, which serves the door in straight-line Lua:
 *
 *     local kind, a, b, c = sb:start("dispatch", cpu_ms, timeout_s, envelope)
 *     while kind == "door" do           -- a: the call, b: the service's name, c...: its arguments
 *       kind, a, b, c = a:answer(serve(b, c))
 *     end
 *     -- kind == "done": a, b, c are the results; "error": a is {code, message, ...}
 */
#include "engine/sandbox.h"
#include "base/buf.h"
#include "bind/bind.h"
#include "bind/profile.h"
#include "engine/copy.h"
#include "engine/profile.h"
#include "loop/watchdog.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#define SANDBOX "host.sandbox.state"
#define CALL    "host.sandbox.call"

struct sandbox {
    struct pl_state *state;
};

struct call {
    struct pl_task *task; /* NULL once it has ended */
};

/* Waits for a preempted call. */
struct slice_op {
    struct pl_op op;
    struct pl_task *task;
};

static const struct pl_copy_limits limits = PL_COPY_LIMITS_DEFAULT;

static struct sandbox *check_sandbox(lua_State *L)
{
    struct sandbox *sb = luaL_checkudata(L, 1, SANDBOX);
    if (sb->state == NULL)
        luaL_error(L, "the sandbox is closed");
    return sb;
}

/* --- results -------------------------------------------------------------------------------------
 */

static int push_error(lua_State *L, const struct pl_err *err)
{
    pl_lua_push_fail(L, err);
    lua_pushliteral(L, "error");
    lua_replace(L, -3);
    return 2;
}

/* Copies the values of `from` behind what is on L; a value that cannot cross ends the call. */
static int push_values(lua_State *L, struct pl_task *task, lua_State *from, int pushed)
{
    struct pl_err err;
    int n = lua_gettop(from);
    int base = lua_gettop(L) - pushed;
    if (n > PL_SANDBOX_VALUES_MAX) {
        pl_fail(&err, "invalid_response", false, "sandbox", "%d values, at most %d may cross", n,
                PL_SANDBOX_VALUES_MAX);
        goto fail;
    }
    pl_watchdog_running(pl_state_of(from)->name);
    for (int i = 1; i <= n; i++)
        if (pl_copy(L, from, i, &limits, &err) < 0)
            goto fail;
    pl_watchdog_running(NULL);
    return pushed + n;
fail:
    pl_watchdog_running(NULL);
    pl_sandbox_fail(task, &err);
    lua_settop(L, base);
    return push_error(L, &err);
}

/* The outcome of a task that has stopped. `handle` is the index of its call object on L, 0: none
 * yet. Takes over the caller's reference to the task when it has ended. */
static int push_outcome(lua_State *L, struct pl_task *task, int handle)
{
    int n;
    switch (pl_task_get_status(task)) {
    case PL_TASK_DONE:
        lua_pushliteral(L, "done");
        n = push_values(L, task, pl_task_coroutine(task), 1);
        break;
    case PL_TASK_PAUSED:
        lua_pushliteral(L, "door");
        if (handle != 0) {
            lua_pushvalue(L, handle);
        } else {
            struct call *c = lua_newuserdata(L, sizeof *c);
            c->task = task;
            luaL_getmetatable(L, CALL);
            lua_setmetatable(L, -2);
        }
        return push_values(L, task, pl_sandbox_door(task), 2);
    default:
        n = push_error(L, pl_task_error(task));
        break;
    }
    if (handle != 0)
        ((struct call *)lua_touserdata(L, handle))->task = NULL;
    pl_task_unref(task);
    return n;
}

/* --- running -------------------------------------------------------------------------------------
 */

static void slice_destroy(struct pl_op *op)
{
    struct slice_op *s = pl_container_of(op, struct slice_op, op);
    if (s->task != NULL)
        pl_task_unref(s->task);
    free(s);
}

static const struct pl_op_class slice_class = {NULL, slice_destroy};

static void on_stop(struct pl_task *task, void *arg)
{
    (void)task;
    struct slice_op *s = arg;
    pl_op_finish(&s->op);
    pl_op_unref(&s->op);
}

static int push_sliced(lua_State *L, struct pl_op *op)
{
    struct slice_op *s = pl_container_of(op, struct slice_op, op);
    struct pl_task *task = s->task;
    s->task = NULL;
    int handle = lua_isuserdata(L, 1) && lua_isboolean(L, 2) ? 1 : 0;
    if (op->err.code != NULL) { /* our own deadline came first */
        pl_sandbox_fail(task, &op->err);
    }
    return push_outcome(L, task, handle);
}

/* Resumes and either returns the outcome or waits for it. The reference to the task is the
 * caller's, and goes to the call object, the op, or nowhere. */
static int resume(lua_State *L, struct pl_task *task, int nargs, int handle)
{
    struct slice_op *s = pl_xcalloc(1, sizeof *s);
    pl_sandbox_resume(task, nargs, on_stop, s);
    if (pl_task_get_status(task) != PL_TASK_READY) {
        free(s);
        return push_outcome(L, task, handle);
    }
    struct pl_task *self = pl_task_current();
    s->task = task;
    pl_op_start(&s->op, pl_task_loop(self), pl_task_owner(self), "sandbox.slice",
                pl_task_deadline(self, 0), &slice_class);
    pl_op_ref(&s->op); /* on_stop's */
    if (handle != 0) { /* where push_sliced looks: the call, then a mark */
        lua_settop(L, 1);
        lua_pushboolean(L, 1);
    } else {
        lua_settop(L, 0);
    }
    return pl_task_wait(L, &s->op, push_sliced);
}

/* Copies arguments first..top of L to the task's coroutine. */
static int pass_arguments(lua_State *L, int first, struct pl_task *task, lua_State *to,
                          struct pl_err *err)
{
    int top = lua_gettop(L);
    if (top - first + 1 > PL_SANDBOX_VALUES_MAX)
        return pl_fail(err, PL_E_TOO_LARGE, false, "sandbox", "too many values");
    (void)task;
    for (int i = first; i <= top; i++)
        if (pl_copy(to, L, i, &limits, err) < 0)
            return -1;
    return 0;
}

/* sb:start(slot, cpu_ms, timeout_s, ...) -> "done", results... | "door", call, name, args... |
 * "error", err */
static int sandbox_start(lua_State *L)
{
    struct sandbox *sb = check_sandbox(L);
    const char *slot = luaL_checkstring(L, 2);
    double cpu_ms = luaL_optnumber(L, 3, 0);
    double timeout_s = luaL_optnumber(L, 4, 0);
    struct pl_err err;
    struct pl_task *task = pl_sandbox_call(sb->state, slot, cpu_ms, timeout_s * 1000, &err);
    if (task == NULL)
        return push_error(L, &err);
    int nargs = lua_gettop(L) > 4 ? lua_gettop(L) - 4 : 0;
    if (pass_arguments(L, 5, task, pl_task_coroutine(task), &err) < 0) {
        if (sb->state->broken)
            err.code = "memory_limit";
        pl_sandbox_fail(task, &err);
        pl_task_unref(task);
        return push_error(L, &err);
    }
    return resume(L, task, nargs, 0);
}

/* call:answer(...) -> as start: what the door call returns in the plugin */
static int call_answer(lua_State *L)
{
    struct call *c = luaL_checkudata(L, 1, CALL);
    struct pl_task *task = c->task;
    if (task == NULL)
        return luaL_error(L, "the call has ended");
    if (pl_task_get_status(task) == PL_TASK_FAILED) { /* cancelled meanwhile */
        c->task = NULL;
        int n = push_error(L, pl_task_error(task));
        pl_task_unref(task);
        return n;
    }
    if (pl_task_get_status(task) != PL_TASK_PAUSED)
        return luaL_error(L, "the call does not wait for an answer");
    struct pl_err err;
    lua_State *to = pl_sandbox_door(task);
    int nargs = lua_gettop(L) - 1;
    bool given = pl_sandbox_check(task, &err) == 0;
    if (given) {
        lua_settop(to, 0);
        given = pass_arguments(L, 2, task, to, &err) == 0;
    }
    if (!given) {
        pl_sandbox_fail(task, &err);
        c->task = NULL;
        pl_task_unref(task);
        return push_error(L, &err);
    }
    return resume(L, task, nargs, 1);
}

/* call:stop(code, message): ends it; the plugin never hears. */
static int call_stop(lua_State *L)
{
    struct call *c = luaL_checkudata(L, 1, CALL);
    if (c->task == NULL)
        return 0;
    struct pl_err err;
    pl_fail(&err, PL_E_CANCELLED, false, "sandbox", "%s", luaL_optstring(L, 2, "stopped"));
    pl_sandbox_fail(c->task, &err);
    pl_task_unref(c->task);
    c->task = NULL;
    return 0;
}

static int call_gc(lua_State *L)
{
    struct call *c = luaL_checkudata(L, 1, CALL);
    if (c->task == NULL)
        return 0;
    pl_task_cancel(c->task);
    pl_task_unref(c->task);
    c->task = NULL;
    return 0;
}

/* --- the state -----------------------------------------------------------------------------------
 */

/* new{name=, memory= bytes, prelude= text or bytecode} -> sandbox | nil, err */
static int sandbox_new(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    size_t len = 0;
    const char *name = pl_lua_opt_string(L, 1, "name", NULL);
    const char *prelude = pl_lua_opt_string(L, 1, "prelude", &len);
    double memory = pl_lua_opt_number(L, 1, "memory", 16.0 * 1024 * 1024);
    luaL_argcheck(L, prelude != NULL, 1, "option 'prelude' is missing");
    luaL_argcheck(L, memory >= 128 * 1024, 1, "option 'memory': at least 131072 bytes");
    struct pl_err err;
    struct pl_state *state = pl_sandbox_new(pl_state_of(L)->engine, name != NULL ? name : "sandbox",
                                            (size_t)memory, prelude, len, &err);
    if (state == NULL)
        return pl_lua_push_fail(L, &err);
    struct sandbox *sb = lua_newuserdata(L, sizeof *sb);
    sb->state = state;
    luaL_getmetatable(L, SANDBOX);
    lua_setmetatable(L, -2);
    return 1;
}

/* sb:compile(slot, source, chunkname) -> true | nil, err */
static int sandbox_compile(lua_State *L)
{
    struct sandbox *sb = check_sandbox(L);
    size_t len;
    const char *slot = luaL_checkstring(L, 2);
    const char *source = luaL_checklstring(L, 3, &len);
    const char *chunkname = luaL_checkstring(L, 4);
    struct pl_err err;
    if (pl_sandbox_compile(sb->state, slot, source, len, chunkname, &err) < 0)
        return pl_lua_push_fail(L, &err);
    lua_pushboolean(L, 1);
    return 1;
}

/* sb:load(slot, bytecode) -> true | nil, err: trusted code that this process has compiled */
static int sandbox_load(lua_State *L)
{
    struct sandbox *sb = check_sandbox(L);
    size_t len;
    const char *slot = luaL_checkstring(L, 2);
    const char *code = luaL_checklstring(L, 3, &len);
    struct pl_err err;
    if (pl_sandbox_load(sb->state, slot, code, len, &err) < 0)
        return pl_lua_push_fail(L, &err);
    lua_pushboolean(L, 1);
    return 1;
}

/* sb:stats() -> {memory, limit, peak, broken} */
static int sandbox_stats(lua_State *L)
{
    struct sandbox *sb = check_sandbox(L);
    lua_createtable(L, 0, 4);
    lua_pushnumber(L, (double)sb->state->mem_used);
    lua_setfield(L, -2, "memory");
    lua_pushnumber(L, (double)sb->state->mem_limit);
    lua_setfield(L, -2, "limit");
    lua_pushnumber(L, (double)sb->state->mem_peak);
    lua_setfield(L, -2, "peak");
    lua_pushboolean(L, sb->state->broken);
    lua_setfield(L, -2, "broken");
    return 1;
}

/* sb:profile([every_us[, every_bytes]]) -> text: what was sampled since the last call, as
 * engine/profile.h says it. From here on a sample is taken about so often, without a time no more.
 */
static int sandbox_profile(lua_State *L)
{
    struct sandbox *sb = check_sandbox(L);
    struct pl_frame_profile how = pl_bind_profile_rates(L);
    struct pl_buf text = {0};
    pl_profile_report(sb->state, &text);
    if (how.every_ns != 0)
        pl_profile_begin(sb->state, how.every_ns, how.every_bytes);
    else
        pl_profile_end(sb->state);
    lua_pushlstring(L, text.len > 0 ? text.data : "", text.len);
    pl_buf_free(&text);
    return 1;
}

/* sb:usable() -> bytes of memory | nil when it is broken: asked before each call, stats makes a
 * table
 */
static int sandbox_usable(lua_State *L)
{
    struct sandbox *sb = check_sandbox(L);
    if (sb->state->broken)
        return 0;
    lua_pushnumber(L, (double)sb->state->mem_used);
    return 1;
}

/* Drops the reference to the state; calls under way finish first. */
static int sandbox_close(lua_State *L)
{
    struct sandbox *sb = luaL_checkudata(L, 1, SANDBOX);
    if (sb->state != NULL) {
        pl_state_unref(sb->state);
        sb->state = NULL;
    }
    return 0;
}

int pl_bind_sandbox(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"compile", sandbox_compile}, {"load", sandbox_load},
        {"start", sandbox_start},     {"stats", sandbox_stats},
        {"usable", sandbox_usable},   {"close", sandbox_close},
        {"profile", sandbox_profile}, {NULL, NULL},
    };
    static const luaL_Reg call_methods[] = {
        {"answer", call_answer},
        {"stop", call_stop},
        {NULL, NULL},
    };
    static const luaL_Reg functions[] = {
        {"new", sandbox_new},
        {NULL, NULL},
    };
    pl_bind_class(L, SANDBOX, methods, sandbox_close);
    pl_bind_class(L, CALL, call_methods, call_gc);
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    return 1;
}
