/* Which functions of a plugin an error has come through: what the SDK tells the log of a handler
 * that has failed. */
#ifndef PL_ENGINE_SANDBOX_TRACE_H
#define PL_ENGINE_SANDBOX_TRACE_H

#include <lua.h>

struct pl_task;

/* A coroutine of the plugin has died of the error on top of its stack. Notes where, for the case
 * that whoever has resumed it raises the same error again. */
void pl_sandbox_trace_dead(struct pl_task *task, lua_State *co);

/* trace(err) -> err: the message handler of xpcall, before the stack is unwound. Notes where the
 * plugin is; runs no Lua, allocates nothing in the state and never raises. */
int pl_sandbox_trace(lua_State *L);

/* traced() -> text | nil: what the last trace in this call has noted, "main.lua:3, main.lua:9",
 * innermost first, once. */
int pl_sandbox_traced(lua_State *L);

#endif
