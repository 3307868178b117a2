/* host.tls: certificates for host.http_server. */
#include "bind/tls.h"
#include "bind/bind.h"
#include "engine/engine.h"

#include <lauxlib.h>

#define CONTEXT "host.tls.context"

#define LOAD_MS 10000 /* two small files; a disk that is away must not hold up a start */

struct context {
    struct pl_tls_context *tls;
};

struct pl_tls_context *pl_lua_check_tls(lua_State *L, int idx)
{
    return ((struct context *)luaL_checkudata(L, idx, CONTEXT))->tls;
}

static int context_gc(lua_State *L)
{
    struct context *c = luaL_checkudata(L, 1, CONTEXT);
    pl_tls_context_unref(c->tls);
    c->tls = NULL;
    return 0;
}

/* context:info() -> {subject=, names=, fingerprint=, not_before=, not_after=}: the last two in
 * seconds since 1970 */
static int context_info(lua_State *L)
{
    const struct pl_tls_info *info = &pl_lua_check_tls(L, 1)->info;
    lua_createtable(L, 0, 5);
    lua_pushstring(L, info->subject);
    lua_setfield(L, -2, "subject");
    lua_pushstring(L, info->names);
    lua_setfield(L, -2, "names");
    lua_pushstring(L, info->fingerprint);
    lua_setfield(L, -2, "fingerprint");
    lua_pushnumber(L, (double)info->not_before);
    lua_setfield(L, -2, "not_before");
    lua_pushnumber(L, (double)info->not_after);
    lua_setfield(L, -2, "not_after");
    return 1;
}

/* On the stack of the waiting call: options, context userdata. */
static int push_context(lua_State *L, struct pl_op *op)
{
    if (op->err.code != NULL)
        return pl_lua_push_fail(L, &op->err);
    struct context *c = lua_touserdata(L, 2);
    c->tls = pl_tls_context_take(op);
    lua_pushvalue(L, 2);
    return 1;
}

/* load{certificate=, key=} -> context | nil, err. Paths of files in PEM. Codes of err: certificate
 * (its message says what is wrong with which file), not_found, permission, too_large, io, timeout.
 */
static int tls_load(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    struct context *c = lua_newuserdata(L, sizeof *c);
    c->tls = NULL;
    luaL_getmetatable(L, CONTEXT);
    lua_setmetatable(L, 2);
    const char *certificate = pl_lua_opt_string(L, 1, "certificate", NULL);
    const char *key = pl_lua_opt_string(L, 1, "key", NULL);
    luaL_argcheck(L, certificate != NULL && key != NULL, 1, "'certificate' and 'key' are needed");
    struct pl_task *task = pl_task_current();
    return pl_task_wait(L,
                        pl_tls_context_start(pl_task_loop(task), pl_task_owner(task), certificate,
                                             key, pl_task_deadline(task, LOAD_MS)),
                        push_context);
}

int pl_bind_tls(lua_State *L)
{
    static const luaL_Reg methods[] = {{"info", context_info}, {NULL, NULL}};
    static const luaL_Reg functions[] = {{"load", tls_load}, {NULL, NULL}};
    pl_bind_class(L, CONTEXT, methods, context_gc);
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    return 1;
}
