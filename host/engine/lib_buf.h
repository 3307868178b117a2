/* A string that a library call builds, in memory that counts for the state's cap: first in the
 * struct, then in a userdata that the caller keeps in a slot of its stack. May be copied. */
#ifndef PL_ENGINE_LIB_BUF_H
#define PL_ENGINE_LIB_BUF_H

#include <lua.h>
#include <stddef.h>
#include <string.h>

struct pl_lib_buf {
    char *large; /* NULL: still in `small` */
    size_t len, cap;
    size_t expected; /* what the whole may come to; a first guess */
    char small[256];
};

static inline void pl_lib_buf_init(struct pl_lib_buf *b, size_t expected)
{
    b->large = NULL;
    b->len = 0;
    b->cap = sizeof b->small;
    b->expected = expected;
}

static inline char *pl_lib_buf_data(struct pl_lib_buf *b)
{
    return b->large != NULL ? b->large : b->small;
}

/* Makes room for `n` more bytes; the userdata goes to `slot`. Raises out of memory. */
void pl_lib_buf_grow(lua_State *L, struct pl_lib_buf *b, int slot, size_t n);

static inline void pl_lib_buf_add(lua_State *L, struct pl_lib_buf *b, int slot, const void *data,
                                  size_t n)
{
    if (b->cap - b->len < n)
        pl_lib_buf_grow(L, b, slot, n);
    memcpy(pl_lib_buf_data(b) + b->len, data, n);
    b->len += n;
}

/* Pushes what was built. Raises out of memory. */
static inline void pl_lib_buf_push(lua_State *L, struct pl_lib_buf *b)
{
    lua_pushlstring(L, pl_lib_buf_data(b), b->len);
}

#endif
