/* Cells: confined child processes of this program (base/frame.h, loop/confine.h), and the block
 * that keeps some of them warm.
 *
 * A cell is asked and answers. What it sends is not trusted: a frame that does not fit its
 * questions is its end. It also ends when it does not answer in time: a question that times out
 * kills it at once, one that nobody waits for any more after PL_CELL_GRACE_MS. Its pending
 * questions then fail with "crashed". */
#ifndef PL_DRIVERS_CELL_H
#define PL_DRIVERS_CELL_H

#include "base/buf.h"
#include "base/frame.h"
#include "loop/loop.h"

#include <sys/types.h>

#define PL_CELL_GRACE_MS   500
#define PL_CELL_SPARES_MAX 64

struct pl_cell;
struct pl_cells;

/* Why cells have ended. */
enum pl_cell_end {
    PL_CELL_CLOSED,   /* nobody needed it any more */
    PL_CELL_DEADLINE, /* it did not answer in time */
    PL_CELL_PROTOCOL, /* it sent what it must not send */
    PL_CELL_CRASHED,  /* it ended by itself, or a signal that we did not send ended it */
    PL_CELL_UNFIT,    /* it could not confine itself */
    PL_CELL_ENDS,
};

const char *pl_cell_end_name(enum pl_cell_end end); /* "closed", "deadline", ... */

struct pl_cells_stats {
    uint32_t alive, spares; /* processes, of which so many wait for work */
    uint64_t started, ended[PL_CELL_ENDS];
    uint32_t landlock;          /* of the newest cell; 0: the kernel has none, or no cell yet */
    bool confined;              /* a cell has said that it is */
    const struct pl_err *unfit; /* why the last one that tried could not be; code NULL: none */
};

/* --- the block -----------------------------------------------------------------------------------
 */

/* `argv` starts a cell and is copied: the program and its arguments, ending with NULL. */
struct pl_cells *pl_cells_new(struct pl_loop *loop, const char *const *argv);

/* Keeps `n` warm from now on, at most PL_CELL_SPARES_MAX. They are started one after the
 * other, by threads of the pool. */
void pl_cells_keep(struct pl_cells *cells, uint32_t n);

void pl_cells_get_stats(const struct pl_cells *cells, struct pl_cells_stats *out);

/* At the end of the process: every cell is killed and reaped, those in use too. Tasks that ask them
 * are to be cancelled before. */
void pl_cells_close(struct pl_cells *cells);

/* --- a cell --------------------------------------------------------------------------------------
 */

/* A cell in which nothing has run, warm if there is one, else one that is being started: when that
 * fails its questions fail with the reason. `memory_cap`: bytes that what it runs may have, on top
 * of what the program itself needs. */
struct pl_cell *pl_cell_take(struct pl_cells *cells, size_t memory_cap);

pid_t pl_cell_pid(const struct pl_cell *cell); /* 0 before it has answered anything */

/* True until it has been told to end, or has ended. */
bool pl_cell_alive(const struct pl_cell *cell);

/* Whether somebody has stopped waiting for an answer of it: what it was in the middle of then may
 * be half done. */
bool pl_cell_was_given_up(const struct pl_cell *cell);

/* Sends a question of `type` about `call` (0 when it starts one) with `body`, and starts an op that
 * ends with its answer. `arg` comes back from pl_cell_arg; `drop` is called for it with the op's
 * end. NULL with `err`, and `drop` called, when the cell has ended or does not read. */
struct pl_op *pl_cell_ask(struct pl_cell *cell, enum pl_frame_type type, uint32_t call,
                          const struct pl_buf *body, struct pl_owner *owner, uint64_t deadline_ns,
                          void *arg, void (*drop)(void *arg), struct pl_err *err);

/* Of an op that has ended well: the head of the answer and its body, valid as long as the op. */
const struct pl_frame *pl_cell_answer(struct pl_op *op, const char **body);

void *pl_cell_arg(struct pl_op *op);
struct pl_cell *pl_cell_of(struct pl_op *op);

/* Ends a call that waits at the door. */
void pl_cell_stop(struct pl_cell *cell, uint32_t call);

/* Ends the process because of what it has done; pending questions fail soon after. */
void pl_cell_kill(struct pl_cell *cell, enum pl_cell_end why);

/* Nobody needs it any more: the process is killed. Freed when it is reaped. */
void pl_cell_close(struct pl_cell *cell);

#endif
