/* Taking connections in, or not: the places that there are, and who gets them. */
#include "base/clock.h"
#include "drivers/http_conn.h"

#include <string.h>

/* Who has been idle for so long makes room for a newcomer when the server is full. */
#define SPARED_NS PL_NS_PER_S

void pl_http_conn_name_peer(struct pl_http_conn *conn)
{
    struct sockaddr_storage ss = {.ss_family = AF_UNSPEC};
    int len = sizeof ss;
    strcpy(conn->remote, "unknown");
    if (uv_tcp_getpeername(&conn->tcp, (struct sockaddr *)&ss, &len) < 0)
        ss.ss_family = AF_UNSPEC;
    if (ss.ss_family == AF_INET)
        uv_ip4_name((struct sockaddr_in *)&ss, conn->remote, sizeof conn->remote);
    else if (ss.ss_family == AF_INET6)
        uv_ip6_name((struct sockaddr_in6 *)&ss, conn->remote, sizeof conn->remote);
    conn->peer = pl_http_peers_enter(&conn->server->peers, (struct sockaddr *)&ss);
}

/* Closes the connection that has been idle for longest: many that say nothing must not keep out
 * one that has something to say. */
static bool make_room(struct pl_http_server *server)
{
    struct pl_list *pos, *tmp;
    pl_list_each (pos, tmp, &server->connections) {
        struct pl_http_conn *conn = pl_container_of(pos, struct pl_http_conn, link);
        if (conn->phase != PL_HTTP_IDLE || pl_http_conn_unsent(conn) > 0 || conn->home != server)
            continue;
        if (pl_now_ns() - conn->idle_since < SPARED_NS)
            return false; /* so are all behind it */
        pl_http_conn_close(conn);
        return true;
    }
    return false;
}

static bool is_full(struct pl_http_server *server)
{
    return server->stats.open >= server->config.connections && !make_room(server);
}

/* Why there is no place for the connection, NULL when there is. */
static const char *refusal(struct pl_http_server *server, const struct pl_http_conn *conn)
{
    const struct pl_http_config *c = &server->config;
    if (server->draining)
        return "the host is stopping";
    /* First: an address that is refused anyway must not drive out others. */
    if (c->per_address != 0 && conn->peer->connections > c->per_address) {
        server->stats.refused_address++;
        return "too many connections from this address";
    }
    if (is_full(server))
        return "too many connections";
    return NULL;
}

struct pl_http_conn *pl_http_conn_new(struct pl_http_server *server)
{
    struct pl_http_conn *conn = pl_xcalloc(1, sizeof *conn);
    conn->server = conn->home = server;
    pl_list_init(&conn->link);
    uv_tcp_init(&server->loop->uv, &conn->tcp);
    conn->tcp.data = conn;
    server->refs++;
    pl_http_request_init(&conn->request, &server->config.limits);
    return conn;
}

void pl_http_conn_admit(struct pl_http_conn *conn)
{
    struct pl_http_server *server = conn->server;
    if (server->route.spills && is_full(server) && pl_http_conn_spill(conn))
        return;
    pl_http_conn_name_peer(conn);
    const char *refused = refusal(server, conn);
    server->stats.accepted++;
    server->stats.open++;
    uv_tcp_nodelay(&conn->tcp, 1);
    pl_http_conn_set_phase(conn, PL_HTTP_IDLE);
    conn->deadline = pl_now_ns() + server->config.head_ms * PL_NS_PER_MS;
    pl_http_conn_start_reading(conn);
    if (refused != NULL)
        server->stats.refused++;
    if (refused != NULL && server->tls != NULL) {
        pl_http_conn_close(conn); /* a handshake only to say so would cost more than to serve */
        return;
    }
    if (refused != NULL)
        pl_http_conn_refuse(conn, 503, refused);
    else if (server->tls != NULL)
        conn->tls = pl_tls_new(server->tls);
}

void pl_http_conn_accept(struct pl_http_server *server)
{
    struct pl_http_conn *conn = pl_http_conn_new(server);
    if (uv_accept((uv_stream_t *)&server->tcp, (uv_stream_t *)&conn->tcp) < 0) {
        conn->closing = true;
        uv_close((uv_handle_t *)&conn->tcp, pl_http_conn_free);
        return;
    }
    pl_http_conn_admit(conn);
}
