/* host.pattern: patterns that others wrote, on texts that others wrote, in bounded time. The core
 * cannot be preempted, and string.find goes on until it is done. */
#include "engine/pattern.h"
#include "bind/bind.h"
#include "engine/sandbox.h"
#include "engine/task.h"

#include <lauxlib.h>

#define STEPS 200000 /* about a millisecond */

/* Prepares a search in `text` for the pattern at index `arg`. */
static void prepare(lua_State *L, struct pl_pattern *m, const char *text, size_t len, int arg)
{
    size_t pattern_len;
    const char *pattern = luaL_checklstring(L, arg, &pattern_len);
    luaL_argcheck(L, pattern_len <= PL_SOURCE_MAX, arg, "pattern too long");
    pl_search_init(&m->search, text, len, pattern, pattern_len, true);
    pl_pattern_from(m, m->search.subject);
}

/* fits(text, pattern) -> whether string.find finds it | nil, err: that takes too long */
static int pattern_fits(lua_State *L)
{
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    PL_UNINITIALIZED struct pl_pattern m;
    prepare(L, &m, text, len, 2);
    enum pl_pattern_result result = pl_pattern_run(&m, STEPS);
    if (result == PL_PATTERN_ERROR)
        return luaL_error(L, "%s", m.error);
    if (result == PL_PATTERN_MORE) {
        struct pl_err err;
        pl_fail(&err, PL_E_TOO_LARGE, false, "pattern.fits",
                "it takes more than %d steps to say whether the text fits the pattern", STEPS);
        return pl_lua_push_fail(L, &err);
    }
    lua_pushboolean(L, result == PL_PATTERN_FOUND);
    return 1;
}

/* problem(pattern) -> what is wrong with it anywhere | nil */
static int pattern_problem(lua_State *L)
{
    PL_UNINITIALIZED struct pl_pattern m;
    prepare(L, &m, "", 0, 1);
    const char *problem = pl_pattern_check(&m.search);
    if (problem == NULL)
        return 0;
    lua_pushstring(L, problem);
    return 1;
}

int pl_bind_pattern(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"fits", pattern_fits},
        {"problem", pattern_problem},
        {NULL, NULL},
    };
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    return 1;
}
