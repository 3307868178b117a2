/* What the control socket answers: errors, the status, and what became of what workers were asked.
 */
#include "loop/process.h"
#include "loop/supervisor_control.h"

#include "base/json.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void pl_sv_reply(struct conn *conn, struct pl_buf *json)
{
    pl_buf_putc(json, '\n');
    conn->busy = false;
    conn->deadline_ns = pl_now_ns() + PL_SV_REQUEST_NS;
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
    pl_buf_printf(out, ",\"retryable\":%s,\"op\":\"" PL_SV_CONTROL "\"}",
                  retryable ? "true" : "false");
}

void pl_sv_refuse(struct conn *conn, const char *code, const char *message, bool retryable)
{
    struct pl_buf out = {0};
    put_error(&out, code, message, retryable);
    pl_buf_putc(&out, '}');
    pl_sv_reply(conn, &out);
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

void pl_sv_status_finish(struct query *q)
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
    pl_sv_reply(q->conn, &out);
    pl_buf_free(&out);
}

/* --- what workers have answered ------------------------------------------------------------------
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

void pl_sv_workers_finish(struct query *q)
{
    if (q->conn == NULL)
        return;
    struct pl_buf out = {0};
    const struct ask *told = first_answer(q, q->failed == 0);
    if (told == NULL) {
        pl_sv_refuse(q->conn, PL_E_BUSY, "no worker is ready", true);
        return;
    }
    pl_buf_puts(&out, q->failed == 0 ? "{\"ok\":true,\"result\":" : "{\"ok\":false,\"error\":");
    pl_buf_append(&out, told->json.data, told->json.len);
    pl_buf_putc(&out, ',');
    put_answers(q, &out);
    pl_buf_putc(&out, '}');
    pl_sv_reply(q->conn, &out);
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
    pl_sv_workers_finish(q);
    if (s->reload_again && !s->stopping) {
        s->reload_again = false;
        pl_sv_reload(s);
    }
}
