/* What host.sqlite and host.postgres share: the object that `open` gives to Lua. */
#ifndef PL_BIND_SQL_H
#define PL_BIND_SQL_H

#include "drivers/sql.h"

#include <lua.h>

/* Pushes a handle with the methods of a database and returns where its database goes; NULL is a
 * closed one. Throws when memory runs out, so the database is opened after it. */
struct pl_sql **pl_bind_sql_handle(lua_State *L);

/* The database at `idx`; throws when it is closed, or no database. */
struct pl_sql *pl_bind_sql_check(lua_State *L, int idx);

#endif
