#include "engine/engine.h"

#include "base/clock.h"
#include "base/log.h"
#include "engine/preempt.h"
#include "engine/task_impl.h"

#include <assert.h>

/* What tasks of the core may take at a time before I/O is looked at again: somebody waits for what
 * comes by it, and looking costs a few microseconds. */
#define TURN_NS (PL_NS_PER_MS / 5)

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

/* One of those that let all others go first. I/O was looked at since it has begun to, and what came
 * by that has run when nothing is ready. */
static void resume_last(struct pl_engine *engine)
{
    if (pl_list_empty(&engine->last))
        return;
    struct pl_task *task = pl_container_of(engine->last.next, struct pl_task, link);
    bool others = !pl_list_empty(&engine->ready) || engine->turns < task->way_turn + 2 ||
                  engine->collect.under_way;
    if (others && pl_now_ns() < task->way_until_ns)
        return;
    pl_list_remove(&task->link);
    pl_task_run(task, task->transfer);
}

void pl_engine_drain(struct pl_engine *engine)
{
    if (engine->draining || pl_list_empty(&engine->ready))
        return;
    engine->draining = true;
    resume_ready(engine, pl_now_ns() + TURN_NS);
    engine->draining = false;
}

void pl_engine_turn(struct pl_engine *engine)
{
    engine->draining = true;
    engine->turns++;
    resume_ready(engine, pl_now_ns() + TURN_NS);
    engine->draining = false;
    resume_last(engine);
    pl_shares_run(engine);
    if (pl_list_empty(&engine->ready) && pl_list_empty(&engine->last) &&
        !pl_shares_wait(&engine->shares)) {
        uv_idle_stop(&engine->idle);
        engine->idle_active = false;
    }
}

static void on_idle(uv_idle_t *idle)
{
    pl_engine_turn(idle->data);
}

void pl_engine_wake(struct pl_engine *engine)
{
    if (engine->idle_active)
        return;
    uv_idle_start(&engine->idle, on_idle);
    engine->idle_active = true;
}

void pl_engine_enqueue(struct pl_engine *engine, struct pl_task *task)
{
    assert(pl_list_empty(&task->link));
    pl_list_push(&engine->ready, &task->link);
    pl_engine_wake(engine);
}

static void report_uncaught(struct pl_task *task, const char *message)
{
    pl_log(PL_LOG_ERROR, pl_task_trace(task), "uncaught error in a task: %s", message);
}

void pl_engine_enqueue_last(struct pl_engine *engine, struct pl_task *task)
{
    assert(pl_list_empty(&task->link));
    task->way_turn = engine->turns;
    pl_list_push(&engine->last, &task->link);
    pl_engine_wake(engine);
}

int pl_engine_init(struct pl_engine *engine, struct pl_loop *loop, struct pl_err *err)
{
    *engine = (struct pl_engine){.loop = loop, .on_uncaught = report_uncaught};
    pl_list_init(&engine->all);
    pl_list_init(&engine->ready);
    pl_list_init(&engine->last);
    pl_shares_init(engine);
    uv_idle_init(&loop->uv, &engine->idle);
    engine->idle.data = engine;
    if (pl_preempt_init(err) < 0)
        return -1;
    engine->core = pl_state_core(engine, err);
    if (engine->core == NULL)
        return -1;
    pl_collect_init(engine);
    return 0;
}

void pl_engine_close(struct pl_engine *engine)
{
    while (!pl_list_empty(&engine->all))
        pl_task_cancel(pl_container_of(engine->all.next, struct pl_task, all));
    uv_close((uv_handle_t *)&engine->idle, NULL);
    pl_turns_when_quiet(&engine->loop->turns, NULL, NULL, NULL);
    pl_state_close(engine->core);
    pl_state_unref(engine->core);
    engine->core = NULL;
    pl_shares_close(engine);
    pl_preempt_close();
}
