#include "drivers/tcp.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct pl_tcp {
    uv_tcp_t uv;
    struct pl_loop *loop;
    struct pl_buf in;
    struct pl_op *waiting; /* connect or read; a reference is held */
    size_t most, found;
    char until[16];
    uint32_t refs; /* the handle's own, and each op */
    bool closed, ended, connected;
    uv_connect_t connect;
};

struct tcp_op {
    struct pl_op op;
    struct pl_tcp *tcp;
    uv_write_t write;
    char *data;
};

static void unref(struct pl_tcp *tcp);

static void on_closed(uv_handle_t *handle)
{
    unref(handle->data);
}

static void unref(struct pl_tcp *tcp)
{
    if (--tcp->refs > 0)
        return;
    pl_buf_free(&tcp->in);
    free(tcp);
}

static void cancel(struct pl_op *op)
{
    struct pl_tcp *tcp = pl_tcp_of(op);
    if (tcp->waiting == op) {
        tcp->waiting = NULL;
        pl_op_unref(op);
    }
}

static void destroy(struct pl_op *op)
{
    struct tcp_op *t = pl_container_of(op, struct tcp_op, op);
    unref(t->tcp);
    free(t->data);
    free(t);
}

static const struct pl_op_class tcp_class = {cancel, destroy};

struct pl_tcp *pl_tcp_of(struct pl_op *op)
{
    return pl_container_of(op, struct tcp_op, op)->tcp;
}

static struct tcp_op *start(struct pl_tcp *tcp, const char *label, struct pl_owner *owner,
                            uint64_t deadline_ns)
{
    struct tcp_op *t = pl_xcalloc(1, sizeof *t);
    t->tcp = tcp;
    tcp->refs++;
    pl_op_start(&t->op, tcp->loop, owner, label, deadline_ns, &tcp_class);
    return t;
}

/* Ends what waits for the connection or for input. */
static void finish(struct pl_tcp *tcp, const char *code, const char *message)
{
    struct pl_op *op = tcp->waiting;
    if (op == NULL)
        return;
    tcp->waiting = NULL;
    if (code != NULL)
        pl_fail(&op->err, code, strcmp(code, PL_E_CONNECT) == 0, op->label, "%s", message);
    pl_op_finish(op);
    pl_op_unref(op);
}

struct pl_tcp *pl_tcp_new(struct pl_loop *loop)
{
    struct pl_tcp *tcp = pl_xcalloc(1, sizeof *tcp);
    tcp->loop = loop;
    tcp->refs = 1;
    uv_tcp_init(&loop->uv, &tcp->uv);
    tcp->uv.data = tcp;
    return tcp;
}

void pl_tcp_close(struct pl_tcp *tcp)
{
    if (tcp->closed)
        return;
    tcp->closed = true;
    uv_close((uv_handle_t *)&tcp->uv, on_closed);
    finish(tcp, PL_E_CLOSED, "closed");
}

static void on_connect(uv_connect_t *req, int status)
{
    struct pl_tcp *tcp = req->handle->data;
    tcp->connected = status == 0;
    if (status < 0)
        finish(tcp, PL_E_CONNECT, uv_strerror(status));
    else
        finish(tcp, NULL, NULL);
}

struct pl_op *pl_tcp_connect(struct pl_tcp *tcp, const char *host, int port, struct pl_owner *owner,
                             uint64_t deadline_ns, struct pl_err *err)
{
    struct sockaddr_storage ss;
    assert(tcp->waiting == NULL);
    int rc = uv_ip4_addr(host, port, (struct sockaddr_in *)&ss);
    if (rc < 0)
        rc = uv_ip6_addr(host, port, (struct sockaddr_in6 *)&ss);
    if (rc == 0)
        rc = uv_tcp_connect(&tcp->connect, &tcp->uv, (struct sockaddr *)&ss, on_connect);
    if (rc < 0) {
        pl_fail(err, PL_E_CONNECT, false, "tcp.connect", "%s: %s", host, uv_strerror(rc));
        return NULL;
    }
    struct tcp_op *t = start(tcp, "tcp.connect", owner, deadline_ns);
    tcp->waiting = &t->op;
    pl_op_ref(&t->op);
    return &t->op;
}

static void on_written(uv_write_t *req, int status)
{
    struct tcp_op *t = req->data;
    if (status < 0)
        pl_fail(&t->op.err, PL_E_CLOSED, false, "tcp.write", "%s", uv_strerror(status));
    pl_op_finish(&t->op);
    pl_op_unref(&t->op);
}

struct pl_op *pl_tcp_write(struct pl_tcp *tcp, const char *data, size_t len, struct pl_owner *owner,
                           uint64_t deadline_ns, struct pl_err *err)
{
    if (tcp->closed || !tcp->connected) {
        pl_fail(err, PL_E_CLOSED, false, "tcp.write", "not connected");
        return NULL;
    }
    struct tcp_op *t = start(tcp, "tcp.write", owner, deadline_ns);
    t->data = pl_xmemdup(data, len);
    t->write.data = t;
    pl_op_ref(&t->op);
    uv_buf_t buf = uv_buf_init(t->data, (unsigned)len);
    uv_write(&t->write, (uv_stream_t *)&tcp->uv, &buf, 1, on_written);
    return &t->op;
}

/* Is what the reader waits for here? */
static bool satisfied(struct pl_tcp *tcp)
{
    tcp->found = 0;
    if (tcp->until[0] != '\0') {
        size_t n = strlen(tcp->until);
        const char *p = tcp->in.len >= n ? memmem(tcp->in.data, tcp->in.len, tcp->until, n) : NULL;
        if (p != NULL)
            tcp->found = (size_t)(p - tcp->in.data) + n;
    } else if (tcp->most > 0 && tcp->in.len >= tcp->most) {
        tcp->found = tcp->most;
    }
    return tcp->found > 0;
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    (void)size;
    struct pl_tcp *tcp = handle->data;
    pl_buf_reserve(&tcp->in, 65536);
    *buf = uv_buf_init(tcp->in.data + tcp->in.len, (unsigned)(tcp->in.cap - tcp->in.len));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    (void)buf;
    struct pl_tcp *tcp = stream->data;
    if (n > 0)
        tcp->in.len += (size_t)n;
    if (n < 0) {
        tcp->ended = true;
        uv_read_stop(stream);
        finish(tcp, PL_E_CLOSED, uv_strerror((int)n));
    } else if (tcp->waiting == NULL) {
        uv_read_stop(stream); /* nobody asks: let it wait in the kernel */
    } else if (satisfied(tcp)) {
        uv_read_stop(stream);
        finish(tcp, NULL, NULL);
    }
}

struct pl_op *pl_tcp_read(struct pl_tcp *tcp, size_t most, const char *until,
                          struct pl_owner *owner, uint64_t deadline_ns, struct pl_err *err)
{
    if (tcp->closed || !tcp->connected || tcp->waiting != NULL) {
        pl_fail(err, PL_E_CLOSED, false, "tcp.read", "not connected, or somebody else reads");
        return NULL;
    }
    tcp->most = most;
    strncpy(tcp->until, until != NULL ? until : "", sizeof tcp->until - 1);
    struct tcp_op *t = start(tcp, "tcp.read", owner, deadline_ns);
    tcp->waiting = &t->op;
    pl_op_ref(&t->op);
    if (satisfied(tcp))
        finish(tcp, NULL, NULL);
    else if (tcp->ended)
        finish(tcp, PL_E_CLOSED, "the peer has closed");
    else
        uv_read_start((uv_stream_t *)&tcp->uv, on_alloc, on_read);
    return &t->op;
}

struct pl_buf *pl_tcp_input(struct pl_tcp *tcp)
{
    return &tcp->in;
}

size_t pl_tcp_found(const struct pl_tcp *tcp)
{
    return tcp->found;
}
