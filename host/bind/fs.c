/* host.fs: small local files, and what the process knows of its surroundings. */
#include "bind/bind.h"
#include "drivers/files.h"
#include "engine/task.h"
#include "loop/process.h"

#include <dirent.h>
#include <errno.h>
#include <lauxlib.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#define READ_MAX (16.0 * 1024 * 1024)

static int fail_errno(lua_State *L, const char *op, const char *what)
{
    struct pl_err err;
    pl_fail_errno(&err, errno, op, what);
    return pl_lua_push_fail(L, &err);
}

static int push_true(lua_State *L)
{
    lua_pushboolean(L, 1);
    return 1;
}

static int push_file(lua_State *L, int (*read_file)(const char *path, size_t max,
                                                    struct pl_buf *out, struct pl_err *err))
{
    const char *path = luaL_checkstring(L, 1);
    size_t max = (size_t)luaL_optnumber(L, 2, READ_MAX);
    struct pl_buf out = {0};
    struct pl_err err;
    int rc = read_file(path, max, &out, &err);
    if (rc == 0)
        lua_pushlstring(L, out.len > 0 ? out.data : "", out.len);
    pl_buf_free(&out);
    return rc == 0 ? 1 : pl_lua_push_fail(L, &err);
}

/* read(path[, max]) -> text | nil, err. Of regular files only: nothing else may be waited for. */
static int fs_read(lua_State *L)
{
    return push_file(L, pl_file_read);
}

/* read_any(path[, max]) -> text | nil, err. For commands: also of a pipe, whose end it waits for.
 */
static int fs_read_any(lua_State *L)
{
    return push_file(L, pl_file_read_any);
}

/* write(path, text[, mode = 0644]) -> true | nil, err. Replaced in one step, on disk on return. */
static int fs_write(lua_State *L)
{
    size_t len;
    const char *path = luaL_checkstring(L, 1);
    const char *data = luaL_checklstring(L, 2, &len);
    struct pl_err err;
    if (pl_file_write(path, data, len, (int)luaL_optinteger(L, 3, 0644), &err) < 0)
        return pl_lua_push_fail(L, &err);
    return push_true(L);
}

/* list(path) -> names, in no order, without . and .. | nil, err */
static int fs_list(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    lua_newtable(L); /* before the folder is open: it may raise out of memory */
    DIR *dir = opendir(path);
    if (dir == NULL)
        return fail_errno(L, "fs.list", path);
    struct dirent *e;
    for (int n = 0; (e = readdir(dir)) != NULL;) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        lua_pushstring(L, e->d_name);
        lua_rawseti(L, -2, ++n);
    }
    closedir(dir);
    return 1;
}

/* stat(path) -> {type = "file"|"directory"|"other", size, mtime} | nil, err */
static int fs_stat(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    struct stat st;
    if (stat(path, &st) < 0)
        return fail_errno(L, "fs.stat", path);
    lua_createtable(L, 0, 3);
    lua_pushstring(L, S_ISREG(st.st_mode) ? "file" : S_ISDIR(st.st_mode) ? "directory" : "other");
    lua_setfield(L, -2, "type");
    lua_pushnumber(L, (double)st.st_size);
    lua_setfield(L, -2, "size");
    lua_pushnumber(L, (double)st.st_mtim.tv_sec + (double)st.st_mtim.tv_nsec / 1e9);
    lua_setfield(L, -2, "mtime");
    return 1;
}

static int fs_exists(lua_State *L)
{
    lua_pushboolean(L, access(luaL_checkstring(L, 1), F_OK) == 0);
    return 1;
}

/* mkdir(path[, mode = 0755]) -> true | nil, err. Those above it too. */
static int fs_mkdir(lua_State *L)
{
    struct pl_err err;
    if (pl_file_mkdir(luaL_checkstring(L, 1), (int)luaL_optinteger(L, 2, 0755), &err) < 0)
        return pl_lua_push_fail(L, &err);
    return push_true(L);
}

/* remove(path) -> true | nil, err. A file or an empty folder. */
static int fs_remove(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    if (remove(path) < 0)
        return fail_errno(L, "fs.remove", path);
    return push_true(L);
}

static int fs_realpath(lua_State *L)
{
    char out[PATH_MAX];
    const char *path = luaL_checkstring(L, 1);
    if (realpath(path, out) == NULL)
        return fail_errno(L, "fs.realpath", path);
    lua_pushstring(L, out);
    return 1;
}

static int fs_isatty(lua_State *L)
{
    lua_pushboolean(L, isatty((int)luaL_checkinteger(L, 1)));
    return 1;
}

/* getenv(name) -> text | nil */
static int fs_getenv(lua_State *L)
{
    lua_pushstring(L, getenv(luaL_checkstring(L, 1)));
    return 1;
}

/* hold(path) -> true | nil, err: takes a lock file until this process ends, whatever it executes
 * meanwhile: serve becomes the supervisor. "busy", with err.pid: another process has it. */
static int fs_hold(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    pid_t owner = 0;
    struct pl_err err = {0};
    int fd = pl_process_lock(path, &owner, &err);
    if (fd < 0) {
        int n = pl_lua_push_fail(L, &err);
        lua_pushinteger(L, (lua_Integer)owner);
        lua_setfield(L, -2, "pid");
        return n;
    }
    pl_process_cloexec(fd, false);
    lua_pushboolean(L, 1);
    return 1;
}

/* data_dir() -> where lua/, plugins/, conf/ and migrations/ of the program lie */
static int fs_data_dir(lua_State *L)
{
    lua_getfield(L, LUA_REGISTRYINDEX, "parley.data_dir");
    return 1;
}

/* cores() -> processors that this process may use */
static int fs_cores(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)uv_available_parallelism());
    return 1;
}

/* hostname() -> of this machine, as it calls itself; "" when it has none */
static int fs_hostname(lua_State *L)
{
    char name[UV_MAXHOSTNAMESIZE];
    size_t size = sizeof name;
    lua_pushstring(L, uv_os_gethostname(name, &size) == 0 ? name : "");
    return 1;
}

/* version() -> of the program */
static int fs_version(lua_State *L)
{
    lua_getfield(L, LUA_REGISTRYINDEX, "parley.version");
    return 1;
}

int pl_bind_fs(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"read", fs_read},
        {"write", fs_write},
        {"list", fs_list},
        {"stat", fs_stat},
        {"exists", fs_exists},
        {"mkdir", fs_mkdir},
        {"remove", fs_remove},
        {"realpath", fs_realpath},
        {"isatty", fs_isatty},
        {"getenv", fs_getenv},
        {"data_dir", fs_data_dir},
        {"version", fs_version},
        {"cores", fs_cores},
        {"hostname", fs_hostname},
        {"hold", fs_hold},
        {"read_any", fs_read_any},
        {NULL, NULL},
    };
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    return 1;
}
