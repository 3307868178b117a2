/* host.sqlite: opening a database in a file. */
#include "drivers/sqlite.h"
#include "bind/bind.h"
#include "bind/sql.h"
#include "engine/engine.h"

/* open{path=, readers=, queue_max=, group_max=, busy_ms=, create=, scratch=, pages_max=} -> db |
 * nil, err */
static int sqlite_open(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    struct pl_sqlite_config config = PL_SQLITE_CONFIG_DEFAULT;
    config.path = pl_lua_opt_string(L, 1, "path", NULL);
    luaL_argcheck(L, config.path != NULL, 1, "option 'path' is missing");
    config.readers = (int)pl_lua_opt_number(L, 1, "readers", config.readers);
    config.queue_max = (uint32_t)pl_lua_opt_number(L, 1, "queue_max", config.queue_max);
    config.group_max = (uint32_t)pl_lua_opt_number(L, 1, "group_max", config.group_max);
    config.busy_ms = (int)pl_lua_opt_number(L, 1, "busy_ms", config.busy_ms);
    config.create = pl_lua_opt_boolean(L, 1, "create", config.create);
    config.scratch = pl_lua_opt_boolean(L, 1, "scratch", config.scratch);
    config.pages_max = (uint32_t)pl_lua_opt_number(L, 1, "pages_max", 0);
    luaL_argcheck(L, config.readers >= 1 && config.readers <= 16, 1, "option 'readers': 1 to 16");
    struct pl_err err;
    struct pl_sql **db = pl_bind_sql_handle(L);
    *db = pl_sqlite_open(pl_state_of(L)->engine->loop, &config, &err);
    return *db != NULL ? 1 : pl_lua_push_fail(L, &err);
}

int pl_bind_sqlite(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"open", sqlite_open},
        {NULL, NULL},
    };
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    return 1;
}
