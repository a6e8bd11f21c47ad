/* SPDX-License-Identifier: Apache-2.0 */
/* What files have besides bytes: rights, owners, times, sizes, extended attributes. */
#include "calls.h"
#include "old.h"

#include <sys/xattr.h>

static struct stat look(const char *name)
{
	struct stat st;

	EXPECT(lstat(name, &st) == 0);
	return st;
}

static void modes(void)
{
	int fd = file_with("mode", ""), dir = open(".", O_RDONLY);

	EXPECT(old_chmod("mode", 0640) == 0 && (look("mode").st_mode & 07777) == 0640);
	EXPECT(fchmod(fd, 0604) == 0 && (look("mode").st_mode & 07777) == 0604);
	EXPECT(syscall(SYS_fchmodat, dir, "mode", 0600) == 0 && (look("mode").st_mode & 07777) == 0600);
	/* fchmodat2 came with Linux 6.6 */
	if (syscall(452 /* fchmodat2 */, dir, "mode", 0644, AT_SYMLINK_NOFOLLOW) == 0)
		EXPECT((look("mode").st_mode & 07777) == 0644);
	else
		EXPECT(errno == ENOSYS);
	FAILS(old_chmod("missing", 0600), ENOENT);
	FAILS(fchmod(99, 0600), EBADF);
	FAILS(syscall(SYS_fchmodat, dir, nowhere, 0600), EFAULT);
	EXPECT(umask(027) == 022 && mkdir("masked", 0777) == 0 && umask(022) == 027);
	EXPECT((look("masked").st_mode & 0777) == 0750);
	close(dir);
	close(fd);
	say("fchmodat, chmod, fchmodat2, fchmod, umask\n");
}

static void owners(void)
{
	uid_t uid = is_root() ? 12345 : geteuid();
	gid_t gid = is_root() ? 54321 : getegid();
	uid_t own = geteuid();
	gid_t own_group = getegid();
	int fd = file_with("owner", "");

	EXPECT(symlink("owner", "owner-link") == 0);
	EXPECT(old_chown("owner-link", uid, (gid_t)-1) == 0 && look("owner").st_uid == uid);
	EXPECT(old_lchown("owner-link", uid, gid) == 0 && look("owner-link").st_gid == gid);
	EXPECT(fchown(fd, (uid_t)-1, gid) == 0 && look("owner").st_gid == gid);
	EXPECT(fchownat(fd, "", own, own_group, AT_EMPTY_PATH) == 0 && look("owner").st_uid == own);
	FAILS(old_chown("missing", uid, gid), ENOENT);
	FAILS(fchown(99, uid, gid), EBADF);
	FAILS(fchownat(AT_FDCWD, "owner", uid, gid, 0x10), EINVAL);
	close(fd);
	say("fchownat, chown, lchown, fchown\n");
}

static void times(void)
{
	struct timespec t[2] = { { 1000, 5 }, { 2000, 7 } };
	struct timeval u[2] = { { 3000, 8 }, { 4000, 9 } };
	struct utimbuf v = { 5000, 6000 };
	int fd = file_with("times", "");

	EXPECT(utimensat(AT_FDCWD, "times", t, 0) == 0);
	EXPECT(look("times").st_atim.tv_sec == 1000 && look("times").st_mtim.tv_nsec == 7);
	t[0].tv_nsec = UTIME_OMIT;
	t[1].tv_sec = 2500;
	EXPECT(futimens(fd, t) == 0 && look("times").st_atim.tv_sec == 1000 && look("times").st_mtim.tv_sec == 2500);
	EXPECT(old_utimes("times", u) == 0 && look("times").st_atim.tv_nsec == 8000 && look("times").st_mtim.tv_sec == 4000);
	u[0].tv_sec = 3500;
	EXPECT(old_futimesat(AT_FDCWD, "times", u) == 0 && look("times").st_atim.tv_sec == 3500);
	EXPECT(old_utime("times", &v) == 0 && look("times").st_atim.tv_sec == 5000 && look("times").st_mtim.tv_sec == 6000);
	EXPECT(old_utime("times", NULL) == 0 && look("times").st_mtim.tv_sec > 6000);
	u[1].tv_usec = 2000000;
	FAILS(old_utimes("times", u), EINVAL);
	t[1].tv_nsec = -3;
	FAILS(utimensat(AT_FDCWD, "times", t, 0), EINVAL);
	FAILS(utimensat(AT_FDCWD, "missing", NULL, 0), ENOENT);
	FAILS(syscall(SYS_utimensat, AT_FDCWD, "times", nowhere, 0), EFAULT);
	close(fd);
	say("utimensat, utimes, futimesat, utime\n");
}

static void sizes(void)
{
	int fd = file_with("size", "123456"), r;

	EXPECT(truncate("size", 3) == 0 && look("size").st_size == 3);
	EXPECT(ftruncate(fd, (off_t)3 << 31) == 0 && look("size").st_size == (off_t)3 << 31);
	EXPECT(ftruncate(fd, 0) == 0);
	FAILS(truncate("missing", 3), ENOENT);
	FAILS(truncate("size", -3), EINVAL);
	FAILS(ftruncate(99, 1), EBADF);
	r = fallocate(fd, 0, 0, 8192);
	EXPECT(r == 0 ? look("size").st_size == 8192 : errno == EOPNOTSUPP);
	if (r == 0) {
		EXPECT(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 16384) == 0 && look("size").st_size == 8192);
		EXPECT(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) == 0 ||
		       errno == EOPNOTSUPP);
	}
	FAILS(fallocate(fd, 0, -1, 1), EINVAL);
	FAILS(fallocate(99, 0, 0, 1), EBADF);
	close(fd);
	say("truncate, ftruncate, fallocate\n");
}

static void extended(void)
{
	char a[64], big[4000];
	int fd = file_with("x", "");

	if (setxattr("x", "user.live", "value", 5, 0) < 0) {
		/* user.* needs a file system that has them; tmpfs of Linux 6.6 and later does */
		EXPECT(errno == EOPNOTSUPP);
		say("no extended attributes here\n");
	} else {
		memset(big, 'b', sizeof(big));
		EXPECT(fsetxattr(fd, "user.big", big, 3000, XATTR_CREATE) == 0 || errno == ENOSPC);
		EXPECT(getxattr("x", "user.live", a, sizeof(a)) == 5 && !memcmp(a, "value", 5));
		EXPECT(fgetxattr(fd, "user.live", NULL, 0) == 5);
		FAILS(fgetxattr(fd, "user.live", a, 3), ERANGE);
		FAILS(setxattr("x", "user.live", "v", 1, XATTR_CREATE), EEXIST);
		EXPECT(flistxattr(fd, NULL, 0) >= 10);
		EXPECT(fremovexattr(fd, "user.live") == 0);
	}
	EXPECT(symlink("x", "x-link") == 0);
	/* trusted.* is for root, and for links too */
	if (lsetxattr("x-link", "trusted.live", "of the link", 11, 0) == 0) {
		EXPECT(lgetxattr("x-link", "trusted.live", a, sizeof(a)) == 11 && !memcmp(a, "of the link", 11));
		EXPECT(llistxattr("x-link", a, sizeof(a)) >= 13);
		EXPECT(lremovexattr("x-link", "trusted.live") == 0);
	} else {
		EXPECT(errno == EOPNOTSUPP || errno == EPERM);
	}
	FAILS(lgetxattr("missing", "user.none", a, sizeof(a)), ENOENT);
	FAILS(llistxattr("missing", a, sizeof(a)), ENOENT);
	FAILS(lremovexattr("missing", "user.none"), ENOENT);
	FAILS(getxattr("missing", "user.none", a, sizeof(a)), ENOENT);
	FAILS(fgetxattr(99, "user.none", a, sizeof(a)), EBADF);
	EXPECT(listxattr("x", a, sizeof(a)) >= 0 || errno == ERANGE);
	FAILS(flistxattr(99, a, sizeof(a)), EBADF);
	FAILS(removexattr("missing", "user.none"), ENOENT);
	FAILS(fremovexattr(99, "user.none"), EBADF);
	FAILS(fsetxattr(99, "user.none", "", 0, 0), EBADF);
	FAILS(setxattr("x", "", "v", 1, 0), ERANGE);
	FAILS(setxattr("x", "user.live", nowhere, 5, 0), EFAULT);
	close(fd);
	say("setxattr, lsetxattr, fsetxattr, get, list and remove\n");
}

void test_attributes(void)
{
	modes();
	owners();
	times();
	sizes();
	extended();
}
