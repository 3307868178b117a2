/* host.resolve: the addresses of a name. */
#include "drivers/resolve.h"
#include "bind/bind.h"
#include "engine/engine.h"

#include <lauxlib.h>
#include <string.h>

static int push_addresses(lua_State *L, struct pl_op *op)
{
    if (op->err.code != NULL)
        return pl_lua_push_fail(L, &op->err);
    size_t n;
    const struct pl_resolved *found = pl_resolve_addresses(op, &n);
    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        lua_createtable(L, 0, 2);
        lua_pushstring(L, found[i].text);
        lua_setfield(L, -2, "address");
        lua_pushstring(L, found[i].special);
        lua_setfield(L, -2, "special");
        lua_rawseti(L, -2, (int)i + 1);
    }
    return 1;
}

/* addresses(name[, timeout_s = 5]) -> {{address=, special=}, ...} | nil, err. `special` says what
 * kind of address it is when it is not on the public internet ("loopback", "private", ...). */
static int resolve_addresses(lua_State *L)
{
    size_t len;
    const char *name = luaL_checklstring(L, 1, &len);
    double ms = luaL_optnumber(L, 2, 5) * 1000;
    luaL_argcheck(L, len > 0 && len <= PL_RESOLVE_NAME && strlen(name) == len, 1,
                  "a name of 1 to 253 bytes expected");
    struct pl_task *task = pl_task_current();
    return pl_task_wait(
        L, pl_resolve(pl_task_loop(task), pl_task_owner(task), name, pl_task_deadline(task, ms)),
        push_addresses);
}

int pl_bind_resolve(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"addresses", resolve_addresses},
        {NULL, NULL},
    };
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    return 1;
}
