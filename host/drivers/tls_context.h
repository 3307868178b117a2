/* What connections over TLS are opened with: a certificate, its key, and the rules of the
 * handshake.
 *
 * A context does not change. A new certificate is a new context; connections keep the one that they
 * were opened with. TLS 1.2 and 1.3 with forward secrecy and authenticated ciphers only, no
 * renegotiation, no compression, no early data; ALPN offers http/1.1. Sessions are resumed by
 * tickets, whose keys change every hour and come from a secret that the workers of a host share in
 * memory: the file of the key opens none of them. */
#ifndef PL_DRIVERS_TLS_CONTEXT_H
#define PL_DRIVERS_TLS_CONTEXT_H

#include "loop/loop.h"

#include <openssl/types.h>
#include <stdint.h>

#define PL_E_CERTIFICATE "certificate"

struct pl_tls_info {
    int64_t not_before, not_after; /* of the certificate, seconds since 1970 */
    char subject[256];             /* RFC 2253 */
    char names[512];      /* that it is valid for, with ", " between them; cut when longer */
    char fingerprint[65]; /* SHA-256, hexadecimal */
};

struct pl_tls_context {
    SSL_CTX *ssl;
    struct pl_tls_info info;
    uint32_t refs; /* the loop's thread only */
};

/* Reads both files (PEM; the certificate first, then those that lead to its authority), checks that
 * they belong together, and blocks meanwhile. One reference, the caller's; NULL with `err`:
 * "not_found", "permission", "io", "too_large", or "certificate", which says what is wrong with
 * which file. */
struct pl_tls_context *pl_tls_context_load(const char *certificate, const char *key,
                                           struct pl_err *err);

/* The same on a thread of the pool. */
struct pl_op *pl_tls_context_start(struct pl_loop *loop, struct pl_owner *owner,
                                   const char *certificate, const char *key, uint64_t deadline_ns);

/* The context of such an op that has succeeded; the reference becomes the caller's, once. */
struct pl_tls_context *pl_tls_context_take(struct pl_op *op);

struct pl_tls_context *pl_tls_context_ref(struct pl_tls_context *context);
void pl_tls_context_unref(struct pl_tls_context *context); /* NULL is nothing */

#endif
