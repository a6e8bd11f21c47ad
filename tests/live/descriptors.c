/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptor numbers, local and virtual ones over each other, close-on-exec, blocking objects that a
 * monitor must not wait on. */
#include "live.h"

#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

#define LIBRARY "/etc/passwd" /* on every node; with --local each variant opens its own */

static int is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void over_each_other(void)
{
	int local = open(LIBRARY, O_RDONLY), file = open(SELF, O_RDONLY), fd, pair[2];
	char a[16], b[16];
	struct stat st;

	EXPECT(local == 3 && file == 4);
	/* local over virtual, virtual over local */
	EXPECT(dup2(local, 10) == 10 && dup2(file, 11) == 11);
	EXPECT(dup2(10, 11) == 11 && dup2(file, 10) == 10);
	EXPECT(pread(11, a, 8, 0) == 8 && pread(local, b, 8, 0) == 8 && !memcmp(a, b, 8));
	EXPECT(pread(10, a, 4, 0) == 4 && pread(file, b, 4, 0) == 4 && !memcmp(a, b, 4));
	EXPECT(fcntl(local, F_DUPFD, 20) == 20 && fcntl(local, F_DUPFD_CLOEXEC, 20) == 21);
	EXPECT(fcntl(21, F_GETFD) == FD_CLOEXEC && fcntl(20, F_GETFD) == 0);
	EXPECT(fstat(20, &st) == 0 && S_ISREG(st.st_mode));
	fd = dup(local);
	EXPECT(fd == 5);
	EXPECT(syscall(SYS_close_range, 5, 30, 0) == 0);
	EXPECT(!is_open(5) && !is_open(11) && !is_open(20) && is_open(4));
	/* what was local is virtual now */
	EXPECT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && pair[0] == 5 && pair[1] == 6);
	EXPECT(write(5, "ping", 4) == 4 && read(6, a, 4) == 4 && !memcmp(a, "ping", 4));
	close(5);
	close(6);
	close(local);
	fd = open(SELF, O_RDONLY);
	EXPECT(fd == 3);
	EXPECT(pread(3, a, 4, 0) == 4 && !memcmp(a, b, 4));
	close(3);
	close(4);
	say("over each other\n");
}

/* The library directories hold nothing that a program may change unseen. */
static void writes_to_local(void)
{
	int dir = open("/usr/lib", O_RDONLY | O_DIRECTORY), local = open(LIBRARY, O_RDONLY), fd;

	EXPECT(dir >= 0 && local >= 0);
	EXPECT(write(local, "x", 1) == -1 && errno == EBADF);
	EXPECT(ftruncate(local, 0) == -1);
	fd = openat(dir, "../../proc/version", O_RDONLY);
	EXPECT(fd == 5);
	close(fd);
	EXPECT(open("/usr/lib/no/such/lib.so", O_WRONLY | O_CREAT, 0600) == -1 && errno == ENOENT);
	close(dir);
	close(local);
	say("writes to local\n");
}

static void nothing_hangs(void)
{
	struct itimerspec soon = { .it_value = { 0, 20 * 1000000 } };
	int event = eventfd(0, 0), timer = timerfd_create(CLOCK_MONOTONIC, 0);
	uint64_t n;

	if (fork() == 0) {
		pause_ms(30);
		n = 5;
		_exit(write(event, &n, sizeof(n)) != sizeof(n));
	}
	EXPECT(read(event, &n, sizeof(n)) == sizeof(n) && n == 5);
	EXPECT(wait(NULL) > 0);
	EXPECT(timerfd_settime(timer, 0, &soon, NULL) == 0);
	EXPECT(read(timer, &n, sizeof(n)) == sizeof(n) && n == 1);
	close(event);
	close(timer);
	say("nothing hangs\n");
}

/* A blocking socket with a low-water mark waits for that much. */
static void low_water(void)
{
	int pair[2], mark = 4;
	char a[8];

	EXPECT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	EXPECT(setsockopt(pair[1], SOL_SOCKET, SO_RCVLOWAT, &mark, sizeof(mark)) == 0);
	if (fork() == 0) {
		EXPECT(write(pair[0], "ab", 2) == 2);
		pause_ms(50);
		_exit(write(pair[0], "cd", 2) != 2);
	}
	pause_ms(20);
	EXPECT(read(pair[1], a, 8) == 4 && !memcmp(a, "abcd", 4));
	EXPECT(wait(NULL) > 0);
	close(pair[0]);
	close(pair[1]);
	say("low water\n");
}

static void *volatile nowhere = (void *)8;

static void bad_memory(void)
{
	int pair[2], fd = open(SELF, O_RDONLY);
	char a[4], b[4];

	EXPECT(read(fd, nowhere, 4) == -1 && errno == EFAULT);
	EXPECT(read(fd, a, 4) == 4 && pread(fd, b, 4, 0) == 4 && !memcmp(a, b, 4));
	EXPECT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	EXPECT(write(pair[0], "data", 4) == 4);
	EXPECT(read(pair[1], nowhere, 4) == -1 && errno == EFAULT);
	EXPECT(write(pair[0], nowhere, 4) == -1 && errno == EFAULT);
	close(pair[0]);
	close(pair[1]);
	close(fd);
	say("bad memory\n");
}

static void before_exec(void)
{
	int local = open(LIBRARY, O_RDONLY), cloexec = open(LIBRARY, O_RDONLY | O_CLOEXEC);
	int file = open(SELF, O_RDONLY), by_ioctl = open(LIBRARY, O_RDONLY);
	int by_range = open(LIBRARY, O_RDONLY), dupped;

	EXPECT(local == 3 && cloexec == 4 && file == 5 && by_ioctl == 6 && by_range == 7);
	EXPECT(ioctl(by_ioctl, FIOCLEX) == 0);
	EXPECT(syscall(SYS_close_range, 7, 7, 4 /* CLOSE_RANGE_CLOEXEC */) == 0);
	dupped = fcntl(file, F_DUPFD_CLOEXEC, 8);
	EXPECT(dupped == 8);
	execl(SELF, "descriptors", "after", NULL);
	EXPECT(!"execl returned");
}

static void after_exec(void)
{
	char a[4], b[4];
	int pair[2];

	EXPECT(is_open(3) && !is_open(4) && is_open(5) && !is_open(6) && !is_open(7) && !is_open(8));
	EXPECT(pread(5, a, 4, 0) == 4 && pread(3, b, 4, 0) == 4);
	EXPECT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && pair[0] == 4 && pair[1] == 6);
	EXPECT(write(4, "ping", 4) == 4 && read(6, a, 4) == 4 && !memcmp(a, "ping", 4));
	EXPECT(open(SELF, O_RDONLY) == 7 && read(7, a, 4) == 4);
	EXPECT(open(LIBRARY, O_RDONLY) == 8);
	say("after exec\n");
}

int main(int argc, char **argv)
{
	(void)argv;
	if (argc > 1) {
		after_exec();
		return 0;
	}
	over_each_other();
	writes_to_local();
	nothing_hangs();
	low_water();
	bad_memory();
	before_exec();
	return 1;
}
