/* SPDX-License-Identifier: Apache-2.0 */
/* Many messages in one call, and descriptors over others; with "threads", by many threads at once. */
#include "live.h"

#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define PAGE	4096
#define MOST	1024 /* the kernel looks at no more messages */
#define THREADS 16
#define ROUNDS	100

/* Two descriptors of UDP sockets, the first connected to the second. */
struct route {
	int to, from;
};

static struct route open_route(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct route r = { socket(AF_INET, SOCK_DGRAM, 0), socket(AF_INET, SOCK_DGRAM, 0) };
	socklen_t len = sizeof(addr);

	EXPECT(bind(r.from, (struct sockaddr *)&addr, sizeof(addr)) == 0);
	EXPECT(getsockname(r.from, (struct sockaddr *)&addr, &len) == 0);
	EXPECT(connect(r.to, (struct sockaddr *)&addr, sizeof(addr)) == 0);
	return r;
}

static void close_route(struct route r)
{
	EXPECT(close(r.to) == 0 && close(r.from) == 0);
}

/* Sends n messages of one call and receives them with another, which has room for room of them. */
static void send_and_receive(struct route r, unsigned n, unsigned room, struct timespec *timeout)
{
	struct mmsghdr out[MOST + 1] = { 0 }, in[MOST + 1] = { 0 };
	struct iovec give[2] = { { "message ", 8 }, { NULL, 4 } }, take[2 * (MOST + 1)];
	static _Thread_local char got[MOST + 1][12];
	struct sockaddr_in names[8];
	int want = n < room ? (int)n : (int)room;

	give[1].iov_base = &n;
	for (unsigned i = 0; i < n; i++)
		out[i].msg_hdr = (struct msghdr){ .msg_iov = give, .msg_iovlen = 1 + i % 2 };
	for (unsigned i = 0; i < room; i++) {
		take[2 * i] = (struct iovec){ got[i], 3 };
		take[2 * i + 1] = (struct iovec){ got[i] + 3, 9 };
		in[i].msg_hdr = (struct msghdr){ .msg_iov = take + 2 * i, .msg_iovlen = 2 };
		if (i < 8) {
			in[i].msg_hdr.msg_name = &names[i];
			in[i].msg_hdr.msg_namelen = 4 * i;
		}
	}
	EXPECT(sendmmsg(r.to, out, n, 0) == (int)n);
	EXPECT(n == 0 || recvmmsg(r.from, in, room, MSG_WAITFORONE, timeout) == want);
	for (int i = 0; n && i < want; i++) {
		EXPECT(out[i].msg_len == 8u + (i % 2) * 4 && in[i].msg_len == out[i].msg_len);
		EXPECT(!memcmp(got[i], "message ", 8) && (i % 2 == 0 || !memcmp(got[i] + 8, &n, 4)));
		EXPECT(i >= 8 || in[i].msg_hdr.msg_namelen == sizeof(names[i]));
	}
	for (unsigned i = (unsigned)want; i < n; i++)
		EXPECT(read(r.from, got[0], 12) == (ssize_t)out[i].msg_len);
}

static void sizes(struct route r)
{
	struct timespec soon = { 1, 0 };
	struct mmsghdr one = { 0 };

	send_and_receive(r, 0, 0, NULL);
	send_and_receive(r, 1, 1, NULL);
	send_and_receive(r, 3, 8, NULL);
	send_and_receive(r, 5, 2, NULL);
	send_and_receive(r, 64, 64, NULL);
	send_and_receive(r, 65, 65, NULL);
	send_and_receive(r, 90, MOST, NULL);
	send_and_receive(r, 3, 3, &soon);
	EXPECT(recvmmsg(r.from, &one, 1, MSG_DONTWAIT, NULL) == -1 && errno == EAGAIN);
	EXPECT(recvmmsg(-1, &one, 1, 0, NULL) == -1 && errno == EBADF);
	EXPECT(recvmmsg(r.from, &one, 0, MSG_DONTWAIT, NULL) == 0);
}

/* Messages of two pages each. */
static void large(struct route r)
{
	char *data = malloc(8 * PAGE), *back = malloc(8 * PAGE);
	struct mmsghdr out[4] = { 0 }, in[4] = { 0 };
	struct iovec give[4], take[4];

	memset(data, 'l', 8 * PAGE);
	for (int i = 0; i < 4; i++) {
		give[i] = (struct iovec){ data + i * 2 * PAGE, 2 * PAGE };
		take[i] = (struct iovec){ back + i * 2 * PAGE, (size_t)(i + 1) * PAGE / 2 };
		out[i].msg_hdr = (struct msghdr){ .msg_iov = &give[i], .msg_iovlen = 1 };
		in[i].msg_hdr = (struct msghdr){ .msg_iov = &take[i], .msg_iovlen = 1 };
	}
	EXPECT(sendmmsg(r.to, out, 4, 0) == 4);
	EXPECT(recvmmsg(r.from, in, 4, 0, NULL) == 4);
	EXPECT(in[0].msg_len == PAGE / 2 && (in[0].msg_hdr.msg_flags & MSG_TRUNC));
	EXPECT(in[3].msg_len == 2 * PAGE && !in[3].msg_hdr.msg_flags);
	EXPECT(!memcmp(back + 6 * PAGE, data, 2 * PAGE));
	free(data);
	free(back);
}

/* A descriptor with each message. */
static void descriptors(void)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} give[2] = { 0 }, take[2] = { 0 };
	struct mmsghdr out[2] = { 0 }, in[2] = { 0 };
	char text[2] = "ab", got[2];
	struct iovec from[2] = { { text, 1 }, { text + 1, 1 } }, to[2] = { { got, 1 }, { got + 1, 1 } };
	int fds[2];

	EXPECT(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds) == 0);
	for (int i = 0; i < 2; i++) {
		give[i].head = (struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
		memcpy(CMSG_DATA(&give[i].head), &fds[i], sizeof(int));
		out[i].msg_hdr = (struct msghdr){ .msg_iov = &from[i], .msg_iovlen = 1, .msg_control = &give[i],
						  .msg_controllen = sizeof(give[i]) };
		in[i].msg_hdr = (struct msghdr){ .msg_iov = &to[i], .msg_iovlen = 1, .msg_control = &take[i],
						 .msg_controllen = sizeof(take[i]) };
	}
	EXPECT(sendmmsg(fds[0], out, 2, 0) == 2 && recvmmsg(fds[1], in, 2, MSG_CMSG_CLOEXEC, NULL) == 2);
	EXPECT(!memcmp(got, text, 2));
	for (int i = 0; i < 2; i++)
		EXPECT(close(*(int *)CMSG_DATA(&take[i].head)) == 0);
	EXPECT(close(fds[0]) == 0 && close(fds[1]) == 0);
}

/* What is sent is overwritten by its own length; a message that is not there. */
static void odd(struct route r)
{
	char *two = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), got[8];
	struct mmsghdr self[2] = { 0 }, *last = (struct mmsghdr *)(two + PAGE) - 1;
	struct iovec length = { &self[0].msg_len, 4 };

	self[0].msg_hdr = self[1].msg_hdr = (struct msghdr){ .msg_iov = &length, .msg_iovlen = 1 };
	self[0].msg_len = 0x01020304;
	EXPECT(sendmmsg(r.to, self, 2, 0) == 2);
	EXPECT(read(r.from, got, 8) == 4 && !memcmp(got, "\4\3\2\1", 4));
	EXPECT(read(r.from, got, 8) == 4 && !memcmp(got, "\4\0\0\0", 4));
	EXPECT(two != MAP_FAILED && munmap(two + PAGE, PAGE) == 0);
	last->msg_hdr = self[0].msg_hdr;
	EXPECT(sendmmsg(r.to, last, 2, 0) == 1 && last->msg_len == 4);
	EXPECT(recvmmsg(r.from, last, 2, MSG_DONTWAIT, NULL) == 1 && last->msg_len == 4);
	EXPECT(sendmmsg(r.to, last + 1, 1, 0) == -1 && errno == EFAULT);
	munmap(two, PAGE);
}

static void over_others(void)
{
	int fd = open(SELF, O_RDONLY), other = socket(AF_INET, SOCK_DGRAM, 0);
	char a[4], b[4];

	EXPECT(dup2(fd, fd) == fd && dup3(fd, fd, 0) == -1 && errno == EINVAL);
	EXPECT(dup2(fd, other) == other && read(other, a, 4) == 4 && pread(fd, b, 4, 0) == 4);
	EXPECT(!memcmp(a, b, 4));
	EXPECT(dup3(fd, 90, O_CLOEXEC) == 90 && fcntl(90, F_GETFD) == FD_CLOEXEC);
	EXPECT(dup2(fd, 90) == 90 && fcntl(90, F_GETFD) == 0 && close(90) == 0);
	EXPECT(dup2(90, fd) == -1 && errno == EBADF);
	EXPECT(dup2(90, 90) == -1 && errno == EBADF);
	EXPECT(dup2(fd, -1) == -1 && errno == EBADF);
	EXPECT(close(fd) == 0 && close(other) == 0);
}

static struct route routes[THREADS];

static void *keep_going(void *number)
{
	struct route *r = &routes[(intptr_t)number];
	int mine = 200 + (int)(intptr_t)number;

	for (unsigned i = 0; i < ROUNDS; i++) {
		EXPECT(dup2(r->to, mine) == mine && dup2(mine, mine) == mine);
		send_and_receive((struct route){ mine, r->from }, 1 + i % 5, 4, NULL);
		EXPECT(dup3(r->from, mine, O_CLOEXEC) == mine);
	}
	return NULL;
}

static void threads(void)
{
	pthread_t t[THREADS];

	for (int i = 0; i < THREADS; i++)
		routes[i] = open_route();
	for (intptr_t i = 0; i < THREADS; i++)
		EXPECT(pthread_create(&t[i], NULL, keep_going, (void *)i) == 0);
	for (int i = 0; i < THREADS; i++)
		EXPECT(pthread_join(t[i], NULL) == 0);
}

int main(int argc, char **argv)
{
	struct route r;

	if (argc > 1 && !strcmp(argv[1], "threads")) {
		threads();
		say("threads\n");
		return 0;
	}
	r = open_route();
	sizes(r);
	say("sizes\n");
	large(r);
	say("large\n");
	descriptors();
	say("descriptors\n");
	odd(r);
	say("odd\n");
	close_route(r);
	over_others();
	say("over others\n");
	return 0;
}
