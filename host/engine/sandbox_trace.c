#include "engine/sandbox_trace.h"

#include "engine/task_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAMES 12
#define LEVELS 100 /* of one coroutine that are looked at */

/* One engine per process, and a trace is read before another call runs, or never. */
static struct {
    uint64_t task;
    const char *error; /* the text that was raised; equal ones of a state are one object */
    size_t len;
    int frames;
    char text[512];
} last;

/* LuaJIT has forgotten where a dead coroutine was; the text of the error begins with that place. */
static int line_in(const char *error, const char *source)
{
    size_t n = strlen(source);
    bool same = error != NULL && strncmp(error, source, n) == 0 && error[n] == ':';
    return same ? atoi(error + n + 1) : 0;
}

/* Chunks of a plugin are named after it and their file, "@shop/main.lua". */
static void add(const lua_Debug *ar)
{
    const char *slash = strchr(ar->source, '/');
    const char *file = slash != NULL ? slash + 1 : ar->source + 1;
    int line = ar->currentline > 0 ? ar->currentline : line_in(last.error, ar->source + 1);
    if (line <= 0)
        return;
    int n = snprintf(last.text + last.len, sizeof last.text - last.len, "%s%.80s:%d",
                     last.frames > 0 ? ", " : "", file, line);
    if (n < 0 || (size_t)n >= sizeof last.text - last.len) {
        last.text[last.len] = '\0';
        last.frames = FRAMES;
        return;
    }
    last.len += (size_t)n;
    last.frames++;
}

static void look(lua_State *L)
{
    lua_Debug ar;
    for (int level = 0; level < LEVELS && last.frames < FRAMES && lua_getstack(L, level, &ar);
         level++)
        if (lua_getinfo(L, "Sl", &ar) != 0 && *ar.source == '@')
            add(&ar);
}

/* Begins anew, unless this is the error that was noted last, on its way out. */
static void begin(const struct pl_task *task, lua_State *L)
{
    const char *error = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
    if (last.task == task->id && error != NULL && error == last.error)
        return;
    last.task = task->id;
    last.error = error;
    last.len = 0;
    last.frames = 0;
    last.text[0] = '\0';
}

void pl_sandbox_trace_dead(struct pl_task *task, lua_State *co)
{
    begin(task, co);
    look(co);
}

int pl_sandbox_trace(lua_State *L)
{
    struct pl_task *task = pl_current_task;
    lua_settop(L, 1);
    if (task == NULL)
        return 1;
    begin(task, L);
    look(L);
    for (uint32_t i = task->depth; i > 0; i--) {
        lua_State *outer = i > 1 ? task->nested[i - 2] : task->co;
        if (outer != L)
            look(outer);
    }
    return 1;
}

int pl_sandbox_traced(lua_State *L)
{
    struct pl_task *task = pl_current_task;
    if (task == NULL || last.task != task->id)
        return 0;
    last.task = 0;
    lua_pushlstring(L, last.text, last.len);
    return 1;
}
