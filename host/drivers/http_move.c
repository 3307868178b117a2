/* Connections on their way from one server to another. */
#include "drivers/http_conn.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A request that both servers have sent on is the one's that has it then: what decides about it,
 * such as how much waits, may have changed in between. */
#define MOVES_MAX 2

/* --- leaving -------------------------------------------------------------------------------------
 */

static struct pl_http_parcel *parcel_of(const struct pl_http_conn *conn)
{
    struct pl_http_parcel *p = pl_xcalloc(1, sizeof *p);
    pl_list_init(&p->link);
    p->home = conn->home;
    p->peer = conn->peer;
    p->fd = -1;
    return p;
}

static struct pl_buf moved(struct pl_buf *from)
{
    struct pl_buf b = *from;
    *from = (struct pl_buf){0};
    return b;
}

/* The other loop has to have a descriptor of its own: this one's is closed, so that nothing of it
 * is reported here any more. */
static int copy_of_socket(const uv_tcp_t *tcp)
{
    uv_os_fd_t fd;
    if (uv_fileno((const uv_handle_t *)tcp, &fd) < 0)
        return -1;
    return fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

static void forget(struct pl_http_conn *conn)
{
    conn->closing = true;
    pl_list_remove(&conn->link);
    uv_close((uv_handle_t *)&conn->tcp, pl_http_conn_free);
}

bool pl_http_conn_leave(struct pl_http_conn *conn)
{
    struct pl_http_server *server = conn->server;
    const struct pl_http_route *route = &server->route;
    if (route->leads == NULL || !route->leads(&conn->request, route->arg) ||
        conn->moves >= MOVES_MAX)
        return false;
    pl_http_conn_wire(conn); /* nothing is left in `out` but for plain connections */
    int fd = conn->write_pending ? -1 : copy_of_socket(&conn->tcp);
    if (fd < 0)
        return false;
    struct pl_http_parcel *p = parcel_of(conn);
    p->fd = fd;
    p->moves = conn->moves + 1;
    p->request = conn->request;
    p->in = moved(&conn->in);
    p->out = moved(conn->tls != NULL ? &conn->sealed : &conn->out);
    p->tls = conn->tls;
    memcpy(p->remote, conn->remote, sizeof p->remote);
    pl_http_request_init(&conn->request, &server->config.limits);
    conn->tls = NULL;
    if (server == conn->home)
        pl_http_server_ref(server); /* until it is back */
    forget(conn);
    route->send(p, route->arg);
    return true;
}

bool pl_http_conn_spill(struct pl_http_conn *conn)
{
    const struct pl_http_route *route = &conn->server->route;
    int fd = copy_of_socket(&conn->tcp);
    if (fd < 0)
        return false;
    struct pl_http_parcel *p = parcel_of(conn);
    p->fd = fd;
    p->fresh = true;
    forget(conn);
    route->send(p, route->arg);
    return true;
}

/* The server counts one connection less. */
static void count_out(struct pl_http_server *home, struct pl_http_peer *peer)
{
    home->stats.open--;
    pl_http_peers_leave(peer);
}

void pl_http_conn_left(struct pl_http_conn *conn)
{
    const struct pl_http_route *route = &conn->server->route;
    if (conn->server == conn->home)
        count_out(conn->home, conn->peer);
    else
        route->send(parcel_of(conn), route->arg);
}

/* --- coming --------------------------------------------------------------------------------------
 */

static void unpack(struct pl_http_conn *conn, struct pl_http_parcel *p)
{
    struct pl_http_server *server = conn->server;
    conn->home = p->home;
    conn->peer = p->peer;
    conn->moves = p->moves;
    conn->tls = p->tls;
    memcpy(conn->remote, p->remote, sizeof conn->remote);
    conn->in = p->in;
    *(p->tls != NULL ? &conn->sealed : &conn->out) = p->out;
    if (p->tls != NULL && server->scratch == NULL)
        server->scratch = pl_xmalloc(PL_HTTP_READ_SIZE);
    pl_http_request_free(&conn->request);
    conn->request = p->request;
    conn->request.limits = &server->config.limits;
    conn->request.parser.data = &conn->request;
}

static void go_on(struct pl_http_conn *conn)
{
    pl_http_conn_set_phase(conn, PL_HTTP_IDLE);
    if (pl_http_conn_leave(conn))
        return;
    pl_http_conn_start_reading(conn);
    conn->processing = true;
    pl_http_conn_begin_exchange(conn);
    conn->processing = false;
    if (!conn->closing)
        pl_http_conn_flush(conn);
    if (!conn->closing)
        pl_http_conn_process(conn);
    if (!conn->closing)
        pl_http_conn_flush(conn);
}

/* NULL: the server is closed, or the descriptor is none that it can use. */
static struct pl_http_conn *open_conn(struct pl_http_server *server, int fd)
{
    if (server->closed)
        return NULL;
    struct pl_http_conn *conn = pl_http_conn_new(server);
    if (uv_tcp_open(&conn->tcp, fd) == 0)
        return conn;
    forget(conn);
    return NULL;
}

static void take_fresh(struct pl_http_server *server, struct pl_http_parcel *p)
{
    struct pl_http_conn *conn = open_conn(server, p->fd);
    if (conn != NULL)
        pl_http_conn_admit(conn);
    else
        close(p->fd);
}

/* It ends here. */
static void drop(struct pl_http_parcel *p)
{
    if (p->fd >= 0)
        close(p->fd);
    pl_http_request_free(&p->request);
    pl_buf_free(&p->in);
    pl_buf_free(&p->out);
    pl_tls_free(p->tls);
}

static void tell_home(struct pl_http_server *server, const struct pl_http_parcel *p)
{
    struct pl_http_conn ended = {.server = server, .home = p->home, .peer = p->peer};
    pl_http_conn_left(&ended);
}

void pl_http_server_take(struct pl_http_server *server, struct pl_http_parcel *p)
{
    struct pl_http_conn *conn = NULL;
    if (p->fresh) {
        take_fresh(server, p);
        free(p);
        return;
    }
    if (p->fd >= 0)
        conn = open_conn(server, p->fd);
    if (conn != NULL) {
        unpack(conn, p);
        go_on(conn);
    } else {
        drop(p);
        tell_home(server, p);
    }
    if (server == p->home)
        pl_http_server_unref(server);
    free(p);
}

/* --- servers -------------------------------------------------------------------------------------
 */

void pl_http_server_set_route(struct pl_http_server *server, const struct pl_http_route *route)
{
    server->route = route != NULL ? *route : (struct pl_http_route){0};
}

int pl_http_server_share(const struct pl_http_server *server)
{
    return server->tls != NULL || server->draining ? -1 : copy_of_socket(&server->tcp);
}

void pl_http_server_adopt(struct pl_http_server *server, struct pl_http_server *home)
{
    struct pl_list *pos, *tmp;
    pl_list_each (pos, tmp, &server->connections) {
        struct pl_http_conn *conn = pl_container_of(pos, struct pl_http_conn, link);
        if (conn->home != home)
            continue;
        count_out(home, conn->peer);
        conn->home = server;
        pl_http_conn_name_peer(conn);
        server->stats.open++;
        pl_http_server_unref(home);
    }
}
