/* Bindings: the only place where drivers meet Lua. One small file per family of functions.
 *
 * A family is `int pl_bind_<name>(lua_State *L)`, a plain lua_CFunction that leaves its module
 * table on the stack; core Lua gets it by `require "host.<name>"`. A new family is a new file and
 * one line in PL_BIND_MODULES. */
#ifndef PL_BIND_BIND_H
#define PL_BIND_BIND_H

#include <lauxlib.h>
#include <lua.h>

#define PL_BIND_MODULES(X)                                                                         \
    X(blob)                                                                                        \
    X(control)                                                                                     \
    X(crypto)                                                                                      \
    X(engine)                                                                                      \
    X(folder)                                                                                      \
    X(fs)                                                                                          \
    X(http_client)                                                                                 \
    X(http_server)                                                                                 \
    X(intake)                                                                                      \
    X(isolate)                                                                                     \
    X(json)                                                                                        \
    X(log)                                                                                         \
    X(pattern)                                                                                     \
    X(postgres)                                                                                    \
    X(process)                                                                                     \
    X(redis)                                                                                       \
    X(resolve)                                                                                     \
    X(sandbox)                                                                                     \
    X(shelf)                                                                                       \
    X(sqlite)                                                                                      \
    X(stdin)                                                                                       \
    X(task)                                                                                        \
    X(tcp)                                                                                         \
    X(time)                                                                                        \
    X(tls)                                                                                         \
    X(watch)                                                                                       \
    X(worker)

#define PL_BIND_DECLARE(name) int pl_bind_##name(lua_State *L);
PL_BIND_MODULES(PL_BIND_DECLARE)
#undef PL_BIND_DECLARE

/* Makes every family available to `require` in the core state. */
void pl_bind_all(lua_State *L);

/* Registers the metatable `name` with methods and a finaliser, which must tolerate a half-built
 * object. Leaves nothing on the stack. */
void pl_bind_class(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction gc);

#endif
