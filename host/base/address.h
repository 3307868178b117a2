/* Which addresses are on the public internet. */
#ifndef PL_BASE_ADDRESS_H
#define PL_BASE_ADDRESS_H

#include <sys/socket.h>

/* What kind of address this is when it is not one of the public internet ("loopback", "private",
 * "link-local", ...), NULL when it is. IPv4 inside IPv6 (mapped, compatible, NAT64, 6to4, Teredo)
 * is judged by the IPv4 address, or refused as a whole where that is hidden. Families other than
 * IPv4 and IPv6 are never public. Sources: the IANA special-purpose address registries (RFC 6890
 * and its updates). */
const char *pl_address_special(const struct sockaddr *address);

/* The same for an address as text, "192.0.2.1" or "2001:db8::1". "invalid" when it is none. */
const char *pl_address_special_text(const char *text);

#endif
