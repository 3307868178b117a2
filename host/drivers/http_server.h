/* An HTTP/1.1 server on libuv.
 *
 * One request at a time per connection, answered in order; what a client pipelines waits unread.
 * Every phase has a limit in bytes and time. An answer goes out in one write when the socket takes
 * it; a streamed one tells its producer to wait when the client reads slowly. */
#ifndef PL_DRIVERS_HTTP_SERVER_H
#define PL_DRIVERS_HTTP_SERVER_H

#include "drivers/http_request.h"
#include "drivers/tls_context.h"
#include "loop/loop.h"

struct pl_http_server;
struct pl_http_exchange;

struct pl_http_config {
    struct pl_http_limits limits;
    uint32_t head_ms, body_ms, idle_ms, write_ms;
    uint32_t handshake_ms;  /* from the first byte of a connection over TLS until it can be used */
    uint32_t body_rate;     /* bytes per second that a body must reach on average */
    uint32_t body_grace_ms; /* before it is looked at */
    uint32_t connections; /* in all, and no more than descriptors allow. When there are so many, who
                             has been idle for longest makes room, or the newcomer gets 503 */
    uint32_t per_address; /* connections of one address, more get 503; 0: any number */
    uint32_t high_water;  /* bytes not yet taken by the socket: above, a stream must wait */
};

#define PL_HTTP_CONFIG_DEFAULT                                                                     \
    {                                                                                              \
        .limits = PL_HTTP_LIMITS_DEFAULT, .head_ms = 10000, .body_ms = 30000, .idle_ms = 30000,    \
        .write_ms = 30000, .handshake_ms = 10000, .body_rate = 1024, .body_grace_ms = 5000,        \
        .connections = 10000, .per_address = 0, .high_water = 256 * 1024                           \
    }

struct pl_http_stats {
    uint64_t accepted, refused, requests, bytes_in, bytes_out;
    uint64_t refused_address; /* of those refused: their address had too many */
    uint64_t bad;             /* requests that were not let through */
    uint64_t slow;            /* of those: they did not come in time */
    /* Over TLS: handshakes that have been completed, of those the ones that went on with an earlier
     * session; that have failed, that did not come in time; peers that spoke plain HTTP. */
    uint64_t handshakes, resumed, handshakes_failed, handshakes_slow, handshakes_http;
    uint32_t open, busy;
};

/* Called for each complete request. The exchange belongs to the server until the answer is finished
 * or the connection is gone; who needs it longer takes a reference. */
typedef void (*pl_http_handler)(struct pl_http_exchange *x, void *arg);

/* Listens on an open descriptor (fd >= 0) or on host:port (port 0: any). Blocks for nothing but a
 * numeric address. */
struct pl_http_server *pl_http_server_start(struct pl_loop *loop, int fd, const char *host,
                                            int port, const struct pl_http_config *config,
                                            pl_http_handler handler, void *arg, struct pl_err *err);
int pl_http_server_port(const struct pl_http_server *server);
void pl_http_server_stats(const struct pl_http_server *server, struct pl_http_stats *out);

/* --- servers that share connections
 *
 * A server may send a connection with a complete request on to another one, in the loop of another
 * thread, which answers it and goes on with what comes after, until a request is not for it: then
 * it sends the connection back. The server that has accepted a connection is its home, and counts
 * it wherever it is. Both may accept from one socket. */

struct pl_http_parcel {
    struct pl_list link; /* of whoever carries it: pl_handoff fits */
    struct pl_http_server *home;
    struct pl_http_peer *peer;
    int fd;     /* -1: the connection has been closed, its home is to know; nothing else is there */
    bool fresh; /* nothing has been read of it; its home is who takes it */
    uint8_t moves;                       /* how often its request has been sent */
    struct pl_http_request_data request; /* complete */
    struct pl_buf in, out;
    struct pl_tls *tls;
    char remote[46];
};

struct pl_http_route {
    /* Whether a complete request is for the other server; on this server's thread. */
    bool (*leads)(const struct pl_http_request_data *r, void *arg);
    /* Carries it to pl_http_server_take of the other one. */
    void (*send)(struct pl_http_parcel *parcel, void *arg);
    bool spills; /* when there are too many connections, new ones are the other server's */
    void *arg;
};

/* A server that has no socket yet: what it serves is sent to it. */
struct pl_http_server *pl_http_server_new(struct pl_loop *loop, const struct pl_http_config *config,
                                          pl_http_handler handler, void *arg);

/* Has it listen, as pl_http_server_start. The descriptor is the server's. */
int pl_http_server_listen(struct pl_http_server *server, int fd, const char *host, int port,
                          struct pl_err *err);

/* Another descriptor of its socket, for another server; -1: there is none, or it speaks TLS. */
int pl_http_server_share(const struct pl_http_server *server);

/* The home of connections is gone, with its thread: those of them that are here are this server's.
 */
void pl_http_server_adopt(struct pl_http_server *server, struct pl_http_server *home);

/* Keeps the server, closed or not, until pl_http_server_unref. */
void pl_http_server_ref(struct pl_http_server *server);
void pl_http_server_unref(struct pl_http_server *server);

/* NULL: everything stays from here on. */
void pl_http_server_set_route(struct pl_http_server *server, const struct pl_http_route *route);

/* Takes a connection in, or back. On the server's thread. */
void pl_http_server_take(struct pl_http_server *server, struct pl_http_parcel *parcel);

/* Speaks TLS with everybody who connects from now on, by `context`; connections that are there go
 * on as they are. The server takes a reference of its own. */
void pl_http_server_use_tls(struct pl_http_server *server, struct pl_tls_context *context);

/* Accepts no more, closes what is idle, lets running exchanges finish with "Connection: close". */
void pl_http_server_drain(struct pl_http_server *server);

/* Closes every connection and frees the server; the handler is not called again. */
void pl_http_server_close(struct pl_http_server *server);

/* --- one exchange
 * ---------------------------------------------------------------------------------- */

void pl_http_exchange_ref(struct pl_http_exchange *x);
void pl_http_exchange_unref(struct pl_http_exchange *x);
const struct pl_http_request_data *pl_http_exchange_request(const struct pl_http_exchange *x);
struct pl_buf pl_http_exchange_take_body(struct pl_http_exchange *x); /* the caller's from now on */
const char *pl_http_exchange_remote(const struct pl_http_exchange *x); /* numeric address */
bool pl_http_exchange_open(const struct pl_http_exchange *x);          /* can still be answered */
bool pl_http_exchange_started(const struct pl_http_exchange *x);

/* The whole answer. `headers` is lines that end in CR LF, without Content-Length, Date and
 * Connection. -1 when it was answered already or the client is gone. */
int pl_http_respond(struct pl_http_exchange *x, int status, const char *headers, size_t headers_len,
                    const char *body, size_t body_len);

/* A streamed answer: chunked for HTTP/1.1, ended by closing for 1.0. */
int pl_http_stream_start(struct pl_http_exchange *x, int status, const char *headers,
                         size_t headers_len);
int pl_http_stream_write(struct pl_http_exchange *x, const char *data, size_t len);
int pl_http_stream_finish(struct pl_http_exchange *x);

/* Closes the connection, whatever was answered so far. */
void pl_http_abort(struct pl_http_exchange *x);

/* More than the high-water mark waits for the client. */
bool pl_http_stream_full(const struct pl_http_exchange *x);

/* An op that ends when the client has taken what waited, with "closed" when it went away. */
struct pl_op *pl_http_stream_drained(struct pl_http_exchange *x, struct pl_owner *owner,
                                     uint64_t deadline_ns);

#endif
