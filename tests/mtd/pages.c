/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory under way: the program and its kernel read and write the same pages, from wherever the program
 * is, in every alignment. Says one line a part; the same without moving.
 *
 *	pages ROUNDS
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define PAGE  4096u
#define PAGES 24u

static unsigned char data[PAGES * PAGE]; /* .bss */
static uint32_t seed = 1;

static uint32_t next(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % below;
}

static uint32_t sum(const unsigned char *p, size_t n)
{
	uint32_t h = 2166136261u;

	while (n--)
		h = (h ^ *p++) * 16777619u;
	return h;
}

__attribute__((noinline)) static void point(void)
{
	static volatile unsigned n;

	n++;
}

static void fail(const char *what)
{
	printf("%s: %s\n", what, strerror(errno));
	exit(1);
}

/* The kernel reads one place and writes another one. */
static void through_pipe(int fds[2], unsigned char *to, const unsigned char *from, size_t n)
{
	if (write(fds[1], from, n) != (ssize_t)n)
		fail("write");
	point();
	if (read(fds[0], to, n) != (ssize_t)n)
		fail("read");
}

static void copy_about(unsigned char *p, unsigned rounds)
{
	int fds[2];

	if (pipe(fds) < 0)
		fail("pipe");
	for (unsigned i = 0; i < rounds; i++) {
		uint32_t n = 1 + next(3 * PAGE), from = next(PAGES * PAGE - n), to = next(PAGES * PAGE - n);

		p[from] = (unsigned char)i;
		point();
		through_pipe(fds, p + to, p + from, n);
		point();
		memmove(p + next(PAGE), p + to, n);
	}
	close(fds[0]);
	close(fds[1]);
}

/* Pieces of many pages in one call. */
static void vectors(unsigned char *p, unsigned rounds)
{
	struct iovec out[8], in[8];
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
		fail("socketpair");
	for (unsigned i = 0; i < rounds; i++) {
		for (unsigned k = 0; k < 8; k++) {
			out[k] = (struct iovec){ p + next(PAGES / 2) * PAGE + k, 100 + k };
			in[k] = (struct iovec){ p + (PAGES / 2 + next(PAGES / 2 - 1)) * PAGE + PAGE - 50, 100 + k };
		}
		if (writev(fds[0], out, 8) != 828)
			fail("writev");
		point();
		if (readv(fds[1], in, 8) != 828)
			fail("readv");
	}
	close(fds[0]);
	close(fds[1]);
}

/* Memory that comes and goes reads as zeros. */
static void mappings(unsigned rounds)
{
	uint32_t h = 0;

	for (unsigned i = 0; i < rounds; i++) {
		size_t n = (1 + next(20)) * PAGE;
		unsigned char *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			fail("mmap");
		for (size_t k = 0; k < n; k++)
			if (p[k])
				exit(2);
		point();
		memset(p, (int)i + 1, n);
		point();
		if (madvise(p, PAGE, MADV_DONTNEED) < 0)
			fail("madvise");
		point();
		h += sum(p, n);
		p = mremap(p, n, n + 5 * PAGE, MREMAP_MAYMOVE);
		if (p == MAP_FAILED)
			fail("mremap");
		point();
		h ^= sum(p, n + 5 * PAGE);
		munmap(p, n + 5 * PAGE);
	}
	printf("mappings %08x\n", h);
}

/* Many that come and go, whole and in parts, small ones and large ones: what is freed is kept for a
 * while, more than there is room for, and nothing of it may be seen again. */
static void recycled(unsigned rounds)
{
	static struct {
		unsigned char *p;
		size_t pages;
	} a[48];
	uint32_t h = 0;

	for (unsigned i = 0; i < rounds * 100; i++) {
		unsigned k = next(48);
		size_t n = a[k].pages, cut = n ? next((uint32_t)n) : 0;

		if (!n) {
			n = next(30) ? 1 + next(6) : 60 + next(10);
			a[k].p = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			if (a[k].p == MAP_FAILED)
				fail("mmap");
			for (size_t x = 0; x < n * PAGE; x += 8)
				if (a[k].p[x])
					exit(2);
			a[k].pages = n;
			memset(a[k].p, (int)i | 1, n * PAGE);
		} else if (munmap(a[k].p + cut * PAGE, (n - cut) * PAGE) < 0) {
			fail("munmap");
		} else {
			a[k].pages = cut;
			h += cut ? a[k].p[cut * PAGE - 1] : 0;
		}
		if (i % 16 == 0)
			point();
	}
	for (unsigned k = 0; k < 48; k++)
		if (a[k].pages)
			munmap(a[k].p, a[k].pages * PAGE);
	printf("recycled %u\n", h);
}

/* More descriptors that are ready than one answer has room for: all of them come in the end. */
static unsigned events(void)
{
	struct epoll_event got[40];
	int fds[30][2], e = epoll_create1(0);
	unsigned seen = 0, sum_of = 0;

	for (int i = 0; i < 30; i++) {
		struct epoll_event want = { .events = EPOLLOUT | EPOLLONESHOT, .data.u32 = (uint32_t)i };

		if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds[i]) < 0 ||
		    epoll_ctl(e, EPOLL_CTL_ADD, fds[i][0], &want) < 0)
			fail("epoll_ctl");
		if (i % 8 == 0)
			point();
	}
	while (seen < 30) {
		int n = epoll_wait(e, got, 40, 0);

		if (n < 1)
			fail("epoll_wait");
		for (int i = 0; i < n; i++)
			sum_of += got[i].data.u32;
		seen += (unsigned)n;
		point();
	}
	for (int i = 0; i < 30; i++)
		close(fds[i][0]), close(fds[i][1]);
	close(e);
	return sum_of;
}

/* Calls whose data is small, or just too large to be; at all places of a page, and beyond its end. */
static void small(unsigned char *p, unsigned rounds)
{
	static char long_name[] = "/////////////////////////////////////////////////////////////////////////////"
				  "/////////////////////////////////////////////////////////////////////////////"
				  "///////////////////////////////////////////////////////etc/passwd";
	struct timespec *t = (struct timespec *)(p + PAGE - 8), nap = { 0, 1000 };
	struct stat a, b;
	int fds[2];

	for (unsigned i = 0; i < rounds * 10; i++) {
		size_t n = 180 + next(20), got;
		unsigned char *from = p + next(PAGE), *to = p + (2 + next(4)) * PAGE + PAGE - next(200);
		struct pollfd wait = { .events = POLLIN };

		if (pipe(fds) < 0 || write(fds[1], from, n) != (ssize_t)n)
			fail("write");
		wait.fd = fds[0];
		point();
		if (poll(&wait, 1, 0) != 1 || wait.revents != POLLIN)
			fail("poll");
		/* More is asked for than there is. */
		got = (size_t)read(fds[0], to, 185 + next(20));
		if (got > n || memcmp(from, to, got) || (close(fds[1]), read(fds[0], to, 100)) != (ssize_t)(n - got))
			fail("read");
		close(fds[0]);
		if (clock_gettime(CLOCK_MONOTONIC, t) < 0 || t->tv_sec < 1 || nanosleep(&nap, t) < 0)
			fail("clock_gettime");
		point();
		if (stat(long_name + i % 40, &a) < 0 || stat("/etc/passwd", &b) < 0 || a.st_ino != b.st_ino ||
		    a.st_size != b.st_size)
			fail("stat");
		if (stat("/etc/nothing", (struct stat *)p) == 0 || errno != ENOENT || write(-1, p, 0) == 0 ||
		    errno != EBADF)
			fail("errors");
	}
}

static void file(unsigned char *p)
{
	char name[] = "/tmp/chiral-pages-XXXXXX";
	int fd = mkstemp(name);

	if (fd < 0 || unlink(name) < 0)
		fail("mkstemp");
	/* The C library reads a third argument, which is not there. */
	if (fcntl(fd, F_GETFD) < 0 || syscall(SYS_getppid) < 1)
		fail("calls without arguments");
	if (pwrite(fd, p, PAGES * PAGE, 0) != PAGES * PAGE)
		fail("pwrite");
	memset(p, 0, PAGES * PAGE);
	point();
	if (pread(fd, p, PAGES * PAGE, 0) != PAGES * PAGE)
		fail("pread");
	close(fd);
}

int main(int argc, char **argv)
{
	unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 1;
	unsigned char *heap = malloc(PAGES * PAGE);

	if (!heap)
		return 1;
	for (unsigned i = 0; i < PAGES * PAGE; i++)
		heap[i] = data[i] = (unsigned char)next(256);
	copy_about(data, 20 * rounds);
	printf("data %08x\n", sum(data, sizeof(data)));
	copy_about(heap, 20 * rounds);
	printf("heap %08x\n", sum(heap, PAGES * PAGE));
	vectors(heap, 10 * rounds);
	printf("vectors %08x\n", sum(heap, PAGES * PAGE));
	mappings(5 * rounds);
	recycled(rounds);
	printf("events %u\n", events());
	small(heap, rounds);
	printf("small %u\n", next(1000));
	file(data);
	printf("file %08x\n", sum(data, sizeof(data)));
	free(heap);
	return 0;
}
