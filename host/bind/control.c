/* host.control: asks a running host through its control socket. */
#include "loop/control.h"
#include "bind/bind.h"
#include "bind/json.h"
#include "engine/task.h"

#include <lauxlib.h>

static int push_reply(lua_State *L, struct pl_op *op)
{
    if (op->err.code != NULL)
        return pl_lua_push_fail(L, &op->err);
    const struct pl_buf *reply = pl_control_reply(op);
    return pl_bind_json_decode(L, reply->data, reply->len);
}

/* request(path, {cmd=, ...}[, seconds]) -> reply | nil, err. The reply is {ok=true, result=} or
 * {ok=false, error=}, as the host gave it. */
static int control_request(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    double ms = luaL_optnumber(L, 3, 10) * 1000;
    luaL_argcheck(L, ms > 0 && ms < 1e9, 3, "seconds expected, more than 0");
    lua_pushvalue(L, 2);
    if (pl_bind_json_encode(L) != 1)
        return 2;
    size_t len;
    const char *json = lua_tolstring(L, -1, &len);
    struct pl_task *task = pl_task_current();
    struct pl_err err;
    struct pl_op *op = pl_control_request(pl_task_loop(task), pl_task_owner(task), path, json, len,
                                          pl_task_deadline(task, ms), &err);
    if (op == NULL)
        return pl_lua_push_fail(L, &err);
    return pl_task_wait(L, op, push_reply);
}

int pl_bind_control(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"request", control_request},
        {NULL, NULL},
    };
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    return 1;
}
