/* The inside of the HTTP server: one connection and the exchange under way on it. */
#ifndef PL_DRIVERS_HTTP_CONN_H
#define PL_DRIVERS_HTTP_CONN_H

#include "drivers/http_peers.h"
#include "drivers/http_server.h"
#include "drivers/tls.h"

#include <uv.h>

#define PL_HTTP_READ_SIZE 65536

enum pl_http_phase {
    PL_HTTP_IDLE,      /* between requests: nothing of the next one has come */
    PL_HTTP_HANDSHAKE, /* of TLS: part of it has come */
    PL_HTTP_HEAD,      /* part of a head has come */
    PL_HTTP_BODY,      /* the head is complete, the body is not */
    PL_HTTP_BUSY,      /* the handler has it */
    PL_HTTP_LINGER, /* answered for the last time: what still comes is dropped until the peer closes
                     */
};

struct pl_http_conn {
    uv_tcp_t tcp;
    struct pl_http_server *server;
    struct pl_http_server *home;       /* the server that has accepted it, and counts it */
    struct pl_http_peer *peer;         /* its address, until it is closed; of its home */
    struct pl_list link;               /* server->connections: who became idle last is the last */
    struct pl_http_exchange *exchange; /* while BUSY */
    struct pl_http_request_data request;
    struct pl_buf in;      /* read, not yet taken by the parser */
    struct pl_buf out;     /* to write */
    struct pl_tls *tls;    /* NULL: plain */
    struct pl_buf sealed;  /* under TLS: what was in `out`, and what TLS itself says */
    struct pl_buf writing; /* handed to the kernel, in part */
    uv_write_t write;
    uint64_t deadline;   /* of the phase, pl_now_ns; 0: none */
    uint64_t body_since; /* pl_now_ns when the body began */
    uint64_t idle_since; /* pl_now_ns when it had nothing to do */
    enum pl_http_phase phase;
    bool reading, close_after_write, closing, write_pending, processing;
    uint8_t moves; /* of the request that is complete */
    char remote[46];
};

struct pl_http_exchange {
    struct pl_http_conn *conn; /* NULL once the connection is gone or the answer is finished */
    uint32_t refs;
    bool head_request, http_10, close;
    bool started, chunked, finished;
    struct pl_list drains;               /* ops that wait for the client to read */
    struct pl_http_request_data request; /* taken over from the connection */
    char remote[46];
};

struct pl_http_server {
    struct pl_loop *loop;
    struct pl_http_config config;
    uv_tcp_t tcp;
    uv_timer_t timer; /* looks at the deadlines of all connections: none has a timer of its own */
    struct pl_list connections;
    struct pl_http_peers peers;
    struct pl_tls_context *tls; /* of new connections; NULL: plain */
    char *scratch;              /* what has been read of TLS, until it is deciphered at once */
    struct pl_http_stats stats;
    pl_http_handler handler;
    void *arg;
    struct pl_http_route route; /* to another server */
    bool draining, closed;
    uint32_t refs; /* handles that are not closed, connections that are away, who else keeps it */
};

/* A connection without a socket, which is to be opened. */
struct pl_http_conn *pl_http_conn_new(struct pl_http_server *server);

/* Takes the connection that waits. */
void pl_http_conn_accept(struct pl_http_server *server);

/* A connection whose socket is open is served from now on, or refused. */
void pl_http_conn_admit(struct pl_http_conn *conn);

/* Finds out whose it is, and counts it as one of theirs. */
void pl_http_conn_name_peer(struct pl_http_conn *conn);

/* Begins a phase, and its deadline. */
void pl_http_conn_set_phase(struct pl_http_conn *conn, enum pl_http_phase phase);

/* Lets the socket deliver; harmless when it does. */
void pl_http_conn_start_reading(struct pl_http_conn *conn);

/* Answers with a problem document, and for the last time. */
void pl_http_conn_refuse(struct pl_http_conn *conn, int status, const char *detail);

/* Closes at once; an exchange under way is told. */
void pl_http_conn_close(struct pl_http_conn *conn);

/* Frees the connection whose handle it is: for uv_close. */
void pl_http_conn_free(uv_handle_t *handle);

/* The deadline of its phase has passed. */
void pl_http_conn_expire(struct pl_http_conn *conn);

/* Bytes that the socket has not taken so far. */
static inline size_t pl_http_conn_unsent(const struct pl_http_conn *conn)
{
    return conn->out.len + conn->sealed.len + conn->writing.len;
}

/* Sends what is in `out`. */
void pl_http_conn_flush(struct pl_http_conn *conn);

/* The exchange is answered: next request, or close. */
void pl_http_conn_next(struct pl_http_conn *conn);

/* Hands the request, which is complete, to the handler. */
void pl_http_conn_begin_exchange(struct pl_http_conn *conn);

/* Works off what has been read, until a request is with the handler or more is needed. */
void pl_http_conn_process(struct pl_http_conn *conn);

/* http_move.c */

/* Sends the connection and its complete request where the route leads. False: it stays. */
bool pl_http_conn_leave(struct pl_http_conn *conn);

/* Sends a new connection there. */
bool pl_http_conn_spill(struct pl_http_conn *conn);

/* It is closed: whoever has accepted it counts one less. */
void pl_http_conn_left(struct pl_http_conn *conn);

/* http_secure.c */

/* What goes to the socket: what is in `out`, under TLS enciphered. */
struct pl_buf *pl_http_conn_wire(struct pl_http_conn *conn);

/* Under TLS tells a peer that is not being answered that nothing more comes, so that it knows that
 * nothing was cut off. */
void pl_http_conn_goodbye(struct pl_http_conn *conn);

/* Under TLS, takes what has come into `in`. False when it was no TLS that can be used: the
 * connection ends. */
bool pl_http_conn_decipher(struct pl_http_conn *conn, const char *data, size_t len);

#endif
