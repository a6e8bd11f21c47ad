/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and looking at files: flags and structures whose bits and layouts differ between ISAs. */
#include "calls.h"
#include "old.h"

#include <linux/openat2.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

static void opening(void)
{
	int dir = open(".", O_RDONLY | O_DIRECTORY), fd;
	char text[16] = "";

	EXPECT(dir >= 0);
	fd = openat(dir, "new", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	EXPECT(fd == dir + 1 && write(fd, "new", 3) == 3 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	FAILS(openat(dir, "new", O_RDWR | O_CREAT | O_EXCL, 0640), EEXIST);
	close(fd);
	EXPECT((fd = old_open("new", O_RDWR | O_APPEND, 0)) >= 0 && write(fd, "er", 2) == 2);
	EXPECT((fcntl(fd, F_GETFL) & (O_APPEND | O_ACCMODE)) == (O_APPEND | O_RDWR));
	close(fd);
	EXPECT((fd = old_open("new", O_RDONLY, 0)) >= 0 && read(fd, text, 16) == 5 && !memcmp(text, "newer", 5));
	close(fd);
	EXPECT((fd = old_creat("new", 0600)) >= 0 && lseek(fd, 0, SEEK_END) == 0);
	close(fd);
	EXPECT(symlink("new", "to-new") == 0);
	FAILS(open("to-new", O_RDONLY | O_NOFOLLOW), ELOOP);
	FAILS(open("new", O_RDONLY | O_DIRECTORY), ENOTDIR);
	FAILS(open("missing", O_RDONLY), ENOENT);
	FAILS(open(".", O_RDWR), EISDIR);
	FAILS(open("new/below", O_RDONLY), ENOTDIR);
	FAILS(open(nowhere, O_RDONLY), EFAULT);
	FAILS(open("", O_RDONLY), ENOENT);
	FAILS(openat(99, "new", O_RDONLY), EBADF);
	FAILS(openat(fd = open("new", O_RDONLY), "new", O_RDONLY), ENOTDIR);
	close(fd);
	EXPECT((fd = open("to-new", O_PATH | O_NOFOLLOW)) >= 0);
	FAILS(read(fd, text, 1), EBADF);
	close(fd);
	fd = open(".", O_TMPFILE | O_RDWR, 0600);
	EXPECT(fd >= 0 ? write(fd, "t", 1) == 1 : errno == EOPNOTSUPP);
	close(fd);
	/* Values that mean something else on the other ISA */
	EXPECT((fd = open("new", O_RDONLY | O_NOATIME | O_LARGEFILE | O_SYNC)) >= 0);
	EXPECT((fcntl(fd, F_GETFL) & (O_NOATIME | O_SYNC | O_DIRECTORY | O_DIRECT)) == (O_NOATIME | O_SYNC));
	close(fd);
	fd = open("new", O_RDONLY | O_DIRECT);
	EXPECT(fd >= 0 ? fcntl(fd, F_GETFL) & O_DIRECT : errno == EINVAL);
	close(fd);
	close(dir);
	say("openat, open, creat\n");
}

static void opening_2(void)
{
	struct open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC };
	struct {
		struct open_how how;
		char more[40];
	} wide = { .how = { .flags = O_RDONLY } };
	int fd = (int)syscall(SYS_openat2, AT_FDCWD, ".", &how, sizeof(how));

	EXPECT(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	how = (struct open_how){ .flags = O_RDWR | O_CREAT, .mode = 0600, .resolve = RESOLVE_BENEATH };
	close(fd);
	EXPECT((fd = (int)syscall(SYS_openat2, AT_FDCWD, "two", &how, sizeof(how))) >= 0);
	close(fd);
	FAILS(syscall(SYS_openat2, AT_FDCWD, "/etc/passwd", &how, sizeof(how)), EXDEV);
	how.mode = 0100000;
	FAILS(syscall(SYS_openat2, AT_FDCWD, "two", &how, sizeof(how)), EINVAL);
	FAILS(syscall(SYS_openat2, AT_FDCWD, "two", &how, 8), EINVAL);
	FAILS(syscall(SYS_openat2, AT_FDCWD, "two", nowhere, sizeof(how)), EFAULT);
	EXPECT((fd = (int)syscall(SYS_openat2, AT_FDCWD, "two", &wide, sizeof(wide))) >= 0);
	close(fd);
	wide.more[30] = 1;
	FAILS(syscall(SYS_openat2, AT_FDCWD, "two", &wide, sizeof(wide)), E2BIG);
	say("openat2\n");
}

static void looking(void)
{
	int fd = file_with("seen", "12345"), dir = open(".", O_RDONLY | O_DIRECTORY);
	struct stat a, b, c, d;
	struct statx x;

	EXPECT(symlink("seen", "seen-link") == 0 && link("seen", "seen-too") == 0);
	EXPECT(fstat(fd, &a) == 0 && S_ISREG(a.st_mode) && a.st_size == 5 && a.st_nlink == 2);
	EXPECT((a.st_mode & 0777) == 0644 && a.st_uid == geteuid() && a.st_gid == getegid());
	EXPECT(old_stat("seen-link", &b) == 0 && b.st_ino == a.st_ino && b.st_dev == a.st_dev);
	EXPECT(b.st_blksize == a.st_blksize && b.st_blocks == a.st_blocks);
	EXPECT(!memcmp(&a.st_mtim, &b.st_mtim, sizeof(a.st_mtim)));
	EXPECT(old_lstat("seen-link", &c) == 0 && S_ISLNK(c.st_mode) && c.st_size == 4);
	EXPECT(fstatat(dir, "seen", &d, 0) == 0 && d.st_ino == a.st_ino);
	EXPECT(fstatat(fd, "", &d, AT_EMPTY_PATH) == 0 && d.st_ino == a.st_ino);
	EXPECT(statx(dir, "seen", AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME, &x) == 0);
	EXPECT(x.stx_size == 5 && x.stx_ino == a.st_ino && x.stx_nlink == 2 &&
	       x.stx_mtime.tv_sec == a.st_mtim.tv_sec && x.stx_mtime.tv_nsec == a.st_mtim.tv_nsec &&
	       makedev(x.stx_dev_major, x.stx_dev_minor) == a.st_dev);
	EXPECT(statx(fd, "", AT_EMPTY_PATH, STATX_SIZE, &x) == 0 && x.stx_size == 5);
	EXPECT(stat("/dev/null", &b) == 0 && S_ISCHR(b.st_mode) && b.st_rdev == makedev(1, 3));
	FAILS(old_stat("missing", &b), ENOENT);
	FAILS(fstat(99, &b), EBADF);
	FAILS(syscall(SYS_fstat, fd, nowhere), EFAULT);
	FAILS(statx(dir, "seen", 0x10, STATX_SIZE, &x), EINVAL);
	FAILS(syscall(SYS_statx, dir, "seen", 0, STATX_SIZE, nowhere), EFAULT);
	FAILS(fstatat(dir, "seen", &d, 0x10), EINVAL);
	close(dir);
	close(fd);
	say("fstat, stat, lstat, newfstatat, statx\n");
}

static void rights(void)
{
	int fd = file_with("rights", "");

	close(fd);
	EXPECT(chmod("rights", 0500) == 0);
	EXPECT(old_access("rights", R_OK | X_OK) == 0 && old_access("rights", F_OK) == 0);
	EXPECT(syscall(SYS_faccessat, AT_FDCWD, "rights", X_OK) == 0);
	EXPECT(syscall(SYS_faccessat2, AT_FDCWD, "rights", X_OK, AT_EACCESS) == 0);
	EXPECT(chmod("rights", 0400) == 0);
	FAILS(old_access("rights", X_OK), EACCES);
	FAILS(old_access("missing", F_OK), ENOENT);
	FAILS(old_access("rights", 0x10), EINVAL);
	FAILS(syscall(SYS_faccessat2, AT_FDCWD, "rights", R_OK, 0x8000), EINVAL);
	say("faccessat, faccessat2, access\n");
}

static void links(void)
{
	char a[32];

	memset(a, '#', sizeof(a));
	EXPECT(symlink("where/it/leads", "link") == 0);
	EXPECT(old_readlink("link", a, sizeof(a)) == 14 && !memcmp(a, "where/it/leads#", 15));
	memset(a, '#', sizeof(a));
	EXPECT(readlinkat(AT_FDCWD, "link", a, 5) == 5 && !memcmp(a, "where#", 6));
	FAILS(readlinkat(AT_FDCWD, "link", a, 0), EINVAL);
	FAILS(readlink(".", a, 5), EINVAL);
	FAILS(readlink("missing", a, 5), ENOENT);
	FAILS(syscall(SYS_readlinkat, AT_FDCWD, "link", nowhere, 5), EFAULT);
	say("readlinkat, readlink\n");
}

static void file_systems(void)
{
	int fd = open(".", O_RDONLY);
	struct statfs a, b;

	EXPECT(statfs(".", &a) == 0 && fstatfs(fd, &b) == 0);
	EXPECT(a.f_type == b.f_type && a.f_bsize == b.f_bsize && a.f_namelen == 255);
	EXPECT(statfs("/proc", &a) == 0 && a.f_type == 0x9fa0);
	FAILS(statfs("missing", &a), ENOENT);
	FAILS(fstatfs(99, &a), EBADF);
	FAILS(syscall(SYS_fstatfs, fd, nowhere), EFAULT);
	close(fd);
	say("statfs, fstatfs\n");
}

static void in_a_root(void)
{
	if (chroot("root") < 0) {
		EXPECT(errno == EPERM && !is_root());
		return;
	}
	EXPECT(chdir("/") == 0 && access("inside", F_OK) == 0);
	FAILS(access("/etc", F_OK), ENOENT);
}

static void folders(void)
{
	char here[256], there[256], small[2];
	int fd = open(".", O_RDONLY | O_DIRECTORY);

	EXPECT(getcwd(here, sizeof(here)) == here);
	EXPECT(syscall(SYS_getcwd, there, sizeof(there)) == (long)strlen(here) + 1 && !strcmp(here, there));
	FAILS(syscall(SYS_getcwd, small, sizeof(small)), ERANGE);
	EXPECT(mkdir("down", 0700) == 0 && mkdir("down/under", 0700) == 0 && chdir("down") == 0);
	EXPECT(access("under", F_OK) == 0 && getcwd(there, sizeof(there)));
	EXPECT(strlen(there) == strlen(here) + 5 && !strcmp(there + strlen(here), "/down"));
	EXPECT(fchdir(fd) == 0 && getcwd(there, sizeof(there)) && !strcmp(here, there));
	FAILS(chdir("missing"), ENOENT);
	FAILS(fchdir(99), EBADF);
	FAILS(chdir(nowhere), EFAULT);
	EXPECT(mkdir("root", 0700) == 0 && mkdir("root/inside", 0700) == 0);
	in_child(in_a_root);
	close(fd);
	say("getcwd, chdir, fchdir, chroot\n");
}

void test_files(void)
{
	opening();
	opening_2();
	looking();
	rights();
	links();
	file_systems();
	folders();
}
