#include "loop/loop.h"

#include "base/buf.h"
#include "base/clock.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void pl_op_expire(struct pl_op *op); /* op.c */

static void place(struct pl_loop *loop, uint32_t i, struct pl_op *op)
{
    loop->heap[i] = op;
    op->heap_index = i + 1;
}

static void sift_up(struct pl_loop *loop, uint32_t i)
{
    struct pl_op *op = loop->heap[i];
    while (i > 0) {
        uint32_t parent = (i - 1) / 2;
        if (loop->heap[parent]->deadline_ns <= op->deadline_ns)
            break;
        place(loop, i, loop->heap[parent]);
        i = parent;
    }
    place(loop, i, op);
}

static void sift_down(struct pl_loop *loop, uint32_t i)
{
    struct pl_op *op = loop->heap[i];
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= loop->heap_len)
            break;
        if (child + 1 < loop->heap_len &&
            loop->heap[child + 1]->deadline_ns < loop->heap[child]->deadline_ns)
            child++;
        if (loop->heap[child]->deadline_ns >= op->deadline_ns)
            break;
        place(loop, i, loop->heap[child]);
        i = child;
    }
    place(loop, i, op);
}

static void on_deadline(uv_timer_t *timer);

/* The timer only ever moves earlier: a deadline that was met and left the heap costs nothing, and
 * the timer that fires for it finds nothing due and is set again. */
static void arm(struct pl_loop *loop)
{
    if (loop->heap_len == 0)
        return;
    uint64_t due = loop->heap[0]->deadline_ns;
    if (loop->armed_ns != 0 && loop->armed_ns <= due)
        return;
    uint64_t now = pl_live_ns();
    uint64_t ms = due > now ? (due - now + PL_NS_PER_MS - 1) / PL_NS_PER_MS : 0;
    uv_update_time(&loop->uv);
    uv_timer_start(&loop->deadline_timer, on_deadline, ms, 0);
    loop->armed_ns = due;
}

static void on_deadline(uv_timer_t *timer)
{
    struct pl_loop *loop = timer->data;
    loop->armed_ns = 0;
    uint64_t now = pl_live_ns();
    while (loop->heap_len > 0 && loop->heap[0]->deadline_ns <= now)
        pl_op_expire(loop->heap[0]);
    arm(loop);
}

void pl_loop_deadline_add(struct pl_loop *loop, struct pl_op *op)
{
    if (loop->heap_len == loop->heap_cap) {
        loop->heap_cap = loop->heap_cap ? loop->heap_cap * 2 : 64;
        loop->heap = pl_xrealloc(loop->heap, loop->heap_cap * sizeof *loop->heap);
    }
    place(loop, loop->heap_len, op);
    sift_up(loop, loop->heap_len++);
    arm(loop);
}

void pl_loop_deadline_remove(struct pl_loop *loop, struct pl_op *op)
{
    uint32_t i = op->heap_index - 1;
    assert(i < loop->heap_len && loop->heap[i] == op);
    op->heap_index = 0;
    struct pl_op *last = loop->heap[--loop->heap_len];
    if (last == op)
        return;
    place(loop, i, last);
    sift_up(loop, i);
    sift_down(loop, last->heap_index - 1);
}

int pl_loop_init(struct pl_loop *loop, struct pl_err *err)
{
    memset(loop, 0, sizeof *loop);
    int rc = uv_loop_init(&loop->uv);
    if (rc < 0)
        return pl_fail_errno(err, -rc, "loop.init", "cannot create the event loop");
    loop->uv.data = loop;
    uv_timer_init(&loop->uv, &loop->deadline_timer);
    loop->deadline_timer.data = loop;
    uv_async_init(&loop->uv, &loop->keepalive, NULL);
    pl_turns_init(&loop->turns, &loop->uv);
    return 0;
}

void pl_loop_run(struct pl_loop *loop)
{
    while (!loop->stopping)
        uv_run(&loop->uv, UV_RUN_ONCE);
}

void pl_loop_stop(struct pl_loop *loop)
{
    loop->stopping = true;
    uv_stop(&loop->uv);
}

static void assert_closing(uv_handle_t *handle, void *arg)
{
    (void)arg;
    assert(uv_is_closing(handle) && "a handle outlived its owner");
}

void pl_loop_close(struct pl_loop *loop)
{
    assert(loop->ops_pending == 0);
    uv_close((uv_handle_t *)&loop->deadline_timer, NULL);
    uv_close((uv_handle_t *)&loop->keepalive, NULL);
    pl_turns_close(&loop->turns);
    uv_walk(&loop->uv, assert_closing, NULL);
    while (uv_run(&loop->uv, UV_RUN_DEFAULT) != 0)
        continue;
    int rc = uv_loop_close(&loop->uv);
    assert(rc == 0);
    (void)rc;
    free(loop->heap);
    loop->heap = NULL;
}
