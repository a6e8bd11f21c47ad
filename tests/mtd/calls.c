/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that x86-64 has and other ISAs do not, and those whose structures or flags differ between ISAs:
 * whatever home's ISA is, the program sees the same.
 * usage: calls FOLDER		an empty folder
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <utime.h>

#define NOINLINE __attribute__((noinline))

/* Each check is a switch point. */
static NOINLINE void check(const char *what, long r)
{
	if (r < 0)
		printf("%s: %s\n", what, strerror(errno));
	else
		printf("%s: %ld\n", what, r);
	fflush(stdout);
}

static NOINLINE void show_stat(const char *what, const struct stat *s)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	printf("%s: mode %o links %lu size %ld blksize %ld uid %u gid %u old %d dev %d rdev %lu\n", what, s->st_mode,
	       (unsigned long)s->st_nlink, (long)s->st_size, (long)s->st_blksize, s->st_uid, s->st_gid,
	       now.tv_sec - s->st_mtime > 1000, s->st_dev != 0, (unsigned long)s->st_rdev);
	fflush(stdout);
}

/* ---- files ----------------------------------------------------------------------------------- */

static void test_open(void)
{
	int fd = (int)syscall(SYS_open, "file", O_RDWR | O_CREAT | O_EXCL, 0644), d;

	check("created", fd);
	check("write", write(fd, "0123456789", 10));
	check("flags", fcntl(fd, F_GETFL) & ~O_LARGEFILE);
	check("append", fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK));
	check("flags", fcntl(fd, F_GETFL) & ~O_LARGEFILE);
	check("no folder", open("file", O_RDONLY | O_DIRECTORY));
	check("symlink", syscall(SYS_symlink, "file", "link"));
	check("not followed", open("link", O_RDONLY | O_NOFOLLOW));
	check("followed", d = open("link", O_RDONLY));
	check("close", close(d));
	check("folder", d = open(".", O_RDONLY | O_DIRECTORY));
	check("flags", fcntl(d, F_GETFL) & ~O_LARGEFILE);
	check("close", close(d));
	check("no name", d = open(".", O_TMPFILE | O_RDWR, 0600));
	check("close", close(d));
	check("creat", d = (int)syscall(SYS_creat, "created", 0600));
	check("same", syscall(SYS_dup2, d, d));
	check("same, closed", syscall(SYS_dup2, 77, 77));
	check("other", syscall(SYS_dup2, d, 20));
	check("close", close(20) + close(d) + close(fd));
}

static void test_stat(void)
{
	struct stat s;
	struct statfs fs;
	int fd = open("file", O_RDONLY);

	check("stat", syscall(SYS_stat, "link", &s));
	show_stat("link", &s);
	check("lstat", syscall(SYS_lstat, "link", &s));
	printf("symlink %d size %ld\n", S_ISLNK(s.st_mode), (long)s.st_size);
	check("fstat", fstat(fd, &s));
	show_stat("file", &s);
	check("fstatat", fstatat(AT_FDCWD, "file", &s, 0));
	show_stat("file", &s);
	check("device", stat("/dev/null", &s));
	show_stat("device", &s);
	check("none", stat("none", &s));
	check("no room", syscall(SYS_stat, "file", NULL));
	check("statfs", statfs(".", &fs));
	check("name length", fs.f_namelen);
	close(fd);
}

static void test_names(void)
{
	char name[64] = "";
	struct stat s;

	check("access", syscall(SYS_access, "file", R_OK));
	check("access", syscall(SYS_access, "none", R_OK));
	check("link", syscall(SYS_link, "file", "second"));
	stat("file", &s);
	show_stat("two links", &s);
	check("rename", syscall(SYS_rename, "second", "third"));
	check("readlink", syscall(SYS_readlink, "link", name, sizeof(name)));
	puts(name);
	check("mkdir", syscall(SYS_mkdir, "folder", 0755));
	check("rename, none", rename("second", "folder/x"));
	check("rmdir", syscall(SYS_rmdir, "folder"));
	check("rmdir", syscall(SYS_rmdir, "file"));
	check("chmod", syscall(SYS_chmod, "third", 0400));
	check("chown", syscall(SYS_chown, "third", 3, 4));
	check("lchown", syscall(SYS_lchown, "link", 5, 6));
	stat("third", &s);
	show_stat("owned", &s);
	lstat("link", &s);
	check("owner of the link", s.st_uid * 10 + s.st_gid);
	check("unlink", syscall(SYS_unlink, "third"));
	check("unlink", syscall(SYS_unlink, "third"));
}

static void test_times(void)
{
	struct timeval tv[2] = { { 1000, 500 }, { 2000, 700 } };
	struct utimbuf old = { 3000, 4000 };
	struct stat s;

	check("utimes", syscall(SYS_utimes, "file", tv));
	stat("file", &s);
	printf("%ld.%09ld %ld.%09ld\n", (long)s.st_atim.tv_sec, s.st_atim.tv_nsec, (long)s.st_mtim.tv_sec,
	       s.st_mtim.tv_nsec);
	check("utime", syscall(SYS_utime, "file", &old));
	stat("file", &s);
	printf("%ld %ld\n", (long)s.st_atime, (long)s.st_mtime);
	check("futimesat", syscall(SYS_futimesat, AT_FDCWD, "file", NULL));
	stat("file", &s);
	show_stat("now", &s);
}

/* ---- waiting --------------------------------------------------------------------------------- */

static void test_epoll(int from, int to)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = 0x123456789abcdef0 }, got[4];
	int ep = (int)syscall(SYS_epoll_create, 1);
	char c;

	check("epoll", ep);
	check("add", epoll_ctl(ep, EPOLL_CTL_ADD, from, &e));
	check("added", epoll_ctl(ep, EPOLL_CTL_ADD, from, &e));
	e = (struct epoll_event){ .events = EPOLLOUT, .data.u64 = 42 };
	check("add", epoll_ctl(ep, EPOLL_CTL_ADD, to, &e));
	memset(got, 0x55, sizeof(got));
	check("wait", syscall(SYS_epoll_wait, ep, got, 4, 1000));
	printf("%x %llx, then %x\n", got[0].events, (unsigned long long)got[0].data.u64, got[1].events);
	check("write", write(to, "x", 1));
	check("wait", epoll_wait(ep, got, 4, -1));
	printf("%llx %llx, then %x\n", (unsigned long long)got[0].data.u64, (unsigned long long)got[1].data.u64,
	       got[2].events);
	check("one", epoll_wait(ep, got, 1, -1));
	check("many", epoll_wait(ep, got, 100000, 0));
	check("none", epoll_wait(ep, got, 0, 0));
	check("delete", epoll_ctl(ep, EPOLL_CTL_DEL, to, NULL));
	check("delete", epoll_ctl(ep, EPOLL_CTL_DEL, from, (void *)1));
	check("wait", epoll_wait(ep, got, 4, 10));
	check("read", read(from, &c, 1));
	close(ep);
}

static void test_select(int from, int to)
{
	struct timeval tv = { 0, 20000 };
	struct pollfd p = { from, POLLIN, 0 };
	fd_set set;
	char c;

	FD_ZERO(&set);
	FD_SET(from, &set);
	check("select", syscall(SYS_select, from + 1, &set, NULL, NULL, &tv));
	printf("left %ld.%06ld set %d\n", (long)tv.tv_sec, (long)tv.tv_usec, FD_ISSET(from, &set) != 0);
	check("poll", syscall(SYS_poll, &p, 1L, 20));
	check("write", write(to, "y", 1));
	tv.tv_sec = 100;
	FD_SET(from, &set);
	check("select", syscall(SYS_select, from + 1, &set, NULL, NULL, &tv));
	printf("left %d set %d\n", tv.tv_sec >= 90 && tv.tv_sec < 100, FD_ISSET(from, &set) != 0);
	check("select", syscall(SYS_select, from + 1, &set, NULL, NULL, NULL));
	check("poll", syscall(SYS_poll, &p, 1L, -1));
	check("poll", p.revents);
	check("read", read(from, &c, 1));
}

static volatile sig_atomic_t caught;

static void on_signal(int signo)
{
	caught = signo;
}

static void test_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART }, old;
	/* Again and again: the first one may come before the wait has begun. */
	struct itimerval soon = { { 0, 20000 }, { 0, 20000 } }, never = { 0 };

	check("alarm", syscall(SYS_alarm, 100));
	check("alarm", syscall(SYS_alarm, 0));
	check("alarm", syscall(SYS_alarm, 0));
	sigaction(SIGALRM, &action, NULL);
	sigaction(SIGALRM, NULL, &old);
	printf("flags %x handler %d\n", (unsigned)old.sa_flags & ~0x4000000u, old.sa_handler == on_signal);
	check("timer", setitimer(ITIMER_REAL, &soon, NULL));
	check("pause", syscall(SYS_pause));
	check("timer", setitimer(ITIMER_REAL, &never, NULL));
	check("signal", caught);
}

/* ---- the rest -------------------------------------------------------------------------------- */

static void test_processes(void)
{
	time_t t = 0, now = (time_t)syscall(SYS_time, &t);
	struct timeval tv;
	int status = 0;
	pid_t pid;

	check("time", now == t && now > 1000000000);
	gettimeofday(&tv, NULL);
	check("time of day", tv.tv_sec - now <= 1);
	check("group", syscall(SYS_getpgrp) == getpgid(0));
	pid = fork();
	if (pid == 0)
		_exit(7);
	check("wait", waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 7);
	check("umask", umask(022) >= 0);
}

int main(int argc, char **argv)
{
	int p[2];

	if (argc < 2 || chdir(argv[1]) < 0)
		return 2;
	umask(022);
	test_open();
	test_stat();
	test_names();
	test_times();
	check("pipe", syscall(SYS_pipe, p));
	test_epoll(p[0], p[1]);
	test_select(p[0], p[1]);
	test_signals();
	test_processes();
	return 0;
}
