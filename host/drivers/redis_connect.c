/* How a connection to Redis comes about: the name, its addresses one after the other, the login. */
#include "drivers/redis_conn_impl.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define KEEPALIVE_S 15

static void not_connected(struct pl_redis_conn *conn, int status);

static void greet(struct pl_redis_link *link)
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

void pl_redis_conn_greeted(struct pl_redis_link *link, redisReply *reply)
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
        pl_fail(&err, refused ? PL_E_PERMISSION : PL_E_UNAVAILABLE, true, PL_REDIS_OP,
                "the server answers: %s", quoted ? "it does not take the login" : reply->str);
        freeReplyObject(reply);
        pl_redis_conn_drop(conn, &err);
        return;
    }
    freeReplyObject(reply);
    if (link->greeting > 0)
        return;
    uv_timer_stop(&conn->timer);
    pl_redis_conn_forget_addresses(conn);
    conn->retry_ms = PL_REDIS_RETRY_FIRST_MS;
    conn->ready = true;
    conn->events->ready(conn->arg);
}

static void on_connected(uv_connect_t *connect, int status)
{
    struct pl_redis_link *link = connect->data;
    struct pl_redis_conn *conn = link->conn;
    if (conn == NULL)
        return;
    if (status == 0) {
        if (conn->url.host[0] != '\0') {
            uv_tcp_nodelay(&link->uv.tcp, 1);
            uv_tcp_keepalive(&link->uv.tcp, 1, KEEPALIVE_S);
        }
        status = pl_redis_link_read(link);
    }
    if (status == 0)
        greet(link);
    else
        not_connected(conn, status);
}

static struct pl_redis_link *new_link(struct pl_redis_conn *conn)
{
    assert(conn->link == NULL);
    struct pl_redis_link *link = pl_xcalloc(1, sizeof *link);
    link->conn = conn;
    link->reader = pl_redis_reader_new();
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
    struct pl_redis_link *link = new_link(conn);
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
        pl_redis_conn_fail(conn, PL_E_CONNECT, uv_strerror(status));
        return;
    }
    pl_redis_conn_cut(conn); /* the name has another address */
    try_next(conn);
}

static void on_resolved(uv_getaddrinfo_t *resolve, int status, struct addrinfo *addresses)
{
    struct pl_redis_conn *conn = resolve->data;
    conn->resolving = false;
    if (conn->closed) {
        uv_freeaddrinfo(addresses);
    } else if (status < 0) {
        pl_redis_conn_fail(conn, PL_E_CONNECT, uv_strerror(status));
    } else {
        uv_timer_start(&conn->timer, pl_redis_conn_on_timer, conn->connect_ms, 0);
        conn->addresses = conn->next = addresses;
        try_next(conn);
    }
    pl_redis_conn_unref(conn);
}

void pl_redis_conn_connect(struct pl_redis_conn *conn)
{
    const struct pl_redis_url *url = &conn->url;
    struct sockaddr_storage address;
    uv_timer_start(&conn->timer, pl_redis_conn_on_timer, conn->connect_ms, 0);
    if (url->host[0] == '\0') {
        struct pl_redis_link *link = new_link(conn);
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
            pl_redis_conn_fail(conn, PL_E_CONNECT, uv_strerror(rc));
            return;
        }
        conn->resolving = true;
        conn->refs++;
    }
}
