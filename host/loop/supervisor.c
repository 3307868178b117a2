/* The supervisor's own life: start, signals, drain, end. */
#include "loop/supervisor.h"

#include "base/log.h"
#include "loop/board.h"
#include "loop/listen.h"
#include "loop/process.h"
#include "loop/shelf.h"
#include "loop/supervisor_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define OP "supervisor"

/* What the workers get after their own limit to notice that it has passed. */
#define STOP_GRACE_NS (500 * PL_NS_PER_MS)

/* A tick that comes so late means that this process was stopped or starved, and the workers
 * probably with it: their heartbeats are stale for no fault of theirs. */
#define LATE_TICK_NS (500 * PL_NS_PER_MS)

enum { EXIT_SYSTEM = 71, EXIT_IN_USE = 75, EXIT_CONFIG = 78 }; /* sysexits.h */

/* --- being ready ---------------------------------------------------------------------------------
 */

/* Prints the ready message, with {NAME} replaced by the address of that listener. */
static void print_ready(struct supervisor *s)
{
    const struct config *c = &s->config;
    for (const char *p = c->ready_message; p != NULL && *p != '\0'; p++) {
        const struct listener *found = NULL;
        for (uint32_t i = 0; *p == '{' && i < c->listeners_len; i++) {
            size_t n = strlen(c->listeners[i].name);
            if (strncmp(p + 1, c->listeners[i].name, n) == 0 && p[1 + n] == '}')
                found = &c->listeners[i];
        }
        if (found == NULL) {
            putchar(*p);
            continue;
        }
        fputs(found->address, stdout);
        p += strlen(found->name) + 1;
    }
    fflush(stdout);
}

static uint32_t count(struct supervisor *s, enum pl_worker_state state)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->config.workers; i++)
        n += atomic_load(&s->page[i].state) == state ? 1 : 0;
    return n;
}

static void announce(struct supervisor *s)
{
    s->announced = true;
    struct pl_buf where = {0};
    for (uint32_t i = 0; i < s->config.listeners_len; i++)
        pl_buf_printf(&where, ", %s on %s", s->config.listeners[i].name,
                      s->config.listeners[i].address);
    pl_log(PL_LOG_INFO, NULL, "ready in %llu ms: %u worker%s%s",
           (unsigned long long)((pl_now_ns() - s->started_ns) / PL_NS_PER_MS), s->config.workers,
           s->config.workers == 1 ? "" : "s", pl_buf_cstr(&where));
    pl_buf_free(&where);
    print_ready(s);
}

void pl_sv_check(struct supervisor *s)
{
    if (!s->announced && !s->stopping && count(s, PL_WORKER_READY) == s->config.workers)
        announce(s);
    if (s->stopping && count(s, PL_WORKER_DOWN) == s->config.workers)
        pl_loop_stop(&s->loop);
}

/* --- stopping ------------------------------------------------------------------------------------
 */

static void kill_all(struct supervisor *s)
{
    for (uint32_t i = 0; i < s->config.workers; i++) {
        s->stop_killed += s->workers[i].pid != 0 ? 1 : 0;
        pl_sv_worker_kill(&s->workers[i]);
    }
    s->stop_deadline_ns = UINT64_MAX;
}

/* The workers close the sockets when their drain has told them to; with the last copy gone, clients
 * are refused at once instead of waiting in a queue that nobody reads. */
static void close_listeners(struct supervisor *s)
{
    for (uint32_t i = 0; i < s->config.listeners_len; i++) {
        struct listener *l = &s->config.listeners[i];
        if (l->fd >= 0)
            close(l->fd);
        if (l->fd >= 0 && strncmp(l->spec, "unix:", 5) == 0)
            unlink(l->spec + 5);
        l->fd = -1;
    }
}

void pl_sv_stop(struct supervisor *s, bool now)
{
    if (!s->stopping) {
        s->stopping = true;
        s->stop_deadline_ns = pl_now_ns() + s->config.drain_ns + STOP_GRACE_NS;
        pl_log(PL_LOG_INFO, NULL, now ? "stopping at once" : "draining");
        close_listeners(s);
        for (uint32_t i = 0; i < s->config.workers; i++)
            pl_sv_worker_drain(&s->workers[i]);
    }
    if (now)
        kill_all(s);
    pl_sv_check(s);
}

static void on_stop_signal(uv_signal_t *handle, int signum)
{
    (void)signum;
    struct supervisor *s = handle->data;
    pl_sv_stop(s, s->stopping); /* the second one does not wait */
}

void pl_sv_reload(struct supervisor *s)
{
    if (s->reloading) {
        s->reload_again = true;
        return;
    }
    s->reloading = true;
    pl_sv_query_start(s, NULL, 0, s->config.workers - 1, "reload", "{\"cmd\":\"reload\"}", false,
                      RELOAD_TIMEOUT_MS, pl_sv_reload_finish);
}

static void on_sighup(uv_signal_t *handle, int signum)
{
    (void)signum;
    struct supervisor *s = handle->data;
    if (!s->stopping)
        pl_sv_reload(s);
}

static void on_sigchld(uv_signal_t *handle, int signum)
{
    (void)signum;
    struct supervisor *s = handle->data;
    for (uint32_t i = 0; i < s->config.workers; i++)
        pl_sv_worker_reap(&s->workers[i]);
}

static void on_tick(uv_timer_t *timer)
{
    struct supervisor *s = timer->data;
    uint64_t now = pl_now_ns();
    if (now - s->last_tick_ns > LATE_TICK_NS)
        s->grace_ns = now;
    s->last_tick_ns = now;
    for (uint32_t i = 0; i < s->config.workers; i++)
        pl_sv_worker_tick(&s->workers[i], now);
    pl_sv_query_tick(s, now);
    pl_sv_control_tick(s, now);
    if (s->stopping && now > s->stop_deadline_ns) {
        pl_log(PL_LOG_WARN, NULL, "%u worker(s) did not finish in time and are ended",
               s->config.workers - count(s, PL_WORKER_DOWN));
        kill_all(s);
    }
}

/* --- starting ------------------------------------------------------------------------------------
 */

static int lock_home(struct supervisor *s, struct pl_err *err)
{
    char run[PATH_MAX], path[PATH_MAX + 16];
    if ((size_t)snprintf(run, sizeof run, "%s/run", s->config.home) >= sizeof run - 16)
        return pl_fail(err, PL_E_INVALID, false, OP, "the path of the home is too long");
    snprintf(s->control_path, sizeof s->control_path, "%.*s/control.sock", (int)sizeof run - 16,
             run);
    if ((mkdir(s->config.home, 0700) < 0 && errno != EEXIST) ||
        (mkdir(run, 0700) < 0 && errno != EEXIST))
        return pl_fail_errno(err, errno, OP, run);
    snprintf(path, sizeof path, "%s/parley.pid", run);
    pid_t owner;
    s->lock_fd = pl_process_lock(path, &owner, err);
    if (s->lock_fd < 0 && strcmp(err->code, PL_E_BUSY) == 0)
        return pl_fail(err, PL_E_BUSY, false, OP,
                       "another parley serve (pid %d) runs on this home: %s", (int)owner,
                       s->config.home);
    return s->lock_fd < 0 ? -1 : 0;
}

static int open_listeners(struct supervisor *s, struct pl_err *err)
{
    for (uint32_t i = 0; i < s->config.listeners_len; i++) {
        struct listener *l = &s->config.listeners[i];
        l->fd = pl_listen_open(l->spec, err);
        if (l->fd < 0)
            return -1;
        pl_listen_name(l->fd, l->address, sizeof l->address);
    }
    return 0;
}

static void watch_signal(struct supervisor *s, uv_signal_t *handle, uv_signal_cb cb, int signum)
{
    uv_signal_init(&s->loop.uv, handle);
    handle->data = s;
    uv_signal_start(handle, cb, signum);
}

static void start(struct supervisor *s)
{
    watch_signal(s, &s->sigterm, on_stop_signal, SIGTERM);
    watch_signal(s, &s->sigint, on_stop_signal, SIGINT);
    watch_signal(s, &s->sighup, on_sighup, SIGHUP);
    watch_signal(s, &s->sigchld, on_sigchld, SIGCHLD);
    uv_timer_init(&s->loop.uv, &s->tick);
    s->tick.data = s;
    s->last_tick_ns = pl_now_ns();
    uv_timer_start(&s->tick, on_tick, TICK_MS, TICK_MS);
    s->workers = pl_xcalloc(s->config.workers, sizeof *s->workers);
    for (uint32_t i = 0; i < s->config.workers; i++)
        pl_sv_worker_init(s, i);
    for (uint32_t i = 0; i < s->config.workers; i++)
        pl_sv_worker_spawn(&s->workers[i]);
}

static void finish(struct supervisor *s)
{
    pl_sv_control_stopped(s);
    pl_sv_control_close(s);
    uv_handle_t *handles[] = {(uv_handle_t *)&s->sigterm, (uv_handle_t *)&s->sigint,
                              (uv_handle_t *)&s->sighup, (uv_handle_t *)&s->sigchld,
                              (uv_handle_t *)&s->tick};
    for (size_t i = 0; i < sizeof handles / sizeof *handles; i++)
        uv_close(handles[i], NULL);
    for (uint32_t i = 0; i < s->config.workers; i++)
        uv_close((uv_handle_t *)&s->workers[i].restart, NULL);
    pl_loop_close(&s->loop);
    free(s->workers);
    pl_buf_free(&s->config.text);
    pl_log(PL_LOG_INFO, NULL, "stopped");
}

/* Returns an exit code when the host cannot start, 0 when all is prepared. */
static int prepare(struct supervisor *s, int fd, struct pl_err *err)
{
    if (pl_sv_config_read(&s->config, fd, err) < 0)
        return EXIT_CONFIG;
    /* Nothing that this process happened to inherit goes on to the workers. */
    close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
    if (lock_home(s, err) < 0)
        return strcmp(err->code, PL_E_BUSY) == 0 ? EXIT_IN_USE : EXIT_SYSTEM;
    if (open_listeners(s, err) < 0)
        return EXIT_SYSTEM;
    s->page = pl_watchdog_create(s->config.workers, &s->page_fd, err);
    s->board_fd = pl_board_create(s->config.workers, err);
    s->shelf_fd = pl_shelf_create(err);
    if (s->page == NULL || s->board_fd < 0 || s->shelf_fd < 0 || pl_loop_init(&s->loop, err) < 0 ||
        pl_sv_control_open(s, err) < 0)
        return EXIT_SYSTEM;
    return 0;
}

int pl_supervisor_main(int argc, char **argv)
{
    static struct supervisor s;
    struct pl_err err;
    pl_process_harden();
    pl_log_setup(STDERR_FILENO, PL_LOG_AUTO, "supervisor");
    s.started_ns = pl_now_ns();
    pl_list_init(&s.queries);
    pl_list_init(&s.conns);
    int fd = argc == 3 ? atoi(argv[2]) : -1;
    int code = prepare(&s, fd, &err);
    if (code != 0) {
        pl_log(PL_LOG_ERROR, NULL, "%s", err.message);
        return code;
    }
    start(&s);
    pl_loop_run(&s.loop);
    finish(&s);
    return s.exit_code;
}
