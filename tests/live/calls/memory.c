/* SPDX-License-Identifier: Apache-2.0 */
/* Memory: each variant's own, but files in it and code are everybody's. */
#include "calls.h"

#include <linux/membarrier.h>
#include <sys/mman.h>

static size_t page;

static char *map(size_t pages, int prot, int flags)
{
	char *p = mmap(NULL, pages * page, prot, flags | MAP_ANONYMOUS, -1, 0);

	EXPECT(p != MAP_FAILED);
	return p;
}

static void anonymous(void)
{
	char *p = map(4, PROT_READ | PROT_WRITE, MAP_PRIVATE), *q;
	unsigned char vec[8];

	memset(p, 'm', 4 * page);
	EXPECT(mprotect(p, page, PROT_READ) == 0 && p[0] == 'm');
	EXPECT(mprotect(p, page, PROT_READ | PROT_WRITE) == 0);
	EXPECT(madvise(p + page, page, MADV_DONTNEED) == 0 && p[page] == 0);
	EXPECT(mincore(p, 4 * page, vec) == 0 && vec[0] & 1);
	EXPECT(mlock(p, page) == 0 || errno == ENOMEM || errno == EPERM);
	EXPECT(mlock2(p, page, MLOCK_ONFAULT) == 0 || errno == ENOMEM || errno == EPERM);
	EXPECT(munlock(p, 4 * page) == 0);
	EXPECT(mlockall(MCL_FUTURE | MCL_ONFAULT) == 0 || errno == ENOMEM || errno == EPERM);
	EXPECT(munlockall() == 0);
	q = mremap(p, 4 * page, 8 * page, MREMAP_MAYMOVE);
	EXPECT(q != MAP_FAILED && q[2 * page] == 'm' && q[7 * page] == 0);
	EXPECT(msync(q, 8 * page, MS_SYNC) == 0 && munmap(q, 8 * page) == 0);
	FAILS(mprotect(q + 1, page, PROT_READ), EINVAL);
	FAILS(munmap(q + 1, page), EINVAL);
	FAILS(madvise(p + 1, page, MADV_NORMAL), EINVAL);
	EXPECT(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == EINVAL);
	EXPECT(mmap(NULL, page, PROT_READ, MAP_PRIVATE, 99, 0) == MAP_FAILED && errno == EBADF);
	say("mmap, munmap, mprotect, madvise, mincore, mlock, mlock2, mlockall, mremap, msync\n");
}

/* What the kernel is told of memory; whether it listens is a matter of its configuration. */
static void advice(void)
{
	static const int told[] = {
		MADV_NORMAL,	MADV_RANDOM,	  MADV_SEQUENTIAL, MADV_WILLNEED,    MADV_DONTFORK,
		MADV_DOFORK,	MADV_MERGEABLE,	  MADV_UNMERGEABLE, MADV_HUGEPAGE,   MADV_NOHUGEPAGE,
		MADV_DONTDUMP,	MADV_DODUMP,	  MADV_WIPEONFORK, MADV_KEEPONFORK,  MADV_COLD,
		MADV_PAGEOUT,
	};
	char *p = map(4, PROT_READ | PROT_WRITE, MAP_PRIVATE), *q;

	memset(p, 'm', 4 * page);
	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++)
		EXPECT(madvise(p, 4 * page, told[i]) == 0 || errno == EINVAL);
	EXPECT(p[0] == 'm' && p[3 * page] == 'm');
	EXPECT(madvise(p, page, MADV_DONTNEED) == 0 && p[0] == 0);
	q = map(1, PROT_READ | PROT_WRITE, MAP_SHARED);
	q[0] = 's';
	EXPECT(madvise(q, page, MADV_REMOVE) == 0 && q[0] == 0);
	FAILS(madvise(p, page, 4711), EINVAL);
	EXPECT(munmap(p, 4 * page) == 0 && munmap(q, page) == 0);
	say("madvise\n");
}

static char *shared;

static void writes_to_shared(int value)
{
	shared[0] = (char)value;
}

static void between_processes(void)
{
	shared = map(1, PROT_READ | PROT_WRITE, MAP_SHARED);
	end_child(start_child(writes_to_shared, 's'));
	EXPECT(shared[0] == 's');
	EXPECT(munmap(shared, page) == 0);
	say("shared memory of parent and child\n");
}

static void files(void)
{
	int fd = file_with("mapped", "bytes of a file");
	char *p = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0), *q;

	EXPECT(p != MAP_FAILED && !memcmp(p, "bytes of a file", 16));
	p[0] = 'B';
	EXPECT(munmap(p, page) == 0);
	q = mmap(NULL, page, PROT_READ, MAP_SHARED, fd, 0);
	EXPECT(q != MAP_FAILED && !memcmp(q, "bytes", 5));
	EXPECT(mmap(NULL, page, PROT_READ, MAP_PRIVATE, fd, 1) == MAP_FAILED && errno == EINVAL);
	EXPECT(munmap(q, page) == 0);
	close(fd);
	fd = open("mapped", O_WRONLY);
	EXPECT(mmap(NULL, page, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED && errno == EACCES);
	close(fd);
	say("mmap of files\n");
}

/* Code is the same call in both, at addresses of their own. */
static void executable(void)
{
	char *p = map(1, PROT_READ | PROT_WRITE, MAP_PRIVATE), *q;

	EXPECT(mprotect(p, page, PROT_READ | PROT_EXEC) == 0);
	EXPECT(syscall(SYS_pkey_mprotect, p, page, PROT_READ | PROT_EXEC, -1) == 0);
	EXPECT(syscall(SYS_pkey_mprotect, p, page, PROT_READ, -1) == 0);
	q = mmap(NULL, page, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	EXPECT(q != MAP_FAILED && munmap(q, page) == 0 && munmap(p, page) == 0);
	say("mprotect and mmap of code, pkey_mprotect\n");
}

static void the_break(void)
{
	char *before = sbrk(0);

	EXPECT(before != (void *)-1 && sbrk((intptr_t)(3 * page)) == before);
	memset(before, 'b', 3 * page);
	EXPECT(brk(before) == 0 && sbrk(0) == before);
	say("brk\n");
}

static void barriers(void)
{
	EXPECT(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0);
	EXPECT(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0);
	FAILS(syscall(SYS_membarrier, 1 << 30, 0, 0), EINVAL);
	say("membarrier\n");
}

void test_memory(void)
{
	page = (size_t)sysconf(_SC_PAGESIZE);
	anonymous();
	advice();
	between_processes();
	files();
	executable();
	the_break();
	barriers();
}
