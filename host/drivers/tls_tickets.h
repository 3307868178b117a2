/* The keys of session tickets (RFC 5077, RFC 8446 4.6.1). */
#ifndef PL_DRIVERS_TLS_TICKETS_H
#define PL_DRIVERS_TLS_TICKETS_H

#include <openssl/types.h>

/* How long a session may be resumed: so many seconds after its full handshake. */
#define PL_TLS_SESSION_S 7200

/* Has `ssl` issue and accept tickets. */
void pl_tls_tickets_use(SSL_CTX *ssl);

#endif
