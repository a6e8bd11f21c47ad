/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses and how to reach them. An address is parsed into a list of socket addresses (a host name
 * may have several), which connect and listen walk alike.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "link/link.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define RETRY_MS 50
#define ADDRESSES_MAX 8

struct endpoint {
	struct sockaddr_storage addr[ADDRESSES_MAX];
	socklen_t len[ADDRESSES_MAX];
	int count;
};

/* ---- addresses ------------------------------------------------------------------------------- */

static int parse_unix(const char *path, struct endpoint *ret)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&ret->addr[0];

	if (!*path) {
		log_error("the address unix: has no path: use unix:PATH");
		return -EINVAL;
	}
	if (strlen(path) >= sizeof(un->sun_path)) {
		log_error("the path of unix:%s is too long: a socket's has at most %zu bytes", path,
			  sizeof(un->sun_path) - 1);
		return -ENAMETOOLONG;
	}
	un->sun_family = AF_UNIX;
	strcpy(un->sun_path, path);
	ret->len[0] = sizeof(*un);
	ret->count = 1;
	return 0;
}

/* getaddrinfo(3) takes 99999 and wraps it around. */
static bool is_port(const char *text)
{
	size_t digits = strspn(text, "0123456789");

	return digits && digits <= 5 && !text[digits] && atoi(text) <= UINT16_MAX;
}

/* "HOST:PORT" or "[HOST]:PORT", cut in place. */
static int split_host_port(char *text, char **ret_host, char **ret_port)
{
	char *host = text, *colon = strrchr(text, ':');

	if (!colon || colon == text || !is_port(colon + 1))
		return -EINVAL;
	*colon = 0;
	if (*host == '[') {
		if (colon[-1] != ']' || colon - host < 3)
			return -EINVAL;
		colon[-1] = 0;
		host++;
	} else if (strchr(host, ':')) {
		return -EINVAL;
	}
	*ret_host = host;
	*ret_port = colon + 1;
	return 0;
}

static void copy_addresses(const struct addrinfo *list, struct endpoint *ret)
{
	ret->count = 0;
	for (const struct addrinfo *a = list; a && ret->count < ADDRESSES_MAX; a = a->ai_next) {
		memcpy(&ret->addr[ret->count], a->ai_addr, a->ai_addrlen);
		ret->len[ret->count++] = a->ai_addrlen;
	}
}

/* -EAGAIN (not logged) when the name server may answer later. */
static int parse_tcp(const char *text, bool passive, struct endpoint *ret)
{
	const struct addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICSERV | (passive ? AI_PASSIVE : 0),
	};
	cleanup_free char *copy = strdup(text);
	struct addrinfo *list = NULL;
	char *host, *port;
	int r;

	if (!copy)
		return log_errno(ENOMEM, "tcp://%s", text);
	if (split_host_port(copy, &host, &port) < 0) {
		log_error("'tcp://%s' is no address: use tcp://HOST:PORT, PORT a number up to 65535",
			  text);
		return -EINVAL;
	}
	r = getaddrinfo(passive && !strcmp(host, "*") ? NULL : host, port, &hints, &list);
	if (r == EAI_AGAIN)
		return -EAGAIN;
	if (r) {
		log_error("cannot look up tcp://%s: %s", text, gai_strerror(r));
		return -EADDRNOTAVAIL;
	}
	copy_addresses(list, ret);
	freeaddrinfo(list);
	return 0;
}

static int parse(const char *address, bool passive, struct endpoint *ret)
{
	*ret = (struct endpoint){ 0 };
	if (!strncmp(address, "unix:", 5))
		return parse_unix(address + 5, ret);
	if (!strncmp(address, "tcp://", 6))
		return parse_tcp(address + 6, passive, ret);
	log_error("'%s' is no address: use tcp://HOST:PORT or unix:PATH", address);
	return -EINVAL;
}

static bool is_loopback(const struct sockaddr_storage *a)
{
	const struct sockaddr_in *v4 = (const void *)a;
	const struct sockaddr_in6 *v6 = (const void *)a;

	if (a->ss_family == AF_INET)
		return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
	if (a->ss_family != AF_INET6)
		return true;
	if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
		return v6->sin6_addr.s6_addr[12] == 127;
	return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

static void warn_plaintext(int fd)
{
	static atomic_flag warned = ATOMIC_FLAG_INIT;
	struct sockaddr_storage peer = { 0 };
	socklen_t len = sizeof(peer);
	char host[NI_MAXHOST] = "?";

	if (getpeername(fd, (struct sockaddr *)&peer, &len) < 0 || is_loopback(&peer))
		return;
	if (atomic_flag_test_and_set(&warned))
		return;
	getnameinfo((struct sockaddr *)&peer, len, host, sizeof(host), NULL, 0, NI_NUMERICHOST);
	log_warn("the link to %s is neither encrypted nor authenticated; use it on a trusted network "
		 "only, or through an ssh tunnel",
		 host);
}

static void settle(int fd, bool tcp)
{
	int one = 1;

	if (!tcp)
		return;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	warn_plaintext(fd);
}

/* ---- connect --------------------------------------------------------------------------------- */

static int finish_connect(int fd, int64_t deadline)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	socklen_t len = sizeof(int);
	int err = 0, n;

	do
		n = poll(&p, 1, deadline_left_ms(deadline));
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return -ETIMEDOUT;
	if (n < 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
		return -errno;
	return -err;
}

/* One try at one address: a descriptor or -errno. */
static int connect_one(const struct sockaddr_storage *addr, socklen_t len, int64_t deadline)
{
	cleanup_close int fd =
		socket(addr->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r = 0;

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)addr, len) < 0)
		r = errno == EINPROGRESS || errno == EINTR ? finish_connect(fd, deadline) : -errno;
	if (r < 0)
		return r;
	if (fcntl(fd, F_SETFL, 0) < 0)
		return -errno;
	settle(fd, addr->ss_family != AF_UNIX);
	return take_fd(&fd);
}

/* The other side may not be there yet, or its network not up yet. */
static bool may_come(int err)
{
	switch (err) {
	case -ECONNREFUSED:
	case -ENOENT:
	case -EAGAIN:
	case -ETIMEDOUT:
	case -ECONNRESET:
	case -EHOSTUNREACH:
	case -ENETUNREACH:
	case -EADDRNOTAVAIL:
		return true;
	default:
		return false;
	}
}

static int connect_any(const char *address, int64_t deadline, bool *ret_final)
{
	struct endpoint e;
	int r = parse(address, false, &e);

	*ret_final = r < 0 && r != -EAGAIN;
	for (int i = 0; r >= 0 && i < e.count; i++) {
		int fd = connect_one(&e.addr[i], e.len[i], deadline);

		if (fd >= 0)
			return fd;
		r = i + 1 < e.count ? 0 : fd;
	}
	return r;
}

int transport_connect(const char *address, int timeout_ms)
{
	int64_t deadline = deadline_after_ms(timeout_ms);

	for (;;) {
		bool logged;
		int r = connect_any(address, deadline, &logged);
		int left = deadline_left_ms(deadline);

		if (r >= 0 || logged)
			return r;
		if (!may_come(r) || left == 0)
			return log_errno(-r, "cannot connect to %s", address);
		poll(NULL, 0, left < 0 || left > RETRY_MS ? RETRY_MS : left);
	}
}

/* ---- listen ---------------------------------------------------------------------------------- */

/* A socket file that nobody listens on is left from a process that was killed. */
static void remove_stale(const struct sockaddr_un *un)
{
	cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat st;

	if (fd < 0 || lstat(un->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return;
	if (connect(fd, (const struct sockaddr *)un, sizeof(*un)) < 0 && errno == ECONNREFUSED)
		unlink(un->sun_path);
}

static int listen_one(const struct sockaddr_storage *addr, socklen_t len)
{
	cleanup_close int fd = socket(addr->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int one = 1;

	if (fd < 0)
		return -errno;
	if (addr->ss_family == AF_UNIX) {
		remove_stale((const struct sockaddr_un *)addr);
		/* bind(2) gives the file the mode of the socket: no moment with a wider one. */
		if (fchmod(fd, 0600) < 0)
			return -errno;
	} else if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0) {
		return -errno;
	}
	if (bind(fd, (const struct sockaddr *)addr, len) < 0 || listen(fd, SOMAXCONN) < 0)
		return -errno;
	return take_fd(&fd);
}

/* The address with the port that the kernel chose. */
static char *final_address(int fd, const char *address)
{
	struct sockaddr_storage a = { 0 };
	socklen_t len = sizeof(a);
	char host[NI_MAXHOST], port[NI_MAXSERV], *text = NULL;
	int n;

	if (getsockname(fd, (struct sockaddr *)&a, &len) < 0)
		return NULL;
	if (a.ss_family == AF_UNIX)
		return strdup(address);
	if (getnameinfo((struct sockaddr *)&a, len, host, sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV))
		return NULL;
	n = asprintf(&text, a.ss_family == AF_INET6 ? "tcp://[%s]:%s" : "tcp://%s:%s", host, port);
	return n < 0 ? NULL : text;
}

int transport_listen(const char *address, char **ret_address)
{
	cleanup_close int fd = -1;
	struct endpoint e;
	char *text;
	int r = parse(address, true, &e);

	if (r < 0)
		return r == -EAGAIN ? log_errno(EAGAIN, "cannot look up %s", address) : r;
	r = -EADDRNOTAVAIL;
	for (int i = 0; i < e.count && fd < 0; i++)
		r = fd = listen_one(&e.addr[i], e.len[i]);
	if (fd < 0)
		return log_errno(-r, "cannot listen on %s", address);
	text = final_address(fd, address);
	if (!text)
		return log_errno(ENOMEM, "cannot listen on %s", address);
	if (ret_address)
		*ret_address = text;
	else
		free(text);
	return take_fd(&fd);
}

int transport_accept(int listen_fd, int timeout_ms)
{
	struct pollfd p = { .fd = listen_fd, .events = POLLIN };
	int64_t deadline = deadline_after_ms(timeout_ms);

	for (;;) {
		struct sockaddr_storage peer = { 0 };
		socklen_t len = sizeof(peer);
		int left = deadline_left_ms(deadline);
		int fd, n = poll(&p, 1, left);

		if (n == 0 && left == 0)
			return -ETIMEDOUT;
		if (n == 0 || (n < 0 && errno == EINTR))
			continue;
		fd = n < 0 ? -1 : accept4(listen_fd, (struct sockaddr *)&peer, &len, SOCK_CLOEXEC);
		if (fd >= 0) {
			settle(fd, peer.ss_family != AF_UNIX);
			return fd;
		}
		/* accept(2): the connection may have gone again in between. */
		if (errno != EINTR && errno != ECONNABORTED && errno != EAGAIN)
			return log_errno(errno, "cannot accept a connection");
	}
}
