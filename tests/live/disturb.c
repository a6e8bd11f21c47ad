/* SPDX-License-Identifier: Apache-2.0 */
/* What a program that was taken over may try, so that a call of it is not seen: disturb WHAT. Each says at its
 * end what it has done, with one call that has to be seen. */
#include "live.h"

#include "capture/bpf/clock/page.h"

#include <limits.h>
#include <linux/close_range.h>
#include <stdatomic.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define PAGE 4096
#define CALLS 20

/* ---- 1024 threads, each with records of its own --------------------------------------------------- */

#define THREADS 1024

static int null;
static pthread_barrier_t all;

static void *write_some(void *arg)
{
	char block[3000];

	memset(block, (int)(intptr_t)arg, sizeof(block));
	pthread_barrier_wait(&all);
	for (int i = 0; i < CALLS; i++)
		EXPECT(write(null, block, sizeof(block)) == (ssize_t)sizeof(block));
	return NULL;
}

static void threads(void)
{
	static pthread_t t[THREADS];
	pthread_attr_t attr;

	null = open("/dev/null", O_WRONLY);
	EXPECT(null >= 0 && pthread_barrier_init(&all, NULL, THREADS) == 0);
	EXPECT(pthread_attr_init(&attr) == 0 && pthread_attr_setstacksize(&attr, 64 << 10) == 0);
	for (intptr_t i = 0; i < THREADS; i++)
		EXPECT(pthread_create(&t[i], &attr, write_some, (void *)i) == 0);
	for (int i = 0; i < THREADS; i++)
		EXPECT(pthread_join(t[i], NULL) == 0);
}

/* ---- memory that comes and goes while calls use it -------------------------------------------------- */

static char *shared;
static atomic_bool ready, over;

static void *take_away(void *unused)
{
	while (!over) {
		madvise(shared, 4 * PAGE, MADV_DONTNEED);
		mprotect(shared + PAGE, PAGE, PROT_NONE);
		ready = true;
		mprotect(shared + PAGE, PAGE, PROT_READ | PROT_WRITE);
	}
	return unused;
}

static void races(void)
{
	pthread_t t;
	int zero = open("/dev/zero", O_RDWR);
	struct iovec iov[2];

	shared = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	EXPECT(zero >= 0 && shared != MAP_FAILED && pthread_create(&t, NULL, take_away, NULL) == 0);
	while (!ready)
		;
	iov[0] = iov[1] = (struct iovec){ shared + PAGE / 2, PAGE };
	for (int i = 0; i < 50 * CALLS; i++) {
		syscall(SYS_read, zero, shared, 4 * PAGE);
		syscall(SYS_write, zero, shared + PAGE - 10, 3 * PAGE);
		syscall(SYS_writev, zero, iov, 2);
	}
	over = true;
	EXPECT(pthread_join(t, NULL) == 0);
}

/* ---- lengths that no record holds -------------------------------------------------------------------- */

static void lengths(void)
{
	static struct iovec iov[IOV_MAX];
	static char data[PAGE];
	int zero = open("/dev/zero", O_RDWR);

	EXPECT(zero >= 0);
	for (int i = 0; i < IOV_MAX; i++)
		iov[i] = (struct iovec){ data, sizeof(data) };
	EXPECT(writev(zero, iov, IOV_MAX) == IOV_MAX * PAGE);
	EXPECT(readv(zero, iov, IOV_MAX) == IOV_MAX * PAGE);
	iov[0].iov_len = SIZE_MAX;
	EXPECT(writev(zero, iov, 2) == -1 && errno == EINVAL);
	iov[0].iov_len = 1UL << 40;
	iov[0].iov_base = (void *)16;
	EXPECT(readv(zero, iov, 1) == -1 && errno == EFAULT);
	EXPECT(syscall(SYS_writev, zero, iov, -1L) == -1);
	EXPECT(syscall(SYS_read, zero, data, 1UL << 62) == -1);
	EXPECT(syscall(SYS_readlinkat, -1, "/proc/self/root", data, -1L) == -1);
}

/* ---- lies about clocks that it says it has read --------------------------------------------------------- */

#define LIES 200

/* Behind the vDSO that a recorded program is shown: its notes, which it can write. */
static void lie_about_clocks(void)
{
	char *vdso = (char *)getauxval(AT_SYSINFO_EHDR);
	volatile struct clock_page *page = (struct clock_page *)(vdso + CLOCK_AREA_STEP);
	struct timespec t;

	for (int i = 0; i < LIES; i++) {
		EXPECT(clock_gettime(CLOCK_MONOTONIC, &t) == 0 && clock_gettime(CLOCK_MONOTONIC_COARSE, &t) == 0);
		if (vdso) {
			memset((void *)page->notes.what, i * 37, sizeof(page->notes.what));
			page->notes.coarse = i % 2 ? 0 : UINT64_MAX;
			page->coarse_readings = (uint64_t)i << 40;
			page->notes.readings += i % 5 == 0 ? UINT64_MAX / 2 : (uint64_t)i % 40;
		}
		EXPECT(syscall(SYS_getppid) > 0);
	}
	/* And then there are none. */
	EXPECT(!vdso || mprotect(vdso + CLOCK_AREA_STEP, CLOCK_AREA_STEP, PROT_NONE) == 0);
	for (int i = 0; i < LIES; i++)
		EXPECT(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t) == 0 && syscall(SYS_getppid) > 0);
}

/* ---- another session, another user, nothing open ----------------------------------------------------- */

static void leave(void)
{
	/* Beyond what it has, and what a monitor might have at those numbers. */
	EXPECT(close_range(3, ~0U, 0) == 0);
	setsid();
	setpgid(0, 0);
	EXPECT(syscall(SYS_setgroups, 0, NULL) == 0);
	EXPECT(setgid(65534) == 0 && setuid(65534) == 0);
	EXPECT(getuid() == 65534 && setuid(0) == -1);
	EXPECT(open("/etc/shadow", O_RDONLY) == -1 && errno == EACCES);
}

/* A group of its own, to which it sends what nobody outlives. */
static void kill_group(void)
{
	EXPECT(getpgrp() == getpid() || setpgid(0, 0) == 0);
	say("kill\n");
	kill(0, SIGKILL);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} attacks[] = {
		{ "threads", threads }, { "races", races }, { "lengths", lengths },
		{ "leave", leave },	{ "kill-group", kill_group }, { "clocks", lie_about_clocks },
	};

	for (size_t i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++) {
		if (argc < 2 || strcmp(argv[1], attacks[i].name))
			continue;
		attacks[i].run();
		say("done\n");
		return 0;
	}
	return 2;
}
