/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes on their way to the disk and between descriptors; locks, leases, changes that are told. */
#include "calls.h"
#include "old.h"

#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/sendfile.h>

static void syncing(void)
{
	int fd = file_with("sync", "synchronised"), pair[2];

	sync();
	EXPECT(fsync(fd) == 0 && fdatasync(fd) == 0 && syncfs(fd) == 0);
	EXPECT(sync_file_range(fd, 0, 4096, SYNC_FILE_RANGE_WRITE) == 0);
	EXPECT(posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL) == 0 && posix_fadvise(fd, 0, 9, 99) == EINVAL);
	EXPECT(readahead(fd, 0, 4096) == 0);
	EXPECT(pipe(pair) == 0);
	FAILS(fsync(pair[0]), EINVAL);
	FAILS(fsync(99), EBADF);
	FAILS(fdatasync(99), EBADF);
	FAILS(syncfs(99), EBADF);
	FAILS(sync_file_range(fd, -1, 0, 0), EINVAL);
	FAILS(readahead(99, 0, 1), EBADF);
	EXPECT(posix_fadvise(pair[0], 0, 0, POSIX_FADV_NORMAL) == ESPIPE);
	close(pair[0]);
	close(pair[1]);
	close(fd);
	say("sync, fsync, fdatasync, syncfs, sync_file_range, fadvise64, readahead\n");
}

/* cachestat(2), Linux 6.5. */
static void cached(void)
{
	struct {
		uint64_t off, len;
	} range = { 0, 0 };
	uint64_t stat[5] = { ~0ul, 0, 0, 0, ~0ul };
	int fd = file_with("cached", "cached");

	if (syscall(451 /* cachestat */, fd, &range, stat, 0) == 0) {
		EXPECT(stat[0] <= 1 && stat[4] == 0);
		FAILS(syscall(451, fd, &range, stat, 7), EINVAL);
		FAILS(syscall(451, 99, &range, stat, 0), EBADF);
		FAILS(syscall(451, fd, nowhere, stat, 0), EFAULT);
	} else {
		EXPECT(errno == ENOSYS);
	}
	close(fd);
	say("cachestat\n");
}

static void copying(void)
{
	int from = file_with("from", "0123456789"), to = file_with("to", ""), pair[2], other[2];
	off_t at = 3, there = 1;
	char a[16] = "";

	EXPECT(pipe2(pair, O_NONBLOCK) == 0 && pipe2(other, O_NONBLOCK) == 0);
	EXPECT(sendfile(to, from, &at, 4) == 4 && at == 7 && pread(to, a, 16, 0) == 4 && !memcmp(a, "3456", 4));
	EXPECT(sendfile(pair[1], from, NULL, 2) == 2 && read(pair[0], a, 16) == 2 && !memcmp(a, "01", 2));
	FAILS(sendfile(to, 99, NULL, 1), EBADF);
	FAILS(sendfile(to, from, nowhere, 1), EFAULT);
	at = 5;
	EXPECT(copy_file_range(from, &at, to, &there, 3, 0) == 3 && at == 8 && there == 4);
	EXPECT(pread(to, a, 16, 0) == 4 && !memcmp(a, "3567", 4));
	FAILS(copy_file_range(from, NULL, pair[1], NULL, 3, 0), EINVAL);
	FAILS(copy_file_range(from, NULL, to, NULL, 3, 8), EINVAL);
	at = 1;
	EXPECT(splice(from, &at, pair[1], NULL, 5, SPLICE_F_MOVE) == 5 && at == 6);
	EXPECT(tee(pair[0], other[1], 3, 0) == 3 && read(other[0], a, 16) == 3 && !memcmp(a, "123", 3));
	EXPECT(read(pair[0], a, 16) == 5 && !memcmp(a, "12345", 5));
	FAILS(tee(pair[0], other[1], 3, SPLICE_F_NONBLOCK), EAGAIN);
	FAILS(tee(from, other[1], 3, 0), EINVAL);
	FAILS(splice(from, NULL, to, NULL, 3, 0), EINVAL);
	FAILS(splice(pair[0], &at, to, NULL, 3, 0), ESPIPE);
	for (int i = 0; i < 2; i++) {
		close(pair[i]);
		close(other[i]);
	}
	close(from);
	close(to);
	say("sendfile, copy_file_range, splice, tee\n");
}

static void holds_lock(int fd)
{
	int own = open("lock", O_RDWR);

	(void)fd;
	FAILS(flock(own, LOCK_EX | LOCK_NB), EWOULDBLOCK);
	EXPECT(flock(own, LOCK_EX) == 0);
}

static void locking(void)
{
	int fd = file_with("lock", "");
	pid_t pid;

	EXPECT(flock(fd, LOCK_SH) == 0 && flock(fd, LOCK_EX) == 0);
	pid = start_child(holds_lock, fd);
	pause_ms(30);
	EXPECT(flock(fd, LOCK_UN) == 0);
	end_child(pid);
	FAILS(flock(fd, 0), EINVAL);
	FAILS(flock(99, LOCK_SH), EBADF);
	close(fd);
	say("flock\n");
}

static void watching(void)
{
	char buf[1024] __attribute__((aligned(8)));
	struct inotify_event *e = (void *)buf;
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC), old = old_inotify_init(), wd;

	EXPECT(fd >= 0 && old >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	EXPECT(mkdir("watched", 0700) == 0);
	wd = inotify_add_watch(fd, "watched", IN_CREATE | IN_DELETE | IN_MODIFY | IN_ONLYDIR);
	EXPECT(wd == 1);
	FAILS(read(fd, buf, sizeof(buf)), EAGAIN);
	close(file_with("watched/born", ""));
	EXPECT(read(fd, buf, sizeof(buf)) == 32 && e->wd == wd && e->mask == IN_CREATE && !strcmp(e->name, "born"));
	FAILS(inotify_add_watch(fd, "missing", IN_CREATE), ENOENT);
	FAILS(inotify_add_watch(fd, "watched", 0), EINVAL);
	FAILS(inotify_add_watch(99, "watched", IN_CREATE), EBADF);
	FAILS(inotify_init1(0x10), EINVAL);
	EXPECT(inotify_rm_watch(fd, wd) == 0);
	FAILS(inotify_rm_watch(fd, wd), EINVAL);
	EXPECT(read(fd, buf, sizeof(buf)) == 16 && e->mask == IN_IGNORED);
	close(fd);
	close(old);
	say("inotify_init1, inotify_init, inotify_add_watch, inotify_rm_watch\n");
}

static void in_memory(void)
{
	int fd = memfd_create("live", MFD_CLOEXEC | MFD_ALLOW_SEALING), plain = memfd_create("", 0);
	char a[8] = "", *p;

	EXPECT(fd >= 0 && plain >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC && fcntl(plain, F_GETFD) == 0);
	EXPECT(write(fd, "memory", 6) == 6 && pread(fd, a, 8, 0) == 6 && !strcmp(a, "memory"));
	p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	EXPECT(p != MAP_FAILED && !memcmp(p, "memory", 7) && munmap(p, 4096) == 0);
	EXPECT(fcntl(fd, F_GET_SEALS) == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK) == 0);
	EXPECT(fcntl(fd, F_GET_SEALS) == (F_SEAL_WRITE | F_SEAL_SHRINK));
	FAILS(write(fd, "x", 1), EPERM);
	FAILS(ftruncate(fd, 0), EPERM);
	FAILS(memfd_create("live", 0x100), EINVAL);
	FAILS(memfd_create(nowhere, 0), EFAULT);
	close(fd);
	close(plain);
	say("memfd_create\n");
}

void test_storage(void)
{
	syncing();
	cached();
	copying();
	locking();
	watching();
	in_memory();
}
