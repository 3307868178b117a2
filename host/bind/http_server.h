/* host.http_server's servers, for what works on them. */
#ifndef PL_BIND_HTTP_SERVER_H
#define PL_BIND_HTTP_SERVER_H

#include "drivers/http_server.h"

#include <lua.h>

/* The server at `idx`, which keeps it. Raises an argument error when it is something else, or
 * closed. */
struct pl_http_server *pl_lua_check_http_server(lua_State *L, int idx);

/* Reads the limits of a server out of the table at `idx`, over those that `config` has. */
void pl_lua_read_http_config(lua_State *L, int idx, struct pl_http_config *config);

/* Pushes a table of statistics. */
void pl_lua_push_http_stats(lua_State *L, const struct pl_http_stats *s);

#endif
