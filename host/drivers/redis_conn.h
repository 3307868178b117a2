/* One connection to Redis that comes back by itself.
 *
 * The protocol is hiredis's: its reader makes replies of bytes. The bytes travel through libuv
 * streams of our own rather than through hiredis's async.c: that one resolves names on the loop's
 * thread, and asserts on replies that nobody asked for, so that a strange server could end the
 * process.
 *
 * A connection is ready when the server has taken the login and the database and has answered a
 * PING: a server that accepts connections and is stuck, or still loads its data, is not. After a
 * loss, or an attempt that failed, the next attempt follows in 50 ms, then in twice as much each
 * time, up to 500 ms. */
#ifndef PL_DRIVERS_REDIS_CONN_H
#define PL_DRIVERS_REDIS_CONN_H

#include "base/buf.h"
#include "drivers/redis_url.h"
#include "loop/loop.h"

#include <hiredis/hiredis.h>

#define PL_E_UNAVAILABLE "unavailable"

#define PL_REDIS_REPLY_MAX    (16u << 20) /* bytes of one reply */
#define PL_REDIS_ELEMENTS_MAX (1 << 20)   /* of one list in a reply */

struct pl_redis_conn;

/* What happens to a connection, on the loop's thread. Each may close or drop it. */
struct pl_redis_conn_events {
    void (*ready)(void *arg);
    /* The next reply, in the order of the commands; it belongs to the receiver (freeReplyObject).
     */
    void (*reply)(void *arg, redisReply *reply);
    /* It was ready and is lost, or an attempt has failed. Not called by pl_redis_conn_close. */
    void (*down)(void *arg, const struct pl_err *why);
};

/* Begins to connect; `url` is copied. An attempt may take `connect_ms`. `events` is static. */
struct pl_redis_conn *pl_redis_conn_new(struct pl_loop *loop, const struct pl_redis_url *url,
                                        uint64_t connect_ms,
                                        const struct pl_redis_conn_events *events, void *arg);

/* The owner is gone: no event follows. Frees itself when its handles are closed. */
void pl_redis_conn_close(struct pl_redis_conn *conn);

bool pl_redis_conn_ready(const struct pl_redis_conn *conn);

/* Adds one command of `count` arguments, by one call of _begin and `count` of _add; only while it
 * is ready. Everything that one round of the loop adds leaves in one write. */
void pl_redis_conn_begin(struct pl_redis_conn *conn, size_t count);
void pl_redis_conn_add(struct pl_redis_conn *conn, const char *text, size_t len);

/* Arguments that are in the protocol's form already (pl_redis_put). */
void pl_redis_conn_add_raw(struct pl_redis_conn *conn, const struct pl_buf *arguments);

/* Appends one argument in the protocol's form. */
void pl_redis_put(struct pl_buf *out, const char *text, size_t len);

/* Bytes that wait to be sent. */
size_t pl_redis_conn_unsent(const struct pl_redis_conn *conn);

/* When the server has last said anything (pl_now_ns). */
uint64_t pl_redis_conn_heard_ns(const struct pl_redis_conn *conn);

/* Why it is not ready: of the last loss or attempt. err.code is NULL before the first. */
const struct pl_err *pl_redis_conn_why(const struct pl_redis_conn *conn);

/* Gives the connection up, as when the server had closed it. */
void pl_redis_conn_drop(struct pl_redis_conn *conn, const struct pl_err *why);

#endif
