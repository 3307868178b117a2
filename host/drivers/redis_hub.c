#include "drivers/redis_hub.h"

#include "base/clock.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define WATCH_MS 1000 /* nobody asks anything here: a connection that is dead must be found out */

struct pl_redis_hub {
    struct pl_redis_conn *conn;
    struct pl_list subscriptions;
    uv_timer_t watch;
    bool asked; /* a PING is on its way */
    uint64_t messages;
    uint32_t count;
    uint32_t delivering; /* calls of on_message under way: what has left is freed after them */
};

struct pl_redis_subscription {
    struct pl_list link;
    struct pl_redis_hub *hub;
    pl_redis_on_message on_message; /* NULL: it has left */
    void *arg;
    size_t len;
    char channel[];
};

static void free_left(struct pl_redis_hub *hub)
{
    struct pl_list *pos, *tmp;
    pl_list_each (pos, tmp, &hub->subscriptions) {
        struct pl_redis_subscription *s = pl_container_of(pos, struct pl_redis_subscription, link);
        if (s->on_message != NULL)
            continue;
        pl_list_remove(&s->link);
        free(s);
    }
}

static void send_one(struct pl_redis_hub *hub, const char *verb, const char *channel, size_t len)
{
    pl_redis_conn_begin(hub->conn, 2);
    pl_redis_conn_add(hub->conn, verb, strlen(verb));
    pl_redis_conn_add(hub->conn, channel, len);
}

static bool listened_to(const struct pl_redis_hub *hub, const char *channel, size_t len)
{
    const struct pl_list *pos, *tmp;
    pl_list_each (pos, tmp, &hub->subscriptions) {
        const struct pl_redis_subscription *s =
            pl_container_of(pos, struct pl_redis_subscription, link);
        if (s->on_message != NULL && s->len == len && memcmp(s->channel, channel, len) == 0)
            return true;
    }
    return false;
}

static void deliver(struct pl_redis_hub *hub, const redisReply *channel, const redisReply *payload)
{
    struct pl_list *pos, *tmp;
    hub->delivering++;
    pl_list_each (pos, tmp, &hub->subscriptions) {
        struct pl_redis_subscription *s = pl_container_of(pos, struct pl_redis_subscription, link);
        if (s->on_message != NULL && s->len == channel->len &&
            memcmp(s->channel, channel->str, channel->len) == 0)
            s->on_message(s->arg, payload != NULL ? payload->str : NULL,
                          payload != NULL ? payload->len : 0);
    }
    if (--hub->delivering == 0)
        free_left(hub);
}

static void on_ready(void *arg)
{
    struct pl_redis_hub *hub = arg;
    struct pl_list *pos, *tmp;
    hub->asked = false;
    pl_list_each (pos, tmp, &hub->subscriptions) {
        struct pl_redis_subscription *s = pl_container_of(pos, struct pl_redis_subscription, link);
        if (s->on_message != NULL)
            send_one(hub, "SUBSCRIBE", s->channel, s->len);
    }
}

static void on_reply(void *arg, redisReply *reply)
{
    struct pl_redis_hub *hub = arg;
    hub->asked = false;
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 3 &&
        reply->element[0]->type == REDIS_REPLY_STRING &&
        reply->element[1]->type == REDIS_REPLY_STRING) {
        const redisReply *kind = reply->element[0], *payload = reply->element[2];
        if (strcmp(kind->str, "subscribe") == 0) {
            deliver(hub, reply->element[1], NULL);
        } else if (strcmp(kind->str, "message") == 0 && payload->type == REDIS_REPLY_STRING) {
            hub->messages++;
            deliver(hub, reply->element[1], payload);
        }
    } else if (reply->type == REDIS_REPLY_ERROR) { /* no permission for a channel, most likely */
        struct pl_err err;
        pl_fail(&err, PL_E_PERMISSION, true, "redis.subscribe", "the server answers: %s",
                reply->str);
        pl_redis_conn_drop(hub->conn, &err);
    }
    freeReplyObject(reply);
}

static void on_down(void *arg, const struct pl_err *why)
{
    (void)arg;
    (void)why; /* on_ready subscribes again */
}

static void on_watch(uv_timer_t *timer)
{
    struct pl_redis_hub *hub = timer->data;
    if (!pl_redis_conn_ready(hub->conn))
        return;
    if (hub->asked) {
        struct pl_err err;
        pl_fail(&err, PL_E_TIMEOUT, true, "redis.subscribe", "no answer within %d ms", WATCH_MS);
        pl_redis_conn_drop(hub->conn, &err);
    } else if (pl_now_ns() - pl_redis_conn_heard_ns(hub->conn) >= WATCH_MS * PL_NS_PER_MS) {
        hub->asked = true;
        pl_redis_conn_begin(hub->conn, 1);
        pl_redis_conn_add(hub->conn, "PING", 4);
    }
}

struct pl_redis_hub *pl_redis_hub_new(struct pl_loop *loop, const struct pl_redis_url *url,
                                      uint64_t connect_ms)
{
    static const struct pl_redis_conn_events events = {on_ready, on_reply, on_down};
    struct pl_redis_hub *hub = pl_xcalloc(1, sizeof *hub);
    pl_list_init(&hub->subscriptions);
    uv_timer_init(&loop->uv, &hub->watch);
    hub->watch.data = hub;
    uv_timer_start(&hub->watch, on_watch, WATCH_MS, WATCH_MS);
    hub->conn = pl_redis_conn_new(loop, url, connect_ms, &events, hub);
    return hub;
}

static void on_closed(uv_handle_t *handle)
{
    struct pl_redis_hub *hub = handle->data;
    free_left(hub);
    assert(pl_list_empty(&hub->subscriptions));
    free(hub);
}

void pl_redis_hub_close(struct pl_redis_hub *hub)
{
    pl_redis_conn_close(hub->conn);
    hub->conn = NULL;
    uv_close((uv_handle_t *)&hub->watch, on_closed);
}

struct pl_redis_subscription *pl_redis_hub_subscribe(struct pl_redis_hub *hub, const char *channel,
                                                     size_t len, pl_redis_on_message on_message,
                                                     void *arg)
{
    struct pl_redis_subscription *s = pl_xcalloc(1, sizeof *s + len);
    s->hub = hub;
    s->on_message = on_message;
    s->arg = arg;
    s->len = len;
    memcpy(s->channel, channel, len);
    pl_list_push(&hub->subscriptions, &s->link);
    hub->count++;
    if (pl_redis_conn_ready(hub->conn))
        send_one(hub, "SUBSCRIBE", channel, len);
    return s;
}

void pl_redis_unsubscribe(struct pl_redis_subscription *s)
{
    struct pl_redis_hub *hub = s->hub;
    s->on_message = NULL;
    hub->count--;
    if (pl_redis_conn_ready(hub->conn) && !listened_to(hub, s->channel, s->len))
        send_one(hub, "UNSUBSCRIBE", s->channel, s->len);
    if (hub->delivering == 0)
        free_left(hub);
}

void pl_redis_hub_stats(const struct pl_redis_hub *hub, struct pl_redis_stats *out)
{
    out->subscriptions = hub->count;
    out->listening = pl_redis_conn_ready(hub->conn);
    out->messages = hub->messages;
}
