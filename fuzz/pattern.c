/* Patterns: the input is a pattern and a subject. Searching in steps of any size finds the same as
 * in one go; the bounds of matches and captures lie in the subject, an error that a run meets is
 * found by the check of the whole pattern, and what is found is what LuaJIT finds. */
#include "engine/pattern.h"
#include "base/clock.h"
#include "check.h"

#include <lauxlib.h>
#include <lualib.h>
#include <string.h>

#define STEPS_MAX 20000 /* a search that needs more is given up, and not compared */

static lua_State *L;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    L = luaL_newstate();
    CHECK(L != NULL);
    luaL_openlibs(L);
    lua_getglobal(L, "jit");
    lua_getfield(L, -1, "off");
    lua_call(L, 0, 0);
    lua_settop(L, 0);
    lua_getglobal(L, "string");
    lua_getfield(L, 1, "find");
    lua_replace(L, 1); /* stays there */
    return 0;
}

static void check_bounds(const struct pl_pattern *m)
{
    const unsigned char *from = m->search.subject, *to = m->search.subject_end;
    CHECK(from <= m->start && m->start <= m->end && m->end <= to);
    CHECK(m->captures >= 0 && m->captures <= PL_PATTERN_CAPTURES);
    CHECK(m->depth >= 0 && m->depth <= PL_PATTERN_DEPTH);
    for (int i = 0; i < m->captures; i++) {
        const struct pl_capture *c = &m->capture[i];
        CHECK(m->start <= c->start && c->start <= m->end);
        CHECK(c->len >= PL_CAPTURE_POSITION && c->len <= m->end - c->start);
    }
}

/* Runs a search in steps of `step`; MORE when it takes more than STEPS_MAX. */
static enum pl_pattern_result run(struct pl_pattern *m, int64_t step, const struct pl_pattern *from)
{
    memcpy(m, from, sizeof *m);
    enum pl_pattern_result result = PL_PATTERN_MORE;
    for (int64_t spent = 0; result == PL_PATTERN_MORE && spent < STEPS_MAX; spent += step) {
        struct pl_pattern moved;
        memcpy(&moved, m, sizeof moved);
        result = pl_pattern_run(&moved, step);
        memcpy(m, &moved, sizeof moved);
    }
    return result;
}

static bool has_open_capture(const struct pl_pattern *m)
{
    for (int i = 0; i < m->captures; i++)
        if (m->capture[i].len == PL_CAPTURE_OPEN)
            return true;
    return false;
}

static void compare_captures(const struct pl_pattern *m)
{
    for (int i = 0; i < m->captures; i++) {
        const struct pl_capture *c = &m->capture[i];
        if (c->len == PL_CAPTURE_POSITION) {
            CHECK(lua_tointeger(L, 4 + i) == c->start - m->search.subject + 1);
            continue;
        }
        size_t len;
        const char *text = lua_tolstring(L, 4 + i, &len);
        CHECK(text != NULL && (ptrdiff_t)len == c->len && memcmp(text, c->start, len) == 0);
    }
}

/* LuaJIT's find with the same strings, which are at 2 and 3. */
static void compare(const struct pl_pattern *m, enum pl_pattern_result result)
{
    lua_pushvalue(L, 1);
    lua_insert(L, 2);
    bool ok = lua_pcall(L, 2, LUA_MULTRET, 0) == 0;
    if (result == PL_PATTERN_ERROR) {
        CHECK(!ok && strcmp(lua_tostring(L, 2), m->error) == 0);
    } else if (result == PL_PATTERN_NONE) {
        CHECK(ok && lua_isnil(L, 2));
    } else if (has_open_capture(m)) {
        CHECK(!ok && strcmp(lua_tostring(L, 2), "unfinished capture") == 0);
    } else {
        CHECK(ok && lua_gettop(L) == 3 + m->captures);
        CHECK(lua_tointeger(L, 2) == m->start - m->search.subject + 1);
        CHECK(lua_tointeger(L, 3) == m->end - m->search.subject);
        compare_captures(m);
    }
}

/* size, pattern, subject */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t pattern_len = data[0] < size - 2 ? data[0] : size - 2;
    int64_t step = 1 + data[1] * 3;
    lua_settop(L, 1);
    lua_pushlstring(L, (const char *)data + 2 + pattern_len, size - 2 - pattern_len);
    lua_pushlstring(L, (const char *)data + 2, pattern_len);
    size_t len;
    const char *subject = lua_tolstring(L, 2, &len), *pattern = lua_tolstring(L, 3, NULL);

    struct pl_pattern from, m, whole;
    memset(&from, 0, sizeof from);
    pl_search_init(&from.search, subject, len, pattern, pattern_len, true);
    pl_pattern_from(&from, from.search.subject);
    enum pl_pattern_result result = run(&m, step, &from);
    if (result == PL_PATTERN_MORE)
        return 0;
    if (result == PL_PATTERN_FOUND)
        check_bounds(&m);
    if (result == PL_PATTERN_ERROR)
        CHECK(pl_pattern_check(&m.search) != NULL);
    CHECK(pl_pattern_run(memcpy(&whole, &from, sizeof whole), INT64_MAX) == result);
    CHECK(result != PL_PATTERN_FOUND || (whole.start == m.start && whole.end == m.end));
    if (!pl_pattern_is_plain(pattern, pattern_len)) /* it finds zero bytes too, then */
        compare(&m, result);
    return 0;
}

/* See host/main.c. */
const char *__lsan_default_suppressions(void)
{
    return "leak:libluajit\n";
}
