/* host.folder: folders that appear and go whole, on the thread pool. */
#include "drivers/folder.h"
#include "base/buf.h"
#include "bind/bind.h"
#include "engine/engine.h"
#include "loop/work.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#define FILES_MAX  1000
#define TIMEOUT_MS 30000

struct folder_work {
    struct pl_work work;
    char *path;
    struct pl_folder_file *files;
    size_t n;
};

static void destroy(struct pl_op *op)
{
    struct folder_work *f = pl_container_of(op, struct folder_work, work.op);
    for (size_t i = 0; i < f->n; i++) {
        free(f->files[i].name);
        free(f->files[i].data);
    }
    free(f->files);
    free(f->path);
    free(f);
}

static const struct pl_op_class folder_class = {pl_work_cancel, destroy};

static void run_write(struct pl_work *w)
{
    struct folder_work *f = pl_container_of(w, struct folder_work, work);
    pl_folder_write(f->path, f->files, f->n, &w->err);
}

static void run_remove(struct pl_work *w)
{
    struct folder_work *f = pl_container_of(w, struct folder_work, work);
    pl_folder_remove(f->path, &w->err);
}

static int push(lua_State *L, struct pl_op *op)
{
    if (op->err.code != NULL)
        return pl_lua_push_fail(L, &op->err);
    lua_pushboolean(L, 1);
    return 1;
}

static int start(lua_State *L, struct folder_work *f, void (*run)(struct pl_work *))
{
    f->path = pl_xstrdup(lua_tostring(L, 1));
    struct pl_task *task = pl_task_current();
    pl_work_start(&f->work, pl_task_loop(task), pl_task_owner(task), "folder",
                  pl_task_deadline(task, TIMEOUT_MS), run, &folder_class);
    return pl_task_wait(L, &f->work.op, push);
}

/* Counts the files of the table at 2, or raises; nothing is held yet. */
static size_t check_files(lua_State *L)
{
    size_t n = 0;
    luaL_checktype(L, 2, LUA_TTABLE);
    for (lua_pushnil(L); lua_next(L, 2) != 0; lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING ||
            !pl_folder_name_ok(lua_tostring(L, -2)))
            luaL_argerror(L, 2, "plain names with their text");
        n++;
    }
    luaL_argcheck(L, n > 0 && n <= FILES_MAX, 2, "1 to 1000 files");
    return n;
}

/* write(path, {[name] = text}) -> true | nil, err. Waits. The folder above must be there; a folder
 * that is there stays as it is. */
static int folder_write(lua_State *L)
{
    luaL_checkstring(L, 1);
    size_t n = check_files(L);
    struct folder_work *f = pl_xcalloc(1, sizeof *f);
    f->files = pl_xcalloc(n, sizeof *f->files);
    /* Nothing here can raise: the strings are there, and lua_next on a plain table allocates
     * nothing. */
    for (lua_pushnil(L); lua_next(L, 2) != 0; lua_pop(L, 1)) {
        struct pl_folder_file *file = &f->files[f->n++];
        const char *data = lua_tolstring(L, -1, &file->len);
        file->name = pl_xstrdup(lua_tostring(L, -2));
        file->data = pl_xmemdup(data, file->len);
    }
    return start(L, f, run_write);
}

/* remove(path) -> true | nil, err. Waits. True when there is no such folder. */
static int folder_remove(lua_State *L)
{
    luaL_checkstring(L, 1);
    return start(L, pl_xcalloc(1, sizeof(struct folder_work)), run_remove);
}

int pl_bind_folder(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"write", folder_write},
        {"remove", folder_remove},
        {NULL, NULL},
    };
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    return 1;
}
