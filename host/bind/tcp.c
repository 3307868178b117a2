/* host.tcp: a plain TCP client. */
#include "drivers/tcp.h"
#include "bind/bind.h"
#include "engine/engine.h"

#include <lauxlib.h>

#define CLIENT "host.tcp.client"

struct client {
    struct pl_tcp *tcp;
};

static struct pl_tcp *check_client(lua_State *L)
{
    struct client *c = luaL_checkudata(L, 1, CLIENT);
    if (c->tcp == NULL)
        luaL_error(L, "the connection is closed");
    return c->tcp;
}

static int push_true(lua_State *L, struct pl_op *op)
{
    if (op->err.code != NULL)
        return pl_lua_push_fail(L, &op->err);
    lua_pushboolean(L, 1);
    return 1;
}

static int push_connected(lua_State *L, struct pl_op *op)
{
    if (op->err.code != NULL)
        return pl_lua_push_fail(L, &op->err);
    lua_pushvalue(L, -1); /* the client, last on the stack of connect */
    return 1;
}

static int finish(lua_State *L, struct pl_op *op, const struct pl_err *err, pl_task_push push)
{
    return op != NULL ? pl_task_wait(L, op, push) : pl_lua_push_fail(L, err);
}

/* connect(host, port[, timeout_s]) -> client | nil, err */
static int tcp_connect(lua_State *L)
{
    const char *host = luaL_checkstring(L, 1);
    int port = (int)luaL_checkinteger(L, 2);
    double timeout = luaL_optnumber(L, 3, 5);
    lua_settop(L, 2);
    struct client *c = lua_newuserdata(L, sizeof *c);
    c->tcp = NULL;
    luaL_getmetatable(L, CLIENT);
    lua_setmetatable(L, -2);
    c->tcp = pl_tcp_new(pl_state_of(L)->engine->loop);
    struct pl_task *task = pl_task_current();
    struct pl_err err;
    return finish(L,
                  pl_tcp_connect(c->tcp, host, port, pl_task_owner(task),
                                 pl_task_deadline(task, timeout * 1000), &err),
                  &err, push_connected);
}

/* client:write(data[, timeout_s]) -> true | nil, err */
static int client_write(lua_State *L)
{
    size_t len;
    struct pl_tcp *tcp = check_client(L);
    const char *data = luaL_checklstring(L, 2, &len);
    struct pl_task *task = pl_task_current();
    struct pl_err err;
    return finish(L,
                  pl_tcp_write(tcp, data, len, pl_task_owner(task),
                               pl_task_deadline(task, luaL_optnumber(L, 3, 5) * 1000), &err),
                  &err, push_true);
}

/* Pushes what was asked for; at the end or the deadline what there is, with the error. */
static int push_read(lua_State *L, struct pl_op *op)
{
    struct pl_tcp *tcp = pl_tcp_of(op);
    struct pl_buf *in = pl_tcp_input(tcp);
    size_t n = op->err.code == NULL ? pl_tcp_found(tcp) : in->len;
    lua_pushlstring(L, n > 0 ? in->data : "", n);
    pl_buf_consume(in, n);
    if (op->err.code == NULL)
        return 1;
    pl_lua_push_fail(L, &op->err);
    lua_remove(L, -2);
    return 2;
}

/* client:read(n | text | nil[, timeout_s]) -> data | data so far, err. A number: so many bytes; a
 * text: up to and with it; nil: until the peer closes. */
static int client_read(lua_State *L)
{
    struct pl_tcp *tcp = check_client(L);
    size_t most = lua_type(L, 2) == LUA_TNUMBER ? (size_t)lua_tonumber(L, 2) : 0;
    const char *until = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : NULL;
    struct pl_task *task = pl_task_current();
    struct pl_err err;
    struct pl_op *op = pl_tcp_read(tcp, most, until, pl_task_owner(task),
                                   pl_task_deadline(task, luaL_optnumber(L, 3, 5) * 1000), &err);
    return finish(L, op, &err, push_read);
}

static int client_close(lua_State *L)
{
    struct client *c = luaL_checkudata(L, 1, CLIENT);
    if (c->tcp != NULL)
        pl_tcp_close(c->tcp);
    c->tcp = NULL;
    return 0;
}

int pl_bind_tcp(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"write", client_write},
        {"read", client_read},
        {"close", client_close},
        {NULL, NULL},
    };
    static const luaL_Reg functions[] = {
        {"connect", tcp_connect},
        {NULL, NULL},
    };
    pl_bind_class(L, CLIENT, methods, client_close);
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    return 1;
}
