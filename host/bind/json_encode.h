/* host.json's way from Lua values to JSON. */
#ifndef PL_BIND_JSON_ENCODE_H
#define PL_BIND_JSON_ENCODE_H

#include <lua.h>

/* encode(value[, {sorted=, indent=, repair=}]) -> text | nil, err. repair: what is no UTF-8 becomes
 * '?', instead of an error */
int pl_json_encode(lua_State *L);

/* shape(names[, texts]) -> function(value...) -> text | nil, err. Writes an object whose members
 * are known: their names, in this order, with the values that it is given; one that is nil is left
 * out. Members whose names are in the list `texts`, too, get JSON, which goes in as it is. It makes
 * no table, and looks at no keys. The names are a constant of the program: plain ASCII, and the
 * table is not changed. */
int pl_json_shape(lua_State *L);

#endif
