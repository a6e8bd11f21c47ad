/* SPDX-License-Identifier: Apache-2.0 */
/* Every command of fcntl(2): locks with pids in them, owners, leases, pipes' sizes. */
#include "calls.h"

static void flags(void)
{
	int fd = file_with("flags", ""), other;

	other = fcntl(fd, F_DUPFD, 30);
	EXPECT(other == 30 && fcntl(fd, F_DUPFD_CLOEXEC, 30) == 31);
	EXPECT(fcntl(30, F_GETFD) == 0 && fcntl(31, F_GETFD) == FD_CLOEXEC);
	EXPECT(fcntl(30, F_SETFD, FD_CLOEXEC) == 0 && fcntl(30, F_GETFD) == FD_CLOEXEC);
	EXPECT(fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK) == 0);
	EXPECT((fcntl(fd, F_GETFL) & ~0x8000 & ~0x20000) == (O_RDWR | O_APPEND | O_NONBLOCK));
	FAILS(fcntl(fd, F_DUPFD, -1), EINVAL);
	FAILS(fcntl(99, F_GETFD), EBADF);
	FAILS(fcntl(99, F_GETFL), EBADF);
	FAILS(fcntl(99, F_DUPFD, 0), EBADF);
	FAILS(fcntl(fd, 12345), EINVAL);
	close(30);
	close(31);
	close(fd);
	say("F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL\n");
}

static int seen[2];

static void sees_lock(int fd)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 2, .l_len = 3 };

	EXPECT(fcntl(fd, F_GETLK, &l) == 0);
	EXPECT(l.l_type == F_WRLCK && l.l_pid == getppid() && l.l_start == 0 && l.l_len == 10);
	l = (struct flock){ .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_len = 1 };
	FAILS(fcntl(fd, F_SETLK, &l), EAGAIN);
	EXPECT(write(seen[1], "", 1) == 1);
	l = (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };
	EXPECT(fcntl(fd, F_SETLKW, &l) == 0);
}

static void locks(void)
{
	int fd = file_with("locks", "0123456789");
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10 };
	char c;
	pid_t pid;

	EXPECT(fcntl(fd, F_SETLK, &l) == 0 && pipe(seen) == 0);
	pid = start_child(sees_lock, fd);
	EXPECT(read(seen[0], &c, 1) == 1);
	pause_ms(40); /* it waits by now, or gets the lock at once */
	l.l_type = F_UNLCK;
	EXPECT(fcntl(fd, F_SETLK, &l) == 0);
	end_child(pid);
	EXPECT(fcntl(fd, F_GETLK, &l) == -1 || l.l_type == F_UNLCK);
	l.l_type = 77;
	FAILS(fcntl(fd, F_SETLK, &l), EINVAL);
	FAILS(fcntl(fd, F_SETLK, nowhere), EFAULT);
	FAILS(fcntl(fd, F_GETLK, nowhere), EFAULT);
	close(fd);
	close(seen[0]);
	close(seen[1]);
	say("F_GETLK, F_SETLK, F_SETLKW\n");
}

static void locks_of_descriptions(void)
{
	int fd = file_with("ofd", "0123456789"), other = open("ofd", O_RDWR);
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 4, .l_len = 2 };

	EXPECT(fcntl(fd, F_OFD_SETLK, &l) == 0);
	l = (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET };
	EXPECT(fcntl(other, F_OFD_GETLK, &l) == 0 && l.l_type == F_WRLCK && l.l_start == 4 && l.l_pid == -1);
	l = (struct flock){ .l_type = F_RDLCK, .l_whence = SEEK_SET };
	FAILS(fcntl(other, F_OFD_SETLK, &l), EAGAIN);
	close(fd);
	EXPECT(fcntl(other, F_OFD_SETLKW, &l) == 0);
	close(other);
	say("F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW\n");
}

static void owners(void)
{
	struct f_owner_ex owner = { .type = F_OWNER_TID, .pid = gettid() };
	pid_t pid = getpid(), group = getpgid(0);
	int pair[2];

	EXPECT(pipe(pair) == 0);
	EXPECT(fcntl(pair[0], F_SETOWN, pid) == 0 && syscall(SYS_fcntl, pair[0], F_GETOWN) == pid);
	EXPECT(fcntl(pair[0], F_SETOWN, -group) == 0 && fcntl(pair[0], F_GETOWN) == -group);
	EXPECT(fcntl(pair[0], F_SETOWN_EX, &owner) == 0);
	owner = (struct f_owner_ex){ 0 };
	EXPECT(fcntl(pair[0], F_GETOWN_EX, &owner) == 0 && owner.type == F_OWNER_TID && owner.pid == gettid());
	EXPECT(fcntl(pair[0], F_GETSIG) == 0 && fcntl(pair[0], F_SETSIG, SIGUSR1) == 0);
	EXPECT(fcntl(pair[0], F_GETSIG) == SIGUSR1);
	FAILS(fcntl(pair[0], F_SETSIG, 99), EINVAL);
	owner.type = 77;
	FAILS(fcntl(pair[0], F_SETOWN_EX, &owner), EINVAL);
	FAILS(fcntl(pair[0], F_GETOWN_EX, nowhere), EFAULT);
	EXPECT(fcntl(pair[0], F_GETPIPE_SZ) == 65536 && fcntl(pair[0], F_SETPIPE_SZ, 5000) == 8192);
	FAILS(fcntl(0x7fffffff, F_GETPIPE_SZ), EBADF);
	close(pair[0]);
	close(pair[1]);
	say("F_SETOWN, F_GETOWN, F_SETOWN_EX, F_GETOWN_EX, F_SETSIG, F_GETSIG, F_SETPIPE_SZ, F_GETPIPE_SZ\n");
}

static void leases(void)
{
	int fd = file_with("lease", ""), dir = open(".", O_RDONLY | O_DIRECTORY), rd;

	close(fd);
	rd = open("lease", O_RDONLY);
	EXPECT(fcntl(rd, F_GETLEASE) == F_UNLCK);
	EXPECT(fcntl(rd, F_SETLEASE, F_RDLCK) == 0 ? fcntl(rd, F_GETLEASE) == F_RDLCK : errno == EINVAL || errno == EAGAIN);
	EXPECT(fcntl(rd, F_SETLEASE, F_UNLCK) == 0 || errno == EAGAIN || errno == EINVAL);
	FAILS(fcntl(rd, F_SETLEASE, 77), EINVAL);
	signal(SIGIO, SIG_IGN);
	EXPECT(fcntl(dir, F_NOTIFY, DN_CREATE) == 0 || errno == EINVAL);
	FAILS(fcntl(rd, F_NOTIFY, DN_CREATE), ENOTDIR);
	close(rd);
	close(dir);
	say("F_SETLEASE, F_GETLEASE, F_NOTIFY\n");
}

void test_fcntls(void)
{
	flags();
	locks();
	locks_of_descriptions();
	owners();
	leases();
}
