/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that arm64 has no counterpart of: as two variants of one ISA. */
#include "calls.h"

#define SKIP_UNLESS_ONE_ISA()                                                                      \
	do {                                                                                       \
		if (!getenv("LIVE_ONE_ISA"))                                                       \
			SKIP("the variants may be of different ISAs");                             \
	} while (0)

#ifdef SYS_getdents

/* struct linux_dirent of the kernel */
struct entry {
	unsigned long ino, off;
	unsigned short size;
	char name[];
};

static int entries(int dir, size_t size)
{
	char buf[1024] __attribute__((aligned(8)));
	int n, sum = 0;

	while ((n = (int)syscall(SYS_getdents, dir, buf, size)) > 0)
		for (int at = 0; at < n; sum++) {
			struct entry *e = (struct entry *)(void *)(buf + at);

			EXPECT(e->size > 0 && e->name[0]);
			at += e->size;
		}
	EXPECT(n == 0);
	return sum;
}

void test_x86_64_only(void)
{
	char buf[64];
	int dir;

	SKIP_UNLESS_ONE_ISA();
	for (int i = 0; i < 5; i++) {
		snprintf(buf, sizeof(buf), "entry-%d", i);
		close(file_with(buf, ""));
	}
	dir = open(".", O_RDONLY | O_DIRECTORY);
	EXPECT(entries(dir, 64) == 7 && lseek(dir, 0, SEEK_SET) == 0 && entries(dir, 1024) == 7);
	EXPECT(lseek(dir, 0, SEEK_SET) == 0);
	FAILS(syscall(SYS_getdents, dir, buf, 8), EINVAL);
	FAILS(syscall(SYS_getdents, 99, buf, 64), EBADF);
	close(dir);
	say("getdents\n");
}

#else

void test_x86_64_only(void)
{
	SKIP_UNLESS_ONE_ISA();
	SKIP("this ISA is another one");
}

#endif
