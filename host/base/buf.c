#include "base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void out_of_memory(size_t n)
{
    fprintf(stderr, "parley: out of memory allocating %zu bytes\n", n);
    abort();
}

void *pl_xmalloc(size_t n)
{
    void *p = malloc(n ? n : 1);
    if (p == NULL)
        out_of_memory(n);
    return p;
}

void *pl_xcalloc(size_t n, size_t m)
{
    void *p = calloc(n ? n : 1, m ? m : 1);
    if (p == NULL)
        out_of_memory(n * m);
    return p;
}

void *pl_xrealloc(void *p, size_t n)
{
    void *q = realloc(p, n ? n : 1);
    if (q == NULL)
        out_of_memory(n);
    return q;
}

char *pl_xmemdup(const char *s, size_t n)
{
    char *p = pl_xmalloc(n + 1);
    if (n)
        memcpy(p, s, n);
    p[n] = '\0';
    return p;
}

char *pl_xstrdup(const char *s)
{
    return pl_xmemdup(s, strlen(s));
}

void pl_buf_init(struct pl_buf *b)
{
    memset(b, 0, sizeof *b);
}

void pl_buf_free(struct pl_buf *b)
{
    free(b->data);
    pl_buf_init(b);
}

void pl_buf_clear(struct pl_buf *b)
{
    b->len = 0;
}

void pl_buf_grow(struct pl_buf *b, size_t more)
{
    size_t cap = b->cap ? b->cap : 256;
    while (cap - b->len < more)
        cap *= 2;
    b->data = pl_xrealloc(b->data, cap);
    b->cap = cap;
}

void pl_buf_puts(struct pl_buf *b, const char *s)
{
    pl_buf_append(b, s, strlen(s));
}

void pl_buf_printf(struct pl_buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    assert(n >= 0);
    pl_buf_reserve(b, (size_t)n + 1);
    va_start(ap, fmt);
    vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->len += (size_t)n;
}

void pl_buf_consume(struct pl_buf *b, size_t n)
{
    assert(n <= b->len);
    if (n < b->len)
        memmove(b->data, b->data + n, b->len - n);
    b->len -= n;
}

const char *pl_buf_cstr(struct pl_buf *b)
{
    pl_buf_reserve(b, 1);
    b->data[b->len] = '\0';
    return b->data;
}
