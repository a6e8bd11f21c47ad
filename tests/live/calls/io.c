/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and writing in every form: empty, small and large buffers, vectors, offsets, bad memory. */
#include "calls.h"
#include "old.h"

#include <sys/mman.h>
#include <sys/uio.h>

#define BIG (300 << 10) /* more than a payload that is compared byte by byte, and than a pipe holds */

static char big[BIG], back[BIG];

static void plain(void)
{
	int fd = file_with("plain", "");
	char a[8] = "";

	EXPECT(write(fd, "0123456789", 10) == 10 && write(fd, "", 0) == 0);
	EXPECT(lseek(fd, 4, SEEK_SET) == 4 && read(fd, a, 3) == 3 && !memcmp(a, "456", 4));
	EXPECT(lseek(fd, -1, SEEK_CUR) == 6 && lseek(fd, 0, SEEK_END) == 10);
	EXPECT(lseek(fd, 0, SEEK_DATA) == 0 && lseek(fd, 0, SEEK_HOLE) == 10);
	EXPECT(read(fd, a, 8) == 0 && read(fd, a, 0) == 0);
	FAILS(lseek(fd, -1, SEEK_SET), EINVAL);
	FAILS(lseek(fd, 0, 77), EINVAL);
	FAILS(lseek(99, 0, SEEK_SET), EBADF);
	FAILS(read(99, a, 1), EBADF);
	FAILS(write(99, a, 1), EBADF);
	EXPECT(lseek(fd, 0, SEEK_SET) == 0);
	FAILS(read(fd, nowhere, 4), EFAULT);
	FAILS(write(fd, nowhere, 4), EFAULT);
	EXPECT(close(fd) == 0);
	FAILS(close(fd), EBADF);
	fd = open("plain", O_RDONLY);
	FAILS(write(fd, "x", 1), EBADF);
	close(fd);
	say("read, write, lseek, close\n");
}

static void at_offsets(void)
{
	int fd = file_with("at", "abcdefghij"), pair[2];
	char a[8] = "";

	EXPECT(pread(fd, a, 3, 5) == 3 && !memcmp(a, "fgh", 3) && lseek(fd, 0, SEEK_CUR) == 0);
	EXPECT(pwrite(fd, "XY", 2, 8) == 2 && pread(fd, a, 8, 7) == 3 && !memcmp(a, "hXY", 3));
	EXPECT(pread(fd, a, 8, 100) == 0);
	EXPECT(pwrite(fd, "far", 3, (off_t)5 << 32) == 3);
	EXPECT(pread(fd, a, 8, ((off_t)5 << 32) + 1) == 2 && !memcmp(a, "ar", 2));
	FAILS(pread(fd, a, 1, -1), EINVAL);
	FAILS(pwrite(fd, a, 1, -5), EINVAL);
	EXPECT(pipe(pair) == 0);
	FAILS(pread(pair[0], a, 1, 0), ESPIPE);
	FAILS(lseek(pair[0], 0, SEEK_SET), ESPIPE);
	close(pair[0]);
	close(pair[1]);
	close(fd);
	say("pread64, pwrite64\n");
}

static void vectors(void)
{
	int fd = file_with("vectors", "");
	char a[4], b[4], c[8];
	struct iovec out[3] = { { "one", 3 }, { nowhere, 0 }, { "twenty", 6 } };
	struct iovec in[3] = { { a, 4 }, { b, 4 }, { c, 8 } };
	struct iovec bad[2] = { { a, 4 }, { nowhere, 4 } };

	EXPECT(writev(fd, out, 3) == 9 && lseek(fd, 0, SEEK_SET) == 0);
	EXPECT(readv(fd, in, 3) == 9 && !memcmp(a, "onet", 4) && !memcmp(b, "went", 4) && c[0] == 'y');
	EXPECT(pwritev(fd, out, 1, 2) == 3 && preadv(fd, in, 2, 1) == 8);
	EXPECT(!memcmp(a, "none", 4) && !memcmp(b, "enty", 4));
	EXPECT(pwritev2(fd, out, 3, 0, RWF_DSYNC) == 9 && pwritev2(fd, out + 2, 1, -1, RWF_APPEND) == 6);
	EXPECT(preadv2(fd, in, 1, 9, RWF_NOWAIT) == 4 || errno == EOPNOTSUPP || errno == EAGAIN);
	EXPECT(preadv2(fd, in, 1, 9, RWF_HIPRI) == 4 && !memcmp(a, "twen", 4));
	EXPECT(lseek(fd, 0, SEEK_SET) == 0 && preadv2(fd, in, 1, -1, 0) == 4 && !memcmp(a, "onet", 4));
	EXPECT(writev(fd, out, 0) == 0 && readv(fd, in, 0) == 0);
	EXPECT(lseek(fd, 0, SEEK_SET) == 0 && readv(fd, bad, 2) == 4);
	FAILS(readv(fd, nowhere, 1), EFAULT);
	FAILS(syscall(SYS_readv, fd, in, -1), EINVAL);
	FAILS(syscall(SYS_writev, fd, out, 5000), EINVAL);
	FAILS(preadv2(fd, in, 1, 0, 0x4000), EOPNOTSUPP);
	FAILS(preadv(fd, in, 1, -9), EINVAL);
	close(fd);
	say("readv, writev, preadv, pwritev, preadv2, pwritev2\n");
}

static void large(void)
{
	int fd = file_with("large", "");
	struct iovec in[3] = { { back, 5000 }, { back + 5000, 1 }, { back + 5001, BIG - 5001 } };

	for (size_t i = 0; i < BIG; i++)
		big[i] = (char)(i * 7 + i / 4096);
	EXPECT(write(fd, big, BIG) == BIG && lseek(fd, 0, SEEK_SET) == 0);
	EXPECT(read(fd, back, BIG) == BIG && !memcmp(big, back, BIG));
	memset(back, 0, BIG);
	EXPECT(preadv(fd, in, 3, 0) == BIG && !memcmp(big, back, BIG));
	memset(back, 0, BIG);
	EXPECT(pread(fd, back, 4097, 4095) == 4097 && !memcmp(big + 4095, back, 4097));
	close(fd);
	say("large\n");
}

/* The end of a mapping is in the middle of the buffer. */
static void half_mapped(void)
{
	long page = sysconf(_SC_PAGESIZE);
	char *p = mmap(NULL, (size_t)(2 * page), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = file_with("half", ""), pair[2];

	EXPECT(p != MAP_FAILED && munmap(p + page, (size_t)page) == 0);
	memset(p, 'h', (size_t)page);
	EXPECT(write(fd, p, 100) == 100);
	EXPECT(pipe(pair) == 0);
	FAILS(write(pair[1], p + page, 4), EFAULT);
	EXPECT(write(pair[1], p + page - 4, 4) == 4 && read(pair[0], p + page - 4, 8) == 4);
	EXPECT(lseek(fd, 0, SEEK_SET) == 0);
	FAILS(read(fd, p + page, 10), EFAULT);
	close(pair[0]);
	close(pair[1]);
	close(fd);
	munmap(p, (size_t)page);
	say("half mapped\n");
}

static void duplicates(void)
{
	int fd = file_with("dup", "duplicate"), other;
	char a[4];

	other = dup(fd);
	EXPECT(other == fd + 1 && read(other, a, 3) == 3 && lseek(fd, 0, SEEK_CUR) == 3);
	EXPECT(old_dup2(fd, 40) == 40 && fcntl(40, F_GETFD) == 0);
	EXPECT(old_dup2(fd, fd) == fd);
	FAILS(old_dup2(99, 99), EBADF);
	FAILS(old_dup2(99, 3), EBADF);
	EXPECT(dup3(fd, 41, O_CLOEXEC) == 41 && fcntl(41, F_GETFD) == FD_CLOEXEC);
	FAILS(dup3(fd, fd, 0), EINVAL);
	FAILS(dup3(fd, 42, O_NONBLOCK), EINVAL);
	FAILS(dup(99), EBADF);
	EXPECT(syscall(SYS_close_range, 41, 60, 4 /* CLOSE_RANGE_CLOEXEC */) == 0 && fcntl(41, F_GETFD) == 1);
	EXPECT(syscall(SYS_close_range, 40, 60, 0) == 0);
	FAILS(fcntl(40, F_GETFD), EBADF);
	FAILS(syscall(SYS_close_range, 9, 3, 0), EINVAL);
	FAILS(syscall(SYS_close_range, 3, 9, 0x100), EINVAL);
	close(other);
	close(fd);
	say("dup, dup2, dup3, close_range\n");
}

void test_io(void)
{
	plain();
	at_offsets();
	vectors();
	large();
	half_mapped();
	duplicates();
}
