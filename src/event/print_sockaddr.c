/* SPDX-License-Identifier: Apache-2.0 */
#include "event/names.h"
#include "event/print.h"

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <stddef.h>

static void print_port(struct emit *e, const char *name, const uint8_t *p)
{
	emit_key(e, name);
	emit_u64(e, (uint64_t)p[0] << 8 | p[1]);
}

static void print_inet(struct emit *e, const uint8_t *addr, int family, size_t at)
{
	char text[INET6_ADDRSTRLEN];

	inet_ntop(family, addr + at, text, sizeof(text));
	emit_key(e, family == AF_INET ? "sin_addr" : "sin6_addr");
	emit_whole_string(e, text, strlen(text));
}

static void print_unix(struct emit *e, const uint8_t *path, size_t len)
{
	emit_key(e, "sun_path");
	/* Abstract names begin with NUL and are shown with it; others end at theirs. */
	emit_whole_string(e, path, len && path[0] ? strnlen((const char *)path, len) : len);
}

static void print_netlink(struct emit *e, const uint8_t *addr)
{
	struct sockaddr_nl nl;

	memcpy(&nl, addr, sizeof(nl));
	emit_key(e, "nl_pid");
	emit_u64(e, nl.nl_pid);
	emit_key(e, "nl_groups");
	emit_u64(e, nl.nl_groups);
}

void print_sockaddr(struct emit *e, const uint8_t *addr, size_t len)
{
	const char *name;
	uint16_t family;

	if (len < sizeof(family)) {
		emit_string(e, addr, len);
		return;
	}
	memcpy(&family, addr, sizeof(family));
	name = family_name(family);
	emit_begin(e, '{');
	emit_key(e, "sa_family");
	if (name)
		emit_word(e, "%s", name);
	else
		emit_u64(e, family);
	if (family == AF_INET && len >= 8) {
		print_port(e, "sin_port", addr + 2);
		print_inet(e, addr, AF_INET, 4);
	} else if (family == AF_INET6 && len >= 24) {
		print_port(e, "sin6_port", addr + 2);
		print_inet(e, addr, AF_INET6, 8);
	} else if (family == AF_UNIX) {
		print_unix(e, addr + 2, len - 2);
	} else if (family == AF_NETLINK && len >= sizeof(struct sockaddr_nl)) {
		print_netlink(e, addr);
	} else if (len > sizeof(family)) {
		emit_key(e, "sa_data");
		emit_string(e, addr + 2, len - 2);
	}
	emit_end(e, '}');
}
