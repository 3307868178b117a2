#include "engine/task.h"

#include "base/buf.h"
#include "base/clock.h"
#include "engine/task_impl.h"

#include <assert.h>
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

struct pl_task *pl_current_task;

struct pl_task *pl_task_current(void)
{
    return pl_current_task;
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
    if (pl_current_task != NULL) {
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
    struct pl_task *from = parent != NULL ? parent : pl_current_task;
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

void pl_task_tell_stopped(struct pl_task *task)
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
        pl_task_tell_stopped(task);
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
    if (pl_current_task == NULL) {
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
    struct pl_task *task = pl_current_task;
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

static int pass(lua_State *L, enum pl_request request)
{
    if (L != pl_current_task->co || !lua_isyieldable(L))
        return luaL_error(L, "cannot wait here");
    pl_current_task->request = request;
    return lua_yield(L, 0);
}

int pl_task_pass(lua_State *L)
{
    return pass(L, PL_REQ_PASS);
}

int pl_task_give_way(lua_State *L, uint64_t most_ns)
{
    pl_current_task->way_until_ns = pl_now_ns() + most_ns;
    return pass(L, PL_REQ_GIVE_WAY);
}
