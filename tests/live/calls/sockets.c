/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets of every family that a server uses, addresses, messages with descriptors and credentials. */
#include "calls.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

/* accept4 of flags 0, where there is no older call. */
static int plain_accept(int fd, struct sockaddr *addr, socklen_t *len)
{
#ifdef SYS_accept
	return (int)syscall(SYS_accept, fd, addr, len);
#else
	return accept4(fd, addr, len, 0);
#endif
}

static void over_tcp(int family)
{
	struct sockaddr_in6 big = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_in small = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr *addr = family == AF_INET ? (void *)&small : (void *)&big;
	socklen_t size = family == AF_INET ? sizeof(small) : sizeof(big), len = size, cut = 4;
	int server = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0), client, conn;
	struct sockaddr_storage peer, own;
	char a[16];

	EXPECT(server >= 0 && fcntl(server, F_GETFD) == FD_CLOEXEC);
	if (bind(server, addr, size) < 0) {
		EXPECT(errno == EADDRNOTAVAIL || errno == EACCES);
		close(server);
		say("this family has no loopback address here\n");
		return;
	}
	EXPECT(listen(server, 5) == 0);
	EXPECT(getsockname(server, addr, &len) == 0 && len == size);
	client = socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	EXPECT(connect(client, addr, size) == 0 || errno == EINPROGRESS);
	len = sizeof(peer);
	conn = accept4(server, (void *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	EXPECT(conn >= 0 && len == size && fcntl(conn, F_GETFD) == FD_CLOEXEC && fcntl(conn, F_GETFL) & O_NONBLOCK);
	len = sizeof(own);
	EXPECT(getsockname(client, (void *)&own, &len) == 0 && !memcmp(&own, &peer, size));
	len = sizeof(own);
	EXPECT(getpeername(client, (void *)&own, &len) == 0 && !memcmp(&own, addr, size));
	memset(&own, '#', sizeof(own));
	EXPECT(getpeername(client, (void *)&own, &cut) == 0 && cut == size && ((char *)&own)[4] == '#');
	FAILS(recv(conn, a, 16, 0), EAGAIN);
	EXPECT(fcntl(client, F_SETFL, 0) == 0 && fcntl(conn, F_SETFL, 0) == 0);
	EXPECT(send(client, "hello", 5, MSG_NOSIGNAL) == 5 && recv(conn, a, 16, MSG_PEEK) == 5);
	len = sizeof(peer);
	EXPECT(recvfrom(conn, a, 5, MSG_WAITALL, (void *)&peer, &len) == 5 && !memcmp(a, "hello", 5));
	EXPECT(shutdown(client, SHUT_WR) == 0 && recv(conn, a, 16, 0) == 0);
	EXPECT(send(conn, "back", 4, MSG_MORE) == 4 && send(conn, "", 0, 0) == 0);
	close(conn);
	EXPECT(recv(client, a, 16, MSG_WAITALL) == 4);
	FAILS(shutdown(client, 9), EINVAL);
	FAILS(connect(client, addr, 1), EINVAL);
	close(client);
	client = socket(family, SOCK_STREAM, 0);
	EXPECT(connect(client, addr, size) == 0 && (conn = plain_accept(server, NULL, NULL)) >= 0);
	close(conn);
	close(client);
	client = socket(family, SOCK_STREAM, 0);
	EXPECT(connect(client, addr, size) == 0);
	len = sizeof(peer);
	EXPECT((conn = plain_accept(server, (void *)&peer, &len)) >= 0 && len == size && fcntl(conn, F_GETFD) == 0);
	close(conn);
	close(client);
	close(server);
	client = socket(family, SOCK_STREAM, 0);
	FAILS(connect(client, addr, size), ECONNREFUSED);
	close(client);
	say("socket, bind, listen, connect, accept4, accept, getsockname, getpeername, shutdown\n");
}

static void over_udp(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) }, from;
	int a = socket(AF_INET, SOCK_DGRAM, 0), b = socket(AF_INET, SOCK_DGRAM, 0);
	char x[4][8], name[3][16];
	struct iovec out[2] = { { "ab", 2 }, { "cde", 3 } };
	struct iovec in[3] = { { x[0], 8 }, { x[1], 8 }, { x[2], 8 } };
	struct mmsghdr send[3] = { { .msg_hdr = { .msg_iov = out, .msg_iovlen = 2 } },
				   { .msg_hdr = { .msg_iov = out, .msg_iovlen = 1 } },
				   { .msg_hdr = { .msg_iov = out + 1, .msg_iovlen = 1 } } };
	struct mmsghdr got[3] = { { .msg_hdr = { .msg_iov = in, .msg_iovlen = 1, .msg_name = name[0], .msg_namelen = 16 } },
				  { .msg_hdr = { .msg_iov = in + 1, .msg_iovlen = 1 } },
				  { .msg_hdr = { .msg_iov = in + 2, .msg_iovlen = 1, .msg_name = name[2], .msg_namelen = 8 } } };
	struct timespec soon = { 1, 0 };
	socklen_t len = sizeof(addr);

	EXPECT(bind(a, (void *)&addr, len) == 0 && getsockname(a, (void *)&addr, &len) == 0);
	memset(addr.sin_zero, 'z', sizeof(addr.sin_zero)); /* nobody looks at these */
	EXPECT(sendto(b, "datagram", 8, 0, (void *)&addr, sizeof(addr)) == 8);
	EXPECT(recvfrom(a, x[0], 4, MSG_TRUNC, (void *)&from, &len) == 8 && !memcmp(x[0], "data", 4));
	EXPECT(from.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
	EXPECT(connect(b, (void *)&addr, sizeof(addr)) == 0);
	EXPECT(sendmmsg(b, send, 3, 0) == 3 && send[0].msg_len == 5 && send[1].msg_len == 2);
	EXPECT(recvmmsg(a, got, 3, MSG_WAITFORONE, &soon) == 3 && got[0].msg_len == 5 && got[2].msg_len == 3);
	EXPECT(!memcmp(x[0], "abcde", 5) && !memcmp(x[2], "cde", 3) && got[0].msg_hdr.msg_namelen == 16);
	EXPECT(got[2].msg_hdr.msg_namelen == 16);
	EXPECT(send[0].msg_hdr.msg_iov == out && got[0].msg_hdr.msg_iov == in);
	FAILS(recvmmsg(a, got, 3, MSG_DONTWAIT, NULL), EAGAIN);
	FAILS(sendmmsg(99, send, 1, 0), EBADF);
	FAILS(recvfrom(a, x[0], 4, MSG_DONTWAIT, NULL, NULL), EAGAIN);
	FAILS(sendto(a, "x", 1, 0, NULL, 0), EDESTADDRREQ);
	FAILS(sendto(a, nowhere, 9, 0, (void *)&addr, sizeof(addr)), EFAULT);
	addr.sin_family = AF_UNSPEC;
	EXPECT(connect(b, (void *)&addr, sizeof(addr)) == 0);
	close(a);
	close(b);
	say("sendto, recvfrom, sendmmsg, recvmmsg\n");
}

union control {
	char bytes[CMSG_SPACE(3 * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
	struct cmsghdr align;
};

static void descriptors_in_messages(void)
{
	int pair[2], file = file_with("passed", "of a passed file"), got[2];
	union control control = { 0 };
	struct iovec out = { "payload", 7 };
	char x[16];
	struct iovec in = { x, sizeof(x) };
	struct msghdr m = { .msg_iov = &out, .msg_iovlen = 1, .msg_control = &control,
			    .msg_controllen = CMSG_SPACE(2 * sizeof(int)) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	EXPECT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0 && fcntl(pair[1], F_GETFD) == FD_CLOEXEC);
	*c = (struct cmsghdr){ CMSG_LEN(2 * sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
	memcpy(CMSG_DATA(c), (int[]){ file, pair[0] }, 2 * sizeof(int));
	EXPECT(sendmsg(pair[0], &m, MSG_NOSIGNAL) == 7);
	memset(&control, 0, sizeof(control));
	m = (struct msghdr){ .msg_iov = &in, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	EXPECT(recvmsg(pair[1], &m, MSG_CMSG_CLOEXEC) == 7 && !memcmp(x, "payload", 7) && m.msg_flags == MSG_CMSG_CLOEXEC);
	c = CMSG_FIRSTHDR(&m);
	EXPECT(c && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(2 * sizeof(int)));
	memcpy(got, CMSG_DATA(c), sizeof(got));
	EXPECT(got[0] > pair[1] && fcntl(got[0], F_GETFD) == FD_CLOEXEC);
	EXPECT(pread(got[0], x, 16, 0) == 16 && !memcmp(x, "of a passed file", 16));
	EXPECT(write(got[1], "!", 1) == 1 && read(pair[1], x, 16) == 1);
	/* No room for the descriptor */
	m = (struct msghdr){ .msg_iov = &out, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_SPACE(sizeof(int)) };
	c = CMSG_FIRSTHDR(&m);
	*c = (struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
	memcpy(CMSG_DATA(c), &file, sizeof(int));
	EXPECT(sendmsg(pair[0], &m, 0) == 7);
	m = (struct msghdr){ .msg_iov = &in, .msg_iovlen = 1 };
	EXPECT(recvmsg(pair[1], &m, 0) == 7 && m.msg_flags & MSG_CTRUNC && m.msg_controllen == 0);
	c->cmsg_len = 3;
	m = (struct msghdr){ .msg_iov = &out, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	FAILS(sendmsg(pair[0], &m, 0), EINVAL);
	FAILS(sendmsg(pair[0], nowhere, 0), EFAULT);
	FAILS(recvmsg(pair[0], nowhere, 0), EFAULT);
	m.msg_iov = nowhere;
	FAILS(sendmsg(pair[0], &m, 0), EFAULT);
	FAILS(recvmsg(99, &m, 0), EBADF);
	close(got[0]);
	close(got[1]);
	close(file);
	close(pair[0]);
	close(pair[1]);
	say("sendmsg, recvmsg, SCM_RIGHTS\n");
}

static void credentials_in_messages(void)
{
	struct ucred who = { .pid = getpid() };
	union control control = { 0 };
	struct iovec io = { "c", 1 };
	struct msghdr m = { .msg_iov = &io, .msg_iovlen = 1, .msg_control = &control,
			    .msg_controllen = CMSG_SPACE(sizeof(who)) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	int pair[2], on = 1;
	char x;

	who.uid = getuid();
	who.gid = getgid();
	EXPECT(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0);
	EXPECT(setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) == 0);
	*c = (struct cmsghdr){ CMSG_LEN(sizeof(who)), SOL_SOCKET, SCM_CREDENTIALS };
	memcpy(CMSG_DATA(c), &who, sizeof(who));
	EXPECT(sendmsg(pair[0], &m, 0) == 1);
	memset(&control, 0, sizeof(control));
	memset(&who, 0, sizeof(who));
	io = (struct iovec){ &x, 1 };
	m.msg_controllen = sizeof(control);
	EXPECT(recvmsg(pair[1], &m, 0) == 1);
	c = CMSG_FIRSTHDR(&m);
	EXPECT(c && c->cmsg_type == SCM_CREDENTIALS);
	memcpy(&who, CMSG_DATA(c), sizeof(who));
	EXPECT(who.pid == getpid() && who.uid == getuid() && who.gid == getgid());
	close(pair[0]);
	close(pair[1]);
	say("SCM_CREDENTIALS\n");
}

static void in_the_file_system(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX, .sun_path = "socket" }, peer;
	socklen_t size = offsetof(struct sockaddr_un, sun_path) + 7, len = sizeof(peer);
	int server = socket(AF_UNIX, SOCK_SEQPACKET, 0), client = socket(AF_UNIX, SOCK_SEQPACKET, 0), conn;
	char a[8];

	EXPECT(bind(server, (void *)&addr, sizeof(addr)) == 0 && listen(server, 1) == 0);
	EXPECT(getsockname(server, (void *)&peer, &len) == 0 && len == size && !strcmp(peer.sun_path, "socket"));
	EXPECT(connect(client, (void *)&addr, size) == 0);
	len = sizeof(peer);
	EXPECT((conn = accept4(server, (void *)&peer, &len, 0)) >= 0 && len == 2);
	EXPECT(send(client, "packet", 6, MSG_EOR) == 6 && recv(conn, a, 8, 0) == 6);
	FAILS(bind(conn, (void *)&addr, size), EADDRINUSE);
	FAILS(bind(conn, nowhere, size), EFAULT);
	FAILS(listen(99, 1), EBADF);
	FAILS(accept4(client, NULL, NULL, 0), EINVAL);
	FAILS(accept4(server, NULL, NULL, 0x10), EINVAL);
	FAILS(getpeername(server, (void *)&peer, &len), ENOTCONN);
	FAILS(getsockname(server, (void *)&peer, nowhere), EFAULT);
	FAILS(socket(AF_UNIX, 77, 0), EINVAL);
	FAILS(socket(200, SOCK_STREAM, 0), EAFNOSUPPORT);
	FAILS(socketpair(AF_INET, SOCK_STREAM, 0, (int[2]){ 0 }), EOPNOTSUPP);
	FAILS(socketpair(AF_UNIX, SOCK_STREAM, 0, nowhere), EFAULT);
	close(client);
	close(conn);
	close(server);
	/* Abstract: every byte of the length counts */
	server = socket(AF_UNIX, SOCK_DGRAM, 0);
	addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(addr.sun_path + 1, 32, "chiral-live-%d", getpid());
	EXPECT(bind(server, (void *)&addr, 30) == 0);
	len = sizeof(peer);
	EXPECT(getsockname(server, (void *)&peer, &len) == 0 && len == 30);
	close(server);
	say("unix sockets\n");
}

static void over_netlink(void)
{
	struct {
		struct nlmsghdr h;
		struct rtgenmsg g;
	} ask = { { NLMSG_LENGTH(sizeof(ask.g)), RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 1, 0 }, { AF_UNSPEC } };
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK }, own;
	struct iovec out = { &ask, sizeof(ask) };
	struct msghdr m = { .msg_name = &kernel, .msg_namelen = sizeof(kernel), .msg_iov = &out, .msg_iovlen = 1 };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	socklen_t len = sizeof(own);
	char buf[16384] __attribute__((aligned(8)));
	bool done = false, links = false;

	EXPECT(fd >= 0 && bind(fd, (void *)&kernel, sizeof(kernel)) == 0);
	EXPECT(getsockname(fd, (void *)&own, &len) == 0 && len == sizeof(own) && own.nl_pid != 0);
	EXPECT(sendmsg(fd, &m, 0) == sizeof(ask));
	while (!done) {
		struct iovec in = { buf, sizeof(buf) };
		struct msghdr r = { .msg_name = &own, .msg_namelen = sizeof(own), .msg_iov = &in, .msg_iovlen = 1 };
		int n = (int)recvmsg(fd, &r, 0);

		EXPECT(n > 0 && own.nl_pid == 0);
		for (struct nlmsghdr *h = (void *)buf; NLMSG_OK(h, (unsigned)n); h = NLMSG_NEXT(h, n)) {
			links |= h->nlmsg_type == RTM_NEWLINK;
			done |= h->nlmsg_type == NLMSG_DONE;
		}
	}
	EXPECT(links);
	close(fd);
	say("netlink\n");
}

void test_sockets(void)
{
	over_tcp(AF_INET);
	over_tcp(AF_INET6);
	over_udp();
	descriptors_in_messages();
	credentials_in_messages();
	in_the_file_system();
	over_netlink();
}
