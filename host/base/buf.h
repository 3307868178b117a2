/* A growable byte buffer. Zero-initialise it ({0}) or use pl_buf_init; free with pl_buf_free.
 *
 * Memory that runs out ends the process (pl_xmalloc): the host's own bookkeeping is small and
 * bounded, and whatever is large comes from outside and is capped before it gets here. */
#ifndef PL_BASE_BUF_H
#define PL_BASE_BUF_H

#include <stddef.h>
#include <string.h>

struct pl_buf {
    char *data; /* not NUL-terminated unless pl_buf_cstr was called */
    size_t len;
    size_t cap;
};

void *pl_xmalloc(size_t n);                /* never NULL */
void *pl_xcalloc(size_t n, size_t m);      /* never NULL */
void *pl_xrealloc(void *p, size_t n);      /* never NULL */
char *pl_xstrdup(const char *s);           /* never NULL */
char *pl_xmemdup(const char *s, size_t n); /* n bytes and a NUL; never NULL */

void pl_buf_init(struct pl_buf *b);
void pl_buf_free(struct pl_buf *b);              /* leaves an empty, usable buffer */
void pl_buf_clear(struct pl_buf *b);             /* keeps the capacity */
void pl_buf_grow(struct pl_buf *b, size_t more); /* pl_buf_reserve, when there is no room */
void pl_buf_puts(struct pl_buf *b, const char *s);
void pl_buf_printf(struct pl_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void pl_buf_consume(struct pl_buf *b, size_t n); /* drops the first n bytes (n <= len) */
const char *pl_buf_cstr(struct pl_buf *b);       /* NUL-terminates; valid until the next change */

/* Most of JSON goes through these, a few bytes at a time. */

static inline void pl_buf_reserve(struct pl_buf *b, size_t more)
{
    if (b->cap - b->len < more)
        pl_buf_grow(b, more);
}

static inline void pl_buf_append(struct pl_buf *b, const void *data, size_t n)
{
    if (n == 0)
        return;
    pl_buf_reserve(b, n);
    memcpy(b->data + b->len, data, n);
    b->len += n;
}

static inline void pl_buf_putc(struct pl_buf *b, char c)
{
    pl_buf_reserve(b, 1);
    b->data[b->len++] = c;
}

#endif
