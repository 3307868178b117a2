#include "loop/op.h"

#include "loop/loop.h"

#include <assert.h>
#include <string.h>

void pl_owner_init(struct pl_owner *owner, void (*wake)(struct pl_owner *, struct pl_op *))
{
    pl_list_init(&owner->ops);
    owner->generation = 1;
    owner->wake = wake;
}

void pl_owner_end(struct pl_owner *owner)
{
    owner->generation++;
    while (!pl_list_empty(&owner->ops))
        pl_op_cancel(pl_container_of(owner->ops.next, struct pl_op, link));
}

void pl_op_start(struct pl_op *op, struct pl_loop *loop, struct pl_owner *owner, const char *label,
                 uint64_t deadline_ns, const struct pl_op_class *class)
{
    assert(class->destroy != NULL);
    op->loop = loop;
    op->owner = owner;
    op->generation = owner->generation;
    op->class = class;
    op->label = label;
    op->deadline_ns = deadline_ns;
    op->heap_index = 0;
    op->refs = 1;
    op->state = PL_OP_PENDING;
    op->err.code = NULL;
    pl_list_init(&op->link);
    pl_list_push(&owner->ops, &op->link);
    loop->ops_pending++;
    if (deadline_ns != 0)
        pl_loop_deadline_add(loop, op);
}

void pl_op_ref(struct pl_op *op)
{
    assert(op->refs > 0);
    op->refs++;
}

void pl_op_unref(struct pl_op *op)
{
    assert(op->refs > 0);
    if (--op->refs > 0)
        return;
    assert(op->state != PL_OP_PENDING);
    op->class->destroy(op);
}

/* Takes a pending op away from its owner and from the deadlines. */
static struct pl_owner *detach(struct pl_op *op, enum pl_op_state state)
{
    assert(op->state == PL_OP_PENDING);
    struct pl_owner *owner = op->owner;
    op->state = state;
    op->owner = NULL;
    pl_list_remove(&op->link);
    if (op->heap_index != 0)
        pl_loop_deadline_remove(op->loop, op);
    op->loop->ops_pending--;
    return owner;
}

static void wake(struct pl_owner *owner, struct pl_op *op)
{
    if (owner->generation == op->generation)
        owner->wake(owner, op);
}

bool pl_op_finish(struct pl_op *op)
{
    if (op->state != PL_OP_PENDING)
        return false;
    struct pl_owner *owner = detach(op, PL_OP_DONE);
    wake(owner, op);
    pl_op_unref(op); /* the owner's */
    return true;
}

bool pl_op_fail(struct pl_op *op, const struct pl_err *err)
{
    if (op->state != PL_OP_PENDING)
        return false;
    op->err = *err;
    return pl_op_finish(op);
}

void pl_op_cancel(struct pl_op *op)
{
    if (op->state != PL_OP_PENDING)
        return;
    detach(op, PL_OP_CANCELLED);
    pl_fail(&op->err, PL_E_CANCELLED, false, op->label, "cancelled");
    if (op->class->cancel != NULL)
        op->class->cancel(op);
    pl_op_unref(op); /* the owner's */
}

/* Called by the loop's timer. The driver is told first, so that what the owner starts when it wakes
 * finds the old work already on its way out. */
void pl_op_expire(struct pl_op *op);
void pl_op_expire(struct pl_op *op)
{
    struct pl_owner *owner = detach(op, PL_OP_TIMEDOUT);
    pl_fail(&op->err, PL_E_TIMEOUT, true, op->label, "%s did not finish before its deadline",
            op->label);
    if (op->class->cancel != NULL)
        op->class->cancel(op);
    wake(owner, op);
    pl_op_unref(op); /* the owner's */
}
