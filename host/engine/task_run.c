/* The trampoline: resumes the coroutine of a task, and does what it has yielded for. */
#include "engine/preempt.h"
#include "engine/task_impl.h"

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
        pl_task_fail_with_stop(task);
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
            *nargs = pl_task_leave_nested(task, rc == 0);
            return true;
        }
        if (rc == 0 && !stopped) {
            pl_task_end(task, PL_TASK_DONE);
        } else {
            if (rc == 0)
                pl_task_fail_with_stop(task);
            else
                pl_task_fail_with_lua_error(task, co, rc);
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
    case PL_REQ_GIVE_WAY:
        lua_settop(co, 0);
        lua_pushboolean(co, 1);
        task->transfer = 1;
        (task->request == PL_REQ_PASS ? pl_engine_enqueue : pl_engine_enqueue_last)(engine, task);
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
        *nargs = pl_task_yield_nested(task);
        return true;
    case PL_REQ_STOPPED:
        pl_task_fail_with_stop(task);
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
    struct pl_task *outer = pl_current_task;
    pl_task_ref(task);
    pl_current_task = task;
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
    pl_current_task = outer;
    task->state->engine->current = outer;
    if (task->status != PL_TASK_READY)
        pl_task_tell_stopped(task);
    struct pl_engine *engine = task->state->engine;
    pl_task_unref(task);
    if (pl_current_task == NULL)
        pl_engine_drain(engine);
}

void pl_task_slice(struct pl_task *task)
{
    if (!pl_preempt_is_over(task)) {
        pl_task_run(task, task->transfer);
        return;
    }
    pl_task_fail_with_stop(task);
    pl_task_end(task, PL_TASK_FAILED);
}
