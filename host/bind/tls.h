/* host.tls's contexts, for what listens with them. */
#ifndef PL_BIND_TLS_H
#define PL_BIND_TLS_H

#include "drivers/tls_context.h"

#include <lua.h>

/* The context at `idx`, which keeps it. Raises an argument error when it is something else. */
struct pl_tls_context *pl_lua_check_tls(lua_State *L, int idx);

#endif
