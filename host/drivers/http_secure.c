/* A connection of the server under TLS: between its socket and what it reads and writes. */
#include "base/clock.h"
#include "drivers/http_conn.h"

struct pl_buf *pl_http_conn_wire(struct pl_http_conn *conn)
{
    if (conn->tls == NULL)
        return &conn->out;
    pl_tls_send(conn->tls, conn->out.data, conn->out.len, &conn->sealed); /* or it is for nobody */
    pl_buf_clear(&conn->out);
    if (conn->close_after_write && conn->exchange == NULL)
        pl_tls_finish(conn->tls, &conn->sealed);
    return &conn->sealed;
}

void pl_http_conn_goodbye(struct pl_http_conn *conn)
{
    if (conn->tls == NULL || conn->exchange != NULL || pl_http_conn_unsent(conn) > 0)
        return;
    pl_tls_finish(conn->tls, &conn->sealed);
    uv_buf_t buf = uv_buf_init(conn->sealed.data, (unsigned)conn->sealed.len);
    if (buf.len > 0)
        uv_try_write((uv_stream_t *)&conn->tcp, &buf, 1);
}

/* What has come is not the TLS that we speak. */
static void fail(struct pl_http_conn *conn)
{
    struct pl_http_stats *stats = &conn->server->stats;
    if (conn->phase == PL_HTTP_HANDSHAKE)
        stats->handshakes_failed++;
    if (pl_tls_spoke_http(conn->tls)) {
        stats->handshakes_http++;
        pl_tls_free(conn->tls);
        conn->tls = NULL;
        pl_buf_clear(&conn->sealed);
        pl_http_conn_refuse(conn, 400,
                            "this port speaks HTTP over TLS: the address begins with https://");
    } else if (conn->exchange == NULL && pl_http_conn_unsent(conn) > 0) {
        conn->close_after_write = true; /* an alert tells the peer what was wrong */
        conn->phase = PL_HTTP_IDLE;
        pl_http_conn_flush(conn);
    } else {
        pl_http_conn_close(conn);
    }
}

bool pl_http_conn_decipher(struct pl_http_conn *conn, const char *data, size_t len)
{
    struct pl_http_stats *stats = &conn->server->stats;
    bool opened = pl_tls_state(conn->tls) != PL_TLS_HANDSHAKE;
    if (!opened && conn->phase == PL_HTTP_IDLE)
        pl_http_conn_set_phase(conn, PL_HTTP_HANDSHAKE);
    enum pl_tls_state state = pl_tls_receive(conn->tls, data, len, &conn->in, &conn->sealed);
    if (state == PL_TLS_OPEN && !opened) {
        stats->handshakes++;
        stats->resumed += pl_tls_resumed(conn->tls);
        pl_http_conn_set_phase(conn, PL_HTTP_IDLE);
        conn->deadline = pl_now_ns() + conn->server->config.head_ms * PL_NS_PER_MS;
    }
    if (state == PL_TLS_FAILED)
        fail(conn);
    return state != PL_TLS_FAILED;
}
