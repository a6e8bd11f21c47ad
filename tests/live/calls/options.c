/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every socket option of the table, on a socket that has it: set and read back. What a kernel makes of
 * a value is its own affair; both variants have to see the same, and the calls have to be the same.
 */
#include "calls.h"

#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <sys/time.h>

enum sort { TCP4, UDP4, TCP6, UDP6, UNIX, NETLINK, N_SORTS };

#define SET 1 /* set, then read */
#define GET 2 /* read only */

static const struct option {
	enum sort sort;
	int level, name, value, how;
} options[] = {
	{ TCP4, SOL_SOCKET, SO_DEBUG, 0, SET }, { TCP4, SOL_SOCKET, SO_REUSEADDR, 1, SET },
	{ TCP4, SOL_SOCKET, SO_DONTROUTE, 1, SET }, { UDP4, SOL_SOCKET, SO_BROADCAST, 1, SET },
	{ TCP4, SOL_SOCKET, SO_SNDBUF, 40000, SET }, { TCP4, SOL_SOCKET, SO_RCVBUF, 50000, SET },
	{ TCP4, SOL_SOCKET, SO_SNDBUFFORCE, 60000, SET }, { TCP4, SOL_SOCKET, SO_RCVBUFFORCE, 60000, SET },
	{ TCP4, SOL_SOCKET, SO_KEEPALIVE, 1, SET }, { TCP4, SOL_SOCKET, SO_OOBINLINE, 1, SET },
	{ TCP4, SOL_SOCKET, SO_PRIORITY, 3, SET }, { TCP4, SOL_SOCKET, SO_REUSEPORT, 1, SET },
	{ UNIX, SOL_SOCKET, SO_PASSCRED, 1, SET }, { TCP4, SOL_SOCKET, SO_RCVLOWAT, 2, SET },
	{ TCP4, SOL_SOCKET, SO_SNDLOWAT, 2, SET }, { UDP4, SOL_SOCKET, SO_TIMESTAMP, 1, SET },
	{ TCP4, SOL_SOCKET, SO_MARK, 5, SET }, { UNIX, SOL_SOCKET, SO_PEEK_OFF, 1, SET },
	{ TCP4, SOL_SOCKET, SO_BUSY_POLL, 0, SET }, { TCP4, SOL_SOCKET, SO_INCOMING_CPU, 0, SET },
	{ TCP4, SOL_SOCKET, SO_ZEROCOPY, 1, SET }, { TCP4, SOL_SOCKET, SO_TYPE, 0, GET },
	{ TCP4, SOL_SOCKET, SO_ERROR, 0, GET }, { TCP4, SOL_SOCKET, SO_ACCEPTCONN, 0, GET },
	{ TCP4, SOL_SOCKET, SO_PROTOCOL, 0, GET }, { TCP6, SOL_SOCKET, SO_DOMAIN, 0, GET },
	{ TCP4, IPPROTO_IP, IP_TOS, 16, SET }, { TCP4, IPPROTO_IP, IP_TTL, 33, SET },
	{ UDP4, IPPROTO_IP, IP_PKTINFO, 1, SET }, { UDP4, IPPROTO_IP, IP_MTU_DISCOVER, 2, SET },
	{ UDP4, IPPROTO_IP, IP_RECVERR, 1, SET }, { TCP4, IPPROTO_IP, IP_FREEBIND, 1, SET },
	{ TCP4, IPPROTO_IP, IP_TRANSPARENT, 1, SET }, { UDP4, IPPROTO_IP, IP_MTU, 0, GET },
	{ TCP4, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1, SET }, { UDP4, IPPROTO_IP, IP_MULTICAST_TTL, 4, SET },
	{ UDP4, IPPROTO_IP, IP_MULTICAST_LOOP, 0, SET }, { TCP4, IPPROTO_TCP, TCP_NODELAY, 1, SET },
	{ TCP4, IPPROTO_TCP, TCP_MAXSEG, 1000, SET }, { TCP4, IPPROTO_TCP, TCP_CORK, 1, SET },
	{ TCP4, IPPROTO_TCP, TCP_KEEPIDLE, 77, SET }, { TCP4, IPPROTO_TCP, TCP_KEEPINTVL, 7, SET },
	{ TCP4, IPPROTO_TCP, TCP_KEEPCNT, 4, SET }, { TCP4, IPPROTO_TCP, TCP_SYNCNT, 4, SET },
	{ TCP4, IPPROTO_TCP, TCP_LINGER2, 9, SET }, { TCP4, IPPROTO_TCP, TCP_DEFER_ACCEPT, 1, SET },
	{ TCP4, IPPROTO_TCP, TCP_WINDOW_CLAMP, 30000, SET }, { TCP4, IPPROTO_TCP, TCP_QUICKACK, 0, SET },
	{ TCP4, IPPROTO_TCP, TCP_USER_TIMEOUT, 1000, SET }, { TCP4, IPPROTO_TCP, TCP_FASTOPEN, 5, SET },
	{ TCP4, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 4096, SET }, { TCP4, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1, SET },
	{ UDP4, IPPROTO_UDP, UDP_CORK, 0, SET }, { UDP4, IPPROTO_UDP, UDP_SEGMENT, 1000, SET },
	{ UDP4, IPPROTO_UDP, UDP_GRO, 1, SET }, { UDP6, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 9, SET },
	{ UDP6, IPPROTO_IPV6, IPV6_MULTICAST_IF, 0, SET }, { UDP6, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 8, SET },
	{ UDP6, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0, SET }, { UDP6, IPPROTO_IPV6, IPV6_MTU_DISCOVER, 2, SET },
	{ UDP6, IPPROTO_IPV6, IPV6_MTU, 1400, SET }, { UDP6, IPPROTO_IPV6, IPV6_RECVERR, 1, SET },
	{ TCP6, IPPROTO_IPV6, IPV6_V6ONLY, 1, SET }, { UDP6, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1, SET },
	{ TCP6, IPPROTO_IPV6, IPV6_TCLASS, 4, SET }, { NETLINK, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, 1, SET },
	{ NETLINK, SOL_NETLINK, NETLINK_PKTINFO, 1, SET }, { NETLINK, SOL_NETLINK, NETLINK_EXT_ACK, 1, SET },
	{ NETLINK, SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1, SET },
	{ UDP4, SOL_SOCKET, SO_NO_CHECK, 1, SET }, { UNIX, SOL_SOCKET, SO_PASSSEC, 1, SET },
	{ UDP4, SOL_SOCKET, SO_TIMESTAMPNS, 1, SET }, { UDP4, SOL_SOCKET, SO_TIMESTAMPING, 1, SET },
	{ UDP4, SOL_SOCKET, SO_RXQ_OVFL, 1, SET }, { UDP4, SOL_SOCKET, SO_NOFCS, 1, SET },
	{ UDP4, SOL_SOCKET, SO_MAX_PACING_RATE, 1, SET }, { UDP4, SOL_SOCKET, SO_MEMINFO, 1, GET },
	{ UDP4, SOL_SOCKET, SO_INCOMING_NAPI_ID, 1, GET }, { UNIX, SOL_SOCKET, SO_PEERGROUPS, 1, GET },
	{ UDP4, SOL_SOCKET, SO_BINDTOIFINDEX, 1, SET }, { UDP4, IPPROTO_IP, IP_HDRINCL, 1, SET },
	{ UDP4, IPPROTO_IP, IP_OPTIONS, 1, SET }, { UDP4, IPPROTO_IP, IP_RECVOPTS, 1, SET },
	{ UDP4, IPPROTO_IP, IP_RECVTTL, 1, SET }, { UDP4, IPPROTO_IP, IP_RECVTOS, 1, SET },
	{ UDP4, IPPROTO_IP, IP_RECVORIGDSTADDR, 1, SET }, { UDP4, IPPROTO_IP, IP_MINTTL, 1, SET },
	{ UDP4, IPPROTO_IP, IP_CHECKSUM, 1, SET }, { UDP4, IPPROTO_IP, IP_RECVFRAGSIZE, 1, SET },
	{ UDP4, IPPROTO_IP, IP_MULTICAST_ALL, 1, SET }, { UDP4, IPPROTO_IP, IP_UNICAST_IF, 1, SET },
	{ TCP4, IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, 1, SET }, { TCP4, IPPROTO_TCP, TCP_TIMESTAMP, 1, SET },
	{ TCP4, IPPROTO_TCP, TCP_SAVE_SYN, 1, SET }, { TCP4, IPPROTO_TCP, TCP_SAVED_SYN, 1, GET },
	{ TCP4, IPPROTO_TCP, TCP_INQ, 1, SET }, { TCP4, IPPROTO_TCP, TCP_TX_DELAY, 1, SET },
	{ UDP6, IPPROTO_IPV6, IPV6_CHECKSUM, 1, SET }, { UDP6, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 1, SET },
	{ UDP6, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1, SET }, { UDP6, IPPROTO_IPV6, IPV6_RECVTCLASS, 1, SET },
	{ UDP6, IPPROTO_IPV6, IPV6_DONTFRAG, 1, SET }, { UDP6, IPPROTO_IPV6, IPV6_RECVORIGDSTADDR, 1, SET },
	{ UDP6, IPPROTO_IPV6, IPV6_TRANSPARENT, 1, SET }, { UDP6, IPPROTO_IPV6, IPV6_UNICAST_IF, 1, SET },
	{ UDP6, IPPROTO_IPV6, IPV6_FREEBIND, 1, SET }, { NETLINK, SOL_NETLINK, NETLINK_DROP_MEMBERSHIP, 1, SET },
	{ NETLINK, SOL_NETLINK, NETLINK_NO_ENOBUFS, 1, SET }, { NETLINK, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, 1, GET },
	{ NETLINK, SOL_NETLINK, NETLINK_CAP_ACK, 1, SET },
};

static void integers(const int sockets[])
{
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		const struct option *o = &options[i];
		int value = o->value, fd = sockets[o->sort], set = 0;
		socklen_t len = sizeof(value);

		if (fd < 0)
			continue;
		if (o->how == SET)
			set = setsockopt(fd, o->level, o->name, &value, sizeof(value)) ? errno : 0;
		value = -1;
		dprintf(1, "option %d.%d: set %s, ", o->level, o->name, set ? strerrorname_np(set) : "0");
		if (getsockopt(fd, o->level, o->name, &value, &len) < 0)
			dprintf(1, "get %s\n", strerrorname_np(errno));
		else
			dprintf(1, "get %d in %d bytes\n", value, (int)len);
	}
	say("options that are integers\n");
}

static void times_and_lingering(const int sockets[])
{
	struct timeval t = { 3, 500000 };
	struct linger l = { 1, 9 };
	socklen_t len = sizeof(t);

	EXPECT(setsockopt(sockets[TCP4], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)) == 0);
	EXPECT(setsockopt(sockets[TCP4], SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t)) == 0);
	memset(&t, 0, sizeof(t));
	EXPECT(getsockopt(sockets[TCP4], SOL_SOCKET, SO_RCVTIMEO, &t, &len) == 0 && len == 16 && t.tv_sec == 3);
	EXPECT(getsockopt(sockets[TCP4], SOL_SOCKET, SO_SNDTIMEO, &t, &len) == 0 && t.tv_usec >= 500000);
	EXPECT(setsockopt(sockets[TCP4], SOL_SOCKET, SO_LINGER, &l, sizeof(l)) == 0);
	l.l_linger = 0;
	len = sizeof(l);
	EXPECT(getsockopt(sockets[TCP4], SOL_SOCKET, SO_LINGER, &l, &len) == 0 && l.l_onoff && l.l_linger == 9);
	say("SO_RCVTIMEO, SO_SNDTIMEO, SO_LINGER\n");
}

static void texts(const int sockets[])
{
	char a[16] = "", info[256];
	socklen_t len = sizeof(a);
	int fd = sockets[TCP4];

	EXPECT(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, a, &len) == 0 && a[0]);
	EXPECT(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, a, (socklen_t)strlen(a)) == 0);
	FAILS(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "missing", 7), ENOENT);
	len = sizeof(info);
	EXPECT(getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &len) == 0 && len >= 100 && info[0] == 7 /* TCP_CLOSE */);
	EXPECT(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3) == 0 || errno == EPERM);
	len = sizeof(a);
	EXPECT(getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, a, &len) == 0);
	EXPECT(setsockopt(fd, IPPROTO_TCP, TCP_ULP, "missing", 7) == -1);
	len = sizeof(a);
	EXPECT(getsockopt(fd, IPPROTO_TCP, TCP_ULP, a, &len) == 0);
	len = sizeof(a);
	EXPECT(getsockopt(sockets[UNIX], SOL_SOCKET, SO_PEERSEC, a, &len) == 0 || errno == ENOPROTOOPT ||
	       errno == ERANGE);
	say("TCP_CONGESTION, TCP_INFO, SO_BINDTODEVICE, TCP_ULP, SO_PEERSEC\n");
}

static void groups(const int sockets[])
{
	struct ip_mreq m = { { htonl(0xe0000105) }, { htonl(INADDR_LOOPBACK) } };
	struct ipv6_mreq m6 = { .ipv6mr_interface = 1 };
	struct in_addr addr = { htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);
	int fd = sockets[UDP4], fd6 = sockets[UDP6], r;

	m6.ipv6mr_multiaddr.s6_addr[0] = 0xff;
	m6.ipv6mr_multiaddr.s6_addr[1] = 1;
	m6.ipv6mr_multiaddr.s6_addr[15] = 0x55;
	r = setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof(m));
	EXPECT(r == 0 || errno == ENODEV);
	EXPECT(setsockopt(fd, IPPROTO_IP, IP_DROP_MEMBERSHIP, &m, sizeof(m)) == r);
	EXPECT(setsockopt(fd, IPPROTO_IP, IP_DROP_MEMBERSHIP, &m, sizeof(m)) == -1);
	EXPECT(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &addr, sizeof(addr)) == 0 || errno == EADDRNOTAVAIL);
	EXPECT(getsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &addr, &len) == 0 && len == 4);
	EXPECT(getsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &addr, &len) == -1);
	EXPECT(getsockopt(fd, IPPROTO_IP, IP_DROP_MEMBERSHIP, &addr, &len) == -1);
	if (fd6 >= 0) {
		r = setsockopt(fd6, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &m6, sizeof(m6));
		EXPECT(setsockopt(fd6, IPPROTO_IPV6, IPV6_DROP_MEMBERSHIP, &m6, sizeof(m6)) == r);
		EXPECT(getsockopt(fd6, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &addr, &len) == -1);
		EXPECT(getsockopt(fd6, IPPROTO_IPV6, IPV6_DROP_MEMBERSHIP, &addr, &len) == -1);
	}
	say("IP_ADD_MEMBERSHIP, IP_DROP_MEMBERSHIP, IP_MULTICAST_IF, IPV6_...\n");
}

static void who_and_what(void)
{
	struct ucred peer = { 0 };
	uint64_t cookie = 0, again = 0;
	socklen_t len = sizeof(peer);
	int pair[2], value = 1;

	EXPECT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	EXPECT(getsockopt(pair[0], SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && len == 12);
	EXPECT(peer.pid == getpid() && peer.uid == geteuid() && peer.gid == getegid());
	len = sizeof(cookie);
	EXPECT(getsockopt(pair[0], SOL_SOCKET, SO_COOKIE, &cookie, &len) == 0 && cookie);
	EXPECT(getsockopt(pair[0], SOL_SOCKET, SO_COOKIE, &again, &len) == 0 && again == cookie);
	len = 2;
	value = 0x7f7f7f7f;
	EXPECT(getsockopt(pair[0], SOL_SOCKET, SO_TYPE, &value, &len) == 0 && len == 2 && value == 0x7f7f0001);
	len = 0;
	EXPECT(getsockopt(pair[0], SOL_SOCKET, SO_TYPE, &value, &len) == 0 && len == 0);
	FAILS(getsockopt(pair[0], SOL_SOCKET, SO_TYPE, &value, nowhere), EFAULT);
	FAILS(setsockopt(pair[0], SOL_SOCKET, SO_TYPE, &value, 4), ENOPROTOOPT);
	FAILS(setsockopt(pair[0], SOL_SOCKET, SO_KEEPALIVE, &value, 1), EINVAL);
	FAILS(setsockopt(pair[0], SOL_SOCKET, SO_KEEPALIVE, nowhere, 4), EFAULT);
	FAILS(setsockopt(99, SOL_SOCKET, SO_KEEPALIVE, &value, 4), EBADF);
	close(pair[0]);
	close(pair[1]);
	say("SO_PEERCRED, SO_COOKIE\n");
}

void test_options(void)
{
	int sockets[N_SORTS] = {
		socket(AF_INET, SOCK_STREAM, 0), socket(AF_INET, SOCK_DGRAM, 0),
		socket(AF_INET6, SOCK_STREAM, 0), socket(AF_INET6, SOCK_DGRAM, 0),
		socket(AF_UNIX, SOCK_STREAM, 0), socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE),
	};

	integers(sockets);
	times_and_lingering(sockets);
	texts(sockets);
	groups(sockets);
	who_and_what();
}
