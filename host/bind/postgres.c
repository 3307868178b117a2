/* host.postgres: opening a database on a server. */
#include "drivers/postgres.h"
#include "bind/bind.h"
#include "bind/sql.h"
#include "engine/engine.h"

#include <lauxlib.h>

/* open{url=, writers=, readers=, queue_max=, group_max=, stall_ms=, unsafe=} -> db. It connects in
 * the background, and again whenever it has to: see host.postgres.wait. */
static int postgres_open(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    struct pl_postgres_config config = PL_POSTGRES_CONFIG_DEFAULT;
    config.url = pl_lua_opt_string(L, 1, "url", NULL);
    luaL_argcheck(L, config.url != NULL, 1, "option 'url' is missing");
    config.writers = (int)pl_lua_opt_number(L, 1, "writers", config.writers);
    config.readers = (int)pl_lua_opt_number(L, 1, "readers", config.readers);
    config.queue_max = (uint32_t)pl_lua_opt_number(L, 1, "queue_max", config.queue_max);
    config.group_max = (uint32_t)pl_lua_opt_number(L, 1, "group_max", config.group_max);
    config.stall_ms = (uint32_t)pl_lua_opt_number(L, 1, "stall_ms", config.stall_ms);
    config.unsafe_allowed = pl_lua_opt_boolean(L, 1, "unsafe", false);
    luaL_argcheck(L, config.writers >= 1 && config.writers <= 16, 1, "option 'writers': 1 to 16");
    luaL_argcheck(L, config.readers >= 1 && config.readers <= 16, 1, "option 'readers': 1 to 16");
    struct pl_sql **db = pl_bind_sql_handle(L);
    *db = pl_postgres_open(pl_state_of(L)->engine->loop, &config);
    return 1;
}

static int push_up(lua_State *L, struct pl_op *op)
{
    if (op->err.code != NULL)
        return pl_lua_push_fail(L, &op->err);
    lua_pushboolean(L, 1);
    return 1;
}

/* wait(db) -> true | nil, err: until it is connected, or the first attempt has failed. */
static int postgres_wait(lua_State *L)
{
    struct pl_sql *db = pl_bind_sql_check(L, 1);
    struct pl_task *task = pl_task_current();
    struct pl_op *op = pl_postgres_wait(db, pl_task_owner(task), pl_task_deadline(task, 10000));
    return pl_task_wait(L, op, push_up);
}

int pl_bind_postgres(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"open", postgres_open},
        {"wait", postgres_wait},
        {NULL, NULL},
    };
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    return 1;
}
