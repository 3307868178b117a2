/* An op is the only way to wait: one asynchronous primitive that somebody started.
 *
 * It has an owner (a task of the engine, or a test), a generation of that owner, a reference count,
 * a label for people, a deadline and a cancel function. It ends exactly once: the driver finishes
 * it, or its deadline passes, or it is cancelled because its owner died. What comes later is
 * ignored. "Completion after the owner died" can therefore not be written by accident: a driver
 * calls pl_op_finish and never looks at the owner.
 *
 * A driver embeds `struct pl_op` as the FIRST member of its request and puts results beside it:
 *
 *     struct fetch { struct pl_op op; int status; struct pl_buf body; };
 *     struct fetch *f = pl_xcalloc(1, sizeof *f);
 *     pl_op_start(&f->op, loop, owner, "http.fetch", deadline_ns, &fetch_class);
 *     pl_op_ref(&f->op);              // the driver's own reference while it is at work
 *     ... later, on the loop's thread:
 *     pl_op_finish(&f->op);           // wakes the owner if the op is still pending
 *     pl_op_unref(&f->op);            // the driver's reference
 *
 * All functions are for the loop's thread. A worker thread hands its result over with pl_work
 * (loop/work.h) and the op is finished on the loop.
 */
#ifndef PL_LOOP_OP_H
#define PL_LOOP_OP_H

#include "base/err.h"
#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>

struct pl_loop;
struct pl_op;

enum pl_op_state {
    PL_OP_PENDING,
    PL_OP_DONE,     /* pl_op_finish or pl_op_fail came in time */
    PL_OP_TIMEDOUT, /* the deadline passed first; `err` says so */
    PL_OP_CANCELLED /* the owner died or asked; nobody will be woken */
};

struct pl_op_class {
    /* Asks the driver to stop work that nobody waits for any more (timed out or cancelled). It may
     * be called once, never after pl_op_finish. It must not block, and may drop the driver's
     * reference when the work is over at once. NULL: the work cannot be stopped, only ignored. */
    void (*cancel)(struct pl_op *op);
    /* Frees the request, at the last reference. Never NULL. */
    void (*destroy)(struct pl_op *op);
};

/* Whoever waits. `wake` is called once for each op that ended while the owner lived, on the loop's
 * thread, from inside pl_op_finish or from the deadline timer. The owner's reference to the op is
 * still held during the call and dropped after it. */
struct pl_owner {
    struct pl_list ops; /* the pending ops of this owner */
    uint64_t
        generation; /* grows when the owner dies or is used anew; an op of another one is late */
    void (*wake)(struct pl_owner *owner, struct pl_op *op);
};

struct pl_op {
    struct pl_list link;    /* in owner->ops while pending */
    struct pl_owner *owner; /* NULL once the op has ended */
    uint64_t generation;    /* of the owner when the op was started */
    const struct pl_op_class *class;
    const char *label; /* static storage, e.g. "sqlite.commit" */
    struct pl_loop *loop;
    uint64_t deadline_ns; /* pl_live_ns() scale; 0: none */
    uint32_t heap_index;  /* place in the loop's deadline heap + 1; 0: not in it */
    uint32_t refs;
    enum pl_op_state state;
    struct pl_err err; /* set when the op failed: err.code is NULL on success */
};

void pl_owner_init(struct pl_owner *owner, void (*wake)(struct pl_owner *, struct pl_op *));

/* Cancels every pending op of the owner and bumps its generation: nothing started before can wake
 * it again. */
void pl_owner_end(struct pl_owner *owner);

/* Starts `op` (zeroed memory) with one reference, which belongs to the owner. `deadline_ns` is
 * absolute; 0 means that only the owner's death ends the wait, which is right for nothing that
 * talks to the outside. */
void pl_op_start(struct pl_op *op, struct pl_loop *loop, struct pl_owner *owner, const char *label,
                 uint64_t deadline_ns, const struct pl_op_class *class);

void pl_op_ref(struct pl_op *op);
void pl_op_unref(struct pl_op *op); /* may destroy */

/* The driver is done: success, or with op->err filled. Ignored (false) when the op has already
 * ended. Wakes the owner before it returns. */
bool pl_op_finish(struct pl_op *op);

/* Shorthand: copies `err` into the op and finishes it. */
bool pl_op_fail(struct pl_op *op, const struct pl_err *err);

/* Ends a pending op without waking anybody. Harmless on an op that has ended. */
void pl_op_cancel(struct pl_op *op);

static inline bool pl_op_pending(const struct pl_op *op)
{
    return op->state == PL_OP_PENDING;
}

#endif
