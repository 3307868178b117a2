#include "engine/lib.h"

#include "engine/long_call.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Steps between two looks at the clock: 20 to 100 microseconds. A search that needs more has its
 * pattern checked as a whole, because what goes on in a later slice must not fail there. */
#define STEPS 20000

/* Bytes that a plain search looks at between two looks at the clock. */
#define PLAIN_BYTES (256 * 1024)

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

void pl_lib_check(lua_State *L, struct pl_pattern *m, int level)
{
    if (m->checked)
        return;
    m->checked = true;
    const char *error = pl_pattern_check(m);
    if (error != NULL)
        pl_lib_error(L, level, "%s", error);
}

enum pl_pattern_result pl_lib_search(lua_State *L, struct pl_pattern *m, int level)
{
    for (;;) {
        enum pl_pattern_result result = pl_pattern_run(m, STEPS);
        if (result == PL_PATTERN_ERROR)
            pl_lib_error(L, level, "%s", m->error);
        if (result != PL_PATTERN_MORE)
            return result;
        pl_lib_check(L, m, level);
        if (pl_long_call_due(L))
            return PL_PATTERN_MORE;
    }
}

static void push_text(lua_State *L, const unsigned char *from, const unsigned char *to)
{
    lua_pushlstring(L, (const char *)from, (size_t)(to - from));
}

void pl_lib_push_capture(lua_State *L, const struct pl_pattern *m, int i, int level)
{
    if (i >= m->captures) {
        if (i != 0)
            pl_lib_error(L, level, "invalid capture index");
        push_text(L, m->start, m->end);
        return;
    }
    const struct pl_capture *c = &m->capture[i];
    if (c->len == PL_CAPTURE_POSITION)
        lua_pushinteger(L, c->start - m->subject + 1);
    else if (c->len == PL_CAPTURE_OPEN)
        pl_lib_error(L, level, "unfinished capture");
    else
        push_text(L, c->start, c->start + c->len);
}

int pl_lib_push_captures(lua_State *L, const struct pl_pattern *m, bool whole, int level)
{
    int n = whole && m->captures == 0 ? 1 : m->captures;
    luaL_checkstack(L, n, "too many captures");
    for (int i = 0; i < n; i++)
        pl_lib_push_capture(L, m, i, level);
    return n;
}

static int push_bounds(lua_State *L, const unsigned char *subject, const unsigned char *start,
                       const unsigned char *end)
{
    lua_pushinteger(L, start - subject + 1);
    lua_pushinteger(L, end - subject);
    return 2;
}

/* --- find and match ------------------------------------------------------------------------------
 */

/* The subject of a call and where it starts in it, clamped as LuaJIT does. */
static const unsigned char *check_subject(lua_State *L, size_t *len, size_t *init)
{
    const char *s = luaL_checklstring(L, 1, len);
    luaL_checkstring(L, 2);
    int64_t from = pl_lib_opt_int(L, 3, 1);
    from = from < 0 ? from + (int64_t)*len : from - 1;
    *init = from < 0 ? 0 : (size_t)from > *len ? *len : (size_t)from;
    return (const unsigned char *)s;
}

static int go_on_finding(lua_State *L, void *work)
{
    struct pl_pattern *m = work;
    switch (pl_lib_search(L, m, 1)) {
    case PL_PATTERN_MORE:
        return PL_LONG_CALL_MORE;
    case PL_PATTERN_FOUND:
        return push_bounds(L, m->subject, m->start, m->end) + pl_lib_push_captures(L, m, false, 1);
    default:
        lua_pushnil(L);
        return 1;
    }
}

static int go_on_matching(lua_State *L, void *work)
{
    struct pl_pattern *m = work;
    switch (pl_lib_search(L, m, 1)) {
    case PL_PATTERN_MORE:
        return PL_LONG_CALL_MORE;
    case PL_PATTERN_FOUND:
        return pl_lib_push_captures(L, m, true, 1);
    default:
        lua_pushnil(L);
        return 1;
    }
}

struct plain {
    const unsigned char *subject, *at, *end, *wanted;
    size_t len;
};

/* In windows, each of which ends with the beginning of the next one. */
static int go_on_plain(lua_State *L, void *work)
{
    struct plain *w = work;
    size_t window = w->len > PLAIN_BYTES ? w->len : PLAIN_BYTES;
    while ((size_t)(w->end - w->at) >= w->len) {
        size_t left = (size_t)(w->end - w->at);
        size_t look = left > window + w->len ? window + w->len : left;
        const unsigned char *found = memmem(w->at, look, w->wanted, w->len);
        if (found != NULL)
            return push_bounds(L, w->subject, found, found + w->len);
        w->at += look - w->len + 1;
        if (pl_long_call_due(L))
            return PL_LONG_CALL_MORE;
    }
    lua_pushnil(L);
    return 1;
}

/* find(s, pattern [, init [, plain]]) */
static int lib_find(lua_State *L)
{
    size_t len, init, wanted_len;
    const unsigned char *s = check_subject(L, &len, &init);
    const char *pattern = lua_tolstring(L, 2, &wanted_len);
    if (lua_toboolean(L, 4) || pl_pattern_is_plain(pattern, wanted_len)) {
        struct plain w = {s, s + init, s + len, (const unsigned char *)pattern, wanted_len};
        return pl_long_call(L, go_on_plain, &w, sizeof w);
    }
    PL_UNINITIALIZED struct pl_pattern m;
    pl_pattern_init(&m, (const char *)s, len, pattern, wanted_len, true);
    pl_pattern_from(&m, s + init);
    return pl_long_call(L, go_on_finding, &m, sizeof m);
}

/* match(s, pattern [, init]) */
static int lib_match(lua_State *L)
{
    size_t len, init, pattern_len;
    const unsigned char *s = check_subject(L, &len, &init);
    const char *pattern = lua_tolstring(L, 2, &pattern_len);
    PL_UNINITIALIZED struct pl_pattern m;
    pl_pattern_init(&m, (const char *)s, len, pattern, pattern_len, true);
    pl_pattern_from(&m, s + init);
    return pl_long_call(L, go_on_matching, &m, sizeof m);
}

/* --- gmatch --------------------------------------------------------------------------------------
 */

struct iterator {
    size_t at; /* offset in the subject; past its end: no more */
};

struct next {
    struct pl_pattern m;
    struct iterator *it; /* anchored at index 3 */
};

static int go_on_iterating(lua_State *L, void *work)
{
    struct next *w = work;
    switch (pl_lib_search(L, &w->m, 1)) {
    case PL_PATTERN_MORE:
        return PL_LONG_CALL_MORE;
    case PL_PATTERN_FOUND:
        w->it->at = (size_t)(w->m.end - w->m.subject) + (w->m.end == w->m.start);
        return pl_lib_push_captures(L, &w->m, true, 1);
    default:
        return 0;
    }
}

/* Upvalues: subject, pattern, struct iterator. */
static int iterate(lua_State *L)
{
    lua_settop(L, 0);
    for (int i = 1; i <= 3; i++)
        lua_pushvalue(L, lua_upvalueindex(i));
    size_t len, pattern_len;
    const char *s = lua_tolstring(L, 1, &len), *pattern = lua_tolstring(L, 2, &pattern_len);
    PL_UNINITIALIZED struct next w;
    w.it = lua_touserdata(L, 3);
    if (w.it->at > len)
        return 0;
    pl_pattern_init(&w.m, s, len, pattern, pattern_len, false);
    pl_pattern_from(&w.m, w.m.subject + w.it->at);
    return pl_long_call(L, go_on_iterating, &w, sizeof w);
}

/* gmatch(s, pattern) -> iterator */
static int lib_gmatch(lua_State *L)
{
    luaL_checkstring(L, 1);
    luaL_checkstring(L, 2);
    lua_settop(L, 2);
    struct iterator *it = lua_newuserdata(L, sizeof *it);
    it->at = 0;
    lua_pushcclosure(L, iterate, 3);
    return 1;
}

/* --- format --------------------------------------------------------------------------------------
 */

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
    for (int i = 2; i <= args && all; i++)
        all = lua_isstring(L, i);
    lua_pushboolean(L, all);
    return 1;
}

const luaL_Reg pl_lib_find[] = {
    {"find", lib_find},     {"match", lib_match},
    {"gmatch", lib_gmatch}, {"prints_all", lib_prints_all},
    {NULL, NULL},
};
