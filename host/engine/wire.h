/* Lua values as bytes, between a worker and its confined children: the same values within the same
 * limits as pl_copy lets cross. Both ends are the same program on the same machine, so numbers are
 * in its own order of bytes.
 *
 *     value   kind byte, then
 *     number  8 bytes              string  u32 length, the bytes
 *     table   u32 items of its sequence, u32 pairs, then key and value of each pair
 *
 * The reading end trusts nothing: a child whose plugin has taken over its memory may send any
 * bytes. */
#ifndef PL_ENGINE_WIRE_H
#define PL_ENGINE_WIRE_H

#include "base/buf.h"
#include "engine/copy.h"

/* What one value takes at most. */
#define PL_WIRE_VALUE_MAX(limits) ((limits).bytes + (size_t)(limits).nodes * 9)

/* Bytes that are being read. */
struct pl_wire {
    const char *at, *end;
};

/* Appends the value at `idx` of `from`. -1 with `err` when it may not cross; `out` and the stack
 * are then as before. Never raises. */
int pl_wire_put(struct pl_buf *out, lua_State *from, int idx, const struct pl_copy_limits *limits,
                struct pl_err *err);

/* Takes one value off `in` and pushes it on `to`. -1 with `err`: "invalid" or "too_large" when the
 * bytes are no value within the limits, "memory_limit" when `to` is at its cap; the stack is then
 * as before. Never raises. */
int pl_wire_get(struct pl_wire *in, lua_State *to, const struct pl_copy_limits *limits,
                struct pl_err *err);

/* Takes `n` bytes; NULL when there are fewer. */
const char *pl_wire_take(struct pl_wire *in, size_t n);

#endif
