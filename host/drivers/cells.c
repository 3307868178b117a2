/* The block of cells: spares, reaping, counting. */
#include "drivers/cell_impl.h"

#include "base/log.h"

#include <stdlib.h>
#include <string.h>

#define PATIENCE_FIRST_MS 1000
#define PATIENCE_MAX_MS   60000

const char *pl_cell_end_name(enum pl_cell_end end)
{
    static const char *const names[] = {"closed", "deadline", "protocol", "crashed", "unfit"};
    return names[end];
}

void pl_cells_unref(struct pl_cells *cells)
{
    if (--cells->refs > 0)
        return;
    for (char **a = cells->argv; *a != NULL; a++)
        free(*a);
    free(cells->argv);
    free(cells);
}

static void on_closed(uv_handle_t *handle)
{
    pl_cells_unref(handle->data);
}

static uint32_t count_spares(const struct pl_cells *cells)
{
    uint32_t n = 0;
    struct pl_list *pos, *tmp;
    pl_list_each (pos, tmp, &cells->all) {
        const struct pl_cell *cell = pl_container_of(pos, struct pl_cell, link);
        n += cell->spare && !cell->ending;
    }
    return n;
}

static bool is_starting(const struct pl_cells *cells)
{
    struct pl_list *pos, *tmp;
    pl_list_each (pos, tmp, &cells->all)
        if (pl_container_of(pos, struct pl_cell, link)->birth != NULL)
            return true;
    return false;
}

/* One process after the other: they are to leave threads of the pool to others. */
static void on_refill(uv_timer_t *timer)
{
    struct pl_cells *cells = timer->data;
    if (!cells->closed && count_spares(cells) < cells->keep && !is_starting(cells))
        pl_cell_start(cells);
}

void pl_cells_refill(struct pl_cells *cells)
{
    if (!cells->closed && count_spares(cells) < cells->keep)
        uv_timer_start(&cells->refill, on_refill, cells->patience_ms, 0);
}

void pl_cells_keep(struct pl_cells *cells, uint32_t n)
{
    cells->keep = n < PL_CELL_SPARES_MAX ? n : PL_CELL_SPARES_MAX;
    uint32_t there = count_spares(cells);
    struct pl_list *pos, *tmp;
    pl_list_each (pos, tmp, &cells->all) {
        struct pl_cell *cell = pl_container_of(pos, struct pl_cell, link);
        if (there > cells->keep && cell->spare && !cell->ending) {
            pl_cell_kill(cell, PL_CELL_CLOSED);
            there--;
        }
    }
    pl_cells_refill(cells);
}

void pl_cells_heard(struct pl_cells *cells, const struct pl_cell *cell)
{
    if (cell->hello) {
        cells->patience_ms = 0;
        cells->unfit.code = NULL;
        cells->stats.confined = true;
        cells->stats.landlock = cell->own.landlock;
        return;
    }
    if (cells->unfit.code == NULL)
        pl_log(PL_LOG_ERROR, "", "plugins cannot be isolated: %s", cell->problem.message);
    cells->unfit = cell->problem;
    uint64_t longer = 2 * cells->patience_ms;
    cells->patience_ms = longer < PATIENCE_FIRST_MS ? PATIENCE_FIRST_MS
                         : longer < PATIENCE_MAX_MS ? longer
                                                    : PATIENCE_MAX_MS;
}

/* A spare that is ready, else one that is about to be, else a new one. */
struct pl_cell *pl_cell_take(struct pl_cells *cells, size_t memory_cap)
{
    struct pl_cell *found = NULL;
    struct pl_list *pos, *tmp;
    pl_list_each (pos, tmp, &cells->all) {
        struct pl_cell *cell = pl_container_of(pos, struct pl_cell, link);
        if (cell->spare && !cell->ending && (found == NULL || (cell->hello && !found->hello)))
            found = cell;
    }
    if (found == NULL)
        found = pl_cell_start(cells);
    found->refs++; /* the owner's */
    found->spare = false;
    found->memory_cap = memory_cap;
    pl_cell_limit_memory(found);
    pl_cells_refill(cells);
    return found;
}

static void on_sigchld(uv_signal_t *handle, int signum)
{
    struct pl_cells *cells = handle->data;
    struct pl_list *pos, *tmp;
    (void)signum;
    cells->refs++;
    pl_list_each (pos, tmp, &cells->all)
        pl_cell_reap(pl_container_of(pos, struct pl_cell, link));
    pl_cells_refill(cells);
    pl_cells_unref(cells);
}

void pl_cells_get_stats(const struct pl_cells *cells, struct pl_cells_stats *out)
{
    struct pl_list *pos, *tmp;
    *out = cells->stats;
    out->unfit = &cells->unfit;
    out->spares = out->alive = 0;
    pl_list_each (pos, tmp, &cells->all) {
        const struct pl_cell *cell = pl_container_of(pos, struct pl_cell, link);
        out->alive++;
        out->spares += cell->spare && cell->hello && !cell->ending;
    }
}

struct pl_cells *pl_cells_new(struct pl_loop *loop, const char *const *argv)
{
    struct pl_cells *cells = pl_xcalloc(1, sizeof *cells);
    size_t n = 0;
    while (argv[n] != NULL)
        n++;
    cells->argv = pl_xcalloc(n + 1, sizeof *cells->argv);
    for (size_t i = 0; i < n; i++)
        cells->argv[i] = pl_xstrdup(argv[i]);
    cells->loop = loop;
    cells->refs = 3; /* the owner's, the two handles' */
    pl_list_init(&cells->all);
    uv_signal_init(&loop->uv, &cells->sigchld);
    uv_timer_init(&loop->uv, &cells->refill);
    cells->sigchld.data = cells->refill.data = cells;
    uv_signal_start(&cells->sigchld, on_sigchld, SIGCHLD);
    return cells;
}

void pl_cells_close(struct pl_cells *cells)
{
    cells->closed = true;
    uv_close((uv_handle_t *)&cells->refill, on_closed);
    uv_close((uv_handle_t *)&cells->sigchld, on_closed);
    while (!pl_list_empty(&cells->all))
        pl_cell_end_now(pl_container_of(cells->all.next, struct pl_cell, link));
    pl_cells_unref(cells);
}
