#include "engine/long_call.h"

#include "engine/preempt.h"
#include "engine/task_impl.h"

#include <lauxlib.h>
#include <string.h>

int pl_long_call_suspend(lua_State *L, pl_long_fn fn, void *work, size_t size)
{
    memcpy(lua_newuserdata(L, size), work, size);
    struct pl_task *task = pl_task_current();
    task->long_call = fn;
    task->request = PL_REQ_PREEMPTED;
    return lua_yield(L, lua_gettop(L)); /* all of the stack stays, anchored */
}

bool pl_long_call_due(lua_State *L)
{
    struct pl_state *state = pl_state_of(L);
    if (!pl_preempt_due(state))
        return false;
    struct pl_task *task = pl_task_current();
    const char *stop = pl_preempt_account(task);
    if (task->long_call != NULL || (lua_isyieldable(L) && L == pl_task_top(task)))
        return true;
    if (stop != NULL)
        luaL_error(L, "stopped: %s", stop);
    return false;
}

/* Protected, on the main thread of the state: what stood on the task's coroutine, `work` last. */
static int go_on(lua_State *L)
{
    struct pl_task *task = pl_task_current();
    int n = task->long_call(L, lua_touserdata(L, -1));
    if (n == PL_LONG_CALL_MORE)
        return lua_gettop(L);
    task->long_call = NULL;
    return n;
}

static int fail_full(struct pl_task *task)
{
    pl_fail(&task->err, "exception", false, "task", "stack overflow");
    return PL_LONG_CALL_FAILED;
}

int pl_long_call_resume(struct pl_task *task)
{
    struct pl_state *state = task->state;
    lua_State *co = pl_task_top(task), *L = state->L;
    int base = lua_gettop(L), kept = lua_gettop(co);
    if (!pl_state_check_stack(L, kept + 1))
        return fail_full(task);
    size_t cap = pl_state_lift_cap(state);
    lua_pushcfunction(L, go_on);
    pl_state_restore_cap(state, cap);
    lua_xmove(co, L, kept);
    if (lua_pcall(L, kept, LUA_MULTRET, 0) != 0) {
        cap = pl_state_lift_cap(state); /* a number becomes a text here */
        const char *msg = lua_tostring(L, -1);
        pl_state_restore_cap(state, cap);
        if (state->broken)
            task->stop_code = pl_state_broken_code(state);
        pl_fail(&task->err, "exception", false, "task", "%s", msg != NULL ? msg : "failed");
        lua_settop(L, base);
        return PL_LONG_CALL_FAILED;
    }
    int n = lua_gettop(L) - base;
    if (!pl_state_check_stack(co, n)) {
        lua_settop(L, base);
        return fail_full(task);
    }
    lua_xmove(L, co, n);
    return task->long_call != NULL ? PL_LONG_CALL_MORE : n;
}
