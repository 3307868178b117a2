/* The inside of the supervisor, shared by its files only. */
#ifndef PL_LOOP_SUPERVISOR_IMPL_H
#define PL_LOOP_SUPERVISOR_IMPL_H

#include "base/log.h"
#include "loop/lines.h"
#include "loop/supervisor.h"
#include "loop/watchdog.h"

#include <limits.h>

#define TICK_MS           50
#define RELOAD_TIMEOUT_MS 60000

struct listener {
    char name[PL_LISTENER_NAME_MAX];
    const char *spec;
    int fd;
    char address[140];
};

struct config {
    struct pl_buf text; /* what the strings point into */
    const char *home;
    const char *ready_message;
    struct listener listeners[PL_LISTENERS_MAX];
    uint32_t listeners_len;
    uint32_t workers;
    uint64_t hang_ns, start_ns, drain_ns;
    char *argv[32]; /* "parley", arg..., NULL */
    uint32_t argc;
    char *env[64];
    uint32_t env_len;
};

/* Reads the parameters from descriptor `fd` and closes it. */
int pl_sv_config_read(struct config *c, int fd, struct pl_err *err);

/* One end of the socket pair to one life of a worker. */
struct channel {
    struct pl_lines lines;
    struct worker *worker; /* NULL when that life is over */
};

struct worker {
    struct supervisor *s;
    uint32_t index;
    pid_t pid; /* 0: no process */
    struct channel *channel;
    uint64_t started_ns;
    uint64_t restarts;
    uint32_t failures;         /* lives in a row that ended soon and badly */
    uv_timer_t restart;        /* backoff */
    bool hung;                 /* this life was ended for want of heartbeats */
    struct pl_suspect suspect; /* to blame for the end of the last life */
    struct pl_list asks;       /* questions without an answer */
};

/* One event sent to one or all workers, and who waits for the answers. */
struct query {
    struct pl_list link; /* in s->queries */
    struct supervisor *s;
    struct conn *conn; /* NULL: nobody on the control socket */
    uint64_t deadline_ns;
    uint32_t pending;
    uint32_t failed;
    void (*finish)(struct query *q); /* builds the reply; the query is freed after it */
    struct ask {
        struct pl_list link; /* in worker->asks */
        struct query *query;
        uint64_t id;
        char *unsent; /* held back until the worker is ready */
        bool asked, answered, ok;
        struct pl_buf json;
    } asks[]; /* one per worker */
};

struct supervisor {
    struct pl_loop loop;
    struct config config;
    struct pl_watchdog_slot *page;
    int page_fd, board_fd, shelf_fd, lock_fd;
    struct worker *workers;
    struct pl_suspect killed; /* what was on the CPU when the last worker was killed */
    uint32_t killed_times;    /* in a row, for the same turn */
    uint64_t started_ns, last_tick_ns, grace_ns;
    uint64_t next_id;
    struct pl_list queries;
    uv_signal_t sigterm, sigint, sighup, sigchld;
    uv_timer_t tick;
    uv_pipe_t control;
    char control_path[PATH_MAX];
    struct pl_list conns;
    uint32_t conns_len;
    bool announced; /* all workers were ready once */
    bool stopping;
    bool reloading;    /* one at a time */
    bool reload_again; /* SIGHUP came meanwhile: what it announced may have been missed */
    uint64_t stop_deadline_ns;
    uint32_t stop_killed;
    int exit_code;
};

/* supervisor.c */
void pl_sv_stop(struct supervisor *s, bool now); /* drains, or ends what still runs */
void pl_sv_check(struct supervisor *s);          /* a worker's state has changed */
void pl_sv_reload(struct supervisor *s);         /* by signal: the outcome is logged */

/* supervisor_worker.c */
void pl_sv_worker_init(struct supervisor *s, uint32_t index);
void pl_sv_worker_spawn(struct worker *w);
void pl_sv_worker_reap(struct worker *w); /* after SIGCHLD: harmless when it lives */
void pl_sv_worker_tick(struct worker *w, uint64_t now);
void pl_sv_worker_drain(struct worker *w);
void pl_sv_worker_kill(struct worker *w);

/* supervisor_blame.c: whether a plugin is to blame for the end of the worker, which waitpid has
 * told as `status`; then it is w->suspect. Once for each end. */
bool pl_sv_blame(struct worker *w, int status);

/* supervisor_query.c */

/* Sends `event` with `json` to the workers `first` to `last`. One that is not ready gets it when it
 * is, or is left out when `only_ready`. `finish` is called once, at the latest after `timeout_ms`,
 * possibly before this returns. */
void pl_sv_query_start(struct supervisor *s, struct conn *conn, uint32_t first, uint32_t last,
                       const char *event, const char *json, bool only_ready, uint64_t timeout_ms,
                       void (*finish)(struct query *q));
void pl_sv_query_answer(struct worker *w, uint64_t id, bool ok, const char *json, size_t len);
void pl_sv_query_worker_ready(struct worker *w); /* sends what was held back */
void pl_sv_query_worker_gone(struct worker *w);  /* fails what it was asked */
void pl_sv_query_tick(struct supervisor *s, uint64_t now);

/* supervisor_control.c */
int pl_sv_control_open(struct supervisor *s, struct pl_err *err);
void pl_sv_control_tick(struct supervisor *s, uint64_t now);
void pl_sv_control_stopped(struct supervisor *s); /* answers those who asked for the stop */
void pl_sv_control_close(struct supervisor *s);
void pl_sv_reload_finish(struct query *q);

#endif
