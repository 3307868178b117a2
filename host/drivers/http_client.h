/* HTTP client: libcurl's multi interface on the loop.
 *
 * A fetch is one request and its response. It is started with an op that ends when the response is
 * complete, or, for a streamed one, when its head is; further ops then read the body piece by
 * piece, and the peer is slowed down when nobody reads. The end of an op's owner, or its deadline,
 * aborts the fetch. Redirects are never followed, proxies of the environment never used.
 *
 * Names are resolved on libcurl's own threads. An address that is not of the public internet is
 * refused when the socket is opened, after the resolver has answered, unless the fetch allows it:
 * what a name said a moment ago does not matter. Fetches that may go to private addresses have a
 * pool of connections of their own. So have patient ones: thousands of them, each of which waits
 * most of the time, leave room for the others, and share connections where the server speaks
 * HTTP/2.
 *
 * libcurl repeats a request on a fresh connection when a pooled one turns out to be dead before any
 * byte of the answer: a receiver that must not act twice goes by an id in the request. */
#ifndef PL_DRIVERS_HTTP_CLIENT_H
#define PL_DRIVERS_HTTP_CLIENT_H

#include "base/buf.h"
#include "drivers/http_form.h"
#include "loop/loop.h"

#define PL_E_TLS              "tls"
#define PL_E_INVALID_URL      "invalid_url"
#define PL_E_INVALID_RESPONSE "invalid_response"
#define PL_E_PRIVATE_ADDRESS  "private_address"
#define PL_E_CONNECTION       "connection"

struct pl_http_client;
struct pl_fetch;

struct pl_fetch_options {
    const char *method; /* a token */
    const char *url;    /* http or https, without userinfo */
    const char *body;   /* copied; NULL: none */
    size_t body_len;
    uint64_t connect_timeout_ms;
    uint64_t max_body;   /* bytes that the body may have */
    uint64_t max_upload; /* bytes that the parts may have in all */
    const char *ca; /* certificates in PEM to trust instead of the system's; copied; NULL: none */
    size_t ca_len;
    bool allow_private;
    bool stream;
    bool patient; /* the server answers when something has happened: a long poll; needs
                     allow_private */
    bool once; /* never sent again, not even on a pooled connection that dies without an answer */
};

struct pl_http_client_stats {
    uint64_t active, started, patient; /* patient: of the active ones */
    /* How the others have ended: `refused` by the address policy, `timed_out` at the deadline of
     * an op, `cancelled` because the owner of an op ended or somebody aborted it. */
    uint64_t succeeded, failed, refused, timed_out, cancelled;
    uint64_t connections, open;   /* sockets opened so far; open now, the idle ones included */
    uint64_t bytes_in, bytes_out; /* of bodies */
};

/* NULL with `err` when libcurl cannot start. */
struct pl_http_client *pl_http_client_new(struct pl_loop *loop, struct pl_err *err);

/* Aborts what is running (its ops fail with "cancelled") and frees. */
void pl_http_client_close(struct pl_http_client *client);

void pl_http_client_stats(const struct pl_http_client *client, struct pl_http_client_stats *out);

/* A fetch that has not started: one reference, the caller's. */
struct pl_fetch *pl_fetch_new(struct pl_http_client *client);

/* Adds a header to the request. -1 when the name is no token or the value has control characters.
 */
int pl_fetch_header(struct pl_fetch *fetch, const char *name, const char *value, size_t len,
                    struct pl_err *err);

/* Adds a part of a form (pl_http_form_add), which is then the body; without a body of another kind
 * and a Content-Type. */
int pl_fetch_part(struct pl_fetch *fetch, const struct pl_http_part *part, struct pl_err *err);

/* Starts it; NULL with `err` when it cannot begin. Once per fetch. */
struct pl_op *pl_fetch_start(struct pl_fetch *fetch, const struct pl_fetch_options *options,
                             struct pl_owner *owner, uint64_t deadline_ns, struct pl_err *err);

/* Waits for more of a streamed body: it is then in pl_fetch_body, or that is empty and the response
 * complete. NULL when another read waits. */
struct pl_op *pl_fetch_read(struct pl_fetch *fetch, struct pl_owner *owner, uint64_t deadline_ns);

/* The fetch of an op that one of the two above has started. */
struct pl_fetch *pl_fetch_of(struct pl_op *op);

int pl_fetch_status(const struct pl_fetch *fetch);

/* The header lines of the response as they came; pl_http_head_next reads them. */
const struct pl_buf *pl_fetch_headers(const struct pl_fetch *fetch);

/* What has come and was not consumed. The reader consumes it (pl_buf_consume). */
struct pl_buf *pl_fetch_body(struct pl_fetch *fetch);

void pl_fetch_abort(struct pl_fetch *fetch); /* harmless when it has ended */
void pl_fetch_unref(struct pl_fetch *fetch);

#endif
