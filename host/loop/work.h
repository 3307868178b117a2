/* Blocking work on libuv's thread pool, as an op.
 *
 * Embed `struct pl_work` as the first member of the request. `run` is called on a pool thread and
 * must not touch anything that the loop's thread uses but the request itself; it may fill
 * w->op.err through `w->err` (copied to the op on the loop). */
#ifndef PL_LOOP_WORK_H
#define PL_LOOP_WORK_H

#include "loop/loop.h"

struct pl_work {
    struct pl_op op;
    uv_work_t uv;
    void (*run)(struct pl_work *w); /* pool thread */
    struct pl_err err;              /* filled by `run` on failure; code NULL on success */
};

/* Starts op and work. `destroy` frees the request. A deadline or a cancel ends the wait at once;
 * work that has not begun is taken off the queue, work that runs is ignored when it ends. */
void pl_work_start(struct pl_work *w, struct pl_loop *loop, struct pl_owner *owner,
                   const char *label, uint64_t deadline_ns, void (*run)(struct pl_work *),
                   const struct pl_op_class *class);

/* The cancel function for the class of a pl_work request. */
void pl_work_cancel(struct pl_op *op);

#endif
