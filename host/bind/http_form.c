#include "bind/http_form.h"

#include "bind/bind.h"
#include "engine/engine.h"

#include <string.h>

/* A field without NUL, NULL when it is absent; it stays on the stack. */
static const char *text(lua_State *L, int part, const char *field)
{
    size_t len;
    const char *s = pl_lua_opt_string(L, part, field, &len);
    if (s != NULL && strlen(s) != len)
        luaL_error(L, "request: '%s' of a part has a NUL in it", field);
    return s;
}

static int add_part(lua_State *L, int at, struct pl_fetch *fetch, struct pl_err *err)
{
    if (!lua_istable(L, at))
        return luaL_error(L, "request: 'multipart' is a list of tables");
    struct pl_http_part part = {
        .name = text(L, at, "name"),
        .filename = text(L, at, "filename"),
        .content_type = text(L, at, "content_type"),
        .path = text(L, at, "file"),
    };
    part.data = pl_lua_opt_string(L, at, "data", &part.len);
    if (part.name == NULL || (part.data == NULL) == (part.path == NULL))
        return luaL_error(L, "request: a part has 'name', and 'data' or 'file'");
    return pl_fetch_part(fetch, &part, err);
}

int pl_lua_add_parts(lua_State *L, int idx, struct pl_fetch *fetch, struct pl_err *err)
{
    int top = lua_gettop(L), rc = 0;
    lua_getfield(L, idx, "multipart");
    int list = top + 1;
    if (!lua_isnil(L, list) && (!lua_istable(L, list) || lua_objlen(L, list) == 0))
        return luaL_error(L, "request: 'multipart' is a list of tables");
    size_t count = lua_istable(L, list) ? lua_objlen(L, list) : 0;
    for (size_t i = 1; i <= count && rc == 0; i++) {
        lua_rawgeti(L, list, (int)i);
        rc = add_part(L, list + 1, fetch, err);
        lua_settop(L, list);
    }
    lua_settop(L, top);
    return rc;
}
