/* The client: libcurl's sockets and timers on the loop. */
#include "drivers/http_client_impl.h"

#include <stdlib.h>

#define OP "http.request"

/* Connections that are kept for the next request, and open ones, per pool. */
#define KEPT_CONNECTIONS 64L
#define MAX_CONNECTIONS  512L
#define MAX_FETCHES      4096
#define MAX_PATIENT      16384 /* fetches, and connections of their pool */

/* --- libcurl calls us ----------------------------------------------------------------------------
 */

/* A socket that libcurl wants to hear about. */
struct watch {
    struct pl_list link; /* in pool->watches */
    uv_poll_t poll;
    struct pl_http_pool *pool;
    curl_socket_t fd;
};

static void finish_done(struct pl_http_pool *pool)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(pool->multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE)
            continue;
        struct pl_fetch *fetch = NULL;
        CURLcode result = message->data.result; /* the message dies with the handle */
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&fetch);
        pl_fetch_done(fetch, result);
    }
}

static void action(struct pl_http_pool *pool, curl_socket_t fd, int events)
{
    struct pl_http_client *client = pool->client;
    int running;
    client->refs++; /* a waiter that is woken may close the client */
    client->inside = true;
    curl_multi_socket_action(pool->multi, fd, events, &running);
    client->inside = false;
    finish_done(pool);
    pl_http_settle_all(client);
    pl_http_client_unref(client);
}

static void on_socket(uv_poll_t *poll, int status, int events)
{
    struct watch *w = poll->data;
    int flags = (events & UV_READABLE ? CURL_CSELECT_IN : 0) |
                (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0) | (status < 0 ? CURL_CSELECT_ERR : 0);
    action(w->pool, w->fd, flags);
}

void pl_http_pool_begin(struct pl_http_pool *pool)
{
    if (!pool->client->inside)
        action(pool, CURL_SOCKET_TIMEOUT, 0);
}

static void on_timer(uv_timer_t *timer)
{
    action(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static void on_watch_closed(uv_handle_t *handle)
{
    struct watch *w = handle->data;
    struct pl_http_client *client = w->pool->client;
    free(w);
    pl_http_client_unref(client);
}

static void close_watch(struct watch *w)
{
    pl_list_remove(&w->link);
    uv_poll_stop(&w->poll); /* the descriptor is free for libcurl from here on */
    uv_close((uv_handle_t *)&w->poll, on_watch_closed);
}

static int set_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *assigned)
{
    (void)easy;
    struct pl_http_pool *pool = arg;
    struct watch *w = assigned;
    if (what == CURL_POLL_REMOVE) {
        if (w != NULL) {
            curl_multi_assign(pool->multi, fd, NULL);
            close_watch(w);
        }
        return 0;
    }
    if (w == NULL) {
        w = pl_xcalloc(1, sizeof *w);
        if (uv_poll_init_socket(&pool->client->loop->uv, &w->poll, fd) < 0) {
            free(w);
            return -1;
        }
        w->pool = pool;
        w->fd = fd;
        w->poll.data = w;
        pl_list_push(&pool->watches, &w->link);
        pool->client->refs++;
        curl_multi_assign(pool->multi, fd, w);
    }
    int events =
        (what != CURL_POLL_OUT ? UV_READABLE : 0) | (what != CURL_POLL_IN ? UV_WRITABLE : 0);
    return uv_poll_start(&w->poll, events, on_socket);
}

static int set_timer(CURLM *multi, long ms, void *arg)
{
    (void)multi;
    struct pl_http_pool *pool = arg;
    if (ms < 0)
        uv_timer_stop(&pool->timer);
    else
        uv_timer_start(&pool->timer, on_timer, (uint64_t)ms, 0);
    return 0;
}

/* --- we call libcurl -----------------------------------------------------------------------------
 */

int pl_http_pool_add(struct pl_fetch *fetch, struct pl_err *err)
{
    struct pl_http_client *client = fetch->client;
    if (client->closed)
        return pl_fail(err, PL_E_CANCELLED, false, OP, "the client is closed");
    uint64_t running = client->stats.active - client->stats.patient;
    if (fetch->patient ? client->stats.patient >= MAX_PATIENT : running >= MAX_FETCHES)
        return pl_fail(err, PL_E_BUSY, true, OP, "%d requests are running already",
                       fetch->patient ? MAX_PATIENT : MAX_FETCHES);
    struct pl_http_pool *pool = &client->pools[fetch->kind];
    bool inside = client->inside;
    client->inside = true;
    CURLMcode code = curl_multi_add_handle(pool->multi, fetch->easy);
    client->inside = inside;
    if (code != CURLM_OK)
        return pl_fail(err, PL_E_IO, false, OP, "libcurl: %s", curl_multi_strerror(code));
    fetch->pool = pool;
    pl_list_push(&client->fetches, &fetch->link);
    fetch->refs++; /* of the pool */
    client->stats.active++;
    client->stats.patient += fetch->patient;
    client->stats.started++;
    return 0;
}

void pl_http_pool_remove(struct pl_fetch *fetch)
{
    struct pl_http_client *client = fetch->client;
    if (fetch->pool == NULL)
        return;
    bool inside = client->inside;
    client->inside = true;
    curl_multi_remove_handle(fetch->pool->multi, fetch->easy);
    client->inside = inside;
    fetch->pool = NULL;
    pl_list_remove(&fetch->link);
    client->stats.active--;
    client->stats.patient -= fetch->patient;
    pl_fetch_unref(fetch);
}

void pl_http_settle_later(struct pl_fetch *fetch)
{
    if (!pl_list_empty(&fetch->settled_link))
        return;
    fetch->refs++;
    pl_list_push(&fetch->client->settled, &fetch->settled_link);
}

void pl_http_settle_all(struct pl_http_client *client)
{
    while (!client->inside && !pl_list_empty(&client->settled)) {
        struct pl_list *first = pl_list_shift(&client->settled);
        struct pl_fetch *fetch = pl_container_of(first, struct pl_fetch, settled_link);
        pl_fetch_settle(fetch);
        pl_fetch_unref(fetch);
    }
}

/* --- life ----------------------------------------------------------------------------------------
 */

static void open_pool(struct pl_http_client *client, int kind)
{
    struct pl_http_pool *pool = &client->pools[kind];
    bool patient = kind >= PL_HTTP_PATIENT;
    pool->client = client;
    pl_list_init(&pool->watches);
    pool->multi = curl_multi_init();
    if (pool->multi == NULL)
        return;
    uv_timer_init(&client->loop->uv, &pool->timer);
    pool->timer.data = pool;
    client->refs++;
    curl_multi_setopt(pool->multi, CURLMOPT_SOCKETFUNCTION, set_socket);
    curl_multi_setopt(pool->multi, CURLMOPT_SOCKETDATA, pool);
    curl_multi_setopt(pool->multi, CURLMOPT_TIMERFUNCTION, set_timer);
    curl_multi_setopt(pool->multi, CURLMOPT_TIMERDATA, pool);
    /* Whoever polls, polls again: all connections are kept. */
    curl_multi_setopt(pool->multi, CURLMOPT_MAXCONNECTS,
                      patient ? (long)MAX_PATIENT : KEPT_CONNECTIONS);
    curl_multi_setopt(pool->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS,
                      patient ? (long)MAX_PATIENT : MAX_CONNECTIONS);
}

struct pl_http_client *pl_http_client_new(struct pl_loop *loop, struct pl_err *err)
{
    static bool initialised; /* once per process: not safe to repeat beside other threads */
    if (!initialised && curl_global_init(CURL_GLOBAL_DEFAULT) != 0) {
        pl_fail(err, PL_E_IO, false, OP, "libcurl cannot start");
        return NULL;
    }
    initialised = true;
    struct pl_http_client *client = pl_xcalloc(1, sizeof *client);
    client->loop = loop;
    client->refs = 1;
    pl_list_init(&client->fetches);
    pl_list_init(&client->settled);
    bool opened = true;
    for (int i = 0; i < PL_HTTP_POOLS; i++) {
        open_pool(client, i);
        opened = opened && client->pools[i].multi != NULL;
    }
    if (!opened) {
        pl_http_client_close(client);
        pl_fail(err, PL_E_NO_MEMORY, true, OP, "libcurl has no memory");
        return NULL;
    }
    return client;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct pl_http_pool *pool = handle->data;
    pl_http_client_unref(pool->client);
}

void pl_http_client_close(struct pl_http_client *client)
{
    client->closed = true;
    while (!pl_list_empty(&client->fetches))
        pl_fetch_abort(pl_container_of(client->fetches.next, struct pl_fetch, link));
    for (int i = 0; i < PL_HTTP_POOLS; i++) {
        struct pl_http_pool *pool = &client->pools[i];
        if (pool->multi == NULL)
            continue;
        /* libcurl does not say of every socket that it is gone when all go at once. */
        struct pl_list *pos, *tmp;
        pl_list_each (pos, tmp, &pool->watches)
            close_watch(pl_container_of(pos, struct watch, link));
        curl_multi_setopt(pool->multi, CURLMOPT_SOCKETFUNCTION, NULL);
        curl_multi_cleanup(pool->multi);
        pool->multi = NULL;
        uv_close((uv_handle_t *)&pool->timer, on_timer_closed);
    }
    pl_http_client_unref(client);
}

void pl_http_client_unref(struct pl_http_client *client)
{
    if (--client->refs == 0)
        free(client);
}

void pl_http_client_stats(const struct pl_http_client *client, struct pl_http_client_stats *out)
{
    *out = client->stats;
}
