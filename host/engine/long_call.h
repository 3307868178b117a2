/* Library calls in C that may take long: they are preempted as Lua code is.
 *
 * The hook that ends a slice is called between two instructions of Lua, so a C function that works
 * for long would hold the worker. Such a function keeps what it is doing in a struct, asks now and
 * then whether the slice is over, and then leaves; the scheduler calls it again in the task's next
 * slices until it is done, and Lua sees one call that returned. CPU budget and deadline end it like
 * a loop. */
#ifndef PL_ENGINE_LONG_CALL_H
#define PL_ENGINE_LONG_CALL_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

struct pl_task;

#define PL_LONG_CALL_MORE   (-1)
#define PL_LONG_CALL_FAILED (-2) /* pl_long_call_resume only */

/* Does a part of the work. Returns how many results it has pushed; or PL_LONG_CALL_MORE, with the
 * stack as it found it, which it may do only after pl_long_call_due said so.
 *
 * Arguments are where they were when the call began, from index 1. After the first part L is
 * another thread, with the same values at the same indices, and `work` a copy: no pointer into
 * itself, no upvalues, and whatever it refers to is anchored on the stack. It never calls Lua, and
 * an error that it raises in a later part ends the whole task: find before that what an author may
 * do wrong. */
typedef int (*pl_long_fn)(lua_State *L, void *work);

/* Keeps a copy of `work` for the next slice, and yields. Raises out of memory. */
int pl_long_call_suspend(lua_State *L, pl_long_fn fn, void *work, size_t size);

/* The end of a C function: `return pl_long_call(L, fn, &work, sizeof work)`. Yields, or raises. */
static inline int pl_long_call(lua_State *L, pl_long_fn fn, void *work, size_t size)
{
    int n = fn(L, work);
    return n != PL_LONG_CALL_MORE ? n : pl_long_call_suspend(L, fn, work, size);
}

/* Whether the call has to leave now. Cheap; ask at least every 100 microseconds. Raises when the
 * task is over a limit in a place that cannot be left (below a C function that has called Lua). */
bool pl_long_call_due(lua_State *L);

/* For the scheduler: goes on with the call that the task was in. Returns the number of results, now
 * on the task's innermost coroutine, or one of PL_LONG_CALL_* (FAILED: task->err is set). */
int pl_long_call_resume(struct pl_task *task);

#endif
