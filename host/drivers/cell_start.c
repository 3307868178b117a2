/* The beginning of a cell. The thread that starts a program waits until the kernel has loaded it:
 * that is a thread of the pool, not the loop's. It lives as long as this process, so that a child
 * which is to end with the thread that has started it ends with the process. */
#include "drivers/cell_impl.h"

#include "base/buf.h"
#include "drivers/spawn.h"

#include <stdlib.h>
#include <sys/wait.h>

struct pl_cell_birth {
    uv_work_t uv;
    uv_sem_t done;        /* for whoever cannot wait for the loop */
    struct pl_cell *cell; /* NULL once it was told; loop's thread only */
    char *const *argv;    /* of the block, which lives as long as its cells */
    pid_t pid;
    int fd;
    struct pl_err err;
};

static void on_pool(uv_work_t *uv)
{
    static char *const no_environment[] = {NULL};
    struct pl_cell_birth *birth = pl_container_of(uv, struct pl_cell_birth, uv);
    struct pl_spawn_options o = {.argv = birth->argv, .env = no_environment};
    o.streams[0].kind = PL_STREAM_SOCKET;
    o.streams[2].kind = PL_STREAM_INHERIT; /* until it is confined */
    int ours[3];
    birth->pid = pl_spawn(&o, ours, &birth->err);
    birth->fd = ours[0];
    uv_sem_post(&birth->done);
}

/* Tells the cell that its process is there, or will never be. */
static void tell(struct pl_cell_birth *birth)
{
    struct pl_cell *cell = birth->cell;
    birth->cell = NULL;
    cell->birth = NULL;
    if (birth->pid > 0) {
        pl_cell_started(cell, birth->pid, birth->fd);
        return;
    }
    if (!cell->ending) {
        cell->ending = true;
        cell->why = PL_CELL_UNFIT;
        cell->problem = birth->err;
        pl_cells_heard(cell->cells, cell);
    }
    pl_cell_reaped(cell, 0);
}

static void on_loop(uv_work_t *uv, int status)
{
    (void)status; /* nobody cancels it */
    struct pl_cell_birth *birth = pl_container_of(uv, struct pl_cell_birth, uv);
    if (birth->cell != NULL) {
        struct pl_cells *cells = birth->cell->cells;
        cells->refs++;
        tell(birth);
        pl_cells_refill(cells);
        pl_cells_unref(cells);
    }
    uv_sem_destroy(&birth->done);
    free(birth);
}

struct pl_cell *pl_cell_start(struct pl_cells *cells)
{
    struct pl_cell *cell = pl_xcalloc(1, sizeof *cell);
    cell->cells = cells;
    cells->refs++;
    cells->stats.started++;
    cell->fd = -1;
    cell->spare = true;
    cell->refs = 2; /* the list's, the timer's */
    pl_list_init(&cell->questions);
    pl_list_init(&cell->link);
    pl_list_push(&cells->all, &cell->link);
    uv_timer_init(&cells->loop->uv, &cell->grace);
    cell->grace.data = cell;
    cell->birth = pl_xcalloc(1, sizeof *cell->birth);
    cell->birth->cell = cell;
    cell->birth->argv = cells->argv;
    uv_sem_init(&cell->birth->done, 0);
    uv_queue_work(&cells->loop->uv, &cell->birth->uv, on_pool, on_loop);
    return cell;
}

void pl_cell_end_now(struct pl_cell *cell)
{
    int status = 0;
    cell->refs++;
    pl_cell_kill(cell, PL_CELL_CLOSED);
    if (cell->birth != NULL) {
        uv_sem_wait(&cell->birth->done);
        tell(cell->birth);
    }
    if (!cell->reaped) {
        waitpid(cell->pid, &status, 0);
        pl_cell_reaped(cell, status);
    }
    pl_cell_unref(cell);
}
