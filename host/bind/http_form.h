/* The field `multipart` of a request: the parts of a form. */
#ifndef PL_BIND_HTTP_FORM_H
#define PL_BIND_HTTP_FORM_H

#include "drivers/http_client.h"

#include <lua.h>

/* Adds the parts that the options at `idx` name to a fetch that has not started; without the field
 * nothing happens. -1 with `err` when a part cannot be sent. Raises when the field is no list of
 * parts; the stack has what it had. */
int pl_lua_add_parts(lua_State *L, int idx, struct pl_fetch *fetch, struct pl_err *err);

#endif
