/* The inside of cells, for cell*.c only. */
#ifndef PL_DRIVERS_CELL_IMPL_H
#define PL_DRIVERS_CELL_IMPL_H

#include "drivers/cell.h"

struct pl_cell {
    struct pl_list link; /* in cells->all until it is reaped */
    struct pl_cells *cells;
    struct pl_cell_birth *birth; /* while a thread of the pool starts the process; no pid, no fd */
    pid_t pid;                   /* 0 before it was started, and when it could not be */
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

/* A cell whose process a thread of the pool starts now; frames are kept meanwhile. When that fails
 * the cell ends, as unfit. */
struct pl_cell *pl_cell_start(struct pl_cells *cells);

/* Kills a cell and waits until its process is gone, also one that is being started. */
void pl_cell_end_now(struct pl_cell *cell);

/* The process of a new cell is there. */
void pl_cell_started(struct pl_cell *cell, pid_t pid, int fd);

/* The process has ended with `status` (of waitpid), or was never there: its questions fail, it
 * leaves the list. */
void pl_cell_reaped(struct pl_cell *cell, int status);

/* Whether the process has ended; then the cell has left the list. */
bool pl_cell_reap(struct pl_cell *cell);

/* Its memory is limited when it is confined and somebody has taken it, whichever comes last. */
void pl_cell_limit_memory(struct pl_cell *cell);

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
