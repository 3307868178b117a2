/* Redis: pipelined commands on one connection, subscriptions on a second one.
 *
 * A command is an op. It fails at once with "unavailable" while the server is not connected, and
 * with "busy" when too many wait: nothing piles up before a server that is away. One whose
 * connection ends before the reply fails with "closed": the server may have carried it out.
 *
 * A command that has passed its deadline leaves its place in the pipeline to the reply that may
 * still come. When the server has said nothing for `stall_ms` by then, the connection is given up,
 * so that what follows fails at once instead of waiting, too. */
#ifndef PL_DRIVERS_REDIS_H
#define PL_DRIVERS_REDIS_H

#include "drivers/redis_conn.h"

struct pl_redis;
struct pl_redis_subscription;

struct pl_redis_config {
    const char *url;     /* drivers/redis_url.h */
    uint64_t connect_ms; /* of one attempt */
    uint64_t stall_ms;
    uint32_t queue_max; /* commands without a reply */
};

#define PL_REDIS_CONFIG_DEFAULT                                                                    \
    {                                                                                              \
        .connect_ms = 1000, .stall_ms = 2000, .queue_max = 10000                                   \
    }

#define PL_REDIS_COMMAND_MAX (16u << 20) /* bytes of one command */
#define PL_REDIS_UNSENT_MAX  (64u << 20) /* bytes of all that the server has not taken */

struct pl_redis_text {
    const char *data;
    size_t len;
};

struct pl_redis_stats {
    bool connected;
    uint64_t connects, losses;
    uint64_t commands, errors; /* sent; answered with an error */
    uint64_t refused;          /* "unavailable" and "busy" */
    uint64_t timed_out, lost;  /* passed their deadline; their connection ended */
    uint64_t waiting;          /* without a reply */
    uint64_t reply_ns;         /* from command to reply, of all replies together */
    uint64_t replies;
    bool listening; /* the connection of the subscriptions is up */
    uint64_t subscriptions, messages;
};

/* Begins to connect. NULL with `err` ("invalid") for a URL that is none. */
struct pl_redis *pl_redis_open(struct pl_loop *loop, const struct pl_redis_config *config,
                               struct pl_err *err);

/* Pending ops end with "closed"; frees itself when the last of its ops is gone. Subscriptions end:
 * their owners must have let go of them. */
void pl_redis_close(struct pl_redis *redis);

void pl_redis_stats(const struct pl_redis *redis, struct pl_redis_stats *out);

/* An op that ends when the first attempt to connect has, well or not. */
struct pl_op *pl_redis_wait(struct pl_redis *redis, struct pl_owner *owner, uint64_t deadline_ns);

/* Sends a command, `argc` at least 1; the texts are copied. NULL with `err` when it cannot be sent.
 * Refuses with "invalid" those that would change the connection that everybody shares. */
struct pl_op *pl_redis_call(struct pl_redis *redis, const struct pl_redis_text *argv, size_t argc,
                            struct pl_owner *owner, uint64_t deadline_ns, struct pl_err *err);

/* Runs a Lua script of the server: `argv` is the number of keys, the keys, the arguments. It is
 * sent by its hash, and whole when the server does not know it. */
struct pl_op *pl_redis_script(struct pl_redis *redis, const struct pl_redis_text *script,
                              const struct pl_redis_text *argv, size_t argc, struct pl_owner *owner,
                              uint64_t deadline_ns, struct pl_err *err);

/* The reply of an op of the two above that has ended without an error; an error reply is an error
 * of the op, "unavailable" and retryable when it says that the server cannot serve now, else
 * "redis". */
const redisReply *pl_redis_reply(struct pl_op *op);

/* --- subscriptions -------------------------------------------------------------------------------
 */

/* `payload` is NULL when the subscription has become active, at first and after each loss of the
 * connection: what was published before may have been missed. */
typedef void (*pl_redis_on_message)(void *arg, const char *payload, size_t len);

/* Names at most 1024 bytes. */
struct pl_redis_subscription *pl_redis_subscribe(struct pl_redis *redis, const char *channel,
                                                 size_t len, pl_redis_on_message on_message,
                                                 void *arg);

/* Nothing is delivered any more; frees it. Before pl_redis_close. */
void pl_redis_unsubscribe(struct pl_redis_subscription *subscription);

#endif
