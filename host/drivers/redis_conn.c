#include "drivers/redis_conn_impl.h"

#include "base/clock.h"

#include <assert.h>
#include <stdlib.h>

#define RETRY_MAX_MS 500

void pl_redis_conn_unref(struct pl_redis_conn *conn)
{
    if (--conn->refs > 0)
        return;
    pl_buf_free(&conn->out);
    free(conn);
}

static void on_handle_closed(uv_handle_t *handle)
{
    pl_redis_conn_unref(handle->data);
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

redisReader *pl_redis_reader_new(void)
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
    struct pl_redis_link *link = handle->data;
    redisReaderFree(link->reader);
    pl_buf_free(&link->writing);
    free(link);
}

void pl_redis_conn_cut(struct pl_redis_conn *conn)
{
    struct pl_redis_link *link = conn->link;
    conn->link = NULL;
    conn->ready = false;
    pl_buf_clear(&conn->out);
    if (link == NULL)
        return;
    link->conn = NULL;
    uv_close(&link->uv.handle, on_link_closed);
}

void pl_redis_conn_forget_addresses(struct pl_redis_conn *conn)
{
    if (conn->addresses != NULL)
        uv_freeaddrinfo(conn->addresses);
    conn->addresses = conn->next = NULL;
}

void pl_redis_conn_on_timer(uv_timer_t *timer)
{
    struct pl_redis_conn *conn = timer->data;
    if (conn->link == NULL && !conn->resolving) {
        pl_redis_conn_connect(conn);
        return;
    }
    struct pl_err err;
    pl_fail(&err, PL_E_TIMEOUT, true, PL_REDIS_OP, "no answer within %llu ms",
            (unsigned long long)conn->connect_ms);
    pl_redis_conn_drop(conn, &err);
}

void pl_redis_conn_drop(struct pl_redis_conn *conn, const struct pl_err *why)
{
    if (conn->closed)
        return;
    conn->why = *why;
    pl_redis_conn_cut(conn);
    pl_redis_conn_forget_addresses(conn);
    uv_timer_start(&conn->timer, pl_redis_conn_on_timer, conn->retry_ms, 0);
    conn->retry_ms = conn->retry_ms * 2 < RETRY_MAX_MS ? conn->retry_ms * 2 : RETRY_MAX_MS;
    conn->events->down(conn->arg, &conn->why);
}

void pl_redis_conn_fail(struct pl_redis_conn *conn, const char *code, const char *message)
{
    struct pl_err err;
    pl_fail(&err, code, true, PL_REDIS_OP, "%s", message);
    pl_redis_conn_drop(conn, &err);
}

/* --- writing -------------------------------------------------------------------------------------
 */

static void flush(struct pl_redis_conn *conn);

static void on_written(uv_write_t *write, int status)
{
    struct pl_redis_link *link = write->data;
    link->busy = false;
    pl_buf_clear(&link->writing);
    if (link->conn == NULL)
        return;
    if (status < 0)
        pl_redis_conn_fail(link->conn, PL_E_CLOSED, uv_strerror(status));
    else
        flush(link->conn);
}

/* Sends what has gathered, unless the last write is not over: then with the next one. */
static void flush(struct pl_redis_conn *conn)
{
    struct pl_redis_link *link = conn->link;
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
    pl_redis_conn_fail(conn, PL_E_CLOSED, uv_strerror(rc));
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

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    struct pl_redis_link *link = handle->data;
    *buf = uv_buf_init(link->input, PL_REDIS_INPUT);
}

/* Hands over the replies that are complete. A receiver may give the link up: it then has no
 * connection any more, but stays in memory until its handle is closed, in a later phase. */
static void take_replies(struct pl_redis_link *link)
{
    redisReply *reply = NULL;
    while (link->conn != NULL) {
        if (redisReaderGetReply(link->reader, (void **)&reply) != REDIS_OK) {
            pl_redis_conn_fail(link->conn, "protocol", link->reader->errstr);
            return;
        }
        if (reply == NULL)
            break;
        link->partial = link->reader->len - link->reader->pos;
        if (link->greeting > 0)
            pl_redis_conn_greeted(link, reply);
        else
            link->conn->events->reply(link->conn->arg, reply);
    }
    if (link->conn != NULL && link->partial > PL_REDIS_REPLY_MAX)
        pl_redis_conn_fail(link->conn, PL_E_TOO_LARGE, "a reply is larger than 16 MiB");
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct pl_redis_link *link = stream->data;
    if (link->conn == NULL || n == 0)
        return;
    if (n < 0) {
        pl_redis_conn_fail(link->conn, PL_E_CLOSED,
                           n == UV_EOF ? "the server has closed the connection"
                                       : uv_strerror((int)n));
        return;
    }
    link->conn->heard_ns = pl_now_ns();
    link->partial += (size_t)n;
    if (redisReaderFeed(link->reader, buf->base, (size_t)n) != REDIS_OK)
        pl_redis_conn_fail(link->conn, "protocol", link->reader->errstr);
    else
        take_replies(link);
}

int pl_redis_link_read(struct pl_redis_link *link)
{
    return uv_read_start(&link->uv.stream, on_alloc, on_read);
}

/* --- life ----------------------------------------------------------------------------------------
 */

struct pl_redis_conn *pl_redis_conn_new(struct pl_loop *loop, const struct pl_redis_url *url,
                                        uint64_t connect_ms,
                                        const struct pl_redis_conn_events *events, void *arg)
{
    struct pl_redis_conn *conn = pl_xcalloc(1, sizeof *conn);
    conn->loop = loop;
    conn->url = *url;
    conn->connect_ms = connect_ms;
    conn->retry_ms = PL_REDIS_RETRY_FIRST_MS;
    conn->events = events;
    conn->arg = arg;
    conn->refs = 2;
    uv_timer_init(&loop->uv, &conn->timer);
    uv_prepare_init(&loop->uv, &conn->writer);
    conn->timer.data = conn->writer.data = conn->resolve.data = conn;
    /* From the loop: an attempt may fail at once, and the owner is not ready to hear of it. */
    uv_timer_start(&conn->timer, pl_redis_conn_on_timer, 0, 0);
    return conn;
}

void pl_redis_conn_close(struct pl_redis_conn *conn)
{
    if (conn->closed)
        return;
    conn->closed = true;
    pl_redis_conn_cut(conn);
    pl_redis_conn_forget_addresses(conn);
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
