/* The inside of a task, shared by the files of the scheduler only. */
#ifndef PL_ENGINE_TASK_IMPL_H
#define PL_ENGINE_TASK_IMPL_H

#include "engine/engine.h"
#include "engine/long_call.h"

/* Why a coroutine yielded; set right before lua_yield, read by the trampoline. */
enum pl_request {
    PL_REQ_NONE,      /* a stray coroutine.yield at the bottom of a task: misuse */
    PL_REQ_WAIT,      /* task->waiting is pending */
    PL_REQ_PASS,      /* core: to the end of the run queue */
    PL_REQ_GIVE_WAY,  /* core: behind that, and behind what I/O brings */
    PL_REQ_PREEMPTED, /* end of a slice */
    PL_REQ_STOPPED,   /* over its budget, deadline or cap: never resumed */
    PL_REQ_DOOR,      /* the arguments of host(...) are on the stack */
    PL_REQ_RESUME,    /* sandbox: enter task->target, whose arguments were moved already */
    PL_REQ_YIELD,     /* sandbox: leave the innermost coroutine, values on its stack */
};

#define PL_COROUTINE_DEPTH 64

struct pl_task {
    struct pl_owner owner; /* first: wake() finds the task by it */
    struct pl_state *state;
    uint64_t id; /* counted up in this process, never used again */
    lua_State *co;
    int co_ref;
    enum pl_task_status status;
    enum pl_request request;
    bool running; /* on the C stack */
    bool detached_error_seen;
    uint32_t refs;
    struct pl_op *waiting; /* the op that the task waits for */
    struct pl_op *ended;   /* held: it ended, its results are still to be pushed */
    pl_task_push push;
    int kept;            /* values of the waiting binding, below the results that push adds */
    struct pl_list link; /* engine->ready or ->last, or the tasks of a share */
    struct pl_list all;  /* engine->all */
    struct pl_task *parent;
    struct pl_list children, sibling;
    void (*on_end)(struct pl_task *, void *);
    void *on_end_arg;
    uint64_t deadline_ns;
    uint64_t way_until_ns; /* others go first for as long */
    uint64_t way_turn;     /* of the engine, in which it has begun to let them */
    char trace[33];
    struct pl_err err;

    /* sandboxed tasks */
    lua_State *nested[PL_COROUTINE_DEPTH]; /* coroutines entered, innermost last */
    uint32_t depth;
    lua_State *target;
    int transfer;         /* values that move with a resume or a yield */
    pl_long_fn long_call; /* the library call that was preempted, NULL: it was in Lua */
    uint64_t slice_start; /* pl_now_ns */
    uint64_t cpu_ns, cpu_limit_ns;
    void (*on_stop)(struct pl_task *, void *); /* once, when it is paused, done or failed */
    void *on_stop_arg;
    const char *stop_code; /* why it was stopped: cpu_limit, memory_limit, timeout */
};

/* The task that is running, NULL when none is. One engine per process: workers are processes. A
 * binding finds the task here instead of in the registry of its state, which would cost a hash
 * lookup per call. */
extern struct pl_task *pl_current_task;

/* Runs the task until it waits, ends, is preempted or calls the door, with `nargs` values on top of
 * its innermost coroutine. */
void pl_task_run(struct pl_task *task, int nargs);

/* Pushes the results of task->ended; returns how many. */
int pl_task_push_ended(struct pl_task *task);

/* A task in `state` around a coroutine of it, nothing run yet. */
struct pl_task *pl_task_new(struct pl_state *state, struct pl_task *parent);

/* Ends a task: status, ops, children, on_end. */
void pl_task_end(struct pl_task *task, enum pl_task_status status);

/* Tells whoever waits for a sandboxed task that it is paused or has ended. */
void pl_task_tell_stopped(struct pl_task *task);

/* Says in task->err what has stopped the task: its stop_code, or that its state is broken. */
void pl_task_fail_with_stop(struct pl_task *task);

/* Says in task->err what lua_resume has failed with (`rc`); the error is on top of `co`. */
void pl_task_fail_with_lua_error(struct pl_task *task, lua_State *co, int rc);

/* The next slice of a task that has waited for it; one whose deadline has passed meanwhile ends. */
void pl_task_slice(struct pl_task *task);

/* Lets a task of the core, whose values are on its stack, run as soon as the running one waits. */
void pl_engine_enqueue(struct pl_engine *engine, struct pl_task *task);

/* Lets a task of the core, whose values are on its stack, run when nothing else is ready. */
void pl_engine_enqueue_last(struct pl_engine *engine, struct pl_task *task);

/* Something is ready, or waits for a slice: the loop must not sleep. */
void pl_engine_wake(struct pl_engine *engine);

/* Runs what became ready while the task that has just stopped was running, without a turn of the
 * loop; what does not fit into a turn's time stays for the next. */
void pl_engine_drain(struct pl_engine *engine);

/* A nested coroutine of a sandboxed task returned or failed: gives its values to whoever resumed
 * it. Returns the number of values now on the outer coroutine. */
int pl_task_leave_nested(struct pl_task *task, bool ok);

/* coroutine.yield of a nested coroutine: `transfer` values are on its stack. Returns as
 * pl_task_leave_nested. */
int pl_task_yield_nested(struct pl_task *task);

/* Whether a plugin's coroutine has yielded and may be resumed; the mark that says so is on top of
 * its stack, and goes before it is. */
bool pl_task_is_suspended(lua_State *co);

/* The innermost coroutine. */
static inline lua_State *pl_task_top(const struct pl_task *task)
{
    return task->depth > 0 ? task->nested[task->depth - 1] : task->co;
}

#endif
