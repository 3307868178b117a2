#include "drivers/http_server.h"

#include "base/clock.h"
#include "drivers/http_conn.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define TICK_MS 250

/* Descriptors that clients leave alone: the database, other servers, the supervisor need them, and
 * 64 are of connections that the intake accepts. */
#define RESERVED 160

void pl_http_server_ref(struct pl_http_server *server)
{
    server->refs++;
}

void pl_http_server_unref(struct pl_http_server *server)
{
    assert(server->refs > 0);
    if (--server->refs > 0)
        return;
    pl_tls_context_unref(server->tls);
    free(server->scratch);
    free(server);
}

static void on_closed(uv_handle_t *handle)
{
    pl_http_server_unref(handle->data);
}

/* A body that trickles keeps its deadline only while it comes at the least rate. */
static bool too_slow(const struct pl_http_server *server, const struct pl_http_conn *conn,
                     uint64_t now)
{
    const struct pl_http_config *c = &server->config;
    if (conn->phase != PL_HTTP_BODY)
        return false;
    uint64_t ms = (now - conn->body_since) / PL_NS_PER_MS;
    return ms >= c->body_grace_ms && conn->request.body.len < ms * c->body_rate / 1000;
}

static void on_tick(uv_timer_t *timer)
{
    struct pl_http_server *server = timer->data;
    uint64_t now = pl_now_ns();
    struct pl_list *pos, *tmp;
    pl_list_each (pos, tmp, &server->connections) {
        struct pl_http_conn *conn = pl_container_of(pos, struct pl_http_conn, link);
        if ((conn->deadline != 0 && now >= conn->deadline) || too_slow(server, conn, now))
            pl_http_conn_expire(conn);
    }
}

static void on_connection(uv_stream_t *stream, int status)
{
    if (status == 0)
        pl_http_conn_accept(stream->data);
}

int pl_http_server_listen(struct pl_http_server *server, int fd, const char *host, int port,
                          struct pl_err *err)
{
    static const char op[] = "http.listen";
    int rc;
    if (fd >= 0) {
        rc = uv_tcp_open(&server->tcp, fd);
    } else {
        struct sockaddr_storage ss;
        rc = uv_ip4_addr(host, port, (struct sockaddr_in *)&ss);
        if (rc < 0)
            rc = uv_ip6_addr(host, port, (struct sockaddr_in6 *)&ss);
        if (rc < 0)
            return pl_fail(err, PL_E_INVALID, false, op, "'%s' is not a numeric address", host);
        rc = uv_tcp_bind(&server->tcp, (struct sockaddr *)&ss, 0);
    }
    if (rc == 0)
        rc = uv_listen((uv_stream_t *)&server->tcp, 1024, on_connection);
    if (rc < 0)
        return pl_fail(err, PL_E_IO, false, op, "cannot listen on %s port %d: %s",
                       host != NULL ? host : "the given socket", port, uv_strerror(rc));
    return 0;
}

/* A connection is refused before descriptors run out: without them nothing works any more, not even
 * refusing. */
static uint32_t affordable(uint32_t connections)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
        return connections;
    uint64_t n = limit.rlim_cur > 2 * RESERVED ? limit.rlim_cur - RESERVED : limit.rlim_cur / 2;
    return n < connections ? (uint32_t)n : connections;
}

struct pl_http_server *pl_http_server_new(struct pl_loop *loop, const struct pl_http_config *config,
                                          pl_http_handler handler, void *arg)
{
    struct pl_http_server *server = pl_xcalloc(1, sizeof *server);
    server->loop = loop;
    server->config = *config;
    server->config.connections = affordable(config->connections);
    server->handler = handler;
    server->arg = arg;
    server->refs = 2;
    pl_list_init(&server->connections);
    pl_http_peers_init(&server->peers);
    uv_tcp_init(&loop->uv, &server->tcp);
    uv_timer_init(&loop->uv, &server->timer);
    server->tcp.data = server->timer.data = server;
    uv_timer_start(&server->timer, on_tick, TICK_MS, TICK_MS);
    return server;
}

struct pl_http_server *pl_http_server_start(struct pl_loop *loop, int fd, const char *host,
                                            int port, const struct pl_http_config *config,
                                            pl_http_handler handler, void *arg, struct pl_err *err)
{
    struct pl_http_server *server = pl_http_server_new(loop, config, handler, arg);
    if (pl_http_server_listen(server, fd, host, port, err) < 0) {
        uv_close((uv_handle_t *)&server->tcp, on_closed);
        uv_close((uv_handle_t *)&server->timer, on_closed);
        return NULL;
    }
    return server;
}

int pl_http_server_port(const struct pl_http_server *server)
{
    struct sockaddr_storage ss;
    int len = sizeof ss;
    if (uv_tcp_getsockname(&server->tcp, (struct sockaddr *)&ss, &len) < 0)
        return 0;
    return ntohs(ss.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&ss)->sin6_port
                                          : ((struct sockaddr_in *)&ss)->sin_port);
}

void pl_http_server_stats(const struct pl_http_server *server, struct pl_http_stats *out)
{
    *out = server->stats;
}

void pl_http_server_use_tls(struct pl_http_server *server, struct pl_tls_context *context)
{
    struct pl_tls_context *before = server->tls;
    server->tls = pl_tls_context_ref(context);
    pl_tls_context_unref(before);
    if (server->scratch == NULL)
        server->scratch = pl_xmalloc(PL_HTTP_READ_SIZE);
}

void pl_http_server_drain(struct pl_http_server *server)
{
    if (server->draining)
        return;
    server->draining = true;
    uv_close((uv_handle_t *)&server->tcp, on_closed);
    struct pl_list *pos, *tmp;
    pl_list_each (pos, tmp, &server->connections) {
        struct pl_http_conn *conn = pl_container_of(pos, struct pl_http_conn, link);
        if (conn->phase == PL_HTTP_IDLE && pl_http_conn_unsent(conn) == 0)
            pl_http_conn_close(conn);
    }
}

void pl_http_server_close(struct pl_http_server *server)
{
    if (server->closed)
        return;
    pl_http_server_drain(server);
    server->closed = true;
    uv_close((uv_handle_t *)&server->timer, on_closed);
    while (!pl_list_empty(&server->connections))
        pl_http_conn_close(pl_container_of(server->connections.next, struct pl_http_conn, link));
}
