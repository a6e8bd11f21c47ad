/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel really does: each call is made by this process on one half of a memory, and its
 * record is then applied to the other half. Both halves must be equal afterwards, byte by byte:
 * what the kernel writes is what a follower gets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "event/call.h"
#include "event/mem_process.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#define HALF 65536u

static uint8_t memory[2 * HALF] __attribute__((aligned(4096)));
static const uint8_t key[SESSION_KEY_SIZE] = {1};

/* An argument that is a place in the halves, not a number. */
#define AT(off)     (UINT64_C(0x5a5a000000000000) + (off))
#define IS_PLACE(x) ((x) >> 48 == 0x5a5a)

static void *place(size_t off)
{
	return memory + off;
}

static int64_t same_cookie(void *owner, int epfd, uint64_t cookie)
{
	return (int64_t)cookie;
}

static uint64_t same_object(void *owner, int epfd, int64_t object)
{
	return (uint64_t)object;
}

static const struct cookie_ops cookies = {same_cookie, same_object};

static void enter(const struct call_ctx *cx, struct native_call *n, struct call_record *c, long nr,
		  const uint64_t *arg, size_t half)
{
	*n = (struct native_call){.isa = isa_native, .nr = nr};
	for (unsigned i = 0; i < CALL_ARGS_MAX; i++)
		n->arg[i] = IS_PLACE(arg[i]) ? (uintptr_t)memory + half + (arg[i] & 0xffffffffffff)
					     : arg[i];
	assert_int_equal(call_resolve(n), 0);
	assert_int_equal(call_capture_in(cx, n, c), 0);
}

/* Pointers that are themselves in memory (iovec, msghdr): made to point into the own half. */
static void copy_half(const size_t *pointers, size_t n)
{
	memcpy(memory + HALF, memory, HALF);
	for (size_t i = 0; i < n; i++) {
		uint64_t p;

		memcpy(&p, memory + pointers[i], sizeof(p));
		p += HALF;
		memcpy(memory + HALF + pointers[i], &p, sizeof(p));
	}
}

static void compare_halves(const size_t *pointers, size_t n)
{
	for (size_t i = 0; i < n; i++)
		memcpy(memory + HALF + pointers[i], memory + pointers[i], sizeof(uint64_t));
	assert_memory_equal(memory, memory + HALF, HALF);
}

static int64_t live_call(long nr, const uint64_t *arg, const size_t *pointers, size_t n_pointers)
{
	struct call_record leader = {0}, follower = {0};
	struct native_call l, f;
	struct call_mismatch m;
	struct mem_process mem;
	struct call_ctx cx = {isa_native, &mem.mem, key, &cookies, NULL};
	int64_t ret, got;

	mem_process_init(&mem, getpid());
	copy_half(pointers, n_pointers);
	enter(&cx, &l, &leader, nr, arg, 0);
	enter(&cx, &f, &follower, nr, arg, HALF);
	if (!call_equal(&leader, &follower, &m))
		fail_msg("%s: %s", l.row->name, m.text);
	ret = syscall(nr, l.arg[0], l.arg[1], l.arg[2], l.arg[3], l.arg[4], l.arg[5]);
	if (ret == -1)
		ret = -errno;
	assert_int_equal(call_capture_out(&cx, &l, ret, &leader), 0);
	if (call_apply_out(&cx, &f, &leader, &got) != 0)
		fail_msg("%s: not applied", l.row->name);
	assert_int_equal(got, ret);
	compare_halves(pointers, n_pointers);
	call_record_free(&leader);
	call_record_free(&follower);
	return ret;
}

#define LIVE(nr, ...) live_call(nr, (const uint64_t[CALL_ARGS_MAX]){__VA_ARGS__}, NULL, 0)

static int clear(void **state)
{
	for (size_t i = 0; i < HALF; i++)
		memory[i] = (uint8_t)(i * 31 + 7);
	return 0;
}

static void put(size_t off, const void *p, size_t n)
{
	memcpy(memory + off, p, n);
}

static void put32(size_t off, uint32_t v)
{
	put(off, &v, sizeof(v));
}

static void files(void **state)
{
	int fd;

	strcpy(place(0), "/proc/self/exe");
	fd = (int)LIVE(SYS_openat, (uint64_t)AT_FDCWD, AT(0), O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(LIVE(SYS_fstat, (uint64_t)fd, AT(64)), 0);
	assert_int_equal(LIVE(SYS_newfstatat, (uint64_t)AT_FDCWD, AT(0), AT(64), 0), 0);
	assert_int_equal(LIVE(SYS_statx, (uint64_t)AT_FDCWD, AT(0), 0, 0xfff, AT(512)), 0);
	assert_int_equal(LIVE(SYS_statfs, AT(0), AT(64)), 0);
	assert_int_equal(LIVE(SYS_read, (uint64_t)fd, AT(512), 5000), 5000);
	assert_int_equal(LIVE(SYS_pread64, (uint64_t)fd, AT(512), 50, 3), 50);
	assert_true(LIVE(SYS_readlinkat, (uint64_t)AT_FDCWD, AT(0), AT(256), 7) == 7);
	assert_true(LIVE(SYS_getcwd, AT(256), 4096) > 0);
	assert_int_equal(LIVE(SYS_getcwd, AT(256), 1), -ERANGE);
	assert_int_equal(LIVE(SYS_fcntl, (uint64_t)fd, F_GETFD), FD_CLOEXEC);
	assert_true(LIVE(SYS_fcntl, (uint64_t)fd, F_GETFL) >= 0);
	close(fd);
	strcpy(place(0), "/proc/self");
	fd = open(place(0), O_RDONLY | O_DIRECTORY);
	assert_true(LIVE(SYS_getdents64, (uint64_t)fd, AT(512), 2048) > 0);
	close(fd);
	assert_int_equal(LIVE(SYS_fstat, (uint64_t)fd, AT(64)), -EBADF);
	assert_int_equal(LIVE(SYS_uname, AT(0)), 0);
	assert_int_equal(LIVE(SYS_sysinfo, AT(512)), 0);
	assert_int_equal(LIVE(SYS_prlimit64, 0, 7, 0, AT(64)), 0);
	assert_int_equal(LIVE(SYS_getrusage, 0, AT(64)), 0);
	assert_int_equal(LIVE(SYS_clock_gettime, 1, AT(64)), 0);
	assert_int_equal(LIVE(SYS_times, AT(64)) < 0, 0);
	assert_int_equal(LIVE(SYS_getrandom, AT(64), 100, 0), 100);
	assert_true(LIVE(SYS_sched_getaffinity, 0, 128, AT(64)) > 0);
}

static void vectors(void **state)
{
	const size_t pointers[] = {0, 16};
	struct iovec v[2] = {{place(1024), 10}, {place(2048), 100}};
	int fd = open("/proc/self/exe", O_RDONLY);
	uint64_t arg[CALL_ARGS_MAX] = {(uint64_t)fd, AT(0), 2};

	put(0, v, sizeof(v));
	assert_int_equal(live_call(SYS_readv, arg, pointers, 2), 110);
	arg[2] = 1;
	assert_int_equal(live_call(SYS_readv, arg, pointers, 2), 10);
	close(fd);
}

static void waiting(void **state)
{
	struct epoll_event *events = place(1024);
	struct pollfd *fds = place(0);
	struct timespec *timeout = place(64);
	int p[2], ep = epoll_create1(0);

	assert_int_equal(LIVE(SYS_pipe2, AT(8), O_CLOEXEC), 0);
	memcpy(p, place(8), sizeof(p));
	fds[0] = (struct pollfd){.fd = p[0], .events = POLLIN, .revents = 0x55};
	fds[1] = (struct pollfd){.fd = p[1], .events = POLLOUT, .revents = 0x55};
	*timeout = (struct timespec){3, 5};
	assert_int_equal(LIVE(SYS_ppoll, AT(0), 2, AT(64), 0, 8), 1);
	assert_int_equal(fds[0].revents, 0);
	memset(place(256), 0, 128);
	((uint8_t *)place(256))[p[1] / 8] |= (uint8_t)(1 << p[1] % 8);
	memset(place(384), 0xff, 8);
	*timeout = (struct timespec){3, 5};
	assert_int_equal(LIVE(SYS_pselect6, (uint64_t)p[1] + 1, 0, AT(256), 0, AT(64), 0), 1);
	events[0] = (struct epoll_event){.events = EPOLLOUT, .data.u64 = 0x123456789abcdef0};
	assert_int_equal(LIVE(SYS_epoll_ctl, (uint64_t)ep, EPOLL_CTL_ADD, (uint64_t)p[1], AT(1024)),
			 0);
	assert_int_equal(LIVE(SYS_epoll_pwait, (uint64_t)ep, AT(1024), 8, 1000, 0, 8), 1);
	assert_int_equal(events[0].data.u64, 0x123456789abcdef0);
	*timeout = (struct timespec){0, 1};
	assert_int_equal(LIVE(SYS_nanosleep, AT(64), AT(128)), 0);
	assert_int_equal(LIVE(SYS_ioctl, (uint64_t)p[0], 0x541b, AT(8)), 0); /* FIONREAD */
	close(p[0]);
	close(p[1]);
	close(ep);
}

static void sockets(void **state)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int s = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0), a;

	put(0, &any, sizeof(any));
	assert_int_equal(LIVE(SYS_bind, (uint64_t)s, AT(0), 16), 0);
	assert_int_equal(LIVE(SYS_listen, (uint64_t)s, 5), 0);
	put32(60, 16);
	assert_int_equal(LIVE(SYS_getsockname, (uint64_t)s, AT(64), AT(60)), 0);
	memcpy(place(0), place(64), 16);
	assert_int_equal(LIVE(SYS_connect, (uint64_t)c, AT(0), 16), 0);
	put32(60, 5); /* less than it needs */
	a = (int)LIVE(SYS_accept4, (uint64_t)s, AT(128), AT(60), SOCK_NONBLOCK);
	assert_true(a >= 0);
	put32(60, 100);
	assert_int_equal(LIVE(SYS_getpeername, (uint64_t)a, AT(256), AT(60)), 0);
	assert_int_equal(LIVE(SYS_sendto, (uint64_t)c, AT(1000), 77, 0, 0, 0), 77);
	put32(60, 100);
	assert_int_equal(LIVE(SYS_recvfrom, (uint64_t)a, AT(2000), 50, 0, AT(256), AT(60)), 50);
	put32(60, 2);
	assert_int_equal(LIVE(SYS_getsockopt, (uint64_t)a, SOL_SOCKET, SO_ERROR, AT(64), AT(60)),
			 0);
	put32(60, 200);
	assert_int_equal(LIVE(SYS_getsockopt, (uint64_t)a, IPPROTO_TCP, 11, AT(512), AT(60)), 0);
	assert_int_equal(LIVE(SYS_recvfrom, (uint64_t)a, AT(2000), 50, MSG_PEEK, 0, 0), 27);
	close(s);
	close(a);
	close(c);
}

/* msghdr at 0, iovec at 64, name at 128, control at 256, data at 1024. */
static const size_t msg_pointers[] = {0, 16, 32, 64};

static void put_msg(size_t name, size_t control, size_t data)
{
	struct iovec v = {place(1024), data};
	struct msghdr h = {.msg_name = place(128),
			   .msg_namelen = (socklen_t)name,
			   .msg_iov = place(64),
			   .msg_iovlen = 1,
			   .msg_control = place(256),
			   .msg_controllen = control};

	put(0, &h, sizeof(h));
	put(64, &v, sizeof(v));
}

static int64_t live_msg(long nr, int fd, int flags)
{
	const uint64_t arg[CALL_ARGS_MAX] = {(uint64_t)fd, AT(0), (uint64_t)flags};

	return live_call(nr, arg, msg_pointers, 4);
}

static void messages(void **state)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "\0chiral-test"};
	int a = socket(AF_UNIX, SOCK_DGRAM, 0), b = socket(AF_UNIX, SOCK_DGRAM, 0);
	socklen_t len = sizeof(sa_family_t) + 13;
	struct cmsghdr *control = place(256);
	int fds[2] = {a, b}, got[2], one = 1;

	snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "chiral-%d", getpid());
	assert_int_equal(bind(a, (struct sockaddr *)&name, len), 0);
	setsockopt(a, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one));
	for (size_t room = 200; room >= 40; room -= 20) {
		clear(NULL);
		put(128, &name, len);
		put_msg(len, CMSG_SPACE(sizeof(fds)), 30);
		control->cmsg_len = CMSG_LEN(sizeof(fds));
		control->cmsg_level = SOL_SOCKET;
		control->cmsg_type = SCM_RIGHTS;
		memcpy(CMSG_DATA(control), fds, sizeof(fds));
		assert_int_equal(live_msg(SYS_sendmsg, b, 0), 30);
		clear(NULL);
		put_msg(60, room, room == 100 ? 20 : 64);
		assert_int_equal(live_msg(SYS_recvmsg, a, MSG_CMSG_CLOEXEC | MSG_TRUNC), 30);
		if (room < CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(fds)))
			continue;
		control = (struct cmsghdr *)(256 + memory + CMSG_SPACE(sizeof(struct ucred)));
		memcpy(got, CMSG_DATA(control), sizeof(got));
		close(got[0]);
		close(got[1]);
		control = place(256);
	}
	close(a);
	close(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(files, clear),    cmocka_unit_test_setup(vectors, clear),
		cmocka_unit_test_setup(waiting, clear),  cmocka_unit_test_setup(sockets, clear),
		cmocka_unit_test_setup(messages, clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
