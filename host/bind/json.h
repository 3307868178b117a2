/* JSON for bindings that meet it outside of a call from Lua, where nothing may raise. `L` is any
 * coroutine of the core state; the work is done on the state's main thread, under protection. */
#ifndef PL_BIND_JSON_H
#define PL_BIND_JSON_H

#include <lua.h>
#include <stddef.h>

/* Pushes the value of `text`; returns 1. Invalid text: nil and an error table; returns 2. */
int pl_bind_json_decode(lua_State *L, const char *text, size_t len);

/* Replaces the value on top by its JSON text; returns 1. What JSON cannot say: nil and an error
 * table instead; returns 2. */
int pl_bind_json_encode(lua_State *L);

#endif
