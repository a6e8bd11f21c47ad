/* SPDX-License-Identifier: Apache-2.0 */
/* Probes: seccomp user notification (replay/notify). */
#include "cli/check.h"

#include "base/cleanup.h"
#include "variant/seccomp_api.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define ANSWER 4242
#define PLACEHOLDER 77 /* a descriptor number that is free in the child */

/* Listener number or -errno, in shared memory: the child's calls may be waiting for us. */
struct page {
	volatile int listener;
};

static void __attribute__((noreturn))
notified_child(struct page *page, unsigned flags, int expected)
{
	long r;

	page->listener = check_filter_getppid(SECCOMP_RET_USER_NOTIF,
					      SECCOMP_FILTER_FLAG_NEW_LISTENER | flags);
	if (page->listener < 0)
		_exit(2);
	r = syscall(SYS_getppid);
	if (r == PLACEHOLDER && fcntl(PLACEHOLDER, F_GETFD) < 0)
		_exit(3);
	_exit(r != expected);
}

static int take(pid_t pid, const struct page *page)
{
	cleanup_close int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	int fd;

	if (pidfd < 0)
		return -errno;
	for (int i = 0; i < 2000 && page->listener == 0; i++)
		usleep(1000);
	if (page->listener < 0)
		return page->listener;
	fd = (int)syscall(SYS_pidfd_getfd, pidfd, page->listener, 0);
	return fd < 0 ? -errno : fd;
}

static int child_status(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : 1;
}

/* Starts a child whose getppid() asks us, and receives that question. */
static int start_notified(unsigned flags, int expected, pid_t *ret_pid, int *ret_listener,
			  uint64_t *ret_id)
{
	struct page *page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct seccomp_notif req = { 0 };
	cleanup_close int fd = -1;
	pid_t pid;

	if (page == MAP_FAILED)
		return -errno;
	pid = check_fork();
	if (pid < 0)
		return pid;
	if (pid == 0)
		notified_child(page, flags, expected);
	fd = take(pid, page);
	if (fd < 0)
		return fd;
	if (ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &req) < 0)
		return -errno;
	if (req.data.nr != __NR_getppid || ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &req.id) < 0)
		return 1;
	*ret_pid = pid;
	*ret_listener = take_fd(&fd);
	*ret_id = req.id;
	return 0;
}

static int answer(unsigned flags)
{
	cleanup_close int fd = -1;
	struct seccomp_notif_resp resp = { .val = ANSWER };
	pid_t pid;
	uint64_t id;
	int r = start_notified(flags, ANSWER, &pid, &fd, &id);

	if (r)
		return r;
	resp.id = id;
	if (ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &resp) < 0)
		return -errno;
	return child_status(pid);
}

static int probe_notify(char *detail)
{
	return answer(0);
}

static int probe_killable(char *detail)
{
	return answer(SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
}

static int probe_addfd(char *detail)
{
	struct seccomp_notif_addfd add = {
		.flags = SECCOMP_ADDFD_FLAG_SETFD | SECCOMP_ADDFD_FLAG_SEND,
		.newfd = PLACEHOLDER,
	};
	cleanup_close int fd = -1, null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	pid_t pid;
	uint64_t id;
	int r = start_notified(0, PLACEHOLDER, &pid, &fd, &id);

	if (r)
		return r;
	add.id = id;
	add.srcfd = (uint32_t)null;
	if (ioctl(fd, SECCOMP_IOCTL_NOTIF_ADDFD, &add) < 0)
		return -errno;
	return child_status(pid);
}

static int probe_sync(char *detail)
{
	cleanup_close int fd = -1;
	pid_t pid;
	uint64_t id;
	int r = start_notified(0, ANSWER, &pid, &fd, &id);

	if (r)
		return r;
	return ioctl(fd, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP) < 0
		       ? -errno
		       : 0;
}

const struct check check_notify[] = {
	{"notify", CHECK_MUST,
	 "answer a follower's calls with the leader's results (user notification)",
	 "a kernel of 5.5 or newer; in a container a seccomp profile that has seccomp(2)",
	 probe_notify},
	{"notify-addfd", CHECK_MUST,
	 "give a follower descriptors with the leader's numbers (ADDFD)",
	 "a kernel of 5.14 or newer", probe_addfd},
	{"notify-killable", CHECK_MUST, "no call is torn by a signal (WAIT_KILLABLE_RECV)",
	 "a kernel of 5.19 or newer", probe_killable},
	{"notify-sync", CHECK_NICE,
	 "a shorter hand-over between follower and monitor (SYNC_WAKE_UP)",
	 "a kernel of 6.6 or newer", probe_sync},
	{0},
};
