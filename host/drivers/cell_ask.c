/* Questions to a cell, each an op that ends with its answer. */
#include "drivers/cell_impl.h"

#include "base/clock.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#define OP      "isolate"
#define OUT_MAX (2 * PL_FRAME_BODY_MAX)

/* CPU seconds that a cell may take from its newest question on; its deadlines are far below. */
#define CPU_SECONDS 60
#define CPU_ARM_NS  PL_NS_PER_S

static struct pl_cell_question *question_of(struct pl_op *op)
{
    return pl_container_of(op, struct pl_cell_question, op);
}

/* The worker kills at the deadlines; this is for a worker that hangs. Only the soft limit: the hard
 * one could never be raised again. */
static void limit_cpu(struct pl_cell *cell)
{
    uint64_t now = pl_now_ns();
    clockid_t clock;
    struct timespec used;
    if (cell->pid == 0 || (cell->cpu_armed_ns != 0 && now - cell->cpu_armed_ns < CPU_ARM_NS))
        return;
    cell->cpu_armed_ns = now;
    if (clock_getcpuclockid(cell->pid, &clock) == 0 && clock_gettime(clock, &used) == 0)
        prlimit(cell->pid, RLIMIT_CPU,
                &(struct rlimit){(rlim_t)used.tv_sec + CPU_SECONDS, RLIM_INFINITY}, NULL);
}

static void on_grace(uv_timer_t *timer)
{
    struct pl_cell *cell = timer->data;
    struct pl_list *pos, *tmp;
    uint64_t oldest = 0, now = pl_now_ns();
    pl_list_each (pos, tmp, &cell->questions) {
        struct pl_cell_question *q = pl_container_of(pos, struct pl_cell_question, link);
        if (q->abandoned_ns != 0 && (oldest == 0 || q->abandoned_ns < oldest))
            oldest = q->abandoned_ns;
    }
    if (oldest == 0)
        return;
    uint64_t waited_ms = (now - oldest) / PL_NS_PER_MS;
    if (waited_ms >= PL_CELL_GRACE_MS)
        pl_cell_kill(cell, PL_CELL_DEADLINE);
    else
        uv_timer_start(timer, on_grace, PL_CELL_GRACE_MS - waited_ms, 0);
}

static void question_cancel(struct pl_op *op)
{
    struct pl_cell_question *q = question_of(op);
    struct pl_cell *cell = q->cell;
    if (op->state == PL_OP_TIMEDOUT) {
        pl_cell_kill(cell, PL_CELL_DEADLINE);
        return;
    }
    if (cell->ending)
        return;
    q->abandoned_ns = pl_now_ns();
    cell->given_up = true;
    pl_cell_stop(cell, q->call);
    if (!uv_is_active((uv_handle_t *)&cell->grace))
        uv_timer_start(&cell->grace, on_grace, PL_CELL_GRACE_MS, 0);
}

static void question_destroy(struct pl_op *op)
{
    struct pl_cell_question *q = question_of(op);
    q->drop(q->arg);
    pl_cell_unref(q->cell);
    free(q->body);
    free(q);
}

static const struct pl_op_class question_class = {question_cancel, question_destroy};

struct pl_op *pl_cell_ask(struct pl_cell *cell, enum pl_frame_type type, uint32_t call,
                          const struct pl_buf *body, struct pl_owner *owner, uint64_t deadline_ns,
                          void *arg, void (*drop)(void *arg), struct pl_err *err)
{
    int rc = 0;
    if (cell->ending)
        rc = pl_fail(err, "disabled", false, OP, "the plugin's process has ended");
    else if (body->len > PL_FRAME_BODY_MAX)
        rc = pl_fail(err, PL_E_TOO_LARGE, false, OP, "%zu bytes, at most %u may cross", body->len,
                     PL_FRAME_BODY_MAX);
    else if (cell->out.len > OUT_MAX)
        rc = pl_fail(err, PL_E_BUSY, true, OP, "the plugin's process does not read");
    if (rc < 0) {
        drop(arg);
        return NULL;
    }
    struct pl_cell_question *q = pl_xcalloc(1, sizeof *q);
    q->cell = cell;
    q->id = ++cell->last_id;
    q->call = call != 0 ? call : q->id;
    q->arg = arg;
    q->drop = drop;
    cell->refs++;
    pl_list_init(&q->link);
    pl_list_push(&cell->questions, &q->link);
    pl_op_start(&q->op, cell->cells->loop, owner, "isolate.call", deadline_ns, &question_class);
    pl_op_ref(&q->op); /* the cell's */
    limit_cpu(cell);
    struct pl_frame head = {
        .size = (uint32_t)body->len, .type = (uint32_t)type, .id = q->id, .call = call};
    pl_cell_send(cell, &head, body);
    return &q->op;
}

const struct pl_frame *pl_cell_answer(struct pl_op *op, const char **body)
{
    struct pl_cell_question *q = question_of(op);
    assert(q->body != NULL);
    *body = q->body;
    return &q->head;
}

void *pl_cell_arg(struct pl_op *op)
{
    return question_of(op)->arg;
}

struct pl_cell *pl_cell_of(struct pl_op *op)
{
    return question_of(op)->cell;
}
