/* One fetch: its options, what libcurl delivers, and the ops that wait for it. */
#include "base/address.h"
#include "drivers/http_client_impl.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define OP   "http.request"
#define READ "http.read"

/* Of a streamed body that nobody has read yet; then the peer has to wait. */
#define STREAM_AHEAD (256u << 10)

struct fetch_op {
    struct pl_op op;
    struct pl_fetch *fetch;
};

/* --- ops -----------------------------------------------------------------------------------------
 */

static void abort_counted(struct pl_fetch *fetch, uint64_t *counter)
{
    if (fetch->ended)
        return;
    fetch->ended = true;
    (*counter)++;
    pl_fail(&fetch->err, PL_E_CANCELLED, false, OP, "the request was given up");
    fetch->refs++;
    pl_http_pool_remove(fetch);
    pl_fetch_settle(fetch); /* an op that has ended itself ignores it */
    pl_fetch_unref(fetch);
}

static void cancel(struct pl_op *op)
{
    struct pl_fetch *fetch = pl_fetch_of(op);
    struct pl_http_client_stats *stats = &fetch->client->stats;
    bool late = op->state == PL_OP_TIMEDOUT;
    abort_counted(fetch, late ? &stats->timed_out : &stats->cancelled);
}

static void destroy(struct pl_op *op)
{
    pl_fetch_unref(pl_fetch_of(op));
    free(op);
}

static const struct pl_op_class fetch_class = {cancel, destroy};

struct pl_fetch *pl_fetch_of(struct pl_op *op)
{
    return pl_container_of(op, struct fetch_op, op)->fetch;
}

static struct pl_op *start_op(struct pl_fetch *fetch, const char *label, struct pl_owner *owner,
                              uint64_t deadline_ns)
{
    struct fetch_op *f = pl_xcalloc(1, sizeof *f);
    f->fetch = fetch;
    fetch->refs++;
    pl_op_start(&f->op, fetch->client->loop, owner, label, deadline_ns, &fetch_class);
    pl_op_ref(&f->op);
    fetch->waiting = &f->op;
    return &f->op;
}

/* There is something to tell the waiter. */
static bool ready(const struct pl_fetch *fetch)
{
    if (fetch->ended)
        return true;
    return fetch->stream && (fetch->reading ? fetch->body.len > 0 : fetch->head.done);
}

/* What came before a streamed response failed is still delivered. */
static bool has_failed(const struct pl_fetch *fetch)
{
    if (!fetch->ended || fetch->err.code == NULL)
        return false;
    if (!fetch->stream)
        return true;
    return fetch->reading ? fetch->body.len == 0 : !fetch->head.done;
}

void pl_fetch_settle(struct pl_fetch *fetch)
{
    struct pl_op *op = fetch->waiting;
    if (op == NULL || !ready(fetch))
        return;
    fetch->waiting = NULL;
    if (has_failed(fetch))
        pl_op_fail(op, &fetch->err);
    else
        pl_op_finish(op);
    pl_op_unref(op);
}

/* --- what libcurl delivers ---------------------------------------------------------------------
 */

static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct pl_fetch *fetch = arg;
    const char *kind = pl_address_special(&address->addr);
    if (purpose != CURLSOCKTYPE_IPCXN || (kind != NULL && !fetch->allow_private)) {
        fetch->refused_kind = kind != NULL ? kind : "local";
        return CURL_SOCKET_BAD;
    }
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (fd < 0)
        return CURL_SOCKET_BAD;
    fetch->client->stats.connections++;
    fetch->client->stats.open++;
    return fd;
}

/* `arg` is the client: a pooled connection outlives the fetch that has opened it. */
static int close_socket(void *arg, curl_socket_t fd)
{
    struct pl_http_client *client = arg;
    client->stats.open--;
    return close(fd);
}

static size_t on_header(char *data, size_t size, size_t n, void *arg)
{
    struct pl_fetch *fetch = arg;
    long status = 0;
    n *= size;
    switch (pl_http_head_take(&fetch->head, data, n)) {
    case PL_HTTP_HEAD_MORE:
        break;
    case PL_HTTP_HEAD_TOO_LARGE:
        fetch->too_large = true;
        return 0;
    case PL_HTTP_HEAD_END:
        curl_easy_getinfo(fetch->easy, CURLINFO_RESPONSE_CODE, &status);
        fetch->status = (int)status;
        if (status < 200)
            break;
        fetch->head.done = true;
        pl_http_settle_later(fetch);
    }
    return n;
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
    struct pl_fetch *fetch = arg;
    n *= size;
    if (fetch->stream && fetch->body.len >= STREAM_AHEAD) {
        fetch->paused = true;
        return CURL_WRITEFUNC_PAUSE; /* it comes again */
    }
    fetch->received += n;
    fetch->client->stats.bytes_in += n;
    if (fetch->received > fetch->max_body) {
        fetch->too_large = true;
        return 0;
    }
    pl_buf_append(&fetch->body, data, n);
    if (fetch->stream)
        pl_http_settle_later(fetch);
    return n;
}

static void explain(struct pl_fetch *fetch, CURLcode result)
{
    struct pl_err *err = &fetch->err;
    const char *detail = fetch->detail[0] != '\0' ? fetch->detail : curl_easy_strerror(result);
    long sent = 0; /* bytes of the request */
    curl_easy_getinfo(fetch->easy, CURLINFO_REQUEST_SIZE, &sent);
    switch (result) {
    case CURLE_COULDNT_RESOLVE_HOST:
        pl_fail(err, PL_E_RESOLVE, true, OP, "%s", detail);
        break;
    case CURLE_OPERATION_TIMEDOUT: /* connect_timeout: the only limit that libcurl has from us */
    case CURLE_COULDNT_CONNECT:
        pl_fail(err, PL_E_CONNECT, true, OP, "%s", detail);
        break;
    case CURLE_URL_MALFORMAT:
    case CURLE_LOGIN_DENIED:
        pl_fail(err, PL_E_INVALID_URL, false, OP, "%s", detail);
        break;
    case CURLE_UNSUPPORTED_PROTOCOL: /* of the url; or the answer was none of HTTP */
        pl_fail(err, sent == 0 ? PL_E_INVALID_URL : PL_E_INVALID_RESPONSE, false, OP, "%s", detail);
        break;
    case CURLE_OUT_OF_MEMORY: /* that is also how libcurl meets a header line of 100 KB */
        pl_fail(err, sent > 0 && !fetch->head.done ? PL_E_TOO_LARGE : PL_E_NO_MEMORY, false, OP,
                "a header line is too long, or there is no memory");
        break;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
        pl_fail(err, PL_E_TLS, false, OP, "%s", detail);
        break;
    case CURLE_ABORTED_BY_CALLBACK: /* it was about to be sent once more */
        pl_fail(err, PL_E_CONNECTION, true, OP, "the connection has died before the answer");
        break;
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        pl_fail(err, PL_E_INVALID_RESPONSE, false, OP, "%s", detail);
        break;
    default: /* nothing came, it was cut off, it could not be sent */
        pl_fail(err, PL_E_CONNECTION, true, OP, "%s", detail);
        break;
    }
}

void pl_fetch_done(struct pl_fetch *fetch, CURLcode result)
{
    struct pl_http_client_stats *stats = &fetch->client->stats;
    if (fetch->too_large && fetch->head.done)
        pl_fail(&fetch->err, PL_E_TOO_LARGE, false, OP, "the response has more than %llu bytes",
                (unsigned long long)fetch->max_body);
    else if (fetch->too_large)
        pl_fail(&fetch->err, PL_E_TOO_LARGE, false, OP,
                "the response has more than %u bytes or %u lines of headers", PL_HTTP_HEAD_BYTES,
                PL_HTTP_HEAD_LINES);
    else if (fetch->refused_kind != NULL && result != CURLE_OK)
        pl_fail(&fetch->err, PL_E_PRIVATE_ADDRESS, false, OP,
                "the host has a %s address, which may not be called", fetch->refused_kind);
    else if (result == CURLE_ABORTED_BY_CALLBACK && fetch->form != NULL &&
             pl_http_form_problem(fetch->form) != NULL)
        pl_fail(&fetch->err, PL_E_IO, false, OP, "%s", pl_http_form_problem(fetch->form));
    else if (result != CURLE_OK)
        explain(fetch, result);
    if (fetch->refused_kind != NULL && result != CURLE_OK)
        stats->refused++;
    else if (result != CURLE_OK)
        stats->failed++;
    else
        stats->succeeded++;
    fetch->ended = true;
    pl_http_settle_later(fetch);
    pl_http_pool_remove(fetch); /* its reference may have been the last but the list's */
}

/* --- starting ------------------------------------------------------------------------------------
 */

struct pl_fetch *pl_fetch_new(struct pl_http_client *client)
{
    struct pl_fetch *fetch = pl_xcalloc(1, sizeof *fetch);
    fetch->refs = 1;
    fetch->client = client;
    client->refs++;
    pl_list_init(&fetch->link);
    pl_list_init(&fetch->settled_link);
    return fetch;
}

/* libcurl would guess a scheme, and look up any text as the name of a host. */
static bool names_web_server(const char *url)
{
    return strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0;
}

/* Of thousands that wait, each costs what it has of buffers. With TLS, all wait for the first
 * connection, which shows whether the server speaks HTTP/2 and they may share it. Without, libcurl
 * would go by the first answer, which is long in coming. */
#define PATIENT_BUFFER 2048L

static void set_patience(CURL *easy, const char *url)
{
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, PATIENT_BUFFER);
    if (strncasecmp(url, "https://", 8) == 0)
        curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);
}

/* Whoever polls again finds the connection that it had: the same URL, the same pool. */
static int pool_of(const struct pl_fetch_options *o)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    if (!o->patient)
        return o->allow_private ? PL_HTTP_ANY : PL_HTTP_PUBLIC;
    for (const char *c = o->url; *c != '\0'; c++)
        hash = (hash ^ (unsigned char)*c) * 16777619u;
    return PL_HTTP_PATIENT + (int)(hash % (PL_HTTP_POOLS - PL_HTTP_PATIENT));
}

static int set_options(struct pl_fetch *fetch, const struct pl_fetch_options *o, struct pl_err *err)
{
    CURL *easy = fetch->easy;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, fetch);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, fetch->detail);
    curl_easy_setopt(easy, CURLOPT_URL, o->url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* an abort must not wait for the resolver */
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "Parley/" PARLEY_VERSION);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)o->connect_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, fetch);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, fetch->client);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, fetch);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, fetch);
    if (o->ca != NULL) {
        struct curl_blob ca = {(void *)(uintptr_t)o->ca, o->ca_len, CURL_BLOB_COPY};
        curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &ca);
    }
    if (o->patient)
        set_patience(easy, o->url);
    return pl_fetch_set_request(fetch, o, err);
}

struct pl_op *pl_fetch_start(struct pl_fetch *fetch, const struct pl_fetch_options *o,
                             struct pl_owner *owner, uint64_t deadline_ns, struct pl_err *err)
{
    if (!pl_fetch_is_token(o->method)) {
        pl_fail(err, PL_E_INVALID, false, OP, "'%.20s' is not a method", o->method);
        return NULL;
    }
    if (!names_web_server(o->url)) {
        pl_fail(err, PL_E_INVALID_URL, false, OP, "the url must begin with http:// or https://");
        return NULL;
    }
    fetch->easy = curl_easy_init();
    if (fetch->easy == NULL) {
        pl_fail(err, PL_E_NO_MEMORY, true, OP, "libcurl has no memory");
        return NULL;
    }
    fetch->max_body = o->max_body;
    fetch->allow_private = o->allow_private;
    fetch->patient = o->patient;
    fetch->kind = pool_of(o);
    fetch->stream = o->stream;
    if (set_options(fetch, o, err) < 0 || pl_http_pool_add(fetch, err) < 0)
        return NULL;
    fetch->client->stats.bytes_out +=
        fetch->form != NULL ? pl_http_form_size(fetch->form) : o->body_len;
    struct pl_op *op = start_op(fetch, OP, owner, deadline_ns);
    pl_http_pool_begin(fetch->pool);
    return op;
}

struct pl_op *pl_fetch_read(struct pl_fetch *fetch, struct pl_owner *owner, uint64_t deadline_ns)
{
    if (fetch->waiting != NULL)
        return NULL;
    struct pl_op *op = start_op(fetch, READ, owner, deadline_ns);
    fetch->reading = true;
    if (fetch->paused && fetch->body.len == 0 && fetch->pool != NULL) {
        fetch->paused = false;
        fetch->client->inside = true;
        curl_easy_pause(fetch->easy, CURLPAUSE_CONT); /* delivers what it has held back, at once */
        fetch->client->inside = false;
    }
    pl_http_settle_later(fetch);
    pl_http_settle_all(fetch->client);
    return op;
}

/* --- reading and ending --------------------------------------------------------------------------
 */

int pl_fetch_status(const struct pl_fetch *fetch)
{
    return fetch->status;
}

const struct pl_buf *pl_fetch_headers(const struct pl_fetch *fetch)
{
    return &fetch->head.lines;
}

struct pl_buf *pl_fetch_body(struct pl_fetch *fetch)
{
    return &fetch->body;
}

void pl_fetch_abort(struct pl_fetch *fetch)
{
    abort_counted(fetch, &fetch->client->stats.cancelled);
}

void pl_fetch_unref(struct pl_fetch *fetch)
{
    if (--fetch->refs > 0)
        return;
    if (fetch->easy != NULL)
        curl_easy_cleanup(fetch->easy);
    pl_http_form_free(fetch->form);
    curl_slist_free_all(fetch->request_headers);
    pl_buf_free(&fetch->head.lines);
    pl_buf_free(&fetch->body);
    pl_http_client_unref(fetch->client);
    free(fetch);
}
