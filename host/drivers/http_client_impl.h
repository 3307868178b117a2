/* The inside of the HTTP client, shared by its two files only. */
#ifndef PL_DRIVERS_HTTP_CLIENT_IMPL_H
#define PL_DRIVERS_HTTP_CLIENT_IMPL_H

#include "drivers/http_client.h"
#include "drivers/http_head.h"

#include <curl/curl.h>

/* The pools: public addresses only, any address, and any address for those that wait long. libcurl
 * looks for a free connection among all that a pool has to a server, one by one: with 10 000 in one
 * pool a worker did nothing else for seconds. */
enum { PL_HTTP_PUBLIC, PL_HTTP_ANY, PL_HTTP_PATIENT, PL_HTTP_POOLS = PL_HTTP_PATIENT + 16 };

/* One multi handle, its sockets and its timer: a pool of connections. */
struct pl_http_pool {
    struct pl_http_client *client;
    CURLM *multi;
    uv_timer_t timer;
    struct pl_list watches; /* the sockets that libcurl wants to hear about */
};

struct pl_http_client {
    struct pl_loop *loop;
    struct pl_http_pool pools[PL_HTTP_POOLS];
    struct pl_list fetches; /* that are running */
    struct pl_list settled; /* that have something to tell their waiter */
    bool inside;            /* a function of libcurl is on the stack */
    bool closed;
    uint32_t refs; /* handles, fetches, and the owner */
    struct pl_http_client_stats stats;
};

struct pl_fetch {
    struct pl_list link;         /* in client->fetches while running */
    struct pl_list settled_link; /* in client->settled, or empty */
    struct pl_http_client *client;
    struct pl_http_pool *pool; /* NULL: not running */
    CURL *easy;
    struct curl_slist *request_headers;
    struct pl_http_form *form; /* NULL: none */
    struct pl_op *waiting;     /* a reference is held */
    uint32_t refs;
    int status;
    struct pl_http_head head;
    struct pl_buf body;
    uint64_t max_body, received;
    const char *refused_kind;                   /* an address that the policy has refused */
    int kind;                                   /* of PL_HTTP_PUBLIC and so on */
    bool allow_private, patient, stream, typed; /* of the request: `typed` has a Content-Type */
    bool paused, reading;                       /* of a stream */
    bool asked;                                 /* it was sent, or is about to be */
    bool too_large, ended;
    struct pl_err err; /* how it has ended; code NULL: well */
    char detail[CURL_ERROR_SIZE];
};

/* http_client.c */

/* Runs it in the pool that it may use. */
int pl_http_pool_add(struct pl_fetch *fetch, struct pl_err *err);
void pl_http_pool_remove(struct pl_fetch *fetch);

/* Lets the waiter of `fetch` see what has happened, as soon as libcurl is not on the stack. */
void pl_http_settle_later(struct pl_fetch *fetch);
void pl_http_settle_all(struct pl_http_client *client);

void pl_http_client_unref(struct pl_http_client *client);

/* Begins at once what was just added, as far as it goes; else it would be in the next turn of the
 * loop. */
void pl_http_pool_begin(struct pl_http_pool *pool);

/* http_outgoing.c */

bool pl_fetch_is_token(const char *s); /* RFC 9110 section 5.6.2 */

/* Tells libcurl what to send. -1 with `err`. */
int pl_fetch_set_request(struct pl_fetch *fetch, const struct pl_fetch_options *options,
                         struct pl_err *err);

/* http_fetch.c */

/* libcurl has finished with it. */
void pl_fetch_done(struct pl_fetch *fetch, CURLcode result);

/* Wakes the waiter when there is something for it. May run Lua. */
void pl_fetch_settle(struct pl_fetch *fetch);

#endif
