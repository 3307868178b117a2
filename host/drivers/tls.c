#include "drivers/tls.h"

#include <assert.h>
#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>

#define RECORD_MAX 16384

/* What a peer may make us send without being asked, after the handshake: refused renegotiations.
 * Who goes on with them and reads nothing would fill our memory. */
#define UNASKED_MAX (16u << 10)

struct pl_tls {
    SSL *ssl;
    const char *in; /* of the peer, while pl_tls_receive runs */
    size_t in_len;
    struct pl_buf *wire; /* while a function that may send runs */
    enum pl_tls_state state;
    size_t unasked;
    const char *failure;
    bool spoke_http, finished;
};

/* --- what OpenSSL reads and writes ---------------------------------------------------------------
 */

static int bio_read(BIO *bio, char *out, int size)
{
    struct pl_tls *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (tls->in_len == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    size_t n = (size_t)size < tls->in_len ? (size_t)size : tls->in_len;
    memcpy(out, tls->in, n);
    tls->in += n;
    tls->in_len -= n;
    return (int)n;
}

static int bio_write(BIO *bio, const char *data, int size)
{
    struct pl_tls *tls = BIO_get_data(bio);
    assert(tls->wire != NULL);
    BIO_clear_retry_flags(bio);
    pl_buf_append(tls->wire, data, (size_t)size);
    return size;
}

static long bio_ctrl(BIO *bio, int command, long number, void *arg)
{
    (void)bio;
    (void)number;
    (void)arg;
    return command == BIO_CTRL_FLUSH;
}

static int bio_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

/* Between the buffers of a connection and OpenSSL nothing is copied but once: its own memory BIO
 * would keep a buffer of its own in each direction. */
static const BIO_METHOD *method(void)
{
    static BIO_METHOD *m; /* as long as the process */
    if (m != NULL)
        return m;
    m = BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_get_new_index(), "parley");
    if (m == NULL || BIO_meth_set_read(m, bio_read) != 1 || BIO_meth_set_write(m, bio_write) != 1 ||
        BIO_meth_set_ctrl(m, bio_ctrl) != 1 || BIO_meth_set_create(m, bio_create) != 1)
        abort(); /* like every other allocation of the host */
    return m;
}

/* --- life ----------------------------------------------------------------------------------------
 */

struct pl_tls *pl_tls_new(struct pl_tls_context *context)
{
    struct pl_tls *tls = pl_xcalloc(1, sizeof *tls);
    BIO *bio = BIO_new(method());
    tls->ssl = SSL_new(context->ssl);
    if (tls->ssl == NULL || bio == NULL)
        abort();
    BIO_set_data(bio, tls);
    SSL_set_bio(tls->ssl, bio, bio);
    SSL_set_accept_state(tls->ssl);
    return tls;
}

void pl_tls_free(struct pl_tls *tls)
{
    if (tls == NULL)
        return;
    SSL_free(tls->ssl);
    free(tls);
}

enum pl_tls_state pl_tls_state(const struct pl_tls *tls)
{
    return tls->state;
}

const char *pl_tls_failure(const struct pl_tls *tls)
{
    return tls->failure;
}

bool pl_tls_spoke_http(const struct pl_tls *tls)
{
    return tls->spoke_http;
}

bool pl_tls_resumed(const struct pl_tls *tls)
{
    return SSL_session_reused(tls->ssl) == 1;
}

/* --- work ----------------------------------------------------------------------------------------
 */

static void fail(struct pl_tls *tls, const char *why)
{
    tls->state = PL_TLS_FAILED;
    tls->failure = why;
}

/* What a function of OpenSSL has left behind that did not do its work. */
static void settle(struct pl_tls *tls, int result)
{
    unsigned long code;
    const char *text;
    switch (SSL_get_error(tls->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        break; /* all that has come is taken */
    case SSL_ERROR_ZERO_RETURN:
        tls->state = PL_TLS_CLOSED;
        break;
    default:
        code = ERR_peek_last_error();
        text = ERR_reason_error_string(code);
        tls->spoke_http =
            ERR_GET_LIB(code) == ERR_LIB_SSL && (ERR_GET_REASON(code) == SSL_R_HTTP_REQUEST ||
                                                 ERR_GET_REASON(code) == SSL_R_HTTPS_PROXY_REQUEST);
        fail(tls, text != NULL ? text : "unknown");
    }
    ERR_clear_error();
}

static void read_all(struct pl_tls *tls, struct pl_buf *plain)
{
    while (tls->state == PL_TLS_OPEN) {
        pl_buf_reserve(plain, RECORD_MAX);
        size_t n, room = plain->cap - plain->len;
        int result = SSL_read_ex(tls->ssl, plain->data + plain->len, room, &n);
        if (result != 1) {
            settle(tls, result);
            return;
        }
        plain->len += n;
    }
}

enum pl_tls_state pl_tls_receive(struct pl_tls *tls, const char *data, size_t len,
                                 struct pl_buf *plain, struct pl_buf *wire)
{
    tls->in = data;
    tls->in_len = len;
    tls->wire = wire;
    ERR_clear_error();
    if (tls->state == PL_TLS_HANDSHAKE) {
        int result = SSL_do_handshake(tls->ssl);
        if (result == 1)
            tls->state = PL_TLS_OPEN;
        else
            settle(tls, result);
    }
    size_t before = wire->len;
    read_all(tls, plain);
    tls->unasked += wire->len - before;
    if (tls->state == PL_TLS_OPEN && tls->unasked > UNASKED_MAX)
        fail(tls, "too many alerts");
    tls->wire = NULL;
    tls->in = NULL;
    tls->in_len = 0; /* after a failure: nobody wants the rest */
    return tls->state;
}

int pl_tls_send(struct pl_tls *tls, const char *data, size_t len, struct pl_buf *wire)
{
    if (tls->state != PL_TLS_OPEN || tls->finished)
        return -1;
    tls->wire = wire;
    ERR_clear_error();
    while (len > 0 && tls->state == PL_TLS_OPEN) {
        size_t n = 0;
        int result = SSL_write_ex(tls->ssl, data, len, &n);
        if (result != 1)
            settle(tls, result);
        assert(result == 1 || tls->state != PL_TLS_OPEN); /* a write never waits for the peer */
        data += n;
        len -= n;
    }
    tls->wire = NULL;
    return tls->state == PL_TLS_OPEN ? 0 : -1;
}

void pl_tls_finish(struct pl_tls *tls, struct pl_buf *wire)
{
    if (tls->finished || (tls->state != PL_TLS_OPEN && tls->state != PL_TLS_CLOSED))
        return;
    tls->finished = true;
    tls->wire = wire;
    ERR_clear_error();
    SSL_shutdown(tls->ssl);
    ERR_clear_error();
    tls->wire = NULL;
}
