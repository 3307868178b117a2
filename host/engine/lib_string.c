#include "engine/lib.h"
#include "engine/state.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int pl_lib_opt_int(lua_State *L, int arg, int otherwise)
{
    if (lua_isnoneornil(L, arg))
        return otherwise;
    double n = luaL_checknumber(L, arg);
    return n > (double)INT_MIN - 1 && n < (double)INT_MAX + 1 ? (int)n : INT_MIN;
}

int pl_lib_error(lua_State *L, int level, const char *format, ...)
{
    char text[128];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    luaL_where(L, level);
    lua_pushstring(L, text);
    lua_concat(L, 2);
    return lua_error(L);
}

/* --- rep -----------------------------------------------------------------------------------------
 */

/* More than any state may have. */
#define TOO_MUCH ((size_t)1 << 30)

/* For the string's header, and what else LuaJIT makes room for on its way. */
#define SLACK (64 * 1024)

/* LuaJIT copies byte by byte, 4 MB in 7 ms. */
#define STOCK_BYTES (64 * 1024)

/* The result is put together in memory of the state that goes back at once: a userdata would be
 * garbage as large as the result, which a state near its cap has no place for. Nothing may raise
 * before that memory is back: what does not fit is asked of LuaJIT, which raises. */
static int push_repeated(lua_State *L, const char *s, size_t len, const char *separator,
                         size_t separator_len, size_t total)
{
    struct pl_state *state = pl_state_of(L);
    if (total > TOO_MUCH || state->mem_used + 2 * total + SLACK > state->mem_limit)
        lua_newuserdata(L, TOO_MUCH);
    char *out = state->heap(state->heap_ud, NULL, 0, total);
    if (out == NULL)
        return luaL_error(L, "not enough memory");
    memcpy(out, s, len);
    memcpy(out + len, separator, separator_len);
    size_t filled = len + separator_len;
    while (filled < total) {
        size_t n = filled < total - filled ? filled : total - filled;
        memcpy(out + filled, out, n);
        filled += n;
    }
    lua_pushlstring(L, out, total);
    state->heap(state->heap_ud, out, total, 0);
    return 1;
}

/* rep(s, n [, separator]). Beyond its longest string LuaJIT raises an error that can be caught,
 * without asking for memory: here that is too much memory, as everywhere. Upvalue: the stock
 * function. */
static int lib_rep(lua_State *L)
{
    size_t len, separator_len = 0;
    const char *s = luaL_checklstring(L, 1, &len), *separator = "";
    int n = pl_lib_opt_int(L, 2, 0);
    if (!lua_isnoneornil(L, 3))
        separator = luaL_checklstring(L, 3, &separator_len);
    if (n < 2 || (double)n * (double)(len + separator_len) < STOCK_BYTES)
        return lua_tocfunction(L, lua_upvalueindex(1))(L);
    size_t total = (size_t)n * (len + separator_len) - separator_len; /* below 2^63 */
    return push_repeated(L, s, len, separator, separator_len, total);
}

/* rep_within(stock) -> rep */
static int lib_rep_within(lua_State *L)
{
    luaL_argcheck(L, lua_iscfunction(L, 1), 1, "C function expected");
    lua_settop(L, 1);
    lua_pushcclosure(L, lib_rep, 1);
    return 1;
}

/* --- format --------------------------------------------------------------------------------------
 */

/* LuaJIT takes a microsecond for a number with 99 digits. */
#define VALUES_MAX 1000

/* Whether a format has %p, with whatever flags: it prints an address. */
static bool has_pointer(const char *p, const char *end)
{
    while ((p = memchr(p, '%', (size_t)(end - p))) != NULL) {
        p += 1 + strspn(p + 1, "-+ #0123456789.");
        if (*p == 'p')
            return true;
        if (p < end)
            p++;
    }
    return false;
}

/* prints_all(format, ...): whether all the values are strings and numbers, which format prints as
 * they are. */
static int lib_prints_all(lua_State *L)
{
    int args = lua_gettop(L);
    bool all = true;
    if (lua_type(L, 1) == LUA_TSTRING) {
        size_t len;
        const char *format = lua_tolstring(L, 1, &len);
        if (has_pointer(format, format + len))
            return pl_lib_error(L, 2, "bad argument #1 to 'format' (%%p is not available)");
    }
    if (args > VALUES_MAX + 1)
        return pl_lib_error(L, 2, "bad argument #%d to 'format' (at most %d values)",
                            VALUES_MAX + 2, VALUES_MAX);
    for (int i = 2; i <= args && all; i++)
        all = lua_isstring(L, i);
    lua_pushboolean(L, all);
    return 1;
}

const luaL_Reg pl_lib_string[] = {
    {"rep_within", lib_rep_within},
    {"prints_all", lib_prints_all},
    {NULL, NULL},
};
