#include "engine/lib_buf.h"

void pl_lib_buf_grow(lua_State *L, struct pl_lib_buf *b, int slot, size_t n)
{
    size_t cap = 2 * b->cap > b->expected ? 2 * b->cap : b->expected;
    if (cap < b->len + n)
        cap = b->len + n;
    char *data = lua_newuserdata(L, cap);
    memcpy(data, pl_lib_buf_data(b), b->len);
    lua_replace(L, slot);
    b->large = data;
    b->cap = cap;
}
