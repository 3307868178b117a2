/* Where a Redis is, as one URL:
 *
 *     redis://[[user]:password@]host[:port][/database]     host may be a name or [an IPv6 address]
 *     redis+unix://[[user]:password@]/path/of/socket[?db=database]
 *
 * User and password may hold %XX. TLS (rediss://) is not spoken. */
#ifndef PL_DRIVERS_REDIS_URL_H
#define PL_DRIVERS_REDIS_URL_H

#include "base/err.h"

struct pl_redis_url {
    char host[256]; /* empty: a unix socket */
    char path[108]; /* of the socket, as long as sockaddr_un takes */
    int port;
    int database;
    char user[128]; /* empty: none, the server's default user */
    char password[512];
};

/* -1 with `err` (code "invalid"), which says what is wrong and never holds the password. */
int pl_redis_url_parse(const char *text, struct pl_redis_url *out, struct pl_err *err);

#endif
