/* Questions to the workers, and their answers. */
#include "loop/supervisor_impl.h"

#include <stdlib.h>

static void send_ask(struct worker *w, struct ask *ask)
{
    pl_lines_send(&w->channel->lines, ask->unsent, strlen(ask->unsent));
    free(ask->unsent);
    ask->unsent = NULL;
}

static void end_query(struct query *q)
{
    pl_list_remove(&q->link);
    q->finish(q);
    for (uint32_t i = 0; i < q->s->config.workers; i++) {
        pl_list_remove(&q->asks[i].link);
        free(q->asks[i].unsent);
        pl_buf_free(&q->asks[i].json);
    }
    free(q);
}

static void take_answer(struct ask *ask, bool ok, const char *json, size_t len)
{
    struct query *q = ask->query;
    pl_list_remove(&ask->link);
    ask->answered = true;
    ask->ok = ok;
    q->failed += ok ? 0 : 1;
    pl_buf_append(&ask->json, json, len);
    if (--q->pending == 0)
        end_query(q);
}

static void fail_ask(struct ask *ask, const char *code, const char *message)
{
    struct pl_buf json = {0};
    pl_buf_printf(&json, "{\"code\":\"%s\",\"message\":\"%s\",\"retryable\":true}", code, message);
    take_answer(ask, false, json.data, json.len);
    pl_buf_free(&json);
}

void pl_sv_query_start(struct supervisor *s, struct conn *conn, uint32_t first, uint32_t last,
                       const char *event, const char *json, bool only_ready, uint64_t timeout_ms,
                       void (*finish)(struct query *q))
{
    uint32_t n = s->config.workers;
    struct query *q = pl_xcalloc(1, sizeof *q + n * sizeof q->asks[0]);
    q->s = s;
    q->conn = conn;
    q->finish = finish;
    q->deadline_ns = pl_now_ns() + timeout_ms * PL_NS_PER_MS;
    q->pending = 1; /* ours, until everybody is asked */
    pl_list_push(&s->queries, &q->link);
    for (uint32_t i = 0; i < n; i++)
        pl_list_init(&q->asks[i].link);
    for (uint32_t i = first; i <= last; i++) {
        struct worker *w = &s->workers[i];
        struct ask *ask = &q->asks[i];
        bool ready = atomic_load(&s->page[i].state) == PL_WORKER_READY && w->channel != NULL;
        if (!ready && only_ready)
            continue;
        ask->query = q;
        ask->asked = true;
        ask->id = ++s->next_id;
        struct pl_buf line = {0};
        pl_buf_printf(&line, "%llu %s %s\n", (unsigned long long)ask->id, event, json);
        ask->unsent = pl_xstrdup(pl_buf_cstr(&line));
        pl_buf_free(&line);
        pl_list_push(&w->asks, &ask->link);
        q->pending++;
        if (ready)
            send_ask(w, ask);
    }
    if (--q->pending == 0)
        end_query(q);
}

void pl_sv_query_answer(struct worker *w, uint64_t id, bool ok, const char *json, size_t len)
{
    struct pl_list *pos, *tmp;
    pl_list_each (pos, tmp, &w->asks) {
        struct ask *ask = pl_container_of(pos, struct ask, link);
        if (ask->id == id) {
            take_answer(ask, ok, json, len);
            return;
        }
    }
    /* The query has ended by its deadline: nobody waits for this any more. */
}

void pl_sv_query_worker_ready(struct worker *w)
{
    struct pl_list *pos, *tmp;
    pl_list_each (pos, tmp, &w->asks) {
        struct ask *ask = pl_container_of(pos, struct ask, link);
        if (ask->unsent != NULL && w->channel != NULL)
            send_ask(w, ask);
    }
}

/* What was held back stays: the next life of the worker will answer it. */
void pl_sv_query_worker_gone(struct worker *w)
{
    struct pl_list lost, *pos, *tmp;
    pl_list_init(&lost);
    pl_list_each (pos, tmp, &w->asks) {
        struct ask *ask = pl_container_of(pos, struct ask, link);
        if (ask->unsent == NULL || w->s->stopping) {
            pl_list_remove(pos);
            pl_list_push(&lost, pos);
        }
    }
    struct pl_list *link;
    while ((link = pl_list_shift(&lost)) != NULL)
        fail_ask(pl_container_of(link, struct ask, link), "worker_ended",
                 "the worker ended before it answered");
}

void pl_sv_query_tick(struct supervisor *s, uint64_t now)
{
    struct pl_list *pos, *tmp;
    pl_list_each (pos, tmp, &s->queries) {
        struct query *q = pl_container_of(pos, struct query, link);
        if (now < q->deadline_ns)
            continue;
        uint32_t n = s->config.workers;
        q->pending++; /* keeps the query while its questions are failed */
        for (uint32_t i = 0; i < n; i++)
            if (q->asks[i].asked && !q->asks[i].answered)
                fail_ask(&q->asks[i], PL_E_TIMEOUT, "the worker did not answer in time");
        end_query(q);
    }
}
