/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/execcheck.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "calls/table.h"
#include "isa/isa.h"
#include "variant/decide.h"
#include "variant/filehead.h"
#include "variant/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* /proc/self is the thread's own, not ours. Owned, NULL without memory. */
static char *seen_by(pid_t tid, const char *base, const char *path)
{
	char *r;
	int n;

	if (!strncmp(path, "/proc/self/", 11))
		n = asprintf(&r, "/proc/%d/%s", tid, path + 11);
	else if (!strncmp(path, "/proc/thread-self/", 18))
		n = asprintf(&r, "/proc/%d/%s", tid, path + 18);
	else if (path[0] == '/')
		n = asprintf(&r, "%s", path);
	else if (path[0])
		n = asprintf(&r, "%s/%s", base, path);
	else
		n = asprintf(&r, "%s", base); /* AT_EMPTY_PATH */
	return n < 0 ? NULL : r;
}

enum reason { REASON_PRIVILEGES, REASON_ISA, REASON_DESCRIPTOR, REASON_DESCRIPTOR_PATH, _REASON_MAX };

static int refuse(enum reason reason, const char *path, const char *what)
{
	static const int errors[] = { EPERM, ENOEXEC, ENOSYS, EACCES };
	static bool said[_REASON_MAX];

	if (!said[reason])
		log_warn("the program executes '%s', which is %s: the call answers %s in every variant",
			 path, what, strerrorname_np(errors[reason]));
	said[reason] = true;
	return errors[reason];
}

static bool is_open(pid_t tid, int fd)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", tid, fd);
	return access(path, F_OK) == 0;
}

/* "/dev/fd/3", "/proc/self/fd/3", "/proc/77/fd/3" */
static bool names_descriptor(const char *path)
{
	const char *rest;

	if (!strncmp(path, "/dev/fd/", 8))
		return true;
	if (strncmp(path, "/proc/", 6))
		return false;
	rest = strchr(path + 6, '/');
	return rest && !strncmp(rest, "/fd/", 4);
}

/* What a descriptor leads to is on the leader's node only: a follower holds a placeholder. ENOSYS is what
 * fexecve(3) has a second way for, which is then answered, too. */
static int refuse_descriptor(pid_t tid, const struct call_record *c, const char *name, const char *path)
{
	static const char what[] = "a file that followers do not have (it is told by a descriptor)";

	if (c->id == CALL_EXECVEAT && (int)c->arg[0] != AT_FDCWD && name[0] != '/')
		return is_open(tid, (int)c->arg[0]) ? refuse(REASON_DESCRIPTOR, path, what) : 0;
	return names_descriptor(name) ? refuse(REASON_DESCRIPTOR_PATH, path, what) : 0;
}

/* 0 or the error; *ret: what it is, UNKNOWN when that is for the kernel to find out. */
static int look_at(const char *path, struct filehead *ret)
{
	cleanup_close int fd = open(path, O_PATH | O_CLOEXEC), readable = -1;
	const char *privileges;
	char what[64], same[64];
	struct stat st;

	ret->kind = FILEHEAD_UNKNOWN;
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || !(st.st_mode & 0111))
		return 0;
	privileges = privileges_of_file(fd);
	if (privileges)
		return refuse(REASON_PRIVILEGES, path, privileges);
	snprintf(same, sizeof(same), "/proc/self/fd/%d", fd);
	readable = open(same, O_RDONLY | O_CLOEXEC);
	if (readable < 0 || filehead_read(readable, ret) < 0)
		return 0;
	if (ret->kind != FILEHEAD_ELF || ret->native)
		return 0;
	snprintf(what, sizeof(what), "for %s", filehead_isa_name(ret));
	return refuse(REASON_ISA, path, what);
}

int execcheck_refusal(pid_t tid, const struct call_record *c)
{
	bool at = c->id == CALL_EXECVEAT;
	const char *name = call_path(c, at ? 1 : 0);
	cleanup_free char *path = NULL;
	char base[64], cwd[64];
	struct filehead h;
	int err = 0;

	snprintf(cwd, sizeof(cwd), "/proc/%d/cwd", tid);
	if (at && (int)c->arg[0] != AT_FDCWD)
		snprintf(base, sizeof(base), "/proc/%d/fd/%d", tid, (int)c->arg[0]);
	else
		strcpy(base, cwd);
	path = name ? seen_by(tid, base, name) : NULL;
	if (path)
		err = refuse_descriptor(tid, c, name, path);
	if (err)
		return err;
	for (int i = 0; path && i <= FILEHEAD_DEPTH_MAX; i++) {
		err = look_at(path, &h);
		if (err || h.kind != FILEHEAD_SCRIPT)
			return err;
		free(path);
		path = seen_by(tid, cwd, h.interpreter);
	}
	return err;
}
