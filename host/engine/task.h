/* A task: one line of straight Lua that may wait.
 *
 * All Lua of the host runs in tasks. A binding that waits starts an op owned by the current task
 * and ends with `return pl_task_wait(L, op, push)`. When the op ends, the scheduler calls `push` on
 * the task's stack and resumes it there: for Lua the call has just returned.
 *
 * A task waits for one op at a time; doing two things at once means two tasks. A task that ends
 * (returned, raised, cancelled, out of time) cancels its ops and its children.
 *
 * Life: a task is freed at its last reference. References are held by the scheduler until the task
 * has ended, and by handles (Lua userdata, parents that join).
 */
#ifndef PL_ENGINE_TASK_H
#define PL_ENGINE_TASK_H

#include "loop/loop.h"

#include <lua.h>

struct pl_state;
struct pl_task;

enum pl_task_status {
    PL_TASK_READY,   /* in the run queue, or running */
    PL_TASK_WAITING, /* an op is pending */
    PL_TASK_PAUSED,  /* sandbox only: a door call waits for its answer */
    PL_TASK_DONE,    /* results are on the stack of `co` */
    PL_TASK_FAILED,  /* `err` says why */
};

/* Pushes the results of an op on L (the waiting coroutine) and returns how many. What the binding
 * had on its stack when it called pl_task_wait is still there, at the same indices. It runs on the
 * loop's thread outside any Lua protection: it must not raise. By convention an op that ended with
 * op->err.code set pushes `nil, err` with pl_lua_push_fail. */
typedef int (*pl_task_push)(lua_State *L, struct pl_op *op);

/* The task that is running on this thread, NULL when none is. Never fails inside a binding that was
 * called from Lua. */
struct pl_task *pl_task_current(void);

/* The owner to start ops with. */
struct pl_owner *pl_task_owner(struct pl_task *task);
struct pl_loop *pl_task_loop(struct pl_task *task);

/* The absolute deadline of an op that may take `timeout_ms` (<= 0: no own limit), cut by the task's
 * own deadline. 0: none. */
uint64_t pl_task_deadline(const struct pl_task *task, double timeout_ms);

/* The trace id of the task as 32 hex digits and a NUL; empty when it has none. */
const char *pl_task_trace(const struct pl_task *task);

/* Waits for `op`, which the current task owns. Use as `return pl_task_wait(L, op, push)`; the call
 * may return at once when the op has ended already (then `push` has been called). The reference of
 * the owner keeps the op alive through `push`. Raises (longjmp) when the caller cannot wait here
 * (inside a sort comparator, a gsub callback or a metamethod called from C). */
int pl_task_wait(lua_State *L, struct pl_op *op, pl_task_push push);

/* Lets everything that is ready run first: `return pl_task_pass(L)`; Lua gets true. */
int pl_task_pass(lua_State *L);

/* The same, and what I/O brings meanwhile runs first, too, and what that makes ready; for
 * `most_ns`, after which it is this task's turn whatever there is. */
int pl_task_give_way(lua_State *L, uint64_t most_ns);

/* --- starting, joining, ending ------------------------------------------------------------------
 */

struct pl_engine;

/* Starts a task in the core state with the function and `nargs` arguments on top of `from` (any
 * coroutine of the core state), which are popped. It runs at once when no task is running on this
 * thread, else as soon as the running one waits. `parent` (NULL: none) cancels it when it ends.
 * Returns a new reference; drop it with pl_task_unref when the outcome does not matter. */
struct pl_task *pl_task_spawn(struct pl_engine *engine, lua_State *from, int nargs,
                              struct pl_task *parent);

void pl_task_ref(struct pl_task *task);
void pl_task_unref(struct pl_task *task);

/* Ends a task that has not ended: its ops and children are cancelled, it is never resumed, joiners
 * see the error "cancelled". Harmless on one that has ended. The running task itself is not a legal
 * target: it ends by returning. */
void pl_task_cancel(struct pl_task *task);

/* Called once when the task has ended, before joiners wake. Results are on the stack of
 * pl_task_coroutine(task) when it returned. */
void pl_task_on_end(struct pl_task *task, void (*fn)(struct pl_task *task, void *arg), void *arg);

enum pl_task_status pl_task_get_status(const struct pl_task *task);
lua_State *pl_task_coroutine(const struct pl_task *task);
const struct pl_err *pl_task_error(const struct pl_task *task); /* when PL_TASK_FAILED */

/* `trace` is 32 hex digits; `deadline_ns` absolute. Children inherit both when they are started. */
void pl_task_set_trace(struct pl_task *task, const char *trace);
void pl_task_set_deadline(struct pl_task *task, uint64_t deadline_ns);

/* --- helpers that every binding uses -----------------------------------------------------------
 */

/* Pushes nil and the table {code, message, retryable, op}; returns 2. Raises only out of memory. */
int pl_lua_push_fail(lua_State *L, const struct pl_err *err);

/* A value of the same kind as a JSON null, and the metatable that marks a table as a JSON array, so
 * that an empty list stays a list. Both exist in every state. */
void pl_lua_push_null(lua_State *L);
void pl_lua_push_array_mt(lua_State *L);
int pl_lua_is_null(lua_State *L, int idx);
int pl_lua_is_array(lua_State *L, int idx); /* carries the array metatable */

/* Optional fields of an option table at `idx` (which may be absent or nil). They raise an argument
 * error that names the field when the type is wrong. */
double pl_lua_opt_number(lua_State *L, int idx, const char *field, double otherwise);
int pl_lua_opt_boolean(lua_State *L, int idx, const char *field, int otherwise);

/* The string is on the stack after the call (nil when absent), so that it stays anchored. */
const char *pl_lua_opt_string(lua_State *L, int idx, const char *field, size_t *len);

#endif
