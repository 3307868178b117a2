/* The inside of cells, for cell.c and cells.c only. */
#ifndef PL_DRIVERS_CELL_IMPL_H
#define PL_DRIVERS_CELL_IMPL_H

#include "drivers/cell.h"

struct pl_cell {
    struct pl_list link; /* in cells->all until it is reaped */
    struct pl_cells *cells;
    pid_t pid;
    int fd;
    uv_poll_t poll;
    uv_timer_t grace; /* for questions that nobody waits for any more */
    int events;       /* that `poll` waits for */
    struct pl_buf in, out;
    struct pl_list questions; /* of struct pl_cell_question */
    uint32_t last_id;
    bool spare, hello, ending, reaped;
    bool given_up;         /* see pl_cell_was_given_up */
    enum pl_cell_end why;  /* when ending */
    struct pl_err problem; /* what it said before it was confined; no code: nothing */
    size_t memory_cap;     /* 0: nobody has taken it */
    struct pl_frame_hello own;
    uint64_t cpu_armed_ns;
    uint32_t refs; /* the list of all, its owner, each handle, each op, each call into it */
};

struct pl_cells {
    struct pl_loop *loop;
    char **argv;
    uint32_t keep;
    struct pl_list all; /* of pl_cell.link */
    uv_signal_t sigchld;
    uv_timer_t refill;
    uint64_t patience_ms; /* before a cell is started after one that was unfit */
    bool closed;
    struct pl_err unfit;
    struct pl_cells_stats stats;
    uint32_t refs; /* the owner, each cell, each handle */
};

struct pl_cell_question {
    struct pl_op op;
    struct pl_list link; /* in cell->questions until it is answered, or the cell has ended */
    struct pl_cell *cell;
    uint32_t id, call;
    uint64_t abandoned_ns; /* when its op was cancelled; 0: somebody waits */
    struct pl_frame head;
    char *body;
    void *arg;
    void (*drop)(void *);
};

/* Starts a process. NULL with `err`. */
struct pl_cell *pl_cell_start(struct pl_cells *cells, struct pl_err *err);

/* The process has ended with `status` (of waitpid): its questions fail, it leaves the list. */
void pl_cell_reaped(struct pl_cell *cell, int status);

void pl_cell_unref(struct pl_cell *cell);

/* Sends a frame, or keeps it until the process reads. `body` may be NULL. */
void pl_cell_send(struct pl_cell *cell, const struct pl_frame *head, const struct pl_buf *body);

/* A question is answered, or never will be: gives the cell's reference to it back. */
void pl_cell_forget(struct pl_cell_question *q);

void pl_cells_unref(struct pl_cells *cells);

/* A cell has confined itself, or could not. */
void pl_cells_heard(struct pl_cells *cells, const struct pl_cell *cell);

/* Starts what is missing, soon. */
void pl_cells_refill(struct pl_cells *cells);

#endif
