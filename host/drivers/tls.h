/* One connection's TLS, server side: bytes of the network in, bytes of the peer out, and back. It
 * knows no socket and never waits: whoever reads gives what has come and sends what is to be sent.
 */
#ifndef PL_DRIVERS_TLS_H
#define PL_DRIVERS_TLS_H

#include "base/buf.h"
#include "drivers/tls_context.h"

#include <stdbool.h>

struct pl_tls;

enum pl_tls_state {
    PL_TLS_HANDSHAKE, /* more of the peer is needed */
    PL_TLS_OPEN,
    PL_TLS_CLOSED, /* the peer has said that nothing more comes */
    PL_TLS_FAILED, /* nothing more can be received or sent */
};

/* Never NULL. Keeps what it needs of the context. */
struct pl_tls *pl_tls_new(struct pl_tls_context *context);
void pl_tls_free(struct pl_tls *tls); /* NULL is nothing */

enum pl_tls_state pl_tls_state(const struct pl_tls *tls);

/* Takes all of what has come from the peer: appends what it has said to `plain`, and what is to be
 * sent (the handshake, alerts) to `wire`, also after a failure. */
enum pl_tls_state pl_tls_receive(struct pl_tls *tls, const char *data, size_t len,
                                 struct pl_buf *plain, struct pl_buf *wire);

/* Appends `data`, encrypted, to `wire`. 0, or -1 when it is not open any more. */
int pl_tls_send(struct pl_tls *tls, const char *data, size_t len, struct pl_buf *wire);

/* Appends the notice that nothing more is sent (close_notify), once, when the handshake is done. */
void pl_tls_finish(struct pl_tls *tls, struct pl_buf *wire);

/* Why it has failed; static storage. */
const char *pl_tls_failure(const struct pl_tls *tls);

/* It has failed because the peer speaks plain HTTP. */
bool pl_tls_spoke_http(const struct pl_tls *tls);

/* An earlier session goes on: no certificate was sent, no key used. */
bool pl_tls_resumed(const struct pl_tls *tls);

#endif
