/* The life of one worker: started, watched, replaced. */
#include "loop/process.h"
#include "loop/supervisor_impl.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* A life that lasted so long was a good one, however it ended: the backoff begins anew. Short
 * enough that one who is killed now and then is back at once; one that crashes at every message
 * costs a start a second. */
#define GOOD_LIFE_NS    PL_NS_PER_S
#define BACKOFF_MS      100
#define BACKOFF_MAX_MS  5000
#define GIVE_UP_AT      5  /* failures in a row of a host that was never ready */
#define EX_FIRST_REASON 64 /* from here to 78 (sysexits.h) an exit code gives a reason */
#define EX_LAST_REASON  78

static struct pl_watchdog_slot *slot_of(struct worker *w)
{
    return &w->s->page[w->index];
}

static void set_state(struct worker *w, enum pl_worker_state state)
{
    atomic_store(&slot_of(w)->state, state);
}

void pl_sv_worker_init(struct supervisor *s, uint32_t index)
{
    struct worker *w = &s->workers[index];
    w->s = s;
    w->index = index;
    pl_list_init(&w->asks);
    uv_timer_init(&s->loop.uv, &w->restart);
    w->restart.data = w;
}

/* --- the channel ---------------------------------------------------------------------------------
 */

static void on_channel_closed(struct pl_lines *lines)
{
    free(pl_container_of(lines, struct channel, lines));
}

/* The worker is gone, or about to be: SIGCHLD tells the rest. */
static void on_channel_end(struct pl_lines *lines, const struct pl_err *why)
{
    struct channel *c = pl_container_of(lines, struct channel, lines);
    if (c->worker == NULL)
        return;
    struct worker *w = c->worker;
    w->channel = NULL;
    bool ended = strcmp(why->code, PL_E_CLOSED) == 0 || strcmp(why->code, PL_E_CONNECT) == 0;
    if (ended || w->pid == 0)
        return;
    pl_log(PL_LOG_ERROR, NULL, "worker %u: channel: %s", w->index, why->message);
    kill(w->pid, SIGKILL); /* it cannot be reached any more */
}

static void on_ready(struct worker *w)
{
    if (atomic_load(&slot_of(w)->state) != PL_WORKER_STARTING)
        return;
    set_state(w, PL_WORKER_READY);
    w->suspect.plugin[0] = '\0'; /* its worker knows, and lives */
    pl_sv_query_worker_ready(w);
    pl_sv_check(w->s);
}

/* A worker says that the others have something to look at. */
static void tell_others(struct worker *from)
{
    static const char line[] = "0 look null\n";
    struct supervisor *s = from->s;
    for (uint32_t i = 0; i < s->config.workers; i++) {
        struct worker *w = &s->workers[i];
        if (w != from && w->channel != NULL && atomic_load(&slot_of(w)->state) == PL_WORKER_READY)
            pl_lines_send(&w->channel->lines, line, sizeof line - 1);
    }
}

/* `ID ok JSON`, `ID error JSON`, `0 ready null`, `0 look null` */
static void on_channel_line(struct pl_lines *lines, char *line, size_t len)
{
    struct worker *w = pl_container_of(lines, struct channel, lines)->worker;
    char *rest;
    uint64_t id = strtoull(line, &rest, 10);
    char *json = *rest == ' ' ? strchr(rest + 1, ' ') : NULL;
    if (w == NULL || json == NULL)
        return;
    *json++ = '\0';
    const char *verb = rest + 1;
    if (strcmp(verb, "ready") == 0)
        on_ready(w);
    else if (strcmp(verb, "look") == 0)
        tell_others(w);
    else
        pl_sv_query_answer(w, id, strcmp(verb, "ok") == 0, json, len - (size_t)(json - line));
}

static void drop_channel(struct worker *w)
{
    if (w->channel == NULL)
        return;
    w->channel->worker = NULL;
    pl_lines_close(&w->channel->lines, false);
    w->channel = NULL;
}

static int open_channel(struct worker *w, int *theirs, struct pl_err *err)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return pl_fail_errno(err, errno, "supervisor.spawn", "socketpair");
    struct channel *c = pl_xcalloc(1, sizeof *c);
    c->worker = w;
    c->lines.line_max = PL_CHANNEL_LINE_MAX;
    c->lines.on_line = on_channel_line;
    c->lines.on_end = on_channel_end;
    c->lines.on_closed = on_channel_closed;
    pl_lines_init(&c->lines, &w->s->loop);
    w->channel = c;
    if (pl_lines_open(&c->lines, ends[0], err) < 0) {
        drop_channel(w);
        close(ends[0]);
        close(ends[1]);
        return -1;
    }
    *theirs = ends[1];
    return 0;
}

/* --- starting ------------------------------------------------------------------------------------
 */

/* What the worker learns through its environment (read in loop/worker.c). */
static void describe(struct worker *w, int channel, struct pl_buf *out)
{
    const struct config *c = &w->s->config;
    pl_buf_printf(out, "index=%u;count=%u;channel=%d;page=%d;board=%d;shelf=%d;beat_ms=%llu",
                  w->index, c->workers, channel, w->s->page_fd, w->s->board_fd, w->s->shelf_fd,
                  (unsigned long long)(c->hang_ns / 8 / PL_NS_PER_MS));
    for (uint32_t i = 0; i < c->listeners_len; i++)
        pl_buf_printf(out, ";listen.%s=%d", c->listeners[i].name, c->listeners[i].fd);
    if (w->s->announced)
        pl_buf_printf(out, ";replaces=1");
    if (w->suspect.plugin[0] != '\0')
        pl_buf_printf(out, ";suspect=%s;suspect_signal=%d;suspect_trace=%s", w->suspect.plugin,
                      w->suspect.signal, w->suspect.trace);
}

/* In the child. The supervisor has one thread, so that what is not async-signal-safe (setenv) may
 * be used between fork and exec. */
static void become_worker(struct worker *w, pid_t supervisor, int channel, const char *description)
{
    struct config *c = &w->s->config;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != supervisor)
        _exit(EXIT_FAILURE); /* it died before the line above */
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    pl_process_cloexec(channel, false);
    pl_process_cloexec(w->s->page_fd, false);
    pl_process_cloexec(w->s->board_fd, false);
    pl_process_cloexec(w->s->shelf_fd, false);
    for (uint32_t i = 0; i < c->listeners_len; i++)
        pl_process_cloexec(c->listeners[i].fd, false);
    for (uint32_t i = 0; i < c->env_len; i++)
        putenv(c->env[i]);
    setenv(PL_WORKER_ENVIRONMENT, description, 1);
    execv("/proc/self/exe", c->argv);
    _exit(EXIT_FAILURE);
}

static int spawn(struct worker *w, struct pl_err *err)
{
    int theirs;
    if (open_channel(w, &theirs, err) < 0)
        return -1;
    struct pl_watchdog_slot *slot = slot_of(w);
    memset(slot->running, 0, sizeof slot->running);
    memset(slot->trace, 0, sizeof slot->trace);
    memset(slot->failed, 0, sizeof slot->failed);
    atomic_store(&slot->fault, 0);
    atomic_store(&slot->running_since_ns, 0);
    w->started_ns = pl_now_ns();
    w->hung = false;
    atomic_store(&slot->heartbeat_ns, w->started_ns);
    set_state(w, PL_WORKER_STARTING);
    struct pl_buf description = {0};
    describe(w, theirs, &description);
    const char *text = pl_buf_cstr(&description);
    pid_t self = getpid();
    pid_t pid = fork();
    if (pid == 0)
        become_worker(w, self, theirs, text);
    int errnum = errno;
    close(theirs);
    pl_buf_free(&description);
    if (pid < 0) {
        drop_channel(w);
        set_state(w, PL_WORKER_DOWN);
        return pl_fail_errno(err, errnum, "supervisor.spawn", "fork");
    }
    w->pid = pid;
    atomic_store(&slot->pid, pid);
    return 0;
}

static void on_restart(uv_timer_t *timer)
{
    pl_sv_worker_spawn(timer->data);
}

static void spawn_later(struct worker *w)
{
    uint64_t ms = 0;
    if (w->failures > 1) {
        ms = w->failures < 8 ? (uint64_t)BACKOFF_MS << (w->failures - 2) : BACKOFF_MAX_MS;
        if (ms > BACKOFF_MAX_MS)
            ms = BACKOFF_MAX_MS;
        pl_log(PL_LOG_WARN, NULL, "worker %u starts again in %llu ms", w->index,
               (unsigned long long)ms);
    }
    if (ms == 0)
        pl_sv_worker_spawn(w);
    else
        uv_timer_start(&w->restart, on_restart, ms, 0);
}

void pl_sv_worker_spawn(struct worker *w)
{
    assert(w->pid == 0);
    if (w->s->stopping)
        return;
    struct pl_err err;
    if (spawn(w, &err) == 0)
        return;
    pl_log(PL_LOG_ERROR, NULL, "worker %u cannot be started: %s", w->index, err.message);
    w->failures = w->failures < 2 ? 2 : w->failures + 1; /* no process: never at once */
    spawn_later(w);
}

/* --- ending --------------------------------------------------------------------------------------
 */

static void report_end(struct worker *w, int status, bool blamed)
{
    struct pl_log_line line;
    char message[96];
    bool quiet = !w->hung && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (w->hung)
        snprintf(message, sizeof message, "worker %u hung and is replaced", w->index);
    else if (WIFSIGNALED(status))
        snprintf(message, sizeof message, "worker %u was ended by signal %d (%s)", w->index,
                 WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(message, sizeof message, "worker %u exited with %d", w->index,
                 WEXITSTATUS(status));
    const struct pl_suspect *suspect = &w->suspect;
    const char *trace = blamed && suspect->trace[0] != '\0' ? suspect->trace : NULL;
    if (!pl_log_open(&line, quiet ? PL_LOG_INFO : PL_LOG_ERROR, trace, message))
        return;
    pl_log_number(&line, "pid", w->pid);
    if (w->hung)
        pl_log_word(&line, "critical", "true");
    if (blamed)
        pl_log_string(&line, "plugin", suspect->plugin, strlen(suspect->plugin));
    pl_log_close(&line);
}

/* A host that was never ready and whose worker refuses to start says so and ends: retrying would
 * hide the reason among its own repetitions. */
static bool must_give_up(struct worker *w, int status)
{
    if (w->s->announced || w->s->stopping)
        return false;
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    if (code >= EX_FIRST_REASON && code <= EX_LAST_REASON)
        w->s->exit_code = code;
    else if (w->failures >= GIVE_UP_AT)
        w->s->exit_code = 70;
    else
        return false;
    pl_log(PL_LOG_ERROR, NULL, "a worker cannot start: giving up");
    return true;
}

void pl_sv_worker_reap(struct worker *w)
{
    int status;
    if (w->pid == 0 || waitpid(w->pid, &status, WNOHANG) != w->pid)
        return;
    struct supervisor *s = w->s;
    uint64_t lived = pl_now_ns() - w->started_ns;
    bool drained = WIFEXITED(status) && WEXITSTATUS(status) == 0 &&
                   atomic_load(&slot_of(w)->state) == PL_WORKER_DRAINING;
    bool good = drained || lived >= GOOD_LIFE_NS;
    w->failures = good ? 0 : w->failures + 1;
    bool blamed = pl_sv_blame(w, status);
    if (!s->stopping || !drained)
        report_end(w, status, blamed);
    w->pid = 0;
    atomic_store(&slot_of(w)->pid, 0);
    set_state(w, PL_WORKER_DOWN);
    drop_channel(w);
    pl_sv_query_worker_gone(w);
    if (must_give_up(w, status))
        pl_sv_stop(s, false);
    if (!s->stopping) {
        w->restarts++;
        spawn_later(w);
    }
    pl_sv_check(s);
}

void pl_sv_worker_kill(struct worker *w)
{
    if (w->pid != 0)
        kill(w->pid, SIGKILL);
}

void pl_sv_worker_drain(struct worker *w)
{
    uv_timer_stop(&w->restart);
    if (w->pid == 0)
        return;
    if (w->channel == NULL) {
        pl_sv_worker_kill(w);
        return;
    }
    set_state(w, PL_WORKER_DRAINING);
    char line[64];
    int n = snprintf(line, sizeof line, "0 drain {\"limit_ms\":%llu}\n",
                     (unsigned long long)(w->s->config.drain_ns / PL_NS_PER_MS));
    pl_lines_send(&w->channel->lines, line, (size_t)n);
}

void pl_sv_worker_tick(struct worker *w, uint64_t now)
{
    if (w->pid == 0 || w->hung)
        return;
    struct pl_watchdog_slot *slot = slot_of(w);
    const struct config *c = &w->s->config;
    uint64_t since, limit;
    if (atomic_load(&slot->state) == PL_WORKER_STARTING) {
        since = w->started_ns; /* loading code blocks the loop, and may */
        limit = c->start_ns;
    } else {
        since = atomic_load(&slot->heartbeat_ns);
        limit = c->hang_ns;
    }
    if (since < w->s->grace_ns)
        since = w->s->grace_ns;
    if (now < since + limit)
        return;
    w->hung = true;
    kill(w->pid, SIGKILL);
}
