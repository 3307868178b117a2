#include "engine/engine.h"

#include "base/clock.h"
#include "base/log.h"
#include "engine/preempt.h"
#include "engine/task_impl.h"

#include <assert.h>

/* What preempted plugins may take in one turn of the loop before I/O is looked at again. */
#define TURN_NS (4 * PL_NS_PER_MS)

static void resume_ready(struct pl_engine *engine, uint64_t until)
{
    while (!pl_list_empty(&engine->ready)) {
        struct pl_list *link = pl_list_shift(&engine->ready);
        struct pl_task *task = pl_container_of(link, struct pl_task, link);
        pl_task_run(task, task->ended != NULL ? pl_task_push_ended(task) : task->transfer);
        if (pl_now_ns() > until)
            return;
    }
}

void pl_engine_drain(struct pl_engine *engine)
{
    if (engine->draining || pl_list_empty(&engine->ready))
        return;
    engine->draining = true;
    resume_ready(engine, pl_now_ns() + TURN_NS);
    engine->draining = false;
}

static void run_preempted(struct pl_task *task)
{
    pl_task_run(task, task->transfer);
}

static void on_idle(uv_idle_t *idle)
{
    struct pl_engine *engine = idle->data;
    uint64_t until = pl_now_ns() + TURN_NS;
    engine->draining = true;
    resume_ready(engine, until);
    engine->draining = false;
    /* One slice for each that was waiting when this turn began: a task that is preempted again goes
     * to the end of the line. */
    struct pl_list now;
    pl_list_init(&now);
    struct pl_list *link;
    while ((link = pl_list_shift(&engine->preempted)) != NULL)
        pl_list_push(&now, link);
    while (pl_now_ns() < until && (link = pl_list_shift(&now)) != NULL)
        run_preempted(pl_container_of(link, struct pl_task, link));
    while (!pl_list_empty(&now)) { /* keep their place before those preempted meanwhile */
        link = now.prev;
        pl_list_remove(link);
        pl_list_push_front(&engine->preempted, link);
    }
    if (pl_list_empty(&engine->ready) && pl_list_empty(&engine->preempted)) {
        uv_idle_stop(idle);
        engine->idle_active = false;
    }
}

void pl_engine_enqueue(struct pl_engine *engine, struct pl_list *queue, struct pl_task *task)
{
    assert(pl_list_empty(&task->link));
    pl_list_push(queue, &task->link);
    if (!engine->idle_active) {
        uv_idle_start(&engine->idle, on_idle);
        engine->idle_active = true;
    }
}

static void report_uncaught(struct pl_task *task, const char *message)
{
    pl_log(PL_LOG_ERROR, pl_task_trace(task), "uncaught error in a task: %s", message);
}

int pl_engine_init(struct pl_engine *engine, struct pl_loop *loop, struct pl_err *err)
{
    *engine = (struct pl_engine){.loop = loop, .on_uncaught = report_uncaught};
    pl_list_init(&engine->all);
    pl_list_init(&engine->ready);
    pl_list_init(&engine->preempted);
    uv_idle_init(&loop->uv, &engine->idle);
    engine->idle.data = engine;
    if (pl_preempt_init(err) < 0)
        return -1;
    engine->core = pl_state_core(engine, err);
    return engine->core != NULL ? 0 : -1;
}

void pl_engine_close(struct pl_engine *engine)
{
    while (!pl_list_empty(&engine->all))
        pl_task_cancel(pl_container_of(engine->all.next, struct pl_task, all));
    uv_close((uv_handle_t *)&engine->idle, NULL);
    pl_state_close(engine->core);
    pl_state_unref(engine->core);
    engine->core = NULL;
    pl_preempt_close();
}
