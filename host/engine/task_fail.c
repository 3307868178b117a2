/* Why a task has failed, in words for people: what it has raised, or what has stopped it. */
#include "base/utf8.h"
#include "engine/task_impl.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

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

void pl_task_fail_with_stop(struct pl_task *task)
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

void pl_task_fail_with_lua_error(struct pl_task *task, lua_State *co, int rc)
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
