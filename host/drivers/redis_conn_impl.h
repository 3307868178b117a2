/* What the parts of a connection to Redis share. */
#ifndef PL_DRIVERS_REDIS_CONN_IMPL_H
#define PL_DRIVERS_REDIS_CONN_IMPL_H

#include "drivers/redis_conn.h"

#define PL_REDIS_OP             "redis.connect"
#define PL_REDIS_RETRY_FIRST_MS 50
#define PL_REDIS_INPUT          65536

/* One attempt and the connection that it becomes. Freed when its handle is closed; `conn` is NULL
 * as soon as it is given up. */
struct pl_redis_link {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    struct pl_redis_conn *conn;
    uv_connect_t connect;
    uv_write_t write;
    bool busy; /* `writing` is on its way */
    struct pl_buf writing;
    redisReader *reader;
    size_t partial; /* bytes of the reply that is not complete */
    int greeting;   /* replies still to come before it is ready */
    char input[PL_REDIS_INPUT];
};

struct pl_redis_conn {
    struct pl_loop *loop;
    struct pl_redis_url url;
    const struct pl_redis_conn_events *events;
    void *arg;
    struct pl_redis_link *link; /* NULL between attempts */
    uv_timer_t timer;           /* the end of an attempt, or the beginning of the next */
    uv_prepare_t writer;        /* active while `out` has something to send */
    uv_getaddrinfo_t resolve;
    struct addrinfo *addresses, *next; /* of the attempt; `next` is not tried yet */
    struct pl_buf out;
    struct pl_err why;
    uint64_t connect_ms, retry_ms, heard_ns;
    uint32_t refs; /* the open handles and the resolver */
    bool ready, resolving, closed;
};

/* Begins an attempt. */
void pl_redis_conn_connect(struct pl_redis_conn *conn);

/* Takes a reply of the server's greeting; it belongs to the function. The last one makes the
 * connection ready. */
void pl_redis_conn_greeted(struct pl_redis_link *link, redisReply *reply);

/* Begins to read. 0, or a negative code of libuv. */
int pl_redis_link_read(struct pl_redis_link *link);

/* A reader that makes no list larger than PL_REDIS_ELEMENTS_MAX. */
redisReader *pl_redis_reader_new(void);

/* Gives the link up, and with it what has not been sent. */
void pl_redis_conn_cut(struct pl_redis_conn *conn);

void pl_redis_conn_forget_addresses(struct pl_redis_conn *conn);

/* The end of an attempt, or the beginning of the next. */
void pl_redis_conn_on_timer(uv_timer_t *timer);

/* pl_redis_conn_drop, with an error made here. */
void pl_redis_conn_fail(struct pl_redis_conn *conn, const char *code, const char *message);

/* Drops a reference: of a handle, or of the resolver. */
void pl_redis_conn_unref(struct pl_redis_conn *conn);

#endif
