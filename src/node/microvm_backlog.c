/* SPDX-License-Identifier: Apache-2.0 */
/*
 * QEMU's user network listens on a published port with a backlog of 1 (libslirp, tcpx_listen()): of two
 * clients that come at once one waits a second for its SYN to be sent again, of fifty some give up.
 * listen(2) on a socket that listens already changes its backlog, and pidfd_getfd(2) hands us QEMU's.
 */
#include "node/microvm.h"

#include "base/cleanup.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define BACKLOG 1024

static bool is_listening_on(int fd, unsigned port)
{
	struct sockaddr_in sa = { .sin_family = AF_UNSPEC };
	socklen_t len = sizeof(sa), size = sizeof(int);
	int listens = 0;

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens &&
	       getsockname(fd, (struct sockaddr *)&sa, &len) == 0 && sa.sin_family == AF_INET &&
	       ntohs(sa.sin_port) == port;
}

/* 1 when number is QEMU's listening socket and has its backlog now, 0 when it is something else. */
static int backlog_try(int pidfd, int dir, const char *number, unsigned port)
{
	cleanup_close int fd = -1;
	char to[64] = "";

	if (readlinkat(dir, number, to, sizeof(to) - 1) < 0 || strncmp(to, "socket:", 7))
		return 0;
	fd = (int)syscall(SYS_pidfd_getfd, pidfd, atoi(number), 0);
	if (fd < 0)
		return -errno;
	if (!is_listening_on(fd, port))
		return 0;
	return listen(fd, BACKLOG) < 0 ? -errno : 1;
}

int microvm_publish_backlog(const struct microvm *vm, unsigned port)
{
	pid_t pid = microvm_pid(vm);
	cleanup_close int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct dirent *e;
	char path[64];
	int r = 0;
	DIR *d;

	if (pidfd < 0)
		return -errno;
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	d = opendir(path);
	if (!d)
		return -errno;
	while (r == 0 && (e = readdir(d)))
		if (e->d_name[0] != '.')
			r = backlog_try(pidfd, dirfd(d), e->d_name, port);
	closedir(d);
	return r > 0 ? 0 : r < 0 ? r : -ENOENT;
}
