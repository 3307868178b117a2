/* Values that cross between two Lua states: copied directly, never through text.
 *
 * What may cross: nil, booleans, numbers, strings, tables of these whose keys are strings or
 * numbers, the JSON null and the mark of a JSON array. Functions, userdata, threads and tables with
 * other metatables may not: a path like `$.buttons[2].data` says where one was. Only raw access is
 * used, so no code of either state runs. */
#ifndef PL_ENGINE_COPY_H
#define PL_ENGINE_COPY_H

#include "base/err.h"

#include <lua.h>
#include <stddef.h>
#include <stdint.h>

struct pl_copy_limits {
    int depth;      /* of nested tables; a cycle ends here */
    uint32_t nodes; /* values in all */
    size_t bytes;   /* of strings in all */
};

#define PL_COPY_LIMITS_DEFAULT                                                                     \
    {                                                                                              \
        .depth = 32, .nodes = 65536, .bytes = 1 << 20                                              \
    }

/* Pushes a copy of the value at `idx` of `from` on `to`. Never raises: when `to` runs out of
 * memory, or the value may not cross, returns -1 with `err` and leaves both stacks as they were.
 * `to` and `from` are different coroutines, of one global state or of two. */
int pl_copy(lua_State *to, lua_State *from, int idx, const struct pl_copy_limits *limits,
            struct pl_err *err);

#endif
