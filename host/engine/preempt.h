/* Preemption of sandboxed Lua.
 *
 * A one-shot timer signals the engine's own thread; the handler arms LuaJIT's count hook on the
 * state that runs, and the hook yields. A hook that is armed only when a slice ends costs nothing
 * while a plugin is quick (a permanent count hook costs 1.7-2 times on call-heavy code), and arming
 * it from the state's own thread is safe where doing so from another one crashes (LuaJIT #824).
 *
 * A stop is a yield that is never resumed: no error handler, no finaliser and no pcall of the
 * plugin sees it. Where LuaJIT cannot yield (inside a sort comparator or a gsub callback) the hook
 * raises, and stays armed at every instruction until it can yield. */
#ifndef PL_ENGINE_PREEMPT_H
#define PL_ENGINE_PREEMPT_H

#include "base/err.h"

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

struct pl_task;
struct pl_state;

int pl_preempt_init(struct pl_err *err); /* once for the engine's thread */
void pl_preempt_close(void);

/* Around each lua_resume of a sandboxed coroutine. */
void pl_preempt_enter(struct pl_task *task, lua_State *co);
void pl_preempt_leave(struct pl_task *task);

/* From here on a slice ends when the loop has events, too: `events` is the descriptor that becomes
 * readable then; -1: it ends when its time is over only. */
void pl_preempt_give_way(int events);

/* Whether the task has run for a slice since its CPU time was `began`; then task->stop_code says
 * whether it is over a limit. */
bool pl_preempt_used_slice(struct pl_task *task, uint64_t began);

/* Whether the task is over a limit before it runs again; then task->stop_code says which. */
bool pl_preempt_is_over(struct pl_task *task);

/* Whether the slice of the task that runs in `state` is over; asked by long calls in C. */
bool pl_preempt_due(const struct pl_state *state);

/* Charges the running task for its time so far. Returns why it has to stop, NULL when it may go on;
 * task->stop_code says the same. */
const char *pl_preempt_account(struct pl_task *task);

/* The state has become unusable while it runs: stop it at the next instruction. Called by the
 * allocator; does nothing when the state is not the one that runs. */
void pl_preempt_stop(struct pl_state *state);

/* A sample of the state's profile is due: the hook takes it at the next instruction. Called by the
 * allocator; does nothing when the state is not the one that runs. */
void pl_preempt_sample(struct pl_state *state);

#endif
