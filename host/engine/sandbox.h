/* Sandboxed states: an allow-listed environment, one door to the host, stopped by force.
 *
 * A call into the state is a task of its own, child of the core task that made it. It runs inside
 * the caller until it is done, fails, calls the door, or its slice ends; when its plugin has used
 * its share of the loop's turn it waits first. */
#ifndef PL_ENGINE_SANDBOX_H
#define PL_ENGINE_SANDBOX_H

#include "engine/engine.h"

#define PL_SOURCE_MAX (256 * 1024) /* 40 MB take 0.2 s to parse, without a hook */

#define PL_SANDBOX_VALUES_MAX 16 /* arguments or results of one crossing */

/* A new state. `prelude` is lua/parley/engine/prelude.lua, as text or as bytecode of this process.
 */
struct pl_state *pl_sandbox_new(struct pl_engine *engine, const char *name, size_t mem_limit,
                                const char *prelude, size_t prelude_len, struct pl_err *err);

/* Compiles text (never bytecode) and keeps the function as `slot`. */
int pl_sandbox_compile(struct pl_state *state, const char *slot, const char *source, size_t len,
                       const char *chunkname, struct pl_err *err);

/* The same with bytecode, which can do anything: of this process and its own files only. */
int pl_sandbox_load(struct pl_state *state, const char *slot, const char *code, size_t len,
                    struct pl_err *err);

/* Starts a task in `state` with the function of `slot` on its stack, as a child of the current
 * task. Fails when there is no such slot or the state is broken. The caller pushes the arguments on
 * pl_task_coroutine() and calls pl_sandbox_resume. Returns a new reference. */
struct pl_task *pl_sandbox_call(struct pl_state *state, const char *slot, double cpu_ms,
                                double timeout_ms, struct pl_err *err);

/* Runs the task with `nargs` values on its innermost coroutine, or puts it in its plugin's line
 * (engine/share.h). When it is still READY afterwards it waits there, and `on_stop` is called once
 * when it has stopped (paused, done or failed). */
void pl_sandbox_resume(struct pl_task *task, int nargs,
                       void (*on_stop)(struct pl_task *task, void *arg), void *arg);

/* The coroutine whose stack holds the arguments of the door call (task PAUSED). */
lua_State *pl_sandbox_door(struct pl_task *task);

/* Whether a paused task may be given its answer: 0, or -1 with `err` when its state was stopped by
 * force meanwhile, by what another call did. */
int pl_sandbox_check(const struct pl_task *task, struct pl_err *err);

/* Ends a paused task whose answer cannot be given. */
void pl_sandbox_fail(struct pl_task *task, const struct pl_err *err);

#endif
