#include "loop/turns.h"

#include "base/clock.h"

#define US 1000ull

const uint64_t pl_turn_bounds_ns[PL_TURN_BOUNDS] = {
    100 * US,   250 * US,   500 * US,   1000 * US,   2500 * US,   5000 * US,
    10000 * US, 25000 * US, 50000 * US, 100000 * US, 250000 * US, 1000000 * US,
};

/* A turn that has looked for events and has found none takes two microseconds; one event takes more
 * than this. What a turn has begun to watch is known to the kernel only after the next look, so
 * that an empty turn comes before any work. */
#define EMPTY_NS 8000

static void count(struct pl_turns *turns, uint64_t took)
{
    uint32_t i = 0;
    while (i < PL_TURN_BOUNDS && took > pl_turn_bounds_ns[i])
        i++;
    turns->lengths[i]++;
    turns->sum_ns += took;
    turns->number++;
}

static void on_look(uv_idle_t *handle)
{
    (void)handle; /* that it is started is all */
}

static void look_or_wait(struct pl_turns *turns)
{
    bool look = turns->wanted != NULL && turns->wanted(turns->work_arg);
    if (look == turns->looking)
        return;
    turns->looking = look;
    if (look)
        uv_idle_start(&turns->look, on_look);
    else
        uv_idle_stop(&turns->look);
}

/* Runs right before each wait for events: a turn ends here and the next one begins. */
static void on_prepare(uv_prepare_t *handle)
{
    struct pl_turns *turns = handle->data;
    uint64_t now = pl_now_ns(), waited = uv_metrics_idle_time(handle->loop);
    uint64_t took = now - turns->began_ns, idle = waited - turns->waited_ns;
    took = took > idle ? took - idle : 0;
    if (turns->looking && turns->wanted != NULL && took < EMPTY_NS) {
        turns->work(turns->work_arg);
        now = pl_now_ns();
    } else {
        count(turns, took);
    }
    look_or_wait(turns);
    turns->began_ns = now;
    turns->waited_ns = waited;
    pl_live_wait(uv_backend_timeout(handle->loop));
}

void pl_turns_init(struct pl_turns *turns, uv_loop_t *uv)
{
    uv_loop_configure(uv, UV_METRICS_IDLE_TIME);
    uv_prepare_init(uv, &turns->prepare);
    turns->prepare.data = turns;
    uv_idle_init(uv, &turns->look);
    turns->began_ns = pl_now_ns();
    uv_prepare_start(&turns->prepare, on_prepare);
    uv_unref((uv_handle_t *)&turns->prepare);
    uv_unref((uv_handle_t *)&turns->look);
}

void pl_turns_when_quiet(struct pl_turns *turns, bool (*wanted)(void *arg), void (*work)(void *arg),
                         void *arg)
{
    turns->wanted = wanted;
    turns->work = work;
    turns->work_arg = arg;
}

void pl_turns_close(struct pl_turns *turns)
{
    turns->wanted = NULL;
    uv_close((uv_handle_t *)&turns->prepare, NULL);
    uv_close((uv_handle_t *)&turns->look, NULL);
}
