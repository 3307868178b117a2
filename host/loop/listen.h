/* Listening sockets, opened before anything is served and kept while workers come and go. */
#ifndef PL_LOOP_LISTEN_H
#define PL_LOOP_LISTEN_H

#include "base/err.h"

#include <stddef.h>

/* "host:port" ("[::1]:8080", ":8080" for every address, port 0 for a free one) or "unix:path".
 * Resolves names by asking the system, which may block. Returns a non-blocking descriptor, closed
 * on exec, or -1 with `err`, whose message names the address and says what may be wrong. */
int pl_listen_open(const char *spec, struct pl_err *err);

/* Writes what a client connects to, in the form of a spec. */
void pl_listen_name(int fd, char *out, size_t size);

#endif
