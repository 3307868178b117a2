/* The engine of one process: its loop, its core state, the tasks that may run now. */
#ifndef PL_ENGINE_ENGINE_H
#define PL_ENGINE_ENGINE_H

#include "engine/collect.h"
#include "engine/share.h"
#include "engine/state.h"
#include "engine/task.h"

struct pl_engine {
    struct pl_loop *loop;
    struct pl_state *core;
    struct pl_task *current; /* the innermost task that runs on this thread */
    struct pl_list all;      /* every task that has not ended */
    struct pl_list ready;    /* tasks whose wait has ended */
    struct pl_list last;     /* those that let all others go first */
    uint64_t turns;          /* in which `ready` was worked off, with a look at I/O between two */
    struct pl_shares shares; /* sandboxed tasks that wait for a slice */
    struct pl_collect collect;
    uv_idle_t idle; /* started while something is ready or waits for a slice */
    bool idle_active;
    bool draining;        /* the run queue is being worked off */
    uint32_t states;      /* open: the core's, and the sandboxed ones */
    size_t closing_bytes; /* of states that threads of the pool are to close */
    bool alone;           /* its owner has no threads, and can start none */
    uint64_t tasks;       /* alive */
    uint64_t tasks_started;
    uint64_t preemptions;
    /* A detached task failed: nobody joins it. Default: one line in the log. */
    void (*on_uncaught)(struct pl_task *task, const char *message);
};

int pl_engine_init(struct pl_engine *engine, struct pl_loop *loop, struct pl_err *err);

/* Works off what is ready and gives one slice to each that was preempted, for a turn's time at
 * most. The loop does it by itself; a process that waits by other means calls it while idle_active.
 */
void pl_engine_turn(struct pl_engine *engine);

/* Cancels every task and closes the core state. No task may be running. */
void pl_engine_close(struct pl_engine *engine);

#endif
