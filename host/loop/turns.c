#include "loop/turns.h"

#include "base/clock.h"

#define US 1000ull

const uint64_t pl_turn_bounds_ns[PL_TURN_BOUNDS] = {
    100 * US,   250 * US,   500 * US,   1000 * US,   2500 * US,   5000 * US,
    10000 * US, 25000 * US, 50000 * US, 100000 * US, 250000 * US, 1000000 * US,
};

/* Runs right before each wait for events: a turn ends here and the next one begins. */
static void on_prepare(uv_prepare_t *handle)
{
    struct pl_turns *turns = handle->data;
    uint64_t now = pl_now_ns(), waited = uv_metrics_idle_time(handle->loop);
    uint64_t took = now - turns->began_ns, idle = waited - turns->waited_ns;
    took = took > idle ? took - idle : 0;
    uint32_t i = 0;
    while (i < PL_TURN_BOUNDS && took > pl_turn_bounds_ns[i])
        i++;
    turns->lengths[i]++;
    turns->sum_ns += took;
    turns->number++;
    turns->began_ns = now;
    turns->waited_ns = waited;
    pl_live_wait(uv_backend_timeout(handle->loop));
}

void pl_turns_init(struct pl_turns *turns, uv_loop_t *uv)
{
    uv_loop_configure(uv, UV_METRICS_IDLE_TIME);
    uv_prepare_init(uv, &turns->prepare);
    turns->prepare.data = turns;
    turns->began_ns = pl_now_ns();
    uv_prepare_start(&turns->prepare, on_prepare);
    uv_unref((uv_handle_t *)&turns->prepare);
}

void pl_turns_close(struct pl_turns *turns)
{
    uv_close((uv_handle_t *)&turns->prepare, NULL);
}
