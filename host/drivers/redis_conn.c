#include "drivers/redis_conn.h"

#include "base/clock.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OP             "redis.connect"
#define RETRY_FIRST_MS 50
#define RETRY_MAX_MS   500
#define KEEPALIVE_S    15
#define INPUT          65536

/* One attempt and the connection that it becomes. Freed when its handle is closed; `conn` is NULL
 * as soon as it is given up. */
struct link {
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
    char input[INPUT];
};

struct pl_redis_conn {
    struct pl_loop *loop;
    struct pl_redis_url url;
    const struct pl_redis_conn_events *events;
    void *arg;
    struct link *link;   /* NULL between attempts */
    uv_timer_t timer;    /* the end of an attempt, or the beginning of the next */
    uv_prepare_t writer; /* active while `out` has something to send */
    uv_getaddrinfo_t resolve;
    struct addrinfo *addresses, *next; /* of the attempt; `next` is not tried yet */
    struct pl_buf out;
    struct pl_err why;
    uint64_t connect_ms, retry_ms, heard_ns;
    uint32_t refs; /* the open handles and the resolver */
    bool ready, resolving, closed;
};

static void begin(struct pl_redis_conn *conn);
static void not_connected(struct pl_redis_conn *conn, int status);

static void unref(struct pl_redis_conn *conn)
{
    if (--conn->refs > 0)
        return;
    pl_buf_free(&conn->out);
    free(conn);
}

static void on_handle_closed(uv_handle_t *handle)
{
    unref(handle->data);
}

/* --- the protocol --------------------------------------------------------------------------------
 */

void pl_redis_put(struct pl_buf *out, const char *text, size_t len)
{
    pl_buf_printf(out, "$%zu\r\n", len);
    pl_buf_append(out, text, len);
    pl_buf_append(out, "\r\n", 2);
}

static void *create_list(const redisReadTask *task, int elements);

/* hiredis's own makers of replies, but for one: a list is made for as many elements as the server
 * has announced, before any of them has come. */
static redisReplyObjectFunctions makers;
static void *(*make_list)(const redisReadTask *task, int elements);

static void *create_list(const redisReadTask *task, int elements)
{
    return elements <= PL_REDIS_ELEMENTS_MAX ? make_list(task, elements) : NULL;
}

static redisReader *new_reader(void)
{
    redisReader *reader = redisReaderCreate();
    if (reader == NULL)
        abort(); /* as pl_xmalloc does */
    if (make_list == NULL) {
        makers = *reader->fn;
        make_list = makers.createArray;
        makers.createArray = create_list;
    }
    reader->fn = &makers;
    return reader;
}

/* --- the end of a link ---------------------------------------------------------------------------
 */

static void on_link_closed(uv_handle_t *handle)
{
    struct link *link = handle->data;
    redisReaderFree(link->reader);
    pl_buf_free(&link->writing);
    free(link);
}

static void cut(struct pl_redis_conn *conn)
{
    struct link *link = conn->link;
    conn->link = NULL;
    conn->ready = false;
    pl_buf_clear(&conn->out);
    if (link == NULL)
        return;
    link->conn = NULL;
    uv_close(&link->uv.handle, on_link_closed);
}

static void forget_addresses(struct pl_redis_conn *conn)
{
    if (conn->addresses != NULL)
        uv_freeaddrinfo(conn->addresses);
    conn->addresses = conn->next = NULL;
}

static void on_timer(uv_timer_t *timer)
{
    struct pl_redis_conn *conn = timer->data;
    if (conn->link == NULL && !conn->resolving) {
        begin(conn);
        return;
    }
    struct pl_err err;
    pl_fail(&err, PL_E_TIMEOUT, true, OP, "no answer within %llu ms",
            (unsigned long long)conn->connect_ms);
    pl_redis_conn_drop(conn, &err);
}

void pl_redis_conn_drop(struct pl_redis_conn *conn, const struct pl_err *why)
{
    if (conn->closed)
        return;
    conn->why = *why;
    cut(conn);
    forget_addresses(conn);
    uv_timer_start(&conn->timer, on_timer, conn->retry_ms, 0);
    conn->retry_ms = conn->retry_ms * 2 < RETRY_MAX_MS ? conn->retry_ms * 2 : RETRY_MAX_MS;
    conn->events->down(conn->arg, &conn->why);
}

static void drop(struct pl_redis_conn *conn, const char *code, const char *message)
{
    struct pl_err err;
    pl_fail(&err, code, true, OP, "%s", message);
    pl_redis_conn_drop(conn, &err);
}

/* --- writing -------------------------------------------------------------------------------------
 */

static void flush(struct pl_redis_conn *conn);

static void on_written(uv_write_t *write, int status)
{
    struct link *link = write->data;
    link->busy = false;
    pl_buf_clear(&link->writing);
    if (link->conn == NULL)
        return;
    if (status < 0)
        drop(link->conn, PL_E_CLOSED, uv_strerror(status));
    else
        flush(link->conn);
}

/* Sends what has gathered, unless the last write is not over: then with the next one. */
static void flush(struct pl_redis_conn *conn)
{
    struct link *link = conn->link;
    if (link == NULL || link->busy || conn->out.len == 0)
        return;
    struct pl_buf gathered = conn->out;
    conn->out = link->writing; /* empty; its memory is used again */
    link->writing = gathered;
    link->busy = true;
    uv_buf_t buf = uv_buf_init(gathered.data, (unsigned)gathered.len);
    int rc = uv_write(&link->write, &link->uv.stream, &buf, 1, on_written);
    if (rc == 0)
        return;
    link->busy = false;
    drop(conn, PL_E_CLOSED, uv_strerror(rc));
}

static void on_prepare(uv_prepare_t *prepare)
{
    uv_prepare_stop(prepare);
    flush(prepare->data);
}

void pl_redis_conn_begin(struct pl_redis_conn *conn, size_t count)
{
    assert(conn->link != NULL);
    pl_buf_printf(&conn->out, "*%zu\r\n", count);
    uv_prepare_start(&conn->writer, on_prepare);
}

void pl_redis_conn_add(struct pl_redis_conn *conn, const char *text, size_t len)
{
    pl_redis_put(&conn->out, text, len);
}

void pl_redis_conn_add_raw(struct pl_redis_conn *conn, const struct pl_buf *arguments)
{
    pl_buf_append(&conn->out, arguments->data, arguments->len);
}

/* --- reading -------------------------------------------------------------------------------------
 */

static void greet(struct link *link)
{
    struct pl_redis_conn *conn = link->conn;
    const struct pl_redis_url *url = &conn->url;
    if (url->password[0] != '\0') {
        pl_redis_conn_begin(conn, url->user[0] != '\0' ? 3 : 2);
        pl_redis_conn_add(conn, "AUTH", 4);
        if (url->user[0] != '\0')
            pl_redis_conn_add(conn, url->user, strlen(url->user));
        pl_redis_conn_add(conn, url->password, strlen(url->password));
        link->greeting++;
    }
    if (url->database != 0) {
        char number[16];
        int n = snprintf(number, sizeof number, "%d", url->database);
        pl_redis_conn_begin(conn, 2);
        pl_redis_conn_add(conn, "SELECT", 6);
        pl_redis_conn_add(conn, number, (size_t)n);
        link->greeting++;
    }
    pl_redis_conn_begin(conn, 1);
    pl_redis_conn_add(conn, "PING", 4);
    link->greeting++;
}

static void greeted(struct link *link, redisReply *reply)
{
    struct pl_redis_conn *conn = link->conn;
    const struct pl_redis_url *url = &conn->url;
    link->greeting--;
    if (reply->type == REDIS_REPLY_ERROR) {
        struct pl_err err;
        bool refused = strncmp(reply->str, "WRONGPASS", 9) == 0 ||
                       strncmp(reply->str, "NOAUTH", 6) == 0 ||
                       strncmp(reply->str, "NOPERM", 6) == 0;
        /* A server that does not know AUTH quotes what came with it. */
        bool quoted = url->password[0] != '\0' && strstr(reply->str, url->password) != NULL;
        pl_fail(&err, refused ? PL_E_PERMISSION : PL_E_UNAVAILABLE, true, OP,
                "the server answers: %s", quoted ? "it does not take the login" : reply->str);
        freeReplyObject(reply);
        pl_redis_conn_drop(conn, &err);
        return;
    }
    freeReplyObject(reply);
    if (link->greeting > 0)
        return;
    uv_timer_stop(&conn->timer);
    forget_addresses(conn);
    conn->retry_ms = RETRY_FIRST_MS;
    conn->ready = true;
    conn->events->ready(conn->arg);
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    struct link *link = handle->data;
    *buf = uv_buf_init(link->input, INPUT);
}

/* Hands over the replies that are complete. A receiver may give the link up: it then has no
 * connection any more, but stays in memory until its handle is closed, in a later phase. */
static void take_replies(struct link *link)
{
    redisReply *reply = NULL;
    while (link->conn != NULL) {
        if (redisReaderGetReply(link->reader, (void **)&reply) != REDIS_OK) {
            drop(link->conn, "protocol", link->reader->errstr);
            return;
        }
        if (reply == NULL)
            break;
        link->partial = link->reader->len - link->reader->pos;
        if (link->greeting > 0)
            greeted(link, reply);
        else
            link->conn->events->reply(link->conn->arg, reply);
    }
    if (link->conn != NULL && link->partial > PL_REDIS_REPLY_MAX)
        drop(link->conn, PL_E_TOO_LARGE, "a reply is larger than 16 MiB");
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct link *link = stream->data;
    if (link->conn == NULL || n == 0)
        return;
    if (n < 0) {
        drop(link->conn, PL_E_CLOSED,
             n == UV_EOF ? "the server has closed the connection" : uv_strerror((int)n));
        return;
    }
    link->conn->heard_ns = pl_now_ns();
    link->partial += (size_t)n;
    if (redisReaderFeed(link->reader, buf->base, (size_t)n) != REDIS_OK)
        drop(link->conn, "protocol", link->reader->errstr);
    else
        take_replies(link);
}

/* --- connecting ----------------------------------------------------------------------------------
 */

static void on_connected(uv_connect_t *connect, int status)
{
    struct link *link = connect->data;
    struct pl_redis_conn *conn = link->conn;
    if (conn == NULL)
        return;
    if (status == 0) {
        if (conn->url.host[0] != '\0') {
            uv_tcp_nodelay(&link->uv.tcp, 1);
            uv_tcp_keepalive(&link->uv.tcp, 1, KEEPALIVE_S);
        }
        status = uv_read_start(&link->uv.stream, on_alloc, on_read);
    }
    if (status == 0)
        greet(link);
    else
        not_connected(conn, status);
}

static struct link *new_link(struct pl_redis_conn *conn)
{
    assert(conn->link == NULL);
    struct link *link = pl_xcalloc(1, sizeof *link);
    link->conn = conn;
    link->reader = new_reader();
    if (conn->url.host[0] != '\0')
        uv_tcp_init(&conn->loop->uv, &link->uv.tcp);
    else
        uv_pipe_init(&conn->loop->uv, &link->uv.pipe, 0);
    link->uv.handle.data = link->connect.data = link->write.data = link;
    conn->link = link;
    return link;
}

static void connect_to(struct pl_redis_conn *conn, const struct sockaddr *address)
{
    struct link *link = new_link(conn);
    int rc = uv_tcp_connect(&link->connect, &link->uv.tcp, address, on_connected);
    if (rc < 0) /* at once: this machine has no way to such an address */
        not_connected(conn, rc);
}

static void try_next(struct pl_redis_conn *conn)
{
    const struct sockaddr *address = conn->next->ai_addr;
    conn->next = conn->next->ai_next;
    connect_to(conn, address);
}

static void not_connected(struct pl_redis_conn *conn, int status)
{
    if (conn->next == NULL) {
        drop(conn, PL_E_CONNECT, uv_strerror(status));
        return;
    }
    cut(conn); /* the name has another address */
    try_next(conn);
}

static void on_resolved(uv_getaddrinfo_t *resolve, int status, struct addrinfo *addresses)
{
    struct pl_redis_conn *conn = resolve->data;
    conn->resolving = false;
    if (conn->closed) {
        uv_freeaddrinfo(addresses);
    } else if (status < 0) {
        drop(conn, PL_E_CONNECT, uv_strerror(status));
    } else {
        uv_timer_start(&conn->timer, on_timer, conn->connect_ms, 0);
        conn->addresses = conn->next = addresses;
        try_next(conn);
    }
    unref(conn);
}

static void begin(struct pl_redis_conn *conn)
{
    const struct pl_redis_url *url = &conn->url;
    struct sockaddr_storage address;
    uv_timer_start(&conn->timer, on_timer, conn->connect_ms, 0);
    if (url->host[0] == '\0') {
        struct link *link = new_link(conn);
        uv_pipe_connect(&link->connect, &link->uv.pipe, url->path, on_connected);
    } else if (uv_ip4_addr(url->host, url->port, (struct sockaddr_in *)&address) == 0 ||
               uv_ip6_addr(url->host, url->port, (struct sockaddr_in6 *)&address) == 0) {
        connect_to(conn, (struct sockaddr *)&address);
    } else {
        char port[8];
        struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC};
        snprintf(port, sizeof port, "%d", url->port);
        int rc =
            uv_getaddrinfo(&conn->loop->uv, &conn->resolve, on_resolved, url->host, port, &hints);
        if (rc < 0) {
            drop(conn, PL_E_CONNECT, uv_strerror(rc));
            return;
        }
        conn->resolving = true;
        conn->refs++;
    }
}

struct pl_redis_conn *pl_redis_conn_new(struct pl_loop *loop, const struct pl_redis_url *url,
                                        uint64_t connect_ms,
                                        const struct pl_redis_conn_events *events, void *arg)
{
    struct pl_redis_conn *conn = pl_xcalloc(1, sizeof *conn);
    conn->loop = loop;
    conn->url = *url;
    conn->connect_ms = connect_ms;
    conn->retry_ms = RETRY_FIRST_MS;
    conn->events = events;
    conn->arg = arg;
    conn->refs = 2;
    uv_timer_init(&loop->uv, &conn->timer);
    uv_prepare_init(&loop->uv, &conn->writer);
    conn->timer.data = conn->writer.data = conn->resolve.data = conn;
    /* From the loop: an attempt may fail at once, and the owner is not ready to hear of it. */
    uv_timer_start(&conn->timer, on_timer, 0, 0);
    return conn;
}

void pl_redis_conn_close(struct pl_redis_conn *conn)
{
    if (conn->closed)
        return;
    conn->closed = true;
    cut(conn);
    forget_addresses(conn);
    if (conn->resolving)
        uv_cancel((uv_req_t *)&conn->resolve);
    uv_close((uv_handle_t *)&conn->timer, on_handle_closed);
    uv_close((uv_handle_t *)&conn->writer, on_handle_closed);
}

bool pl_redis_conn_ready(const struct pl_redis_conn *conn)
{
    return conn->ready;
}

size_t pl_redis_conn_unsent(const struct pl_redis_conn *conn)
{
    return conn->out.len + (conn->link != NULL && conn->link->busy ? conn->link->writing.len : 0);
}

uint64_t pl_redis_conn_heard_ns(const struct pl_redis_conn *conn)
{
    return conn->heard_ns;
}

const struct pl_err *pl_redis_conn_why(const struct pl_redis_conn *conn)
{
    return &conn->why;
}
