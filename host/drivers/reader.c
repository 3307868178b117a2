#include "drivers/reader.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK 16384u

struct read_op {
    struct pl_op op;
    struct pl_reader *reader;
};

static struct pl_reader *reader_of(struct pl_op *op)
{
    return pl_container_of(op, struct read_op, op)->reader;
}

/* Starts or stops the source, as the rest of the state has it. */
static void steer(struct pl_reader *r)
{
    bool room = r->in.len - r->taken < r->max;
    bool on = !r->ended && room && (r->source->eager || r->waiting != NULL);
    if (on == r->flowing)
        return;
    r->flowing = on;
    r->source->flow(r, on);
}

static void drop_taken(struct pl_reader *r)
{
    pl_buf_consume(&r->in, r->taken);
    r->taken = 0;
}

static void cancel(struct pl_op *op)
{
    struct pl_reader *r = reader_of(op);
    if (r->waiting != op)
        return;
    r->waiting = r->busy = NULL;
    steer(r);
    pl_op_unref(op);
}

static void destroy(struct pl_op *op)
{
    struct pl_reader *r = reader_of(op);
    if (r->busy == op)
        r->busy = NULL;
    free(pl_container_of(op, struct read_op, op));
    r->source->unref(r);
}

static const struct pl_op_class read_class = {cancel, destroy};

/* How many bytes at the front answer the read; false: none yet. */
static bool found(const struct pl_reader *r, size_t *n)
{
    const char *lf;
    *n = r->in.len;
    switch (r->want) {
    case PL_WANT_LINE:
        lf = r->in.len > 0 ? memchr(r->in.data, '\n', r->in.len) : NULL;
        if (lf != NULL)
            *n = (size_t)(lf - r->in.data) + 1;
        return lf != NULL || (r->ended && r->in.len > 0);
    case PL_WANT_BYTES:
        if (r->in.len >= r->bytes)
            *n = r->bytes;
        return r->in.len >= r->bytes || (r->ended && r->in.len > 0);
    case PL_WANT_END:
        return r->ended && r->why.code == NULL;
    }
    return false;
}

/* Can the read that waits end? Fills `err` when it ends badly. */
static bool decided(const struct pl_reader *r, struct pl_err *err)
{
    size_t n;
    if (found(r, &n))
        return true;
    if (r->ended && r->why.code != NULL)
        *err = r->why;
    else if (r->ended)
        pl_fail(err, PL_E_CLOSED, false, r->source->label, "the input has ended");
    else if (r->in.len >= r->max)
        pl_fail(err, PL_E_TOO_LARGE, false, r->source->label, "more than %zu bytes in one piece",
                r->max);
    return err->code != NULL;
}

/* After every change. The last thing that a function does: whoever is woken may drop the source. */
static void settle(struct pl_reader *r)
{
    struct pl_op *op = r->waiting;
    if (op == NULL || !decided(r, &op->err)) {
        steer(r);
        return;
    }
    r->waiting = NULL;
    if (op->err.code != NULL)
        r->busy = NULL; /* nothing to take */
    steer(r);
    pl_op_finish(op);
    pl_op_unref(op);
}

void pl_reader_init(struct pl_reader *r, struct pl_loop *loop,
                    const struct pl_reader_source *source, size_t max)
{
    r->loop = loop;
    r->source = source;
    r->max = max;
    steer(r);
}

void pl_reader_free(struct pl_reader *r)
{
    assert(r->waiting == NULL);
    pl_buf_free(&r->in);
}

char *pl_reader_space(struct pl_reader *r, size_t *room)
{
    drop_taken(r);
    size_t left = r->in.len < r->max ? r->max - r->in.len : 1;
    *room = left < CHUNK ? left : CHUNK;
    pl_buf_reserve(&r->in, *room);
    return r->in.data + r->in.len;
}

void pl_reader_arrived(struct pl_reader *r, size_t n)
{
    r->in.len += n;
    settle(r);
}

void pl_reader_end(struct pl_reader *r, const struct pl_err *why)
{
    if (r->ended)
        return;
    r->ended = true;
    if (why != NULL)
        r->why = *why;
    settle(r);
}

struct pl_op *pl_reader_wait(struct pl_reader *r, enum pl_want want, size_t bytes,
                             struct pl_owner *owner, uint64_t deadline_ns)
{
    if (r->busy != NULL)
        return NULL;
    drop_taken(r);
    r->want = want;
    r->bytes = bytes;
    struct read_op *o = pl_xcalloc(1, sizeof *o);
    o->reader = r;
    r->source->ref(r);
    pl_op_start(&o->op, r->loop, owner, r->source->label, deadline_ns, &read_class);
    pl_op_ref(&o->op);
    r->waiting = r->busy = &o->op;
    settle(r);
    return &o->op;
}

const char *pl_reader_take(struct pl_op *op, size_t *len)
{
    struct pl_reader *r = reader_of(op);
    size_t n;
    bool any = found(r, &n);
    assert(any && r->busy == op);
    (void)any;
    r->busy = NULL;
    r->taken = n;
    if (r->want == PL_WANT_LINE && n > 0 && r->in.data[n - 1] == '\n')
        n--;
    if (r->want == PL_WANT_LINE && n > 0 && r->in.data[n - 1] == '\r')
        n--;
    *len = n;
    return n > 0 ? r->in.data : "";
}
