/* JSON straight into Lua values, for what reads it without a string of it. */
#ifndef PL_BIND_JSON_DECODE_H
#define PL_BIND_JSON_DECODE_H

#include "base/json.h"

#include <lua.h>

/* Pushes the value, or nothing and returns -1 with `err`. A raise out of memory would leave the
 * scratch buffer of the reader behind: the core state has no cap, so it is the process that ends.
 */
int pl_lua_push_json(lua_State *L, const char *text, size_t len,
                     const struct pl_json_limits *limits, struct pl_err *err);

#endif
