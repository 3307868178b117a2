/* The coroutines of a plugin: the scheduler runs them one inside another, and moves what they give
 * one another. */
#include "engine/sandbox_trace.h"
#include "engine/task_impl.h"

/* Values that may pass between two coroutines of a plugin at once. */
#define HAND_OVER_MAX 250

/* Moves `n` values from the top of one coroutine to another, behind the flag that coroutine.resume
 * returns first. Returns how many were pushed. */
static int hand_over(struct pl_state *state, lua_State *from, lua_State *to, int n, bool ok)
{
    bool room = n <= HAND_OVER_MAX && pl_state_check_stack(to, n + 1);
    size_t cap = pl_state_lift_cap(state);
    if (!room) {
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

int pl_task_leave_nested(struct pl_task *task, bool ok)
{
    lua_State *inner = pl_task_top(task);
    if (!ok)
        pl_sandbox_trace_dead(task, inner);
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

int pl_task_yield_nested(struct pl_task *task)
{
    lua_State *inner = pl_task_top(task);
    task->depth--;
    int n = hand_over(task->state, inner, pl_task_top(task), task->transfer, true);
    lua_settop(inner, 0);
    mark_suspended(task->state, inner);
    return n;
}
