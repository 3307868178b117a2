/* The control socket: one line of JSON asks, one line answers. */
#include "loop/process.h"
#include "loop/supervisor_impl.h"

#include "base/json.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define OP                "control"
#define REQUEST_MAX       (64u << 10)
#define CONNS_MAX         32
#define REQUEST_NS        (10 * PL_NS_PER_S) /* from accept, or the last reply, to a whole request */
#define STATUS_TIMEOUT_MS 2000
#define OTHER_TIMEOUT_MS  30000

struct conn {
    struct pl_lines lines;
    struct supervisor *s;
    struct pl_list link;
    uint64_t deadline_ns; /* 0: a query or the stop has its own */
    bool busy;            /* a request is being answered */
    bool awaits_stop;
    char *request; /* the line, for what is handed on */
};

struct request {
    char cmd[32];
    double worker; /* -1: not given */
    bool wait;     /* stop: answer when it is done */
    bool now;      /* stop: without drain */
};

/* --- requests ------------------------------------------------------------------------------------
 */

/* Reads past the value that begins with `token`. */
static int skip(struct pl_json_reader *r, enum pl_json_token token)
{
    uint32_t depth = r->depth;
    if (token != PL_JSON_ARRAY && token != PL_JSON_OBJECT)
        return token == PL_JSON_ERROR ? -1 : 0;
    do {
        token = pl_json_next(r);
        if (token == PL_JSON_ERROR)
            return -1;
    } while (r->depth >= depth);
    return 0;
}

static int read_member(struct pl_json_reader *r, struct request *out)
{
    char key[16] = "";
    if (r->len < sizeof key)
        memcpy(key, r->str, r->len);
    enum pl_json_token token = pl_json_next(r);
    if (strcmp(key, "cmd") == 0) {
        if (token != PL_JSON_STRING || r->len == 0 || r->len >= sizeof out->cmd) {
            pl_json_refuse(r, PL_E_INVALID, "cmd: expected a short string");
            return -1;
        }
        memcpy(out->cmd, r->str, r->len);
        out->cmd[r->len] = '\0';
    } else if (strcmp(key, "worker") == 0 && token == PL_JSON_NUMBER) {
        out->worker = r->number;
    } else if (strcmp(key, "wait") == 0) {
        out->wait = token == PL_JSON_TRUE;
    } else if (strcmp(key, "now") == 0) {
        out->now = token == PL_JSON_TRUE;
    }
    return skip(r, token);
}

static int parse(const char *line, size_t len, struct request *out, struct pl_err *err)
{
    *out = (struct request){.worker = -1, .wait = true};
    struct pl_json_limits limits = PL_JSON_LIMITS_DEFAULT;
    struct pl_json_reader r;
    pl_json_open(&r, line, len, &limits);
    int rc = 0;
    enum pl_json_token token = pl_json_next(&r);
    if (token != PL_JSON_OBJECT) {
        if (token != PL_JSON_ERROR)
            pl_json_refuse(&r, PL_E_INVALID, "expected an object");
        rc = -1;
    }
    while (rc == 0 && (token = pl_json_next(&r)) == PL_JSON_KEY)
        rc = read_member(&r, out);
    if (rc == 0 && (token == PL_JSON_ERROR || pl_json_next(&r) != PL_JSON_END))
        rc = -1;
    if (rc == 0 && strspn(out->cmd, "abcdefghijklmnopqrstuvwxyz_.") != strlen(out->cmd)) {
        pl_json_refuse(&r, PL_E_INVALID, "cmd: a-z, _ and . only");
        rc = -1;
    }
    if (rc == 0 && out->cmd[0] == '\0') {
        pl_json_refuse(&r, PL_E_INVALID, "cmd is missing");
        rc = -1;
    }
    if (rc < 0)
        *err = r.err;
    pl_json_close(&r);
    return rc;
}

/* --- replies -------------------------------------------------------------------------------------
 */

/* Sends the reply (a line without its end) and makes the connection ready for the next request. */
static void reply(struct conn *conn, struct pl_buf *json)
{
    pl_buf_putc(json, '\n');
    conn->busy = false;
    conn->deadline_ns = pl_now_ns() + REQUEST_NS;
    free(conn->request);
    conn->request = NULL;
    pl_lines_send(&conn->lines, json->data, json->len);
    pl_buf_clear(json);
}

static void put_text(struct pl_buf *out, const char *text)
{
    if (pl_json_put_string(out, text, strlen(text)) < 0)
        pl_buf_puts(out, "null");
}

static void put_error(struct pl_buf *out, const char *code, const char *message, bool retryable)
{
    pl_buf_puts(out, "{\"ok\":false,\"error\":{\"code\":");
    put_text(out, code);
    pl_buf_puts(out, ",\"message\":");
    put_text(out, message);
    pl_buf_printf(out, ",\"retryable\":%s,\"op\":\"" OP "\"}", retryable ? "true" : "false");
}

static void refuse(struct conn *conn, const char *code, const char *message, bool retryable)
{
    struct pl_buf out = {0};
    put_error(&out, code, message, retryable);
    pl_buf_putc(&out, '}');
    reply(conn, &out);
    pl_buf_free(&out);
}

/* --- status --------------------------------------------------------------------------------------
 */

static void put_worker(struct query *q, uint32_t i, uint64_t now, struct pl_buf *out)
{
    struct worker *w = &q->s->workers[i];
    struct pl_watchdog_slot *slot = &q->s->page[i];
    pl_buf_printf(out, "{\"index\":%u,\"state\":\"%s\",\"restarts\":%llu", i,
                  pl_worker_state_name(atomic_load(&slot->state)), (unsigned long long)w->restarts);
    if (w->pid != 0) {
        uint64_t beat = atomic_load(&slot->heartbeat_ns);
        pl_buf_printf(out,
                      ",\"pid\":%d,\"uptime_s\":%.3f,\"heartbeat_age_ms\":%llu,\"rss_bytes\":%llu",
                      (int)w->pid, (double)(now - w->started_ns) / 1e9,
                      (unsigned long long)(now > beat ? (now - beat) / PL_NS_PER_MS : 0),
                      (unsigned long long)pl_process_rss(w->pid));
    }
    char running[PL_WATCHDOG_NAME_MAX]; /* the worker may be writing it: a glance, for people */
    memcpy(running, slot->running, sizeof running);
    running[sizeof running - 1] = '\0';
    pl_buf_puts(out, ",\"running\":");
    if (running[0] != '\0')
        put_text(out, running);
    else
        pl_buf_puts(out, "null");
    const struct ask *ask = &q->asks[i];
    if (ask->answered) {
        pl_buf_puts(out, ask->ok ? ",\"status\":" : ",\"error\":");
        pl_buf_append(out, ask->json.data, ask->json.len);
    }
    pl_buf_putc(out, '}');
}

static void status_finish(struct query *q)
{
    struct supervisor *s = q->s;
    if (q->conn == NULL)
        return;
    uint64_t now = pl_now_ns();
    struct pl_buf out = {0};
    pl_buf_printf(&out,
                  "{\"ok\":true,\"result\":{\"version\":\"%s\",\"pid\":%d,\"uptime_s\":%.3f,"
                  "\"state\":\"%s\",\"rss_bytes\":%llu,\"home\":",
                  PARLEY_VERSION, (int)getpid(), (double)(now - s->started_ns) / 1e9,
                  s->stopping ? "draining" : (s->announced ? "ready" : "starting"),
                  (unsigned long long)pl_process_rss(getpid()));
    put_text(&out, s->config.home);
    pl_buf_puts(&out, ",\"listen\":{");
    for (uint32_t i = 0; i < s->config.listeners_len; i++) {
        pl_buf_printf(&out, "%s\"%s\":", i > 0 ? "," : "", s->config.listeners[i].name);
        put_text(&out, s->config.listeners[i].address);
    }
    pl_buf_puts(&out, "},\"workers\":[");
    for (uint32_t i = 0; i < s->config.workers; i++) {
        if (i > 0)
            pl_buf_putc(&out, ',');
        put_worker(q, i, now, &out);
    }
    pl_buf_puts(&out, "]}}");
    reply(q->conn, &out);
    pl_buf_free(&out);
}

/* --- reload and what the workers do ------------------------------------------------------------
 */

/* {"workers":[{"index":0,"ok":true,"result":...}, {"index":1,"ok":false,"error":...}]} */
static void put_answers(struct query *q, struct pl_buf *out)
{
    bool first = true;
    pl_buf_puts(out, "\"workers\":[");
    for (uint32_t i = 0; i < q->s->config.workers; i++) {
        const struct ask *ask = &q->asks[i];
        if (!ask->answered)
            continue;
        pl_buf_printf(out, "%s{\"index\":%u,\"ok\":%s,\"%s\":", first ? "" : ",", i,
                      ask->ok ? "true" : "false", ask->ok ? "result" : "error");
        pl_buf_append(out, ask->json.data, ask->json.len);
        pl_buf_putc(out, '}');
        first = false;
    }
    pl_buf_putc(out, ']');
}

static const struct ask *first_answer(struct query *q, bool ok)
{
    for (uint32_t i = 0; i < q->s->config.workers; i++)
        if (q->asks[i].answered && q->asks[i].ok == ok)
            return &q->asks[i];
    return NULL;
}

/* One answer stands for all when all are well; one failure fails the request, and says what each
 * worker said. */
static void workers_finish(struct query *q)
{
    if (q->conn == NULL)
        return;
    struct pl_buf out = {0};
    const struct ask *told = first_answer(q, q->failed == 0);
    if (told == NULL) {
        refuse(q->conn, PL_E_BUSY, "no worker is ready", true);
        return;
    }
    pl_buf_puts(&out, q->failed == 0 ? "{\"ok\":true,\"result\":" : "{\"ok\":false,\"error\":");
    pl_buf_append(&out, told->json.data, told->json.len);
    pl_buf_putc(&out, ',');
    put_answers(q, &out);
    pl_buf_putc(&out, '}');
    reply(q->conn, &out);
    pl_buf_free(&out);
}

void pl_sv_reload_finish(struct query *q)
{
    struct supervisor *s = q->s;
    s->reloading = false;
    if (q->failed == 0) {
        pl_log(PL_LOG_INFO, NULL, "reloaded in every worker");
    } else {
        const struct ask *ask = first_answer(q, false);
        pl_log(PL_LOG_ERROR, NULL, "reload failed in %u of %u workers: %.*s", q->failed,
               s->config.workers, (int)ask->json.len, ask->json.data);
    }
    workers_finish(q);
    if (s->reload_again && !s->stopping) {
        s->reload_again = false;
        pl_sv_reload(s);
    }
}

static void start_reload(struct conn *conn)
{
    struct supervisor *s = conn->s;
    if (s->reloading) {
        refuse(conn, PL_E_BUSY, "a reload is running", true);
        return;
    }
    s->reloading = true;
    pl_sv_query_start(s, conn, 0, s->config.workers - 1, "reload", conn->request, false,
                      RELOAD_TIMEOUT_MS, pl_sv_reload_finish);
}

static void start_stop(struct conn *conn, const struct request *r)
{
    struct supervisor *s = conn->s;
    if (r->wait) {
        conn->awaits_stop = true;
    } else {
        struct pl_buf out = {0};
        pl_buf_puts(&out, "{\"ok\":true,\"result\":{\"stopped\":false}}");
        reply(conn, &out);
        pl_buf_free(&out);
    }
    pl_sv_stop(s, r->now);
}

/* To the worker that is named, or else to the first that is ready. */
static void hand_on(struct conn *conn, const struct request *r)
{
    struct supervisor *s = conn->s;
    uint32_t first = 0, n = s->config.workers;
    if (r->worker >= 0) {
        if (r->worker >= n || r->worker != (uint32_t)r->worker) {
            refuse(conn, PL_E_NOT_FOUND, "there is no such worker", false);
            return;
        }
        first = (uint32_t)r->worker;
    } else {
        while (first + 1 < n && atomic_load(&s->page[first].state) != PL_WORKER_READY)
            first++;
    }
    pl_sv_query_start(s, conn, first, first, r->cmd, conn->request, true, OTHER_TIMEOUT_MS,
                      workers_finish);
}

static void on_request(struct pl_lines *lines, char *line, size_t len)
{
    struct conn *conn = pl_container_of(lines, struct conn, lines);
    struct supervisor *s = conn->s;
    struct request r;
    struct pl_err err;
    if (conn->busy) {
        pl_lines_close(lines, false); /* answers in order need one request at a time */
        return;
    }
    conn->busy = true;
    conn->deadline_ns = 0;
    if (parse(line, len, &r, &err) < 0) {
        refuse(conn, err.code, err.message, false);
        return;
    }
    conn->request = pl_xmemdup(line, len);
    if (strcmp(r.cmd, "status") == 0)
        pl_sv_query_start(s, conn, 0, s->config.workers - 1, "status", conn->request, true,
                          STATUS_TIMEOUT_MS, status_finish);
    else if (strcmp(r.cmd, "stop") == 0)
        start_stop(conn, &r);
    else if (s->stopping)
        refuse(conn, PL_E_BUSY, "the host is stopping", false);
    else if (strcmp(r.cmd, "reload") == 0)
        start_reload(conn);
    else if (strcmp(r.cmd, "drain") == 0)
        refuse(conn, PL_E_INVALID, "use stop", false);
    else
        hand_on(conn, &r);
}

/* --- connections ---------------------------------------------------------------------------------
 */

static void on_conn_closed(struct pl_lines *lines)
{
    struct conn *conn = pl_container_of(lines, struct conn, lines);
    struct pl_list *pos, *tmp;
    pl_list_each (pos, tmp, &conn->s->queries) {
        struct query *q = pl_container_of(pos, struct query, link);
        if (q->conn == conn)
            q->conn = NULL;
    }
    pl_list_remove(&conn->link);
    conn->s->conns_len--;
    free(conn->request);
    free(conn);
}

static void on_connection(uv_stream_t *server, int status)
{
    struct supervisor *s = server->data;
    if (status < 0)
        return;
    struct conn *conn = pl_xcalloc(1, sizeof *conn);
    conn->s = s;
    conn->deadline_ns = pl_now_ns() + REQUEST_NS;
    conn->lines.line_max = REQUEST_MAX;
    conn->lines.on_line = on_request;
    conn->lines.on_closed = on_conn_closed;
    pl_lines_init(&conn->lines, &s->loop);
    pl_list_init(&conn->link);
    pl_list_push(&s->conns, &conn->link);
    s->conns_len++;
    if (uv_accept(server, (uv_stream_t *)&conn->lines.pipe) < 0 || s->conns_len > CONNS_MAX ||
        pl_lines_start(&conn->lines, NULL) < 0)
        pl_lines_close(&conn->lines, false);
}

void pl_sv_control_tick(struct supervisor *s, uint64_t now)
{
    struct pl_list *pos, *tmp;
    pl_list_each (pos, tmp, &s->conns) {
        struct conn *conn = pl_container_of(pos, struct conn, link);
        if (conn->deadline_ns != 0 && now > conn->deadline_ns)
            pl_lines_close(&conn->lines, false);
    }
}

void pl_sv_control_stopped(struct supervisor *s)
{
    struct pl_buf out = {0};
    struct pl_list *pos, *tmp;
    pl_list_each (pos, tmp, &s->conns) {
        struct conn *conn = pl_container_of(pos, struct conn, link);
        if (!conn->awaits_stop)
            continue;
        pl_buf_printf(&out, "{\"ok\":true,\"result\":{\"stopped\":true,\"killed\":%u}}",
                      s->stop_killed);
        reply(conn, &out);
    }
    pl_buf_free(&out);
}

int pl_sv_control_open(struct supervisor *s, struct pl_err *err)
{
    size_t most = sizeof((struct sockaddr_un *)0)->sun_path;
    if (strlen(s->control_path) >= most)
        return pl_fail(err, PL_E_INVALID, false, OP,
                       "the control socket's path must be shorter than %zu characters, choose a "
                       "shorter home: %.150s",
                       most, s->control_path);
    unlink(s->control_path); /* ours: the lock is held */
    uv_pipe_init(&s->loop.uv, &s->control, 0);
    s->control.data = s;
    mode_t mask = umask(0177);
    int rc = uv_pipe_bind(&s->control, s->control_path);
    umask(mask);
    if (rc == 0)
        rc = uv_listen((uv_stream_t *)&s->control, 16, on_connection);
    if (rc < 0)
        return pl_fail_errno(err, -rc, OP, s->control_path);
    return 0;
}

void pl_sv_control_close(struct supervisor *s)
{
    struct pl_list *pos, *tmp;
    pl_list_each (pos, tmp, &s->conns)
        pl_lines_close(&pl_container_of(pos, struct conn, link)->lines, true);
    unlink(s->control_path);
    uv_close((uv_handle_t *)&s->control, NULL);
}
