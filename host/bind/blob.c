/* host.blob: files that are named by what is in them. */
#include "drivers/blob.h"
#include "base/buf.h"
#include "bind/bind.h"
#include "engine/engine.h"
#include "loop/work.h"

#include <stdlib.h>

#define WRITER     "host.blob.writer"
#define TIMEOUT_MS 60000

struct writer {
    struct pl_blob *blob; /* NULL: finished, or given up */
};

/* Owns the blob while a thread may be at it, whatever becomes of the task that waits. */
struct finish {
    struct pl_work work;
    struct pl_blob *blob;
};

static void destroy(struct pl_op *op)
{
    struct finish *f = pl_container_of(op, struct finish, work.op);
    pl_blob_free(f->blob);
    free(f);
}

static const struct pl_op_class finish_class = {pl_work_cancel, destroy};

static void run(struct pl_work *w)
{
    pl_blob_finish(pl_container_of(w, struct finish, work)->blob, &w->err);
}

static int push_blob(lua_State *L, struct pl_op *op)
{
    if (op->err.code != NULL)
        return pl_lua_push_fail(L, &op->err);
    const struct pl_blob *blob = pl_container_of(op, struct finish, work.op)->blob;
    lua_createtable(L, 0, 2);
    lua_pushstring(L, pl_blob_name(blob));
    lua_setfield(L, -2, "hash");
    lua_pushnumber(L, (double)pl_blob_size(blob));
    lua_setfield(L, -2, "size");
    return 1;
}

static struct writer *check_open(lua_State *L)
{
    struct writer *w = luaL_checkudata(L, 1, WRITER);
    if (w->blob == NULL)
        luaL_error(L, "this file is finished, or given up");
    return w;
}

/* writer:write(data) -> true | nil, err. Waits for the page cache only. */
static int writer_write(lua_State *L)
{
    struct writer *w = check_open(L);
    struct pl_err err;
    size_t len;
    const char *data = luaL_checklstring(L, 2, &len);
    if (pl_blob_write(w->blob, data, len, &err) < 0)
        return pl_lua_push_fail(L, &err);
    lua_pushboolean(L, 1);
    return 1;
}

/* writer:size() -> bytes written so far */
static int writer_size(lua_State *L)
{
    lua_pushnumber(L, (double)pl_blob_size(check_open(L)->blob));
    return 1;
}

/* writer:finish() -> {hash, size} | nil, err. Waits for the disk. The file is then
 * FOLDER/ab/abcd..., for the hash abcd... */
static int writer_finish(lua_State *L)
{
    struct writer *w = check_open(L);
    struct finish *f = pl_xcalloc(1, sizeof *f);
    f->blob = w->blob;
    w->blob = NULL;
    struct pl_task *task = pl_task_current();
    pl_work_start(&f->work, pl_task_loop(task), pl_task_owner(task), "blob",
                  pl_task_deadline(task, TIMEOUT_MS), run, &finish_class);
    return pl_task_wait(L, &f->work.op, push_blob);
}

/* writer:abort(). Nothing of it stays. */
static int writer_abort(lua_State *L)
{
    struct writer *w = luaL_checkudata(L, 1, WRITER);
    pl_blob_free(w->blob);
    w->blob = NULL;
    return 0;
}

/* create(folder) -> writer | nil, err. One that is not finished is taken away with its writer. */
static int blob_create(lua_State *L)
{
    const char *folder = luaL_checkstring(L, 1);
    struct pl_err err;
    struct writer *w = lua_newuserdata(L, sizeof *w);
    w->blob = NULL;
    luaL_getmetatable(L, WRITER);
    lua_setmetatable(L, -2);
    w->blob = pl_blob_new(folder, &err);
    return w->blob != NULL ? 1 : pl_lua_push_fail(L, &err);
}

int pl_bind_blob(lua_State *L)
{
    static const luaL_Reg writer[] = {{"write", writer_write},
                                      {"size", writer_size},
                                      {"finish", writer_finish},
                                      {"abort", writer_abort},
                                      {NULL, NULL}};
    static const luaL_Reg functions[] = {{"create", blob_create}, {NULL, NULL}};
    pl_bind_class(L, WRITER, writer, writer_abort);
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    return 1;
}
