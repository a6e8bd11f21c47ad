/* SPDX-License-Identifier: Apache-2.0 */
#include "event/sockaddr.h"

#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>

#define INET_USED  8u  /* family, port, address; sin_zero follows */
#define INET6_USED 28u /* all of struct sockaddr_in6 */

static size_t min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t unix_used(const uint8_t *addr, size_t len)
{
	const size_t path = sizeof(sa_family_t);

	/* Unnamed, or abstract: then every byte of the length counts. */
	if (len <= path || addr[path] == 0)
		return len;
	return path + strnlen((const char *)addr + path, len - path);
}

size_t sockaddr_normalise(uint8_t *addr, size_t len)
{
	sa_family_t family;

	if (len < sizeof(family))
		return len;
	memcpy(&family, addr, sizeof(family));
	switch (family) {
	case AF_UNSPEC: /* UDP takes it for AF_INET */
	case AF_INET:
		return min_size(len, INET_USED);
	case AF_INET6:
		return min_size(len, INET6_USED);
	case AF_UNIX:
		return unix_used(addr, len);
	case AF_NETLINK:
		if (len >= sizeof(struct sockaddr_nl))
			memset(addr + offsetof(struct sockaddr_nl, nl_pad), 0,
			       sizeof(((struct sockaddr_nl *)0)->nl_pad));
		return min_size(len, sizeof(struct sockaddr_nl));
	default:
		return len;
	}
}
