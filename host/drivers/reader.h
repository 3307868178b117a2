/* Bytes that arrive by themselves, and the one task that waits for some of them.
 *
 * A source (the output of a child, a terminal, a file) has a reader as a member. It hands over what
 * arrives and says when it has ended; the reader keeps at most `max` bytes, stops the source when
 * it is full, and ends the op of whoever waits. */
#ifndef PL_DRIVERS_READER_H
#define PL_DRIVERS_READER_H

#include "base/buf.h"
#include "loop/loop.h"

struct pl_reader;

struct pl_reader_source {
    const char *label; /* of the ops, e.g. "process.read" */
    /* true: bytes are taken in before anybody asks for them, so that the writer need not wait */
    bool eager;
    /* Starts or stops what brings bytes; called when that changes. It may hand over bytes before it
     * returns. */
    void (*flow)(struct pl_reader *reader, bool on);
    /* Each op keeps the source alive. */
    void (*ref)(struct pl_reader *reader);
    void (*unref)(struct pl_reader *reader);
};

enum pl_want {
    PL_WANT_LINE,  /* up to LF; what the end cuts off counts as a line */
    PL_WANT_BYTES, /* so many; fewer at the end */
    PL_WANT_END,   /* everything up to the end, which may be nothing */
};

struct pl_reader {
    const struct pl_reader_source *source;
    struct pl_loop *loop;
    struct pl_buf in;
    size_t max;
    size_t taken; /* bytes at the front that the last take gave out */
    enum pl_want want;
    size_t bytes;          /* of PL_WANT_BYTES */
    struct pl_op *waiting; /* pending; a reference is held */
    struct pl_op *busy;    /* the same, until what it has waited for is taken */
    bool flowing, ended;
    struct pl_err why; /* of the end; no code: a clean one */
};

/* `reader` is zeroed memory, `source` has static storage. Bytes come from here on, when the source
 * is eager. */
void pl_reader_init(struct pl_reader *reader, struct pl_loop *loop,
                    const struct pl_reader_source *source, size_t max);

/* At the last reference of the source: nobody waits any more. */
void pl_reader_free(struct pl_reader *reader);

/* --- for the source ------------------------------------------------------------------------------
 */

/* Where to put what arrives next: at least one byte, valid until the next call of any of these. */
char *pl_reader_space(struct pl_reader *reader, size_t *room);
void pl_reader_arrived(struct pl_reader *reader, size_t n);

/* Nothing more comes. `why` is NULL for a clean end. Harmless when it has ended already. */
void pl_reader_end(struct pl_reader *reader, const struct pl_err *why);

/* --- for who reads -------------------------------------------------------------------------------
 */

/* Waits; pl_reader_take has the bytes when the op has ended well. Otherwise "closed" when nothing
 * is left, "too_large" when `max` bytes are there and that is not enough, or why the source has
 * ended; what is there stays for the next read. NULL when another read is under way. */
struct pl_op *pl_reader_wait(struct pl_reader *reader, enum pl_want want, size_t bytes,
                             struct pl_owner *owner, uint64_t deadline_ns);

/* What the op waited for, valid until the source is touched again; a line without its LF or CR LF.
 * Once per op. */
const char *pl_reader_take(struct pl_op *op, size_t *len);

#endif
