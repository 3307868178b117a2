#include "drivers/redis.h"

#include "base/clock.h"
#include "drivers/crypto.h"
#include "drivers/redis_hub.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define OP      "redis.call"
#define OP_WAIT "redis.open"

struct pl_redis {
    struct pl_loop *loop;
    struct pl_redis_url url;
    struct pl_redis_config config;
    struct pl_redis_conn *conn; /* NULL once closed */
    struct pl_redis_hub *hub;   /* NULL before the first subscription */
    struct pl_list sent;        /* commands in the order of the replies; a reference is held */
    struct pl_list opening;     /* ops of pl_redis_wait; a reference is held */
    bool tried;                 /* the first attempt has ended */
    uint32_t refs;              /* the user's, and each op */
    struct pl_redis_stats stats;
};

struct command {
    struct pl_op op;
    struct pl_list link;
    struct pl_redis *redis;
    redisReply *reply;
    uint64_t sent_ns;
    /* Of a script: what it takes to send it whole. */
    char *script;
    size_t script_len, argc;
    struct pl_buf arguments;
    bool whole;
};

static struct command *command_of(struct pl_op *op)
{
    return pl_container_of(op, struct command, op);
}

static void unref(struct pl_redis *redis)
{
    if (--redis->refs == 0)
        free(redis);
}

/* --- ops -----------------------------------------------------------------------------------------
 */

/* For how long the server owes a reply and has said nothing. */
static uint64_t silence_ns(const struct pl_redis *redis)
{
    const struct command *oldest = pl_container_of(redis->sent.next, struct command, link);
    uint64_t heard = pl_redis_conn_heard_ns(redis->conn);
    return pl_now_ns() - (heard > oldest->sent_ns ? heard : oldest->sent_ns);
}

/* The reply may still come, and must find its place: the driver's reference stays until then. */
static void cancel_command(struct pl_op *op)
{
    struct pl_redis *redis = command_of(op)->redis;
    if (op->state != PL_OP_TIMEDOUT || redis->conn == NULL || pl_list_empty(&redis->sent))
        return;
    redis->stats.timed_out++;
    uint64_t silent = silence_ns(redis);
    if (silent < redis->config.stall_ms * PL_NS_PER_MS)
        return;
    struct pl_err err;
    pl_fail(&err, PL_E_TIMEOUT, true, OP, "the server has said nothing for %llu ms",
            (unsigned long long)(silent / PL_NS_PER_MS));
    pl_redis_conn_drop(redis->conn, &err);
}

static void cancel_wait(struct pl_op *op)
{
    pl_list_remove(&command_of(op)->link);
    pl_op_unref(op);
}

static void destroy(struct pl_op *op)
{
    struct command *c = command_of(op);
    if (c->reply != NULL)
        freeReplyObject(c->reply);
    free(c->script);
    pl_buf_free(&c->arguments);
    unref(c->redis);
    free(c);
}

static const struct pl_op_class command_class = {cancel_command, destroy};
static const struct pl_op_class wait_class = {cancel_wait, destroy};

static struct command *start(struct pl_redis *redis, const char *label, struct pl_owner *owner,
                             uint64_t deadline_ns, const struct pl_op_class *class)
{
    struct command *c = pl_xcalloc(1, sizeof *c);
    c->redis = redis;
    redis->refs++;
    pl_list_init(&c->link);
    pl_op_start(&c->op, redis->loop, owner, label, deadline_ns, class);
    return c;
}

/* Ends every op of one of the two lists; NULL: well. Owners that wake may start others, or close
 * the client. */
static void finish_all(struct pl_redis *redis, struct pl_list *list, const struct pl_err *err)
{
    struct pl_list *node;
    redis->refs++;
    while ((node = pl_list_shift(list)) != NULL) {
        struct command *c = pl_container_of(node, struct command, link);
        if (err != NULL)
            pl_op_fail(&c->op, err);
        else
            pl_op_finish(&c->op);
        pl_op_unref(&c->op);
    }
    unref(redis);
}

/* --- what the connection tells -------------------------------------------------------------------
 */

static void on_ready(void *arg)
{
    struct pl_redis *redis = arg;
    redis->stats.connects++;
    redis->tried = true;
    finish_all(redis, &redis->opening, NULL);
}

static void on_down(void *arg, const struct pl_err *why)
{
    struct pl_redis *redis = arg;
    struct pl_err err;
    redis->refs++; /* an owner that wakes may close it */
    redis->tried = true;
    if (redis->stats.connects > redis->stats.losses)
        redis->stats.losses++;
    redis->stats.lost += redis->stats.waiting;
    redis->stats.waiting = 0;
    pl_fail(&err, PL_E_CLOSED, true, OP, "the connection ended before the reply: %s", why->message);
    finish_all(redis, &redis->sent, &err);
    finish_all(redis, &redis->opening, NULL);
    unref(redis);
}

static bool begins(const redisReply *reply, const char *word)
{
    return strncmp(reply->str, word, strlen(word)) == 0;
}

/* It cannot serve now, and says so; later it can. */
static bool is_away(const redisReply *reply)
{
    return begins(reply, "LOADING") || begins(reply, "BUSY ") || begins(reply, "MASTERDOWN") ||
           begins(reply, "TRYAGAIN") || begins(reply, "READONLY") || begins(reply, "CLUSTERDOWN");
}

static void queue(struct command *c)
{
    c->sent_ns = pl_now_ns();
    pl_list_push(&c->redis->sent, &c->link);
    c->redis->stats.waiting++;
}

static void send_script(struct command *c, bool whole)
{
    struct pl_redis_conn *conn = c->redis->conn;
    char sha[PL_SHA1_HEX + 1];
    c->whole = whole;
    pl_redis_conn_begin(conn, c->argc + 2);
    if (whole) {
        pl_redis_conn_add(conn, "EVAL", 4);
        pl_redis_conn_add(conn, c->script, c->script_len);
    } else {
        pl_sha1_hex(c->script, c->script_len, sha);
        pl_redis_conn_add(conn, "EVALSHA", 7);
        pl_redis_conn_add(conn, sha, PL_SHA1_HEX);
    }
    pl_redis_conn_add_raw(conn, &c->arguments);
    queue(c);
}

static void on_reply(void *arg, redisReply *reply)
{
    struct pl_redis *redis = arg;
    struct pl_list *node = pl_list_shift(&redis->sent);
    if (node == NULL) {
        struct pl_err err;
        freeReplyObject(reply);
        pl_fail(&err, "protocol", true, OP, "a reply that nobody has asked for");
        pl_redis_conn_drop(redis->conn, &err);
        return;
    }
    struct command *c = pl_container_of(node, struct command, link);
    redis->stats.waiting--;
    redis->stats.replies++;
    redis->stats.reply_ns += pl_now_ns() - c->sent_ns;
    bool failed = reply->type == REDIS_REPLY_ERROR;
    if (failed && c->script != NULL && !c->whole && begins(reply, "NOSCRIPT") &&
        pl_op_pending(&c->op)) {
        freeReplyObject(reply);
        send_script(c, true); /* which makes the server know it */
        return;
    }
    c->reply = reply;
    redis->stats.errors += failed;
    if (failed && pl_op_pending(&c->op)) {
        bool away = is_away(reply);
        pl_fail(&c->op.err, away ? PL_E_UNAVAILABLE : "redis", away, OP, "%s", reply->str);
    }
    pl_op_finish(&c->op);
    pl_op_unref(&c->op);
}

/* --- calls ---------------------------------------------------------------------------------------
 */

struct pl_redis *pl_redis_open(struct pl_loop *loop, const struct pl_redis_config *config,
                               struct pl_err *err)
{
    static const struct pl_redis_conn_events events = {on_ready, on_reply, on_down};
    struct pl_redis_url url;
    if (pl_redis_url_parse(config->url, &url, err) < 0)
        return NULL;
    struct pl_redis *redis = pl_xcalloc(1, sizeof *redis);
    redis->loop = loop;
    redis->url = url;
    redis->config = *config;
    redis->config.url = NULL; /* the caller's */
    redis->refs = 1;
    pl_list_init(&redis->sent);
    pl_list_init(&redis->opening);
    redis->conn = pl_redis_conn_new(loop, &url, config->connect_ms, &events, redis);
    return redis;
}

void pl_redis_close(struct pl_redis *redis)
{
    struct pl_err err;
    pl_redis_conn_close(redis->conn);
    redis->conn = NULL;
    if (redis->hub != NULL)
        pl_redis_hub_close(redis->hub);
    redis->hub = NULL;
    pl_fail(&err, PL_E_CLOSED, false, OP, "closed");
    finish_all(redis, &redis->sent, &err);
    finish_all(redis, &redis->opening, &err);
    unref(redis);
}

struct pl_op *pl_redis_wait(struct pl_redis *redis, struct pl_owner *owner, uint64_t deadline_ns)
{
    struct command *c = start(redis, OP_WAIT, owner, deadline_ns, &wait_class);
    pl_op_ref(&c->op);
    pl_list_push(&redis->opening, &c->link);
    if (redis->tried)
        finish_all(redis, &redis->opening, NULL);
    return &c->op;
}

static int may_send(struct pl_redis *redis, size_t bytes, struct pl_err *err)
{
    if (bytes > PL_REDIS_COMMAND_MAX)
        return pl_fail(err, PL_E_TOO_LARGE, false, OP,
                       "a command has at most 16 MiB, not %zu bytes", bytes);
    if (!pl_redis_conn_ready(redis->conn)) {
        const struct pl_err *why = pl_redis_conn_why(redis->conn);
        redis->stats.refused++;
        return pl_fail(err, PL_E_UNAVAILABLE, true, OP, "Redis is not connected: %s",
                       why->code != NULL ? why->message : "the first attempt has not ended");
    }
    if (redis->stats.waiting >= redis->config.queue_max ||
        pl_redis_conn_unsent(redis->conn) + bytes > PL_REDIS_UNSENT_MAX) {
        redis->stats.refused++;
        return pl_fail(err, PL_E_BUSY, true, OP, "%llu commands wait for Redis",
                       (unsigned long long)redis->stats.waiting);
    }
    return 0;
}

/* Commands that change what the connection is, or that make sense only when nobody else sends
 * anything in between. */
static bool needs_own_connection(const struct pl_redis_text *name)
{
    static const char *const names[] = {
        "AUTH",       "DISCARD", "EXEC",    "HELLO",       "MONITOR", "MULTI",
        "PSUBSCRIBE", "PSYNC",   "QUIT",    "RESET",       "SELECT",  "SSUBSCRIBE",
        "SUBSCRIBE",  "SYNC",    "UNWATCH", "UNSUBSCRIBE", "WATCH",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strlen(names[i]) == name->len && strncasecmp(names[i], name->data, name->len) == 0)
            return true;
    return false;
}

static size_t size_of(const struct pl_redis_text *argv, size_t argc)
{
    size_t n = 0;
    for (size_t i = 0; i < argc; i++)
        n += argv[i].len + 16;
    return n;
}

struct pl_op *pl_redis_call(struct pl_redis *redis, const struct pl_redis_text *argv, size_t argc,
                            struct pl_owner *owner, uint64_t deadline_ns, struct pl_err *err)
{
    assert(argc > 0);
    if (needs_own_connection(&argv[0])) {
        pl_fail(err, PL_E_INVALID, false, OP,
                "%.*s is about a whole connection, and this one is shared; use a script",
                (int)argv[0].len, argv[0].data);
        return NULL;
    }
    if (may_send(redis, size_of(argv, argc), err) < 0)
        return NULL;
    struct command *c = start(redis, OP, owner, deadline_ns, &command_class);
    pl_op_ref(&c->op);
    pl_redis_conn_begin(redis->conn, argc);
    for (size_t i = 0; i < argc; i++)
        pl_redis_conn_add(redis->conn, argv[i].data, argv[i].len);
    redis->stats.commands++;
    queue(c);
    return &c->op;
}

struct pl_op *pl_redis_script(struct pl_redis *redis, const struct pl_redis_text *script,
                              const struct pl_redis_text *argv, size_t argc, struct pl_owner *owner,
                              uint64_t deadline_ns, struct pl_err *err)
{
    if (may_send(redis, script->len + size_of(argv, argc), err) < 0)
        return NULL;
    struct command *c = start(redis, OP, owner, deadline_ns, &command_class);
    pl_op_ref(&c->op);
    c->script = pl_xmemdup(script->data, script->len);
    c->script_len = script->len;
    c->argc = argc;
    for (size_t i = 0; i < argc; i++)
        pl_redis_put(&c->arguments, argv[i].data, argv[i].len);
    redis->stats.commands++;
    send_script(c, false);
    return &c->op;
}

const redisReply *pl_redis_reply(struct pl_op *op)
{
    return command_of(op)->reply;
}

struct pl_redis_subscription *pl_redis_subscribe(struct pl_redis *redis, const char *channel,
                                                 size_t len, pl_redis_on_message on_message,
                                                 void *arg)
{
    assert(len <= 1024);
    if (redis->hub == NULL)
        redis->hub = pl_redis_hub_new(redis->loop, &redis->url, redis->config.connect_ms);
    return pl_redis_hub_subscribe(redis->hub, channel, len, on_message, arg);
}

void pl_redis_stats(const struct pl_redis *redis, struct pl_redis_stats *out)
{
    *out = redis->stats;
    out->connected = redis->conn != NULL && pl_redis_conn_ready(redis->conn);
    if (redis->hub != NULL)
        pl_redis_hub_stats(redis->hub, out);
}
