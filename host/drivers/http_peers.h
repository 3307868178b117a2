/* How many connections each address has. IPv6 is counted by its first 64 bits: whoever has one
 * address of a network has all of them. */
#ifndef PL_DRIVERS_HTTP_PEERS_H
#define PL_DRIVERS_HTTP_PEERS_H

#include "base/list.h"

#include <stdint.h>
#include <sys/socket.h>

#define PL_HTTP_PEERS_BUCKETS 1024

struct pl_http_peer {
    struct pl_list link; /* in its bucket */
    uint64_t key;
    uint32_t connections; /* at least 1 */
};

struct pl_http_peers {
    struct pl_list buckets[PL_HTTP_PEERS_BUCKETS];
    uint64_t factor; /* random and odd: nobody outside can choose addresses of one bucket */
};

void pl_http_peers_init(struct pl_http_peers *peers);

/* Counts one more connection of an address; families other than IPv4 and IPv6 are one address.
 * Never NULL; the peer belongs to the table, until each of its connections has left. */
struct pl_http_peer *pl_http_peers_enter(struct pl_http_peers *peers,
                                         const struct sockaddr *address);

/* Counts one less. The last one frees the peer. */
void pl_http_peers_leave(struct pl_http_peer *peer);

#endif
