/* host.stdin: lines from the standard input, without blocking the loop. */
#include "bind/bind.h"
#include "drivers/input.h"
#include "engine/engine.h"

#include <lauxlib.h>

#define INPUT "host.stdin.input"

struct handle {
    struct pl_input *input;
};

static int input_gc(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, INPUT ".class");
    if (h->input != NULL)
        pl_input_close(h->input);
    h->input = NULL;
    return 0;
}

static int push_line(lua_State *L, struct pl_op *op)
{
    if (op->err.code != NULL)
        return pl_lua_push_fail(L, &op->err);
    size_t len;
    const char *line = pl_reader_take(op, &len);
    lua_pushlstring(L, line, len);
    return 1;
}

/* read_line([timeout_s]) -> line | nil, err. Without its end. "closed" at the end of the input,
 * "too_large" for a line of more than 1 MiB, which cannot be read then. */
static int stdin_read_line(lua_State *L)
{
    double timeout = luaL_optnumber(L, 1, 0);
    struct pl_err err;
    lua_getfield(L, LUA_REGISTRYINDEX, INPUT);
    struct handle *h = lua_touserdata(L, -1);
    if (h->input == NULL)
        h->input = pl_input_new(pl_state_of(L)->engine->loop, 0, &err);
    if (h->input == NULL)
        return pl_lua_push_fail(L, &err);
    struct pl_task *task = pl_task_current();
    struct pl_op *op = pl_reader_wait(pl_input_reader(h->input), PL_WANT_LINE, 0,
                                      pl_task_owner(task), pl_task_deadline(task, timeout * 1000));
    if (op == NULL)
        return luaL_error(L, "another task is reading the standard input");
    return pl_task_wait(L, op, push_line);
}

int pl_bind_stdin(lua_State *L)
{
    static const luaL_Reg none[] = {{NULL, NULL}};
    static const luaL_Reg functions[] = {{"read_line", stdin_read_line}, {NULL, NULL}};
    pl_bind_class(L, INPUT ".class", none, input_gc);
    struct handle *h = lua_newuserdata(L, sizeof *h);
    h->input = NULL;
    luaL_getmetatable(L, INPUT ".class");
    lua_setmetatable(L, -2);
    lua_setfield(L, LUA_REGISTRYINDEX, INPUT);
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    return 1;
}
