#include "drivers/tls_context.h"

#include "drivers/crypto.h"
#include "drivers/files.h"
#include "drivers/tls_tickets.h"
#include "loop/work.h"

#include <arpa/inet.h>
#include <assert.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define OP       "tls.load"
#define FILE_MAX (256u << 10)

/* --- reading -------------------------------------------------------------------------------------
 */

/* What OpenSSL says last, for people. Empties its queue. */
static const char *reason(void)
{
    unsigned long code = ERR_peek_last_error();
    const char *text = code != 0 ? ERR_reason_error_string(code) : NULL;
    ERR_clear_error();
    return text != NULL ? text : "OpenSSL gives no reason";
}

static int fail(struct pl_err *err, const char *path, const char *what)
{
    return pl_fail(err, PL_E_CERTIFICATE, false, OP, "%s: %s (%s)", path, what, reason());
}

static BIO *open_pem(const char *path, struct pl_buf *text, struct pl_err *err)
{
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) { /* reading it might wait for ever */
        pl_fail(err, PL_E_CERTIFICATE, false, OP, "%s: not a regular file", path);
        return NULL;
    }
    if (pl_file_read(path, FILE_MAX, text, err) < 0)
        return NULL;
    BIO *bio = BIO_new_mem_buf(text->data, (int)text->len);
    if (bio == NULL)
        pl_fail(err, PL_E_NO_MEMORY, true, OP, "OpenSSL has no memory");
    return bio;
}

static void close_pem(BIO *bio, struct pl_buf *text)
{
    BIO_free(bio);
    if (text->data != NULL)
        OPENSSL_cleanse(text->data, text->cap);
    pl_buf_free(text);
}

/* --- the certificate -----------------------------------------------------------------------------
 */

static void append_name(struct pl_tls_info *info, const char *name)
{
    size_t used = strlen(info->names);
    snprintf(info->names + used, sizeof info->names - used, "%s%s", used > 0 ? ", " : "", name);
}

static bool print_ip(const ASN1_OCTET_STRING *address, char out[INET6_ADDRSTRLEN])
{
    int len = ASN1_STRING_length(address);
    return (len == 4 || len == 16) &&
           inet_ntop(len == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(address), out,
                     INET6_ADDRSTRLEN) != NULL;
}

static void read_names(struct pl_tls_info *info, X509 *x)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        char ip[INET6_ADDRSTRLEN];
        if (name->type == GEN_DNS)
            append_name(info, (const char *)ASN1_STRING_get0_data(name->d.dNSName));
        else if (name->type == GEN_IPADD && print_ip(name->d.iPAddress, ip))
            append_name(info, ip);
    }
    GENERAL_NAMES_free(names);
}

static int64_t seconds(const ASN1_TIME *t)
{
    struct tm tm;
    return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static void read_info(struct pl_tls_info *info, X509 *x)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    BIO *out = BIO_new(BIO_s_mem());
    if (out != NULL && X509_NAME_print_ex(out, X509_get_subject_name(x), 0, XN_FLAG_RFC2253) >= 0) {
        int n = BIO_read(out, info->subject, (int)sizeof info->subject - 1);
        info->subject[n > 0 ? n : 0] = '\0';
    }
    BIO_free(out);
    read_names(info, x);
    info->not_before = seconds(X509_get0_notBefore(x));
    info->not_after = seconds(X509_get0_notAfter(x));
    if (X509_digest(x, EVP_sha256(), digest, &len) == 1)
        for (unsigned i = 0; i < len; i++)
            snprintf(info->fingerprint + 2 * i, 3, "%02x", digest[i]);
}

/* The first certificate is the host's own, the others lead to the authority that signed it. */
static int use_chain(struct pl_tls_context *context, BIO *pem, const char *path, struct pl_err *err)
{
    X509 *own = PEM_read_bio_X509_AUX(pem, NULL, NULL, NULL);
    if (own == NULL)
        return fail(err, path, "holds no certificate in PEM");
    int rc = 0;
    read_info(&context->info, own);
    if (SSL_CTX_use_certificate(context->ssl, own) != 1)
        rc = fail(err, path, "its certificate cannot be used");
    X509_free(own);
    X509 *next;
    while (rc == 0 && (next = PEM_read_bio_X509(pem, NULL, NULL, NULL)) != NULL)
        if (SSL_CTX_add0_chain_cert(context->ssl, next) != 1) {
            X509_free(next);
            rc = fail(err, path, "a certificate of its chain cannot be used");
        }
    unsigned long end = ERR_peek_last_error(); /* "no start line" is the end of the file */
    if (rc == 0 && ERR_GET_REASON(end) != PEM_R_NO_START_LINE)
        rc = fail(err, path, "a certificate of its chain is damaged");
    ERR_clear_error();
    return rc;
}

/* --- the key -------------------------------------------------------------------------------------
 */

/* Nobody is there to type it. */
static int no_passphrase(char *out, int size, int writing, void *arg)
{
    (void)out;
    (void)size;
    (void)writing;
    *(bool *)arg = true;
    return 0;
}

static int use_key(struct pl_tls_context *context, BIO *pem, const char *path,
                   const char *certificate, struct pl_err *err)
{
    bool encrypted = false;
    EVP_PKEY *key = PEM_read_bio_PrivateKey(pem, NULL, no_passphrase, &encrypted);
    if (key == NULL && encrypted)
        return fail(err, path,
                    "the key has a passphrase; store it without one, readable by the "
                    "host's user only");
    if (key == NULL)
        return fail(err, path, "holds no private key in PEM");
    int rc = 0;
    if (X509_check_private_key(SSL_CTX_get0_certificate(context->ssl), key) != 1) {
        ERR_clear_error();
        rc = pl_fail(err, PL_E_CERTIFICATE, false, OP,
                     "%s: this key does not belong to the certificate in %s", path, certificate);
    } else if (SSL_CTX_use_PrivateKey(context->ssl, key) != 1) {
        rc = fail(err, path, "the key cannot be used");
    }
    EVP_PKEY_free(key);
    return rc;
}

/* --- the rules -----------------------------------------------------------------------------------
 */

/* Who offers protocols at all and not ours could not talk to us (RFC 7301 3.2). */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                           const unsigned char *in, unsigned in_len, void *arg)
{
    (void)ssl;
    (void)arg;
    static const unsigned char ours[] = "\x08http/1.1";
    return SSL_select_next_proto((unsigned char **)out, out_len, ours, sizeof ours - 1, in,
                                 in_len) == OPENSSL_NPN_NEGOTIATED
               ? SSL_TLSEXT_ERR_OK
               : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static bool set_rules(SSL_CTX *ssl)
{
    SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    /* An idle connection keeps no buffers of 34 KB. */
    SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_alpn_select_cb(ssl, choose_protocol, NULL);
    pl_tls_tickets_use(ssl);
    return SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_cipher_list(ssl, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1;
}

static int fill(struct pl_tls_context *context, const char *certificate, const char *key,
                struct pl_err *err)
{
    struct pl_buf text = {0};
    BIO *pem = open_pem(certificate, &text, err);
    int rc = pem != NULL ? use_chain(context, pem, certificate, err) : -1;
    close_pem(pem, &text);
    if (rc < 0)
        return rc;
    pem = open_pem(key, &text, err);
    rc = pem != NULL ? use_key(context, pem, key, certificate, err) : -1;
    close_pem(pem, &text);
    return rc;
}

struct pl_tls_context *pl_tls_context_load(const char *certificate, const char *key,
                                           struct pl_err *err)
{
    struct pl_tls_context *context = pl_xcalloc(1, sizeof *context);
    context->refs = 1;
    ERR_clear_error();
    context->ssl = SSL_CTX_new(TLS_server_method());
    if (context->ssl == NULL || !set_rules(context->ssl)) {
        pl_fail(err, PL_E_IO, false, OP, "OpenSSL cannot start: %s", reason());
    } else if (fill(context, certificate, key, err) == 0) {
        return context;
    }
    pl_tls_context_unref(context);
    return NULL;
}

struct pl_tls_context *pl_tls_context_ref(struct pl_tls_context *context)
{
    context->refs++;
    return context;
}

void pl_tls_context_unref(struct pl_tls_context *context)
{
    if (context == NULL || --context->refs > 0)
        return;
    SSL_CTX_free(context->ssl); /* connections hold it, too */
    free(context);
}

/* --- on a thread ---------------------------------------------------------------------------------
 */

struct load {
    struct pl_work work;
    char *certificate, *key;
    struct pl_tls_context *context;
};

static struct load *load_of(struct pl_op *op)
{
    return pl_container_of(op, struct load, work.op);
}

static void destroy(struct pl_op *op)
{
    struct load *load = load_of(op);
    pl_tls_context_unref(load->context);
    free(load->certificate);
    free(load->key);
    free(load);
}

static void run(struct pl_work *w)
{
    struct load *load = load_of(&w->op);
    load->context = pl_tls_context_load(load->certificate, load->key, &w->err);
}

struct pl_op *pl_tls_context_start(struct pl_loop *loop, struct pl_owner *owner,
                                   const char *certificate, const char *key, uint64_t deadline_ns)
{
    static const struct pl_op_class class = {pl_work_cancel, destroy};
    struct load *load = pl_xcalloc(1, sizeof *load);
    load->certificate = pl_xstrdup(certificate);
    load->key = pl_xstrdup(key);
    pl_work_start(&load->work, loop, owner, OP, deadline_ns, run, &class);
    return &load->work.op;
}

struct pl_tls_context *pl_tls_context_take(struct pl_op *op)
{
    struct load *load = load_of(op);
    struct pl_tls_context *context = load->context;
    assert(context != NULL);
    load->context = NULL;
    return context;
}
