/* The command line: one Lua command (lua/parley/cli) as a task of a fresh engine; the supervisor;
 * one of its workers; or a confined child of one of those. */
#include "base/buf.h"
#include "bind/bind.h"
#include "drivers/crypto.h"
#include "engine/engine.h"
#include "engine/isolate_child.h"
#include "loop/process.h"
#include "loop/supervisor.h"
#include "loop/worker.h"

#include <lauxlib.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct program {
    struct pl_loop loop;
    struct pl_engine engine;
    int exit_code;
};

/* Whether `prefix``rest` is where the platform lies; then it is in `out`. */
static bool is_data_dir(const char *prefix, const char *rest, char *out, size_t size)
{
    char probe[PATH_MAX + 64];
    snprintf(probe, sizeof probe, "%s%s/lua/parley", prefix, rest);
    if (access(probe, R_OK) != 0)
        return false;
    snprintf(out, size, "%s%s", prefix, rest);
    return true;
}

/* lua/, plugins/, conf/, migrations/, templates/ and web/ lie beside the build folder of a source
 * tree, or in the data folder of the prefix that the program is installed under. */
static void find_data_dir(char *out, size_t size)
{
    char exe[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (n > 0) {
        exe[n] = '\0';
        for (int up = 0; up < 3; up++) { /* build/parley and build/PRESET/parley */
            char *slash = strrchr(exe, '/');
            if (slash == NULL)
                break;
            *slash = '\0';
            if (is_data_dir(exe, "", out, size) || is_data_dir(exe, "/share/parley", out, size))
                return;
        }
    }
    snprintf(out, size, "%s", PARLEY_DATADIR);
}

static void set_package_path(lua_State *L, const char *data_dir)
{
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "path");
    lua_pushfstring(L, "%s/lua/?.lua;%s/lua/?/init.lua;%s", data_dir, data_dir,
                    lua_tostring(L, -1));
    lua_setfield(L, -3, "path");
    lua_pop(L, 2);
}

static void on_main_end(struct pl_task *task, void *arg)
{
    struct program *p = arg;
    lua_State *co = pl_task_coroutine(task);
    if (pl_task_get_status(task) == PL_TASK_DONE) {
        if (pl_worker_info() != NULL && lua_isnoneornil(co, 1))
            return; /* a worker has set up what it serves: it lives until it is told to end */
        p->exit_code = lua_isnumber(co, 1) ? (int)lua_tonumber(co, 1) : 0;
    } else {
        fprintf(stderr, "parley: %s\n", pl_task_error(task)->message);
        p->exit_code = 70; /* EX_SOFTWARE */
    }
    pl_loop_stop(&p->loop);
}

/* (module name) -> the module, which is a function */
static int load_main(lua_State *L)
{
    lua_getglobal(L, "require");
    lua_pushstring(L, lua_tostring(L, 1));
    lua_call(L, 1, 1);
    return 1;
}

/* (path) -> the file as a function: the specs bring workers of their own */
static int load_script(lua_State *L)
{
    return luaL_loadfile(L, lua_tostring(L, 1)) == 0 ? 1 : lua_error(L);
}

static bool is_worker(int argc, char **argv)
{
    return argc > 1 && strncmp(argv[1], "--worker", 8) == 0;
}

/* Pushes the function to run as the main task: a command, `--worker`, or `--worker-script FILE`. */
static int push_main(lua_State *L, int argc, char **argv)
{
    bool script = argc > 2 && strcmp(argv[1], "--worker-script") == 0;
    lua_pushcfunction(L, script ? load_script : load_main);
    if (script)
        lua_pushstring(L, argv[2]);
    else
        lua_pushstring(L, is_worker(argc, argv) ? "parley.worker" : "parley.cli");
    return lua_pcall(L, 1, 1, 0);
}

static int run_command(struct program *p, int argc, char **argv)
{
    lua_State *L = p->engine.core->L;
    char data_dir[PATH_MAX];
    find_data_dir(data_dir, sizeof data_dir);
    set_package_path(L, data_dir);
    lua_pushstring(L, data_dir);
    lua_setfield(L, LUA_REGISTRYINDEX, "parley.data_dir");
    lua_pushstring(L, PARLEY_VERSION);
    lua_setfield(L, LUA_REGISTRYINDEX, "parley.version");
    pl_bind_all(L);

    if (push_main(L, argc, argv) != 0) {
        fprintf(stderr, "parley: %s\n", lua_tostring(L, -1));
        return 70;
    }
    for (int i = 1; i < argc; i++)
        lua_pushstring(L, argv[i]);
    struct pl_task *task = pl_task_spawn(&p->engine, L, argc - 1, NULL);
    enum pl_task_status status = pl_task_get_status(task);
    if (status == PL_TASK_DONE || status == PL_TASK_FAILED)
        on_main_end(task, p);
    else
        pl_task_on_end(task, on_main_end, p);
    pl_loop_run(&p->loop);
    pl_task_unref(task);
    if (pl_worker_exit_code() >= 0)
        p->exit_code = pl_worker_exit_code();
    fflush(stdout);
    return p->exit_code;
}

#ifdef __SANITIZE_ADDRESS__
/* LuaJIT's close leaves one small block of its own behind after the compiler has run (seen as 8 KiB
 * from the allocator of a state that was closed). What our userdata hold is still checked. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libluajit\n";
}

const char *__lsan_default_options(void);
const char *__lsan_default_options(void)
{
    return "print_suppressions=0";
}
#endif

int main(int argc, char **argv)
{
    static struct program p;
    struct pl_err err;
    if (argc > 1 && strcmp(argv[1], PL_ISOLATE_ARGUMENT) == 0)
        return pl_isolate_child_main();
    pl_crypto_stay();
    pl_process_raise_descriptors();
    if (argc > 1 && strcmp(argv[1], "--supervise") == 0)
        return pl_supervisor_main(argc, argv);
    if (pl_loop_init(&p.loop, &err) < 0 || pl_engine_init(&p.engine, &p.loop, &err) < 0 ||
        (is_worker(argc, argv) && pl_worker_attach(&p.loop, &err) < 0)) {
        fprintf(stderr, "parley: %s\n", err.message);
        return 71; /* EX_OSERR */
    }
    int code = run_command(&p, argc, argv);
#ifdef __SANITIZE_ADDRESS__
    /* Elsewhere the process ends with its tasks suspended and the kernel frees what they hold.
     * Under a sanitizer everything is taken down, so that what is left is a leak. */
    pl_engine_close(&p.engine);
    pl_worker_detach();
    pl_loop_close(&p.loop);
#endif
    return code;
}
