/* TLS: whatever a peer sends, in whatever pieces, what comes out is what a peer of ours has put in,
 * or nothing.
 *
 * The first byte of an input says whether the rest goes to a new connection as it is, or orders a
 * client that has shaken hands: what it says, how the network cuts that, and where it changes it.
 */
#include "drivers/tls.h"
#include "check.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <string.h>
#include <unistd.h>

static struct pl_tls_context *context;
static SSL_CTX *clients;

/* --- a certificate -------------------------------------------------------------------------------
 */

static void make(const char *certificate, const char *key)
{
    EVP_PKEY *pair = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    CHECK(pair != NULL && x != NULL && X509_set_pubkey(x, pair) == 1);
    CHECK(X509_gmtime_adj(X509_getm_notBefore(x), 0) != NULL);
    CHECK(X509_gmtime_adj(X509_getm_notAfter(x), 86400) != NULL);
    CHECK(X509_sign(x, pair, EVP_sha256()) > 0);
    FILE *f = fopen(certificate, "w");
    CHECK(f != NULL && PEM_write_X509(f, x) == 1 && fclose(f) == 0);
    f = fopen(key, "w");
    CHECK(f != NULL && PEM_write_PrivateKey(f, pair, NULL, NULL, 0, NULL, NULL) == 1);
    CHECK(fclose(f) == 0);
    EVP_PKEY_free(pair);
    X509_free(x);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    char dir[] = "/tmp/fuzz-tls-XXXXXX", certificate[64], key[64];
    struct pl_err err = {0};
    CHECK(mkdtemp(dir) != NULL);
    snprintf(certificate, sizeof certificate, "%s/c", dir);
    snprintf(key, sizeof key, "%s/k", dir);
    make(certificate, key);
    context = pl_tls_context_load(certificate, key, &err);
    unlink(certificate);
    unlink(key);
    rmdir(dir);
    CHECK(context != NULL);
    clients = SSL_CTX_new(TLS_client_method());
    CHECK(clients != NULL);
    return 0;
}

/* --- a new connection ----------------------------------------------------------------------------
 */

static void feed(const uint8_t *data, size_t size)
{
    struct pl_tls *tls = pl_tls_new(context);
    struct pl_buf plain = {0}, wire = {0};
    size_t piece = size > 0 ? 1 + data[0] : 1;
    while (size > 0 && pl_tls_state(tls) != PL_TLS_FAILED) {
        size_t n = size < piece ? size : piece;
        pl_tls_receive(tls, (const char *)data, n, &plain, &wire);
        data += n;
        size -= n;
    }
    CHECK(plain.len == 0); /* nobody has shaken hands */
    CHECK(pl_tls_state(tls) != PL_TLS_FAILED || pl_tls_failure(tls) != NULL);
    CHECK(pl_tls_send(tls, "x", 1, &wire) == -1);
    pl_tls_finish(tls, &wire);
    CHECK(wire.len < 65536);
    pl_tls_free(tls);
    pl_buf_free(&plain);
    pl_buf_free(&wire);
}

/* --- a client ------------------------------------------------------------------------------------
 */

struct client {
    SSL *ssl;
    struct pl_tls *tls;
    struct pl_buf plain, wire; /* of the server */
    char said[4096];           /* by the client */
    size_t said_len;
};

static size_t take(struct client *c, char *out, size_t size)
{
    int n = BIO_read(SSL_get_wbio(c->ssl), out, (int)size);
    return n > 0 ? (size_t)n : 0;
}

/* What the server has to say reaches the client. */
static void give_back(struct client *c)
{
    BIO_write(SSL_get_rbio(c->ssl), c->wire.data, (int)c->wire.len);
    pl_buf_clear(&c->wire);
    char text[256];
    SSL_read(c->ssl, text, sizeof text); /* tickets */
    ERR_clear_error();
}

static void shake_hands(struct client *c, int version)
{
    char bytes[16384];
    SSL_set_min_proto_version(c->ssl, version);
    SSL_set_max_proto_version(c->ssl, version);
    for (int i = 0; i < 4 && pl_tls_state(c->tls) == PL_TLS_HANDSHAKE; i++) {
        SSL_do_handshake(c->ssl);
        size_t n = take(c, bytes, sizeof bytes);
        pl_tls_receive(c->tls, bytes, n, &c->plain, &c->wire);
        give_back(c);
    }
    CHECK(pl_tls_state(c->tls) == PL_TLS_OPEN);
}

/* The client says something; the network may change a byte of it. */
static bool say(struct client *c, const uint8_t *order)
{
    char text[256], bytes[1024];
    size_t len = order[0] % sizeof text, piece = 1 + order[1];
    memset(text, order[0], sizeof text);
    if (len == 0 || c->said_len + len > sizeof c->said)
        return true;
    CHECK(SSL_write(c->ssl, text, (int)len) == (int)len);
    size_t n = take(c, bytes, sizeof bytes);
    bool changed = order[2] != 0;
    if (changed)
        bytes[order[3] % n] ^= (char)order[2];
    else
        memcpy(c->said + c->said_len, text, len);
    for (size_t at = 0; at < n; at += piece)
        pl_tls_receive(c->tls, bytes + at, n - at < piece ? n - at : piece, &c->plain, &c->wire);
    if (!changed)
        c->said_len += len;
    return !changed;
}

static void order(const uint8_t *data, size_t size, int version)
{
    struct client c = {.ssl = SSL_new(clients), .tls = pl_tls_new(context)};
    SSL_set_bio(c.ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(c.ssl);
    shake_hands(&c, version);
    bool whole = true;
    for (; size >= 4 && whole; data += 4, size -= 4) {
        whole = say(&c, data);
        CHECK(c.plain.len == c.said_len && memcmp(c.plain.data, c.said, c.said_len) == 0);
    }
    /* A changed head may promise a longer record, which has not come: it is not open to anything.
     */
    CHECK(!whole || pl_tls_state(c.tls) == PL_TLS_OPEN);
    if (whole) {
        char text[64];
        give_back(&c);
        CHECK(pl_tls_send(c.tls, "answer", 6, &c.wire) == 0);
        BIO_write(SSL_get_rbio(c.ssl), c.wire.data, (int)c.wire.len);
        CHECK(SSL_read(c.ssl, text, sizeof text) == 6 && memcmp(text, "answer", 6) == 0);
    }
    SSL_free(c.ssl);
    pl_tls_free(c.tls);
    pl_buf_free(&c.plain);
    pl_buf_free(&c.wire);
    ERR_clear_error();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] % 3 == 0)
        feed(data + 1, size - 1);
    else
        order(data + 1, size - 1 < 64 ? size - 1 : 64,
              data[0] % 3 == 1 ? TLS1_2_VERSION : TLS1_3_VERSION);
    return 0;
}
