#include "loop/worker.h"

#include "base/log.h"
#include "loop/board.h"
#include "loop/fault.h"
#include "loop/lines.h"
#include "loop/process.h"
#include "loop/shelf.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define OP "worker"

/* The channel is gone: the supervisor has died. Its successor must not find this process at work.
 */
#define EXIT_ORPHAN 75

static struct {
    bool attached, draining;
    struct pl_loop *loop;
    struct pl_worker_info info;
    struct pl_lines channel;
    uv_timer_t beat;
    uv_signal_t sigterm;
    int exit_code;
    void (*on_message)(uint64_t, const char *, const char *, size_t, void *);
    void *arg;
} W = {.exit_code = -1};

const struct pl_worker_info *pl_worker_info(void)
{
    return W.attached ? &W.info : NULL;
}

/* --- what was inherited --------------------------------------------------------------------------
 */

struct inherited {
    int channel, page, board, shelf, beat_ms;
};

static void add_listener(const char *name, int fd)
{
    struct pl_worker_info *info = &W.info;
    if (info->listeners_len == PL_LISTENERS_MAX)
        return;
    snprintf(info->listeners[info->listeners_len].name, PL_LISTENER_NAME_MAX, "%s", name);
    info->listeners[info->listeners_len++].fd = fd;
    pl_process_cloexec(fd, true);
}

/* Reads "key=value;key=value", written by loop/supervisor_worker.c. */
static void read_description(char *text, struct inherited *in)
{
    char *save;
    for (char *item = strtok_r(text, ";", &save); item != NULL; item = strtok_r(NULL, ";", &save)) {
        char *value = strchr(item, '=');
        if (value == NULL)
            continue;
        *value++ = '\0';
        int n = atoi(value);
        if (strcmp(item, "index") == 0)
            W.info.index = (uint32_t)n;
        else if (strcmp(item, "count") == 0)
            W.info.count = (uint32_t)n;
        else if (strcmp(item, "channel") == 0)
            in->channel = n;
        else if (strcmp(item, "page") == 0)
            in->page = n;
        else if (strcmp(item, "board") == 0)
            in->board = n;
        else if (strcmp(item, "shelf") == 0)
            in->shelf = n;
        else if (strcmp(item, "beat_ms") == 0)
            in->beat_ms = n;
        else if (strcmp(item, "replaces") == 0)
            W.info.replaces = n != 0;
        else if (strncmp(item, "listen.", 7) == 0)
            add_listener(item + 7, n);
        else if (strcmp(item, "suspect") == 0)
            snprintf(W.info.suspect.plugin, sizeof W.info.suspect.plugin, "%s", value);
        else if (strcmp(item, "suspect_signal") == 0)
            W.info.suspect.signal = n;
        else if (strcmp(item, "suspect_trace") == 0)
            snprintf(W.info.suspect.trace, sizeof W.info.suspect.trace, "%s", value);
    }
}

/* --- messages ------------------------------------------------------------------------------------
 */

static void drain(uint64_t id, const char *json, size_t len)
{
    if (W.draining) {
        pl_worker_answer(id, true, "null", 4);
        return;
    }
    W.draining = true;
    atomic_store(&pl_watchdog_slot->state, PL_WORKER_DRAINING);
    if (W.on_message != NULL)
        W.on_message(id, "drain", json, len, W.arg);
    else
        pl_worker_exit(0);
}

/* `ID EVENT JSON` */
static void on_line(struct pl_lines *lines, char *line, size_t len)
{
    (void)lines;
    char *rest;
    uint64_t id = strtoull(line, &rest, 10);
    char *json = *rest == ' ' ? strchr(rest + 1, ' ') : NULL;
    if (json == NULL)
        return;
    *json++ = '\0';
    const char *event = rest + 1;
    size_t n = len - (size_t)(json - line);
    static const char nobody[] = "{\"code\":\"not_supported\",\"message\":\"no handler\"}";
    if (strcmp(event, "drain") == 0)
        drain(id, json, n);
    else if (W.on_message != NULL)
        W.on_message(id, event, json, n, W.arg);
    else
        pl_worker_answer(id, false, nobody, sizeof nobody - 1);
}

static void on_end(struct pl_lines *lines, const struct pl_err *why)
{
    (void)lines;
    (void)why;
    _exit(EXIT_ORPHAN);
}

static void on_sigterm(uv_signal_t *handle, int signum)
{
    (void)handle;
    (void)signum;
    drain(0, "{}", 2);
}

static void on_beat(uv_timer_t *timer)
{
    (void)timer;
    pl_watchdog_beat(pl_now_ns());
}

void pl_worker_on_message(void (*fn)(uint64_t, const char *, const char *, size_t, void *),
                          void *arg)
{
    W.on_message = fn;
    W.arg = arg;
}

static void send_line(uint64_t id, const char *verb, const char *json, size_t len)
{
    struct pl_buf line = {0};
    pl_buf_printf(&line, "%llu %s ", (unsigned long long)id, verb);
    pl_buf_append(&line, json, len);
    pl_buf_putc(&line, '\n');
    pl_lines_send(&W.channel, line.data, line.len);
    pl_buf_free(&line);
}

void pl_worker_answer(uint64_t id, bool ok, const char *json, size_t len)
{
    static const char large[] = "{\"code\":\"too_large\",\"message\":\"the answer is too large\"}";
    if (id == 0 || !W.attached)
        return;
    if (len > PL_CHANNEL_LINE_MAX / 2)
        send_line(id, "error", large, sizeof large - 1);
    else
        send_line(id, ok ? "ok" : "error", json, len);
}

void pl_worker_ready(void)
{
    if (W.attached)
        send_line(0, "ready", "null", 4);
}

void pl_worker_nudge(void)
{
    if (W.attached)
        send_line(0, "look", "null", 4);
}

/* --- life ----------------------------------------------------------------------------------------
 */

int pl_worker_attach(struct pl_loop *loop, struct pl_err *err)
{
    const char *env = getenv(PL_WORKER_ENVIRONMENT);
    if (env == NULL)
        return pl_fail(err, PL_E_INVALID, false, OP, "workers are started by `parley serve` only");
    struct inherited in = {.channel = -1, .page = -1, .board = -1, .shelf = -1};
    char *text = pl_xstrdup(env);
    unsetenv(PL_WORKER_ENVIRONMENT); /* children of this process are not workers */
    read_description(text, &in);
    free(text);
    pl_process_harden();
    char name[24];
    snprintf(name, sizeof name, "worker %u", W.info.index);
    pl_log_setup(STDERR_FILENO, PL_LOG_AUTO, name);
    W.loop = loop;
    if (pl_watchdog_attach(in.page, W.info.index, W.info.count, err) < 0 ||
        pl_board_attach(in.board, W.info.index, W.info.count, err) < 0 ||
        pl_shelf_attach(in.shelf, err) < 0 || pl_fault_watch(err) < 0)
        return -1;
    pl_process_cloexec(in.channel, true);
    W.channel.line_max = PL_CHANNEL_LINE_MAX;
    W.channel.on_line = on_line;
    W.channel.on_end = on_end;
    pl_lines_init(&W.channel, loop);
    if (pl_lines_open(&W.channel, in.channel, err) < 0)
        return -1;
    W.attached = true;
    /* A terminal sends these to the whole group; the supervisor decides what they mean. */
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    uv_signal_init(&loop->uv, &W.sigterm);
    uv_signal_start(&W.sigterm, on_sigterm, SIGTERM);
    uv_timer_init(&loop->uv, &W.beat);
    uint64_t period = in.beat_ms > 0 ? (uint64_t)in.beat_ms : 1;
    uv_timer_start(&W.beat, on_beat, 0, period);
    return 0;
}

void pl_worker_detach(void)
{
    if (!W.attached)
        return;
    W.attached = false;
    pl_lines_close(&W.channel, false);
    uv_close((uv_handle_t *)&W.sigterm, NULL);
    uv_close((uv_handle_t *)&W.beat, NULL);
}

void pl_worker_exit(int code)
{
    W.exit_code = code;
    pl_loop_stop(W.loop);
}

int pl_worker_exit_code(void)
{
    return W.exit_code;
}
