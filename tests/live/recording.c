/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that are hard to record whole: their memory is large, long, scattered, or not there. */
#include "live.h"

#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#define PAGE  4096
#define LARGE (10 << 20)

static void fill(char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (char)(i * 7 + i / 251);
}

static char *map(size_t n)
{
	char *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	EXPECT(p != MAP_FAILED);
	return p;
}

static void large_buffers(void)
{
	static const size_t sizes[] = { 0, 1, 63, 64, 65, 511, 512, 513, PAGE - 1, PAGE, PAGE + 1,
					64 * PAGE, 64 * PAGE + 1, 1 << 20, LARGE };
	int fd = memfd_create("large", 0);
	char *data = map(LARGE), *back = map(LARGE);

	EXPECT(fd >= 0);
	fill(data, LARGE);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		memset(back, 0, sizes[i]);
		EXPECT(pwrite(fd, data, sizes[i], 0) == (ssize_t)sizes[i]);
		EXPECT(pread(fd, back, sizes[i], 0) == (ssize_t)sizes[i]);
		EXPECT(memcmp(data, back, sizes[i]) == 0);
	}
	munmap(data, LARGE);
	munmap(back, LARGE);
	close(fd);
}

static void scattered(void)
{
	int fd = memfd_create("scattered", 0);
	char *data = map(IOV_MAX * 16);
	struct iovec iov[IOV_MAX + 1] = { 0 };
	ssize_t total = 0;

	EXPECT(fd >= 0);
	fill(data, IOV_MAX * 16);
	for (int i = 0; i < IOV_MAX; i++) {
		iov[i] = (struct iovec){ data + i * 16, (size_t)(i % 17) };
		total += i % 17;
	}
	for (int n = 1; n <= IOV_MAX; n *= 4)
		EXPECT(pwritev(fd, iov, n, 0) >= 0);
	EXPECT(pwritev(fd, iov, 17, 0) == 136);
	EXPECT(pwritev(fd, iov, IOV_MAX, 0) == total);
	EXPECT(preadv(fd, iov, IOV_MAX, 0) == total);
	EXPECT(pwritev(fd, iov, IOV_MAX + 1, 0) == -1 && errno == EINVAL);
	/* The same bytes twice, one within the other, and nothing. */
	iov[0] = (struct iovec){ data, 100 };
	iov[1] = (struct iovec){ data + 20, 10 };
	iov[2] = (struct iovec){ NULL, 0 };
	iov[3] = (struct iovec){ data, 5000 };
	EXPECT(pwritev(fd, iov, 4, 0) == 5110);
	EXPECT(preadv(fd, iov, 4, 0) == 5110);
	munmap(data, IOV_MAX * 16);
	close(fd);
}

/* The compiler must not see that nothing is there. */
static void *volatile nowhere = (void *)16;

static void not_there(void)
{
	int fd = memfd_create("not-there", 0), null = open("/dev/null", O_RDWR);
	char *two = map(2 * PAGE);
	struct iovec iov = { two + PAGE - 10, 20 };

	EXPECT(fd >= 0 && null >= 0);
	fill(two, PAGE);
	EXPECT(munmap(two + PAGE, PAGE) == 0);
	EXPECT(write(fd, nowhere, 10) == -1 && errno == EFAULT);
	EXPECT(pwrite(fd, two + PAGE - 10, 20, 0) == 10);
	EXPECT(pwrite(fd, two, PAGE, 0) == PAGE);
	EXPECT(pread(fd, two + PAGE - 10, 20, 0) == 10 || errno == EFAULT);
	EXPECT(pwritev(fd, &iov, 1, 0) == 10);
	EXPECT(pwritev(fd, nowhere, 1, 0) == -1 && errno == EFAULT);
	EXPECT(access(nowhere, F_OK) == -1 && errno == EFAULT);
	munmap(two, PAGE);
	/* Pages that nobody has touched: writing to /dev/null does not either. */
	two = map(64 * PAGE);
	EXPECT(write(null, two + 100, 63 * PAGE) == 63 * PAGE);
	munmap(two, 64 * PAGE);
	close(fd);
	close(null);
}

static void long_names(void)
{
	static char name[PATH_MAX + 100];

	for (size_t n = 250; n < 260; n++) {
		memset(name, 0, sizeof(name));
		memset(name, 'n', n);
		EXPECT(access(name, F_OK) == -1);
	}
	for (size_t n = 0; n < PATH_MAX - 1; n += 2)
		memcpy(name + n, "./", 2);
	name[PATH_MAX - 1] = 0;
	EXPECT(access(name, F_OK) == 0);
	memset(name, '/', sizeof(name) - 1);
	EXPECT(access(name, F_OK) == -1 && errno == ENAMETOOLONG);
}

static volatile sig_atomic_t got;

static void on_pipe(int signal)
{
	got = signal;
}

static void broken_pipe(void)
{
	int fds[2];

	EXPECT(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
	close(fds[1]);
	signal(SIGPIPE, SIG_IGN);
	EXPECT(write(fds[0], "x", 1) == -1 && errno == EPIPE && !got);
	signal(SIGPIPE, on_pipe);
	EXPECT(write(fds[0], "x", 1) == -1 && errno == EPIPE && got == SIGPIPE);
	got = 0;
	EXPECT(send(fds[0], "x", 1, MSG_NOSIGNAL) == -1 && errno == EPIPE && !got);
	close(fds[0]);
}

/* Memory that is both read and written. */
static void in_and_out(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr), size = sizeof(int);
	int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0), server;
	int file = memfd_create("file", 0), type = 0;
	struct pollfd p[2] = { { client, POLLOUT, -1 }, { -1, POLLIN, -1 } };
	off_t from = 3;

	EXPECT(bind(listener, (struct sockaddr *)&addr, sizeof(addr)) == 0 && listen(listener, 1) == 0);
	EXPECT(getsockname(listener, (struct sockaddr *)&addr, &len) == 0 && len == sizeof(addr));
	EXPECT(connect(client, (struct sockaddr *)&addr, sizeof(addr)) == 0);
	len = 4; /* less than there is */
	server = accept(listener, (struct sockaddr *)&addr, &len);
	EXPECT(server >= 0 && len == sizeof(addr));
	EXPECT(accept4(listener, NULL, NULL, SOCK_NONBLOCK | 1 << 30) == -1 && errno == EINVAL);
	EXPECT(getsockopt(client, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM);
	EXPECT(poll(p, 2, 1000) == 1 && p[0].revents == POLLOUT && p[1].revents == 0);
	EXPECT(write(file, "0123456789", 10) == 10);
	EXPECT(sendfile(client, file, &from, 4) == 4 && from == 7);
	EXPECT(sendfile(client, -1, &from, 4) == -1 && errno == EBADF && from == 7);
	close(file);
	close(client);
	close(server);
	close(listener);
}

/* A descriptor, who sends it, and bytes; received where there is room for n of them. */
static void send_and_receive(int to, int from, size_t n, size_t room, int flags)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
	} control = { .bytes = { 0 } };
	char out[3][100], in[2][100] = { { 0 } };
	struct iovec give[] = { { out[0], n }, { NULL, 0 }, { out[2], n } };
	struct iovec take[] = { { in[0], room }, { in[1], room } };
	struct msghdr msg = { .msg_iov = give, .msg_iovlen = 3, .msg_control = &control };
	struct cmsghdr *c = &control.head;

	fill(out[0], sizeof(out));
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &to, sizeof(to));
	msg.msg_controllen = CMSG_SPACE(sizeof(int));
	EXPECT(sendmsg(to, &msg, 0) == (ssize_t)(2 * n));
	msg = (struct msghdr){ .msg_iov = take, .msg_iovlen = 2, .msg_control = &control,
			       .msg_controllen = sizeof(control) };
	memset(&control, 0, sizeof(control));
	EXPECT(recvmsg(from, &msg, flags) == (ssize_t)(room < n ? 2 * room : 2 * n));
	EXPECT(memcmp(in[0], out[0], room < n ? room : n) == 0);
	for (c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c))
		if (c->cmsg_type == SCM_RIGHTS)
			EXPECT(close(*(int *)CMSG_DATA(c)) == 0);
}

static void messages(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int udp = socket(AF_INET, SOCK_DGRAM, 0), fds[2], one = 1;
	char *far = map(PAGE), text[20] = "twenty bytes of it.", got[40];
	struct iovec many[IOV_MAX], iov = { text, sizeof(text) };
	struct msghdr msg = { .msg_name = &addr, .msg_namelen = sizeof(addr), .msg_iov = &iov, .msg_iovlen = 1 };
	socklen_t len = sizeof(addr);

	EXPECT(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds) == 0);
	send_and_receive(fds[0], fds[1], 100, 100, 0);
	send_and_receive(fds[0], fds[1], 60, 20, MSG_CMSG_CLOEXEC);
	EXPECT(setsockopt(fds[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)) == 0);
	send_and_receive(fds[1], fds[0], 100, 100, MSG_WAITALL);
	EXPECT(bind(udp, (struct sockaddr *)&addr, sizeof(addr)) == 0);
	EXPECT(getsockname(udp, (struct sockaddr *)&addr, &len) == 0);
	EXPECT(sendmsg(udp, &msg, 0) == sizeof(text));
	iov = (struct iovec){ got, sizeof(got) };
	msg.msg_namelen = 4; /* less than there is */
	EXPECT(recvmsg(udp, &msg, 0) == sizeof(text) && msg.msg_namelen == sizeof(addr));
	EXPECT(recvmsg(udp, &msg, MSG_DONTWAIT) == -1 && errno == EAGAIN);
	/* More elements than a record has, and more than there may be. */
	for (int i = 0; i < IOV_MAX; i++)
		many[i] = (struct iovec){ far + i, 1 };
	msg = (struct msghdr){ .msg_iov = many, .msg_iovlen = IOV_MAX };
	EXPECT(sendmsg(fds[0], &msg, 0) == IOV_MAX && recvmsg(fds[1], &msg, 0) == IOV_MAX);
	msg.msg_iovlen = IOV_MAX + 1;
	EXPECT(sendmsg(fds[0], &msg, 0) == -1 && errno == EMSGSIZE);
	EXPECT(sendmsg(fds[0], nowhere, 0) == -1 && errno == EFAULT);
	EXPECT(recvmsg(fds[1], nowhere, MSG_DONTWAIT) == -1 && errno == EFAULT);
	msg = (struct msghdr){ .msg_iov = many, .msg_iovlen = 1, .msg_control = far, .msg_controllen = PAGE / 2 };
	EXPECT(sendmsg(fds[0], &msg, 0) == -1 && errno == EINVAL);
	munmap(far, PAGE);
	close(udp);
	close(fds[0]);
	close(fds[1]);
}

static void selects(void)
{
	struct timeval soon = { 0, 1000 };
	struct timespec at_once = { 0, 0 };
	int fds[2];
	fd_set in, out, none;

	EXPECT(pipe(fds) == 0);
	for (int n = 0; n <= FD_SETSIZE; n += FD_SETSIZE / 4) {
		FD_ZERO(&in);
		FD_ZERO(&out);
		FD_ZERO(&none);
		FD_SET(fds[0], &in);
		FD_SET(fds[1], &out);
		EXPECT(select(n, &in, &out, &none, &soon) == (n ? 1 : 0));
		EXPECT(!FD_ISSET(fds[0], &in) == !!n && (!n || FD_ISSET(fds[1], &out)));
	}
	EXPECT(write(fds[1], "x", 1) == 1);
	FD_SET(fds[0], &in);
	EXPECT(pselect(fds[0] + 1, &in, NULL, NULL, &at_once, NULL) == 1 && FD_ISSET(fds[0], &in));
	EXPECT(select(fds[0] + 1, &in, NULL, NULL, NULL) == 1);
	EXPECT(select(-1, &in, NULL, NULL, &soon) == -1 && errno == EINVAL);
	close(fds[0]);
	FD_SET(fds[0], &in);
	EXPECT(select(fds[0] + 1, &in, NULL, NULL, &soon) == -1 && errno == EBADF);
	close(fds[1]);
}

/* A name in a page that is in no page table yet: the kernel's programs cannot read it, calls can. */
static char *name_not_in_memory(const char *name)
{
	int fd = memfd_create("name", 0);
	char *p;

	EXPECT(fd >= 0 && ftruncate(fd, PAGE) == 0);
	EXPECT(pwrite(fd, name, strlen(name) + 1, 0) > 0);
	p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	EXPECT(p != MAP_FAILED);
	close(fd);
	EXPECT(madvise(p, PAGE, MADV_DONTNEED) == 0); /* whoever looked at the mapping has touched it */
	return p;
}

/* What comes out lies where what came in was. */
static void overlapping(void)
{
	union {
		char name[PAGE];
		struct stat st;
	} both = { .name = "/proc/self/root" };
	char *volatile out = both.name;

	EXPECT(stat(out, &both.st) == 0 && S_ISDIR(both.st.st_mode));
	memcpy(both.name, "/proc/self/root", 16);
	EXPECT(readlink(both.name, out, 16) == 1 && both.name[0] == '/' && both.name[1] == 'p');
}

static void not_in_memory(void)
{
	char *name = name_not_in_memory("/proc/self/root"), to[16];

	EXPECT(readlink(name, to, sizeof(to)) == 1 && to[0] == '/');
	munmap(name, PAGE);
}

/* A header in a page that is in no page table: it was written where the file is mapped as well. */
static struct msghdr *header_not_in_memory(struct iovec *iov, void *name, socklen_t len)
{
	int fd = memfd_create("header", 0);
	struct msghdr *msg, *there;

	EXPECT(fd >= 0 && ftruncate(fd, PAGE) == 0);
	there = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	msg = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	EXPECT(there != MAP_FAILED && msg != MAP_FAILED && close(fd) == 0);
	*there = (struct msghdr){ .msg_iov = iov, .msg_iovlen = 1, .msg_name = name, .msg_namelen = len };
	EXPECT(munmap(there, PAGE) == 0 && madvise(msg, PAGE, MADV_DONTNEED) == 0);
	return msg;
}

/* Data that a program begins with, far from what else it uses. */
static struct {
	char before[32 * PAGE];
	socklen_t len;
	char after[32 * PAGE];
} data = { .before = "before", .len = sizeof(struct sockaddr_in), .after = "after" };

static struct {
	char before[32 * PAGE];
	sigset_t none;
	char after[32 * PAGE];
} zero;

static void untouched_data(void)
{
	struct sockaddr_in addr = { 0 };
	struct timespec at_once = { 0, 0 };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	EXPECT(getsockname(fd, (struct sockaddr *)&addr, &data.len) == 0 && addr.sin_family == AF_INET);
	EXPECT(ppoll(NULL, 0, &at_once, &zero.none) == 0);
	EXPECT(pselect(0, NULL, NULL, NULL, &at_once, &zero.none) == 0);
	EXPECT(close(fd) == 0);
}

static void receive_by(struct msghdr *msg, struct iovec *iov)
{
	int fds[2];

	EXPECT(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds) == 0 && write(fds[0], "hello", 5) == 5);
	EXPECT(recvmsg(fds[1], msg, MSG_CMSG_CLOEXEC) == 5 && !memcmp(iov->iov_base, "hello", 5));
	EXPECT(munmap(msg, PAGE) == 0);
	close(fds[0]);
	close(fds[1]);
}

/* The time that was given is overwritten, but was recorded. */
static void mask_not_in_memory(void)
{
	char *page = name_not_in_memory("");
	struct timespec soon = { 0, 1000 };

	EXPECT(ppoll(NULL, 0, &soon, (sigset_t *)page) == 0);
	EXPECT(munmap(page, PAGE) == 0);
}

static void message_not_in_memory(void)
{
	char got[8];
	struct iovec iov = { got, sizeof(got) };

	receive_by(header_not_in_memory(&iov, NULL, 0), &iov);
}

/* How much room there was for the address is overwritten by how long it is. */
static void message_overwritten(void)
{
	char got[8], name[32];
	struct iovec iov = { got, sizeof(got) };

	receive_by(header_not_in_memory(&iov, name, sizeof(name)), &iov);
}

/* Both at once: nobody can say afterwards which name it was. */
static void overwritten(void)
{
	char *name = name_not_in_memory("/proc/self/root"), *volatile out = name;

	EXPECT(readlink(name, out, PAGE) == 1 && name[0] == '/');
	munmap(name, PAGE);
}

/* More at once than any buffer between the two variants holds. */
static void flood(int n)
{
	int null = open("/dev/null", O_WRONLY);
	char block[1024];

	EXPECT(null >= 0);
	fill(block, sizeof(block));
	for (int i = 0; i < n; i++) {
		memcpy(block, &i, sizeof(i));
		EXPECT(write(null, block, sizeof(block)) == (ssize_t)sizeof(block));
	}
	close(null);
}

static void *flood_thread(void *n)
{
	flood(*(int *)n);
	return NULL;
}

static void floods(int threads, int n)
{
	pthread_t t[threads];

	for (int i = 0; i < threads; i++)
		EXPECT(pthread_create(&t[i], NULL, flood_thread, &n) == 0);
	for (int i = 0; i < threads; i++)
		EXPECT(pthread_join(t[i], NULL) == 0);
}

#define PIPES 3 /* times what a pipe holds: the write lasts until most of it has been read */

static volatile int computed;
static int telling[2];

static void *compute_and_tell(void *block)
{
	uint64_t x = 1;

	for (int i = 0; i < 150 * 1000 * 1000; i++)
		x = x * 6364136223846793005u + 1442695040888963407u;
	computed = x ? 1 : 2;
	EXPECT(write(telling[1], block, PIPES * 16 * PAGE) == PIPES * 16 * PAGE);
	return NULL;
}

/* A thread is told by a call of another one that has not ended. */
static void told(void)
{
	char *block = map(PIPES * 16 * PAGE);
	pthread_t t;
	ssize_t n;

	EXPECT(pipe(telling) == 0 && pthread_create(&t, NULL, compute_and_tell, block) == 0);
	for (ssize_t done = 0; done < PIPES * 16 * PAGE; done += n) {
		n = read(telling[0], block, 16 * PAGE);
		EXPECT(n > 0 && computed == 1);
	}
	EXPECT(pthread_join(t, NULL) == 0);
	munmap(block, PIPES * 16 * PAGE);
}

/* What an epoll instance is told, and which numbers are free, is told at a call's beginning when there are other
 * threads: there are none here. */
static void alone(void)
{
	static char mark[20];
	int e = epoll_create1(EPOLL_CLOEXEC);

	EXPECT(e >= 0);
	for (int i = 0; i < 20; i++) {
		struct epoll_event told = { .events = EPOLLIN, .data.ptr = &mark[i] }, ready = { 0 };
		int n = eventfd(1, EFD_CLOEXEC), file;

		EXPECT(n >= 0 && epoll_ctl(e, EPOLL_CTL_ADD, n, &told) == 0);
		EXPECT(epoll_wait(e, &ready, 1, -1) == 1 && ready.data.ptr == &mark[i]);
		EXPECT(epoll_ctl(e, EPOLL_CTL_DEL, n, NULL) == 0 && close(n) == 0);
		file = open(i % 2 ? SELF : "/etc/hostname", O_RDONLY | O_CLOEXEC);
		EXPECT(file == n && close(file) == 0 && fcntl(file, F_GETFD) == -1);
	}
	EXPECT(close(e) == 0);
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "told")) {
		told();
		say("told\n");
		return 0;
	}
	if (argc > 1 && !strcmp(argv[1], "flood")) {
		int n = argc > 2 ? atoi(argv[2]) : 40000;

		flood(n / 2);
		floods(4, n / 8);
		say("floods\n");
		return 0;
	}
	if (argc > 1 && !strcmp(argv[1], "not-in-memory")) {
		not_in_memory();
		message_not_in_memory();
		mask_not_in_memory();
		say("not in memory\n");
		return 0;
	}
	if (argc > 1 && !strcmp(argv[1], "untouched-data")) {
		untouched_data();
		say("untouched data\n");
		return 0;
	}
	if (argc > 1 && !strcmp(argv[1], "overwritten")) {
		overwritten();
		say("overwritten\n");
		return 0;
	}
	if (argc > 1 && !strcmp(argv[1], "message-overwritten")) {
		message_overwritten();
		say("message overwritten\n");
		return 0;
	}
	alone();
	say("alone\n");
	large_buffers();
	say("large buffers\n");
	scattered();
	say("scattered\n");
	not_there();
	say("not there\n");
	long_names();
	say("long names\n");
	broken_pipe();
	say("broken pipe\n");
	in_and_out();
	say("in and out\n");
	messages();
	say("messages\n");
	selects();
	say("selects\n");
	overlapping();
	say("overlapping\n");
	return 0;
}
