/* host.task: starting tasks, joining them, sleeping, conditions. */
#include "base/buf.h"
#include "base/clock.h"
#include "bind/bind.h"
#include "engine/engine.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#define HANDLE "host.task.handle"
#define COND   "host.task.cond"

/* An op that carries nothing but its end: sleeping, joining, waiting for a condition. */
struct plain_op {
    struct pl_op op;
    struct pl_list link; /* among the waiters of a handle or a condition */
};

static void plain_cancel(struct pl_op *op)
{
    pl_list_remove(&pl_container_of(op, struct plain_op, op)->link);
}

static void plain_destroy(struct pl_op *op)
{
    free(pl_container_of(op, struct plain_op, op));
}

static const struct pl_op_class plain_class = {plain_cancel, plain_destroy};

static struct plain_op *start_plain(const char *label, double timeout_ms)
{
    struct pl_task *task = pl_task_current();
    struct plain_op *p = pl_xcalloc(1, sizeof *p);
    pl_list_init(&p->link);
    pl_op_start(&p->op, pl_task_loop(task), pl_task_owner(task), label,
                pl_task_deadline(task, timeout_ms), &plain_class);
    return p;
}

static double timeout_arg(lua_State *L, int idx)
{
    double s = luaL_optnumber(L, idx, 0);
    luaL_argcheck(L, s >= 0 && s < 1e9, idx, "timeout in seconds expected, 0 or more");
    return s * 1000;
}

/* --- sleep ---------------------------------------------------------------------------------------
 */

static int push_slept(lua_State *L, struct pl_op *op)
{
    (void)op;
    lua_pushboolean(L, 1);
    return 1;
}

/* sleep(seconds) -> true. A sleep of 0 lets everything else that is ready run first. */
static int task_sleep(lua_State *L)
{
    double ms = luaL_checknumber(L, 1) * 1000;
    luaL_argcheck(L, ms >= 0 && ms < 1e12, 1, "seconds expected, 0 or more");
    if (ms == 0)
        return pl_task_pass(L);
    struct plain_op *p = start_plain("task.sleep", ms);
    return pl_task_wait(L, &p->op, push_slept);
}

/* give_way(seconds): all others go first, those that I/O wakes meanwhile included, for at most so
 * long */
static int task_give_way(lua_State *L)
{
    double seconds = luaL_checknumber(L, 1);
    luaL_argcheck(L, seconds >= 0 && seconds < 1e9, 1, "seconds expected, 0 or more");
    return pl_task_give_way(L, (uint64_t)(seconds * 1e9));
}

/* --- handles -------------------------------------------------------------------------------------
 */

struct handle {
    struct pl_task *task;
    struct pl_list waiters;
};

static void on_task_end(struct pl_task *task, void *arg)
{
    (void)task;
    struct handle *h = arg;
    struct pl_list *link;
    while ((link = pl_list_shift(&h->waiters)) != NULL)
        pl_op_finish(&pl_container_of(link, struct plain_op, link)->op);
}

static int handle_gc(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, HANDLE);
    if (h->task != NULL) {
        pl_task_on_end(h->task, NULL, NULL);
        pl_task_unref(h->task);
        h->task = NULL;
    }
    return 0;
}

/* Results of an ended task: true, values... or false, error value (as raised), or false, {code=...}
 * for a task that was cancelled. Values are copied, so that several may join. */
static int push_outcome(lua_State *L, struct pl_task *task)
{
    lua_State *co = pl_task_coroutine(task);
    if (pl_task_get_status(task) == PL_TASK_DONE) {
        int n = lua_gettop(co);
        if (!lua_checkstack(L, n + 1) || !lua_checkstack(co, n))
            n = 0;
        lua_pushboolean(L, 1);
        for (int i = 1; i <= n; i++)
            lua_pushvalue(co, i);
        lua_xmove(co, L, n);
        return n + 1;
    }
    const struct pl_err *err = pl_task_error(task);
    if (strcmp(err->code, "exception") == 0 && lua_gettop(co) > 0) {
        lua_pushboolean(L, 0);
        lua_pushvalue(co, -1);
        lua_xmove(co, L, 1);
        return 2;
    }
    pl_lua_push_fail(L, err);
    lua_pushboolean(L, 0);
    lua_replace(L, -3);
    return 2;
}

static int push_joined(lua_State *L, struct pl_op *op)
{
    if (op->err.code != NULL) {
        pl_lua_push_fail(L, &op->err);
        return 2;
    }
    struct handle *h = lua_touserdata(L, 1);
    return push_outcome(L, h->task);
}

/* handle:join([timeout_s]) -> true, results... | false, error | nil, {code="timeout"} */
static int handle_join(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, HANDLE);
    double ms = timeout_arg(L, 2);
    enum pl_task_status status = pl_task_get_status(h->task);
    if (status == PL_TASK_DONE || status == PL_TASK_FAILED)
        return push_outcome(L, h->task);
    if (h->task == pl_task_current())
        return luaL_error(L, "a task cannot join itself");
    lua_settop(L, 1);
    struct plain_op *p = start_plain("task.join", ms);
    pl_list_push(&h->waiters, &p->link);
    return pl_task_wait(L, &p->op, push_joined);
}

static int handle_cancel(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, HANDLE);
    if (h->task == pl_task_current())
        return luaL_error(L, "a task cannot cancel itself: return instead");
    pl_task_cancel(h->task);
    return 0;
}

static int handle_status(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, HANDLE);
    static const char *const names[] = {"ready", "waiting", "paused", "done", "failed"};
    lua_pushstring(L, names[pl_task_get_status(h->task)]);
    return 1;
}

/* spawn(fn, ...) -> handle. The task has no parent: it outlives its starter. An error that nobody
 * joins is logged. */
static int spawn_with(lua_State *L, struct pl_task *parent)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    int nargs = lua_gettop(L) - 1;
    struct handle *h = lua_newuserdata(L, sizeof *h);
    h->task = NULL;
    pl_list_init(&h->waiters);
    luaL_getmetatable(L, HANDLE);
    lua_setmetatable(L, -2);
    lua_insert(L, 1);
    h->task = pl_task_spawn(pl_state_of(L)->engine, L, nargs, parent);
    return 1;
}

static int task_spawn(lua_State *L)
{
    return spawn_with(L, NULL);
}

/* start(fn, ...): like spawn, for whoever neither joins nor cancels the task: a handle has a
 * finalizer, and the collector goes through all of those in one step that cannot be split. */
static int task_start(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    pl_task_unref(pl_task_spawn(pl_state_of(L)->engine, L, lua_gettop(L) - 1, NULL));
    return 0;
}

/* child(fn, ...) -> handle: like spawn, and cancelled when the calling task ends. */
static int task_child(lua_State *L)
{
    return spawn_with(L, pl_task_current());
}

/* join and cancel need to know when the task ends; the errors of a task that nobody watches must
 * reach the log. So the hook is set at the first join, not at the start. */
static int handle_join_hooked(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, HANDLE);
    pl_task_on_end(h->task, on_task_end, h);
    return handle_join(L);
}

/* --- conditions ----------------------------------------------------------------------------------
 */

struct cond {
    struct pl_list waiters;
};

static int push_signalled(lua_State *L, struct pl_op *op)
{
    if (op->err.code != NULL)
        return pl_lua_push_fail(L, &op->err);
    lua_pushboolean(L, 1);
    return 1;
}

static int cond_wait(lua_State *L)
{
    struct cond *c = luaL_checkudata(L, 1, COND);
    double ms = timeout_arg(L, 2);
    lua_settop(L, 1); /* anchors the condition while this task waits */
    struct plain_op *p = start_plain("cond.wait", ms);
    pl_list_push(&c->waiters, &p->link);
    return pl_task_wait(L, &p->op, push_signalled);
}

static int wake_some(struct cond *c, int most)
{
    int n = 0;
    struct pl_list *link;
    while (n < most && (link = pl_list_shift(&c->waiters)) != NULL) {
        pl_op_finish(&pl_container_of(link, struct plain_op, link)->op);
        n++;
    }
    return n;
}

static int cond_signal(lua_State *L)
{
    struct cond *c = luaL_checkudata(L, 1, COND);
    lua_pushinteger(L, wake_some(c, (int)luaL_optinteger(L, 2, 1)));
    return 1;
}

static int cond_broadcast(lua_State *L)
{
    struct cond *c = luaL_checkudata(L, 1, COND);
    lua_pushinteger(L, wake_some(c, 1 << 30));
    return 1;
}

static int cond_gc(lua_State *L)
{
    struct cond *c = luaL_checkudata(L, 1, COND);
    struct pl_list *link;
    while ((link = pl_list_shift(&c->waiters)) != NULL)
        continue; /* their tasks are gone, or they would anchor us */
    return 0;
}

static int task_cond(lua_State *L)
{
    struct cond *c = lua_newuserdata(L, sizeof *c);
    pl_list_init(&c->waiters);
    luaL_getmetatable(L, COND);
    lua_setmetatable(L, -2);
    return 1;
}

/* --- the current task ----------------------------------------------------------------------------
 */

/* trace([id]) -> id | nil */
static int task_trace(lua_State *L)
{
    struct pl_task *task = pl_task_current();
    if (!lua_isnoneornil(L, 1)) {
        size_t len;
        const char *id = luaL_checklstring(L, 1, &len);
        luaL_argcheck(L, len == 32, 1, "a trace id is 32 hex digits");
        pl_task_set_trace(task, id);
    }
    const char *id = pl_task_trace(task);
    if (*id == '\0')
        lua_pushnil(L);
    else
        lua_pushstring(L, id);
    return 1;
}

/* deadline([seconds]) -> seconds left | nil. Setting can only bring it nearer. */
static int task_deadline(lua_State *L)
{
    struct pl_task *task = pl_task_current();
    if (!lua_isnoneornil(L, 1))
        pl_task_set_deadline(task, pl_task_deadline(task, luaL_checknumber(L, 1) * 1000));
    uint64_t due = pl_task_deadline(task, 0);
    if (due == 0) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushnumber(L, ((double)due - (double)pl_live_ns()) / 1e9);
    return 1;
}

/* stats() -> {tasks, started, preemptions, ops, states, closing_bytes, core_bytes} */
static int task_stats(lua_State *L)
{
    struct pl_engine *engine = pl_state_of(L)->engine;
    lua_createtable(L, 0, 7);
    lua_pushnumber(L, (double)engine->states);
    lua_setfield(L, -2, "states");
    lua_pushnumber(L, (double)engine->closing_bytes);
    lua_setfield(L, -2, "closing_bytes");
    lua_pushnumber(L, (double)engine->tasks);
    lua_setfield(L, -2, "tasks");
    lua_pushnumber(L, (double)engine->tasks_started);
    lua_setfield(L, -2, "started");
    lua_pushnumber(L, (double)engine->preemptions);
    lua_setfield(L, -2, "preemptions");
    lua_pushnumber(L, (double)engine->loop->ops_pending);
    lua_setfield(L, -2, "ops");
    lua_pushnumber(L, (double)engine->core->mem_used);
    lua_setfield(L, -2, "core_bytes");
    return 1;
}

int pl_bind_task(lua_State *L)
{
    static const luaL_Reg handle_methods[] = {
        {"join", handle_join_hooked},
        {"cancel", handle_cancel},
        {"status", handle_status},
        {NULL, NULL},
    };
    static const luaL_Reg cond_methods[] = {
        {"wait", cond_wait},
        {"signal", cond_signal},
        {"broadcast", cond_broadcast},
        {NULL, NULL},
    };
    static const luaL_Reg functions[] = {
        {"spawn", task_spawn},       {"start", task_start},
        {"child", task_child},       {"sleep", task_sleep},
        {"cond", task_cond},         {"trace", task_trace},
        {"deadline", task_deadline}, {"stats", task_stats},
        {"give_way", task_give_way}, {NULL, NULL},
    };
    pl_bind_class(L, HANDLE, handle_methods, handle_gc);
    pl_bind_class(L, COND, cond_methods, cond_gc);
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    return 1;
}
