/* SPDX-License-Identifier: Apache-2.0 */
#include "variant/proc.h"

#include "base/cleanup.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int open_proc(pid_t pid, const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 ? fd : errno == ENOENT ? -ESRCH : -errno;
}

ssize_t proc_read(pid_t pid, const char *name, char *buf, size_t max)
{
	cleanup_close int fd = open_proc(pid, name);
	size_t n = 0;

	if (fd < 0)
		return fd;
	while (n < max - 1) {
		ssize_t r = read(fd, buf + n, max - 1 - n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		if (r == 0)
			break;
		n += (size_t)r;
	}
	buf[n] = 0;
	return (ssize_t)n;
}

int proc_comm(pid_t tid, char ret[PROC_COMM_MAX])
{
	char buf[PROC_COMM_MAX];
	ssize_t n = proc_read(tid, "comm", buf, sizeof(buf));

	if (n < 0)
		return (int)n;
	if (n > 0 && buf[n - 1] == '\n')
		buf[n - 1] = 0;
	memcpy(ret, buf, sizeof(buf));
	return 0;
}

int proc_status(pid_t pid, const char *field, uint64_t *ret)
{
	char buf[4096], *end;
	ssize_t n = proc_read(pid, "status", buf, sizeof(buf));
	size_t len = strlen(field);

	if (n < 0)
		return (int)n;
	for (char *line = buf; line; line = strchr(line, '\n')) {
		uint64_t v;

		line += *line == '\n';
		/* The Name line comes first and escapes newlines: no line can be forged with it. */
		if (strncmp(line, field, len) || line[len] != ':')
			continue;
		errno = 0;
		v = strtoull(line + len + 1, &end, 10);
		if (errno || end == line + len + 1)
			return -EINVAL;
		*ret = v;
		return 0;
	}
	return -ENOENT;
}

int proc_state(pid_t tid, char *ret)
{
	char buf[1024], *p;
	ssize_t n = proc_read(tid, "stat", buf, sizeof(buf));

	if (n < 0)
		return (int)n;
	/* "PID (COMM) STATE ...": a comm may hold anything, so the last ')' counts. */
	p = strrchr(buf, ')');
	if (!p || p[1] != ' ' || !isalpha((unsigned char)p[2]))
		return -EINVAL;
	*ret = p[2];
	return 0;
}

uint64_t proc_run_ns(pid_t tid)
{
	char buf[96], *end;
	ssize_t n = proc_read(tid, "schedstat", buf, sizeof(buf));
	unsigned long long ns = n > 0 ? strtoull(buf, &end, 10) : 0;
	struct timespec now;

	if (n > 0 && end != buf)
		return ns;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int proc_syscall(pid_t tid, struct proc_syscall *ret)
{
	struct proc_syscall s = { .nr = -1 };
	char buf[512];
	ssize_t n = proc_read(tid, "syscall", buf, sizeof(buf));
	unsigned long long a[6], sp, pc;

	if (n < 0)
		return (int)n;
	if (!strncmp(buf, "running", 7))
		return -EBUSY;
	if (sscanf(buf, "%ld %llx %llx %llx %llx %llx %llx %llx %llx", &s.nr, &a[0], &a[1], &a[2],
		   &a[3], &a[4], &a[5], &sp, &pc) == 9) {
		for (int i = 0; i < 6; i++)
			s.args[i] = a[i];
	} else if (sscanf(buf, "-1 %llx %llx", &sp, &pc) != 2) {
		return -EINVAL;
	}
	s.sp = sp;
	s.pc = pc;
	*ret = s;
	return 0;
}

static int numbered_entry(const char *name, int *ret)
{
	char *end;
	long v;

	if (!isdigit((unsigned char)*name))
		return -EINVAL;
	v = strtol(name, &end, 10);
	if (*end || v > INT_MAX)
		return -EINVAL;
	*ret = (int)v;
	return 0;
}

static void close_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

int proc_fds(pid_t pid, int (*fn)(void *arg, int fd, const char *target), void *arg)
{
	char path[64], target[PATH_MAX];
	DIR *dir cleanup(close_dir) = NULL;
	struct dirent *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? -ESRCH : -errno;
	while ((d = readdir(dir))) {
		ssize_t n;
		int fd, r;

		if (numbered_entry(d->d_name, &fd) < 0)
			continue;
		n = readlinkat(dirfd(dir), d->d_name, target, sizeof(target) - 1);
		if (n < 0)
			continue; /* closed in between */
		target[n] = 0;
		r = fn(arg, fd, target);
		if (r)
			return r;
	}
	return 0;
}

int proc_tids(pid_t pid, int (*fn)(void *arg, pid_t tid), void *arg)
{
	char path[64];
	DIR *dir cleanup(close_dir) = NULL;
	struct dirent *d;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? -ESRCH : -errno;
	while ((d = readdir(dir))) {
		int tid, r;

		if (numbered_entry(d->d_name, &tid) < 0)
			continue;
		r = fn(arg, tid);
		if (r)
			return r;
	}
	return 0;
}
