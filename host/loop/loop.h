/* The event loop of one process: libuv, the deadlines of ops, and the count of pending ops. */
#ifndef PL_LOOP_LOOP_H
#define PL_LOOP_LOOP_H

#include "loop/op.h"
#include "loop/turns.h"

#include <stdint.h>
#include <uv.h>

struct pl_loop {
    uv_loop_t uv;
    uv_timer_t deadline_timer; /* armed for the earliest deadline */
    uv_async_t keepalive;      /* lets uv_run sleep when nothing else is open */
    uint64_t armed_ns;         /* what it is armed for; 0: not armed */
    struct pl_op **heap;       /* binary min-heap of pending ops by deadline_ns */
    uint32_t heap_len, heap_cap;
    struct pl_turns turns;
    uint64_t ops_pending; /* for metrics, and for the assertion at close */
    bool stopping;
};

int pl_loop_init(struct pl_loop *loop, struct pl_err *err);

/* Runs until pl_loop_stop. */
void pl_loop_run(struct pl_loop *loop);
void pl_loop_stop(struct pl_loop *loop);

/* Runs until the handles that are being closed are gone, then frees. A debug build asserts that no
 * op is pending. */
void pl_loop_close(struct pl_loop *loop);

/* Deadlines, for op.c only. */
void pl_loop_deadline_add(struct pl_loop *loop, struct pl_op *op);
void pl_loop_deadline_remove(struct pl_loop *loop, struct pl_op *op);

#endif
