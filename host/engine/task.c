#include "engine/task.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/utf8.h"
#include "engine/preempt.h"
#include "engine/task_impl.h"

#include <assert.h>
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

/* One engine per process: workers are processes. A binding finds the running task here instead of
 * in the registry of its state, which would cost a hash lookup per call. */
static struct pl_task *current;

struct pl_task *pl_task_current(void)
{
    return current;
}

struct pl_owner *pl_task_owner(struct pl_task *task)
{
    return &task->owner;
}

struct pl_loop *pl_task_loop(struct pl_task *task)
{
    return task->state->engine->loop;
}

const char *pl_task_trace(const struct pl_task *task)
{
    return task->trace;
}

uint64_t pl_task_deadline(const struct pl_task *task, double timeout_ms)
{
    if (!(timeout_ms > 0))
        return task->deadline_ns;
    uint64_t own = pl_live_ns() + (uint64_t)(timeout_ms * 1e6);
    return task->deadline_ns != 0 && task->deadline_ns < own ? task->deadline_ns : own;
}

/* --- life ----------------------------------------------------------------------------------------
 */

static void wake(struct pl_owner *owner, struct pl_op *op)
{
    struct pl_task *task = pl_container_of(owner, struct pl_task, owner);
    pl_op_ref(op);
    if (task->ended != NULL) /* a second op that nobody waited for */
        pl_op_unref(task->ended);
    task->ended = op;
    if (task->status != PL_TASK_WAITING || task->waiting != op)
        return; /* ended before pl_task_wait: it will find it */
    task->waiting = NULL;
    task->status = PL_TASK_READY;
    struct pl_engine *engine = task->state->engine;
    if (current != NULL) {
        pl_engine_enqueue(engine, task);
        return;
    }
    pl_task_run(task, pl_task_push_ended(task));
}

int pl_task_push_ended(struct pl_task *task)
{
    struct pl_op *op = task->ended;
    task->ended = NULL;
    int n = task->push(task->co, op);
    pl_op_unref(op);
    for (int i = 0; i < task->kept; i++)
        lua_remove(task->co, 1);
    task->kept = 0;
    return n;
}

struct pl_task *pl_task_new(struct pl_state *state, struct pl_task *parent)
{
    struct pl_task *task = pl_xcalloc(1, sizeof *task);
    pl_owner_init(&task->owner, wake);
    pl_list_init(&task->link);
    pl_list_init(&task->all);
    pl_list_push(&state->engine->all, &task->all);
    pl_list_init(&task->children);
    pl_list_init(&task->sibling);
    pl_state_ref(state);
    task->state = state;
    task->co = pl_state_coroutine(state, &task->co_ref);
    task->status = PL_TASK_READY;
    task->refs = 1; /* the scheduler's, until the task has ended */
    if (parent != NULL) {
        task->parent = parent;
        pl_list_push(&parent->children, &task->sibling);
    }
    struct pl_task *from = parent != NULL ? parent : current;
    if (from != NULL)
        memcpy(task->trace, from->trace, sizeof task->trace);
    if (parent != NULL)
        task->deadline_ns = parent->deadline_ns;
    state->engine->tasks++;
    task->id = ++state->engine->tasks_started;
    return task;
}

void pl_task_ref(struct pl_task *task)
{
    assert(task->refs > 0);
    task->refs++;
}

void pl_task_unref(struct pl_task *task)
{
    assert(task->refs > 0);
    if (--task->refs > 0)
        return;
    assert(task->status == PL_TASK_DONE || task->status == PL_TASK_FAILED);
    assert(pl_list_empty(&task->owner.ops));
    struct pl_state *state = task->state;
    pl_state_release(state, task->co, task->co_ref, task->status == PL_TASK_DONE);
    free(task);
    pl_state_unref(state);
}

/* Tells whoever waits for a sandboxed task that it is paused or has ended. */
static void tell_stopped(struct pl_task *task)
{
    void (*on_stop)(struct pl_task *, void *) = task->on_stop;
    task->on_stop = NULL;
    if (on_stop != NULL)
        on_stop(task, task->on_stop_arg);
}

void pl_task_end(struct pl_task *task, enum pl_task_status status)
{
    /* Given up in the line of those that were preempted: its frames are abandoned in the middle,
     * and its variables may be half changed. */
    if (task->state->sandboxed && task->status == PL_TASK_READY && !task->running &&
        task->slice_start != 0)
        task->state->broken = true;
    task->status = status;
    task->state->engine->tasks--;
    pl_list_remove(&task->link);
    pl_list_remove(&task->all);
    pl_owner_end(&task->owner);
    if (task->ended != NULL) {
        pl_op_unref(task->ended);
        task->ended = NULL;
    }
    struct pl_list *link;
    while ((link = pl_list_shift(&task->children)) != NULL)
        pl_task_cancel(pl_container_of(link, struct pl_task, sibling));
    pl_list_remove(&task->sibling);
    task->parent = NULL;
    if (task->on_end != NULL)
        task->on_end(task, task->on_end_arg);
    if (!task->running)
        tell_stopped(task);
    pl_task_unref(task); /* the scheduler's */
}

void pl_task_cancel(struct pl_task *task)
{
    if (task->status == PL_TASK_DONE || task->status == PL_TASK_FAILED)
        return;
    if (task->running) {
        /* It called into its own cancellation (a child ending its parent): it is ended when the
         * trampoline gets control back. A parent is told by its child's end, never the reverse. */
        task->stop_code = PL_E_CANCELLED;
        return;
    }
    pl_fail(&task->err, PL_E_CANCELLED, false, "task", "the task was cancelled");
    pl_task_end(task, PL_TASK_FAILED);
}

void pl_task_on_end(struct pl_task *task, void (*fn)(struct pl_task *, void *), void *arg)
{
    task->on_end = fn;
    task->on_end_arg = arg;
}

enum pl_task_status pl_task_get_status(const struct pl_task *task)
{
    return task->status;
}

lua_State *pl_task_coroutine(const struct pl_task *task)
{
    return task->co;
}

const struct pl_err *pl_task_error(const struct pl_task *task)
{
    return &task->err;
}

void pl_task_set_trace(struct pl_task *task, const char *trace)
{
    strncpy(task->trace, trace, sizeof task->trace - 1);
}

void pl_task_set_deadline(struct pl_task *task, uint64_t deadline_ns)
{
    task->deadline_ns = deadline_ns;
}

struct pl_task *pl_task_spawn(struct pl_engine *engine, lua_State *from, int nargs,
                              struct pl_task *parent)
{
    struct pl_task *task = pl_task_new(engine->core, parent);
    lua_xmove(from, task->co, nargs + 1);
    pl_task_ref(task);
    if (current == NULL) {
        pl_task_run(task, nargs);
    } else {
        task->transfer = nargs;
        pl_engine_enqueue(engine, task);
    }
    return task;
}

/* --- waiting -------------------------------------------------------------------------------------
 */

int pl_task_wait(lua_State *L, struct pl_op *op, pl_task_push push)
{
    struct pl_task *task = current;
    assert(task != NULL);
    if (task->ended == op) { /* it ended before we got here */
        task->ended = NULL;
        int n = push(L, op);
        pl_op_unref(op);
        return n;
    }
    if (task->ended != NULL) {
        pl_op_unref(task->ended);
        task->ended = NULL;
    }
    if (L != task->co || !lua_isyieldable(L)) {
        pl_op_cancel(op);
        return luaL_error(L, "cannot wait here: inside a coroutine of your own, a sort comparator, "
                             "a gsub callback or a metamethod");
    }
    task->waiting = op;
    task->push = push;
    task->request = PL_REQ_WAIT;
    /* What was on the stack of the binding stays there: anchored for the collector, and at the same
     * indices for `push`. */
    task->kept = lua_gettop(L);
    return lua_yield(L, task->kept);
}

int pl_task_pass(lua_State *L)
{
    if (L != current->co || !lua_isyieldable(L))
        return luaL_error(L, "cannot wait here");
    current->request = PL_REQ_PASS;
    return lua_yield(L, 0);
}

/* --- the trampoline ------------------------------------------------------------------------------
 */

/* What a stop says to people. */
static const char *stop_text(const char *code)
{
    if (strcmp(code, "cpu_limit") == 0)
        return "used more CPU time than its limit";
    if (strcmp(code, "memory_limit") == 0)
        return "needs more memory than its limit";
    if (strcmp(code, PL_E_TIMEOUT) == 0)
        return "did not finish before its deadline";
    if (strcmp(code, PL_E_CANCELLED) == 0)
        return "the task was cancelled";
    if (strcmp(code, "disabled") == 0)
        return "another call was stopped by force, and the state that both were in with it";
    return "stopped";
}

static void fail_with_stop(struct pl_task *task)
{
    const char *code = PL_E_CANCELLED;
    if (task->stop_code != NULL)
        code = task->stop_code;
    else if (task->state->sandboxed && task->state->broken)
        code = pl_state_broken_code(task->state);
    pl_fail(&task->err, code, false, "task", "%s", stop_text(code));
    /* Frames of the plugin were abandoned in the middle: its variables may be half changed. */
    if (task->state->sandboxed && task->slice_start != 0)
        task->state->broken = true;
}

static void describe_error(struct pl_task *task, lua_State *co)
{
    char *out = task->err.message;
    size_t size = sizeof task->err.message;
    /* A number becomes a text here, unprotected and perhaps at the cap. */
    size_t cap = pl_state_lift_cap(task->state);
    const char *msg = lua_tostring(co, -1);
    pl_state_restore_cap(task->state, cap);
    if (msg == NULL)
        snprintf(out, size, "error value of type %s", luaL_typename(co, -1));
    else
        snprintf(out, size, "%s", msg);
    pl_utf8_repair(out, strlen(out)); /* a plugin may raise any bytes */
}

static void fail_with_lua_error(struct pl_task *task, lua_State *co, int rc)
{
    const char *code = "exception";
    if (task->stop_code != NULL)
        code = task->stop_code;
    else if (rc == LUA_ERRMEM) {
        code = "memory_limit"; /* LuaJIT refuses some sizes without asking for them */
        task->state->broken = task->state->full = task->state->sandboxed;
    } else if (task->state->broken) {
        code = pl_state_broken_code(task->state);
    }
    pl_fail(&task->err, code, false, "task", "%s", "");
    if (!task->state->sandboxed && rc == LUA_ERRRUN && task->on_end == NULL) {
        /* The dead coroutine still has its frames; the text is built on the main one. */
        lua_State *L = task->state->L;
        const char *msg = lua_tostring(co, -1);
        luaL_traceback(L, co, msg != NULL ? msg : "(error object)", 0);
        task->state->engine->on_uncaught(task, lua_tostring(L, -1));
        lua_pop(L, 1);
    }
    if (strcmp(code, "exception") == 0)
        describe_error(task, co);
    else
        snprintf(task->err.message, sizeof task->err.message, "%s", stop_text(code));
}

/* Values that may pass between two coroutines of a plugin at once. */
#define HAND_OVER_MAX 250

/* Moves `n` values from the top of one coroutine to another, behind the flag that coroutine.resume
 * returns first. Returns how many were pushed. */
static int hand_over(struct pl_state *state, lua_State *from, lua_State *to, int n, bool ok)
{
    size_t cap = pl_state_lift_cap(state);
    if (n > HAND_OVER_MAX || !lua_checkstack(to, n + 1)) {
        lua_pushboolean(to, 0);
        lua_pushliteral(to, "too many values");
        n = 1;
    } else {
        lua_pushboolean(to, ok);
        lua_xmove(from, to, n);
    }
    pl_state_restore_cap(state, cap);
    return n + 1;
}

/* A nested coroutine of a sandboxed task returned or failed: give its values to whoever resumed it.
 * Returns the number of values now on the outer coroutine. */
static int leave_nested(struct pl_task *task, bool ok)
{
    lua_State *inner = pl_task_top(task);
    task->depth--;
    lua_State *outer = pl_task_top(task);
    int n = hand_over(task->state, inner, outer, ok ? lua_gettop(inner) : 1, ok);
    if (ok)
        lua_settop(inner, 0); /* what is left on a coroutine says that it can be resumed */
    return n;
}

/* On the stack of a coroutine that has yielded: it alone may be resumed. One that waits at the
 * door, was interrupted or has resumed another looks the same to Lua, but belongs to its task, or
 * to nobody when that has ended: what is resumed there gets values that nobody waits for. */
static const char suspended_mark;

static void mark_suspended(struct pl_state *state, lua_State *co)
{
    size_t cap = pl_state_lift_cap(state);
    lua_pushlightuserdata(co, (void *)&suspended_mark);
    pl_state_restore_cap(state, cap);
}

bool pl_task_is_suspended(lua_State *co)
{
    return lua_status(co) == LUA_YIELD && lua_gettop(co) > 0 &&
           lua_touserdata(co, -1) == &suspended_mark;
}

/* coroutine.yield of a nested coroutine: `transfer` values are on its stack. */
static int yield_nested(struct pl_task *task)
{
    lua_State *inner = pl_task_top(task);
    task->depth--;
    int n = hand_over(task->state, inner, pl_task_top(task), task->transfer, true);
    lua_settop(inner, 0);
    mark_suspended(task->state, inner);
    return n;
}

static void preempted(struct pl_task *task, int nargs)
{
    task->transfer = nargs;
    task->state->engine->preemptions++;
    task->state->share->preemptions++;
    pl_share_wait(task);
}

/* The task goes to the end of the line, with values for its next resume, or ends when it is over a
 * limit. */
static void end_slice(struct pl_task *task, int nargs)
{
    if (task->stop_code != NULL) {
        fail_with_stop(task);
        pl_task_end(task, PL_TASK_FAILED);
        return;
    }
    preempted(task, nargs);
}

/* Goes on with the library call that the task was in when its slice ended. Returns whether it has
 * returned, with *nargs values. */
static bool go_on(struct pl_task *task, int *nargs)
{
    pl_preempt_enter(task, pl_task_top(task));
    int n = pl_long_call_resume(task);
    pl_preempt_leave(task);
    if (n >= 0) {
        *nargs = n;
        return true;
    }
    if (n == PL_LONG_CALL_FAILED && task->stop_code == NULL) {
        task->state->broken = true;
        pl_task_end(task, PL_TASK_FAILED);
        return false;
    }
    end_slice(task, 0);
    return false;
}

/* One resume. Returns true when the task goes on at once with *nargs. */
static bool step(struct pl_task *task, int *nargs)
{
    lua_State *co = pl_task_top(task);
    if (task->long_call != NULL && !go_on(task, nargs))
        return false;
    task->request = PL_REQ_NONE;
    if (task->state->sandboxed)
        pl_preempt_enter(task, co);
    int rc = lua_resume(co, *nargs);
    if (task->state->sandboxed)
        pl_preempt_leave(task);
    struct pl_engine *engine = task->state->engine;

    if (rc != LUA_YIELD) {
        /* A plugin that swallowed the error of its stop has not finished: its result is refused. */
        bool stopped = task->stop_code != NULL || task->state->broken;
        if (!stopped && task->depth > 0) {
            *nargs = leave_nested(task, rc == 0);
            return true;
        }
        if (rc == 0 && !stopped) {
            pl_task_end(task, PL_TASK_DONE);
        } else {
            if (rc == 0)
                fail_with_stop(task);
            else
                fail_with_lua_error(task, co, rc);
            if (stopped)
                task->state->broken = task->state->sandboxed;
            pl_task_end(task, PL_TASK_FAILED);
        }
        return false;
    }
    if (task->stop_code != NULL)
        task->request = PL_REQ_STOPPED;
    switch (task->request) {
    case PL_REQ_WAIT:
        task->status = PL_TASK_WAITING;
        return false;
    case PL_REQ_PASS:
        lua_settop(co, 0);
        lua_pushboolean(co, 1);
        task->transfer = 1;
        pl_engine_enqueue(engine, task);
        return false;
    case PL_REQ_PREEMPTED:
        preempted(task, 0);
        return false;
    case PL_REQ_DOOR:
        task->status = PL_TASK_PAUSED;
        return false;
    case PL_REQ_RESUME:
        task->nested[task->depth++] = task->target;
        *nargs = task->transfer;
        return true;
    case PL_REQ_YIELD:
        *nargs = yield_nested(task);
        return true;
    case PL_REQ_STOPPED:
        fail_with_stop(task);
        pl_task_end(task, PL_TASK_FAILED);
        return false;
    case PL_REQ_NONE:
        break;
    }
    pl_fail(&task->err, "exception", false, "task", "coroutine.yield outside of a coroutine");
    pl_task_end(task, PL_TASK_FAILED);
    return false;
}

void pl_task_run(struct pl_task *task, int nargs)
{
    struct pl_task *outer = current;
    pl_task_ref(task);
    current = task;
    task->state->engine->current = task;
    task->running = true;
    task->status = PL_TASK_READY;
    uint64_t began = task->cpu_ns;
    if (task->state->sandboxed)
        task->state->share->slices++;
    while (step(task, &nargs))
        /* Coroutines that only call each other never run long enough, each, for the timer to find
         * them. */
        if (task->state->sandboxed && pl_preempt_used_slice(task, began)) {
            end_slice(task, nargs);
            break;
        }
    task->running = false;
    current = outer;
    task->state->engine->current = outer;
    if (task->status != PL_TASK_READY)
        tell_stopped(task);
    struct pl_engine *engine = task->state->engine;
    pl_task_unref(task);
    if (current == NULL)
        pl_engine_drain(engine);
}

void pl_task_slice(struct pl_task *task)
{
    if (!pl_preempt_is_over(task)) {
        pl_task_run(task, task->transfer);
        return;
    }
    fail_with_stop(task);
    pl_task_end(task, PL_TASK_FAILED);
}
