#include "engine/lib.h"

#include "engine/long_call.h"
#include "engine/sandbox.h"

#include <string.h>

/* Steps before the first look whether the slice is over, and from then on: 5 microseconds are a
 * thousand or less. A search that needs more than the first has its pattern checked as a whole,
 * because what goes on in a later slice must not fail there; most end before. */
#define FIRST_STEPS 20000
#define STEPS       5000

/* Bytes that a plain search compares between two such looks. */
#define PLAIN_BYTES (256 * 1024)

void pl_lib_check_texts(lua_State *L, struct pl_lib_texts *texts)
{
    texts->subject = luaL_checklstring(L, 1, &texts->subject_len);
    texts->pattern = luaL_checklstring(L, 2, &texts->pattern_len);
}

void pl_lib_search_init(lua_State *L, struct pl_search *search, const struct pl_lib_texts *texts,
                        bool anchors, int level)
{
    if (texts->pattern_len > PL_SOURCE_MAX)
        pl_lib_error(L, level, "pattern too long (%d bytes at most)", PL_SOURCE_MAX);
    pl_search_init(search, texts->subject, texts->subject_len, texts->pattern, texts->pattern_len,
                   anchors);
}

void pl_lib_check(lua_State *L, struct pl_pattern *m, int level)
{
    if (m->checked)
        return;
    m->checked = true;
    const char *error = pl_pattern_check(&m->search);
    if (error != NULL)
        pl_lib_error(L, level, "%s", error);
}

enum pl_pattern_result pl_lib_search(lua_State *L, struct pl_pattern *m, int level)
{
    for (;;) {
        enum pl_pattern_result result = pl_pattern_run(m, m->checked ? STEPS : FIRST_STEPS);
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
        lua_pushinteger(L, c->start - m->search.subject + 1);
    else if (c->len == PL_CAPTURE_OPEN)
        pl_lib_error(L, level, "unfinished capture");
    else
        push_text(L, c->start, c->start + c->len);
}

int pl_lib_push_captures(lua_State *L, const struct pl_pattern *m, bool whole, int level)
{
    int n = whole && m->captures == 0 ? 1 : m->captures;
    if (n > LUA_MINSTACK / 2) /* so many there are, at any call */
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

/* Takes the texts of a call, and the offset where it starts in the subject, clamped as LuaJIT does.
 */
static size_t check_start(lua_State *L, struct pl_lib_texts *texts)
{
    pl_lib_check_texts(L, texts);
    lua_settop(L, 4); /* what else there is would move along with a call that is suspended */
    int64_t len = (int64_t)texts->subject_len, init = pl_lib_opt_int(L, 3, 1);
    init = init < 0 ? init + len : init - 1;
    return (size_t)(init < 0 ? 0 : init > len ? len : init);
}

static int go_on_finding(lua_State *L, void *work)
{
    struct pl_pattern *m = work;
    switch (pl_lib_search(L, m, 1)) {
    case PL_PATTERN_MORE:
        return PL_LONG_CALL_MORE;
    case PL_PATTERN_FOUND:
        return push_bounds(L, m->search.subject, m->start, m->end) +
               pl_lib_push_captures(L, m, false, 1);
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

/* memmem is linear whatever it is given, but twice as slow as looking for the first byte where that
 * is rare: it comes after a few misses. */
static const unsigned char *find_plain(const unsigned char *at, const unsigned char *end,
                                       const unsigned char *wanted, size_t len)
{
    if (len == 0)
        return at;
    for (int misses = 0; misses < 8; misses++) {
        if ((size_t)(end - at) < len)
            return NULL;
        at = memchr(at, *wanted, (size_t)(end - at) - len + 1);
        if (at == NULL || memcmp(at, wanted, len) == 0)
            return at;
        at++;
    }
    return memmem(at, (size_t)(end - at), wanted, len);
}

/* In windows, each of which ends with the beginning of the next one. */
static int go_on_plain(lua_State *L, void *work)
{
    struct plain *w = work;
    size_t window = w->len > PLAIN_BYTES ? w->len : PLAIN_BYTES;
    while ((size_t)(w->end - w->at) >= w->len) {
        size_t left = (size_t)(w->end - w->at);
        size_t look = left > window + w->len ? window + w->len : left;
        const unsigned char *found = find_plain(w->at, w->at + look, w->wanted, w->len);
        if (found != NULL)
            return push_bounds(L, w->subject, found, found + w->len);
        w->at += look - w->len + 1;
        if (pl_long_call_due(L))
            return PL_LONG_CALL_MORE;
    }
    lua_pushnil(L);
    return 1;
}

static int find_text(lua_State *L, const struct pl_lib_texts *t, size_t init)
{
    const unsigned char *s = (const unsigned char *)t->subject;
    struct plain w = {s, s + init, s + t->subject_len, (const unsigned char *)t->pattern,
                      t->pattern_len};
    return pl_long_call(L, go_on_plain, &w, sizeof w);
}

static int find_pattern(lua_State *L, const struct pl_lib_texts *t, size_t init, pl_long_fn fn)
{
    PL_UNINITIALIZED struct pl_pattern m;
    pl_lib_search_init(L, &m.search, t, true, 1);
    pl_pattern_from(&m, m.search.subject + init);
    return pl_long_call(L, fn, &m, sizeof m);
}

/* find(s, pattern [, init [, plain]]) */
static int lib_find(lua_State *L)
{
    struct pl_lib_texts t;
    size_t init = check_start(L, &t);
    if (lua_toboolean(L, 4) || pl_pattern_is_plain(t.pattern, t.pattern_len))
        return find_text(L, &t, init);
    return find_pattern(L, &t, init, go_on_finding);
}

/* match(s, pattern [, init]) */
static int lib_match(lua_State *L)
{
    struct pl_lib_texts t;
    size_t init = check_start(L, &t);
    return find_pattern(L, &t, init, go_on_matching);
}

/* --- gmatch --------------------------------------------------------------------------------------
 */

struct iterator {
    struct pl_search search;
    size_t at; /* offset in the subject; past its end: no more */
};

struct next {
    struct pl_pattern m;
    struct iterator *it; /* anchored, as the two strings are, by the function that runs */
};

static int go_on_iterating(lua_State *L, void *work)
{
    struct next *w = work;
    switch (pl_lib_search(L, &w->m, 1)) {
    case PL_PATTERN_MORE:
        return PL_LONG_CALL_MORE;
    case PL_PATTERN_FOUND:
        w->it->at = (size_t)(w->m.end - w->m.search.subject) + (w->m.end == w->m.start);
        return pl_lib_push_captures(L, &w->m, true, 1);
    default:
        return 0;
    }
}

/* Upvalues: struct iterator, subject, pattern. */
static int iterate(lua_State *L)
{
    PL_UNINITIALIZED struct next w;
    w.it = lua_touserdata(L, lua_upvalueindex(1));
    lua_settop(L, 0);
    const unsigned char *from = w.it->search.subject + w.it->at;
    if (from > w.it->search.subject_end)
        return 0;
    w.m.search = w.it->search;
    pl_pattern_from(&w.m, from);
    return pl_long_call(L, go_on_iterating, &w, sizeof w);
}

/* gmatch(s, pattern) -> iterator */
static int lib_gmatch(lua_State *L)
{
    struct pl_lib_texts t;
    pl_lib_check_texts(L, &t);
    lua_settop(L, 2);
    struct iterator *it = lua_newuserdata(L, sizeof *it);
    pl_lib_search_init(L, &it->search, &t, false, 1);
    it->at = 0;
    lua_insert(L, 1);
    lua_pushcclosure(L, iterate, 3);
    return 1;
}

const luaL_Reg pl_lib_find[] = {
    {"find", lib_find},
    {"match", lib_match},
    {"gmatch", lib_gmatch},
    {NULL, NULL},
};
