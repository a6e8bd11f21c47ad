/* SPDX-License-Identifier: Apache-2.0 */
/* Names in folders: made, moved, linked, listed, removed. */
#include "calls.h"
#include "old.h"

#include <dirent.h>
#include <sys/sysmacros.h>

/* linux/dirent.h of the kernel: what getdents64(2) gives. */
struct entry {
	uint64_t ino;
	int64_t off;
	uint16_t size;
	uint8_t type;
	char name[];
};

static void folders(void)
{
	int dir = open(".", O_RDONLY | O_DIRECTORY);
	struct stat st;

	EXPECT(old_mkdir("a", 0750) == 0 && mkdirat(dir, "b", 01777) == 0);
	EXPECT(stat("a", &st) == 0 && S_ISDIR(st.st_mode) && (st.st_mode & 07777) == 0750);
	EXPECT(stat("b", &st) == 0 && (st.st_mode & 07777) == 01755);
	FAILS(old_mkdir("a", 0700), EEXIST);
	FAILS(old_mkdir("x/y", 0700), ENOENT);
	FAILS(mkdirat(99, "x", 0700), EBADF);
	FAILS(mkdirat(dir, nowhere, 0700), EFAULT);
	EXPECT(old_rmdir("a") == 0);
	FAILS(old_rmdir("a"), ENOENT);
	EXPECT(unlinkat(dir, "b", AT_REMOVEDIR) == 0);
	FAILS(unlinkat(dir, "b", 0x40), EINVAL);
	close(dir);
	say("mkdirat, mkdir, rmdir\n");
}

static void nodes(void)
{
	struct stat st;

	EXPECT(mknodat(AT_FDCWD, "fifo", S_IFIFO | 0600, 0) == 0);
	EXPECT(stat("fifo", &st) == 0 && S_ISFIFO(st.st_mode));
	EXPECT(old_mknod("file", S_IFREG | 0600, 0) == 0 && stat("file", &st) == 0 && st.st_size == 0);
	FAILS(old_mknod("file", S_IFREG | 0600, 0), EEXIST);
	if (mknodat(AT_FDCWD, "null", S_IFCHR | 0600, makedev(1, 3)) == 0)
		EXPECT(stat("null", &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3));
	else
		EXPECT(errno == EPERM);
	FAILS(old_unlink("."), EISDIR);
	EXPECT(old_unlink("fifo") == 0 && unlinkat(AT_FDCWD, "file", 0) == 0);
	FAILS(old_unlink("fifo"), ENOENT);
	say("mknodat, mknod, unlinkat, unlink\n");
}

static void moves(void)
{
	int dir = open(".", O_RDONLY | O_DIRECTORY);
	struct stat st;

	close(file_with("one", "1"));
	close(file_with("other", "22"));
	EXPECT(old_rename("one", "two") == 0);
	FAILS(old_rename("one", "two"), ENOENT);
	EXPECT(syscall(SYS_renameat2, dir, "two", dir, "other", RENAME_EXCHANGE) == 0 || errno == EINVAL);
	EXPECT(stat("two", &st) == 0 && stat("other", &st) == 0);
	FAILS(syscall(SYS_renameat2, dir, "two", dir, "other", RENAME_NOREPLACE), EEXIST);
	FAILS(syscall(SYS_renameat2, dir, "two", dir, "other", 0x100), EINVAL);
#ifdef SYS_renameat
	EXPECT(syscall(SYS_renameat, dir, "two", dir, "three") == 0);
#else
	EXPECT(syscall(SYS_renameat2, dir, "two", dir, "three", 0) == 0);
#endif
	FAILS(renameat(99, "three", dir, "four"), EBADF);
	EXPECT(old_link("three", "hard") == 0 && linkat(dir, "three", dir, "harder", 0) == 0);
	EXPECT(stat("hard", &st) == 0 && st.st_nlink == 3);
	FAILS(old_link("three", "hard"), EEXIST);
	EXPECT(old_symlink("three", "soft") == 0 && symlinkat("nowhere", dir, "softer") == 0);
	EXPECT(lstat("softer", &st) == 0 && S_ISLNK(st.st_mode) && st.st_size == 7);
	EXPECT(linkat(dir, "soft", dir, "through", AT_SYMLINK_FOLLOW) == 0);
	EXPECT(lstat("through", &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 4);
	FAILS(old_symlink("three", "soft"), EEXIST);
	FAILS(symlinkat(nowhere, dir, "x"), EFAULT);
	close(dir);
	say("renameat2, renameat, rename, linkat, link, symlinkat, symlink\n");
}

static int entries(int dir, size_t size, unsigned *found)
{
	char buf[4096];
	int n, sum = 0;

	while ((n = (int)syscall(SYS_getdents64, dir, buf, size)) > 0)
		for (int at = 0; at < n; sum++) {
			struct entry *e = (struct entry *)(void *)(buf + at);

			if (!strncmp(e->name, "entry-", 6))
				*found |= 1u << atoi(e->name + 6);
			EXPECT(e->size > 0);
			at += e->size;
		}
	EXPECT(n == 0);
	return sum;
}

static void listing(void)
{
	unsigned found = 0;
	char name[32], buf[1024];
	int dir, before;

	EXPECT(mkdir("list", 0700) == 0 && chdir("list") == 0);
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "entry-%d", i);
		close(file_with(name, ""));
	}
	dir = open(".", O_RDONLY | O_DIRECTORY);
	before = entries(dir, 4096, &found);
	EXPECT(before == 22 && found == (1u << 20) - 1);
	EXPECT(lseek(dir, 0, SEEK_SET) == 0);
	found = 0;
	EXPECT(entries(dir, 128, &found) == 22 && found == (1u << 20) - 1);
	EXPECT(lseek(dir, 0, SEEK_SET) == 0);
	FAILS(syscall(SYS_getdents64, dir, buf, 8), EINVAL);
	FAILS(syscall(SYS_getdents64, dir, nowhere, 1024), EFAULT);
	FAILS(syscall(SYS_getdents64, 99, buf, 1024), EBADF);
	close(dir);
	dir = open("entry-1", O_RDONLY);
	FAILS(syscall(SYS_getdents64, dir, buf, 1024), ENOTDIR);
	close(dir);
	EXPECT(chdir("..") == 0);
	say("getdents64\n");
}

void test_names(void)
{
	folders();
	nodes();
	moves();
	listing();
}
