#include "loop/work.h"

static void on_pool(uv_work_t *uv)
{
    struct pl_work *w = uv->data;
    w->run(w);
}

static void on_loop(uv_work_t *uv, int status)
{
    struct pl_work *w = uv->data;
    if (status == 0) {
        if (w->err.code != NULL)
            pl_op_fail(&w->op, &w->err);
        else
            pl_op_finish(&w->op);
    }
    pl_op_unref(&w->op); /* the pool's */
}

void pl_work_start(struct pl_work *w, struct pl_loop *loop, struct pl_owner *owner,
                   const char *label, uint64_t deadline_ns, void (*run)(struct pl_work *),
                   const struct pl_op_class *class)
{
    w->run = run;
    w->err.code = NULL;
    w->uv.data = w;
    pl_op_start(&w->op, loop, owner, label, deadline_ns, class);
    pl_op_ref(&w->op); /* the pool's, dropped in on_loop, which always comes */
    uv_queue_work(&loop->uv, &w->uv, on_pool, on_loop);
}

void pl_work_cancel(struct pl_op *op)
{
    struct pl_work *w = pl_container_of(op, struct pl_work, op);
    uv_cancel((uv_req_t *)&w->uv);
}
