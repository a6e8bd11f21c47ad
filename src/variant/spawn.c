/* SPDX-License-Identifier: Apache-2.0 */
#include "variant/spawn.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "isa/cpu.h"
#include "variant/auxv.h"
#include "variant/counter.h"
#include "variant/seccomp_api.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* What the child tells about itself; it cannot write to a pipe once its filter is in force. */
struct report_page {
	volatile int listener;
	volatile int err;
	const char *volatile what;
};

static void __attribute__((noreturn)) child_fail(struct report_page *page, const char *what)
{
	page->what = what;
	page->err = errno;
	for (;;)
		__builtin_trap(); /* a signal stop; an exit might be waiting for a monitor */
}

static void child_limits(const struct start *s)
{
	struct rlimit l;

	if (!s->has_identity)
		return;
	/* A follower writes no file, not even when it crashes. */
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
	/* The program sees the leader's limits by replay. What counts here: the same stack, and
	 * every descriptor number that the leader may hand out. */
	l = (struct rlimit){ s->rlimits[RLIMIT_STACK].cur, s->rlimits[RLIMIT_STACK].max };
	if (setrlimit(RLIMIT_STACK, &l) < 0) {
		getrlimit(RLIMIT_STACK, &l);
		if (s->rlimits[RLIMIT_STACK].cur < l.rlim_max)
			l.rlim_cur = s->rlimits[RLIMIT_STACK].cur;
		setrlimit(RLIMIT_STACK, &l);
	}
	l = (struct rlimit){ 1 << 20, 1 << 20 };
	if (setrlimit(RLIMIT_NOFILE, &l) < 0 && getrlimit(RLIMIT_NOFILE, &l) == 0) {
		l.rlim_cur = l.rlim_max;
		setrlimit(RLIMIT_NOFILE, &l);
	}
}

static void child_signals(void)
{
	/* As the kernel takes it; libc keeps two signals to itself. All zeros is SIG_DFL. */
	const uint64_t dfl[4] = { 0 };
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		syscall(SYS_rt_sigaction, i, dfl, NULL, sizeof(uint64_t));
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Handles stdio numbers that overlap by first moving all sources out of the way. */
static int child_stdio(const int *stdio)
{
	int moved[3];

	for (int i = 0; i < 3; i++) {
		moved[i] = stdio[i] < 0 ? -1 : fcntl(stdio[i], F_DUPFD_CLOEXEC, 10);
		if (stdio[i] >= 0 && moved[i] < 0)
			return -1;
	}
	for (int i = 0; i < 3; i++)
		if (moved[i] >= 0 && dup2(moved[i], i) < 0)
			return -1;
	return 0;
}

static int child_install_filter(const struct start *s, const struct sock_fprog *filter)
{
	unsigned long flags = 0;
	int r;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	if (s->role == ROLE_FOLLOWER)
		flags = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
	r = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, filter);
	return r;
}

static void __attribute__((noreturn)) child_main(const struct spawn *s, struct report_page *page,
						  int go_fd)
{
	const struct start *start = s->start;
	char byte;
	int r;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (read(go_fd, &byte, 1) != 1)
		_exit(EXIT_FAILURE); /* the monitor died before tracing us */
	if (child_stdio(s->stdio) < 0)
		child_fail(page, "set up stdin, stdout and stderr");
	close_range(3, ~0U, 0);
	child_limits(start);
	child_signals();
	umask((mode_t)start->umask);
	if (start->cwd[0] && chdir(start->cwd) < 0)
		child_fail(page, "enter the working directory");
	counter_switch_off();
	r = child_install_filter(start, s->filter);
	if (r < 0)
		child_fail(page, "install the seccomp filter");
	page->listener = r;
	execve(s->path, start->argv, start->env);
	child_fail(page, "execute");
}

static int wait_stop(pid_t pid, int *ret_status)
{
	pid_t r;

	do
		r = waitpid(pid, ret_status, __WALL);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	return WIFSTOPPED(*ret_status) ? 0 : -ECHILD;
}

static int take_listener(pid_t pid, int number)
{
	cleanup_close int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	int fd;

	if (pidfd < 0)
		return log_errno(errno, "cannot open a pidfd of the variant");
	fd = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
	if (fd < 0)
		return log_errno(errno, "cannot take the seccomp listener of the variant");
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	/* An older kernel does without. */
	ioctl(fd, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
	return fd;
}

static int child_failure(const struct spawn *s, const struct report_page *page)
{
	const char *object = !strcmp(page->what, "enter the working directory") ? s->start->cwd
									      : s->path;

	return log_errno(page->err, "cannot %s '%s'", page->what, object);
}

/* From the filter's TRACE stop at execve to the exec event. */
static int run_to_exec(const struct spawn *s, pid_t pid, struct report_page *page,
		       struct spawned *ret)
{
	for (;;) {
		int status, r = wait_stop(pid, &status);

		if (r < 0)
			return log_errno(-r, "the variant of '%s' died before it started", s->path);
		switch (status >> 8) {
		case SIGTRAP | PTRACE_EVENT_SECCOMP << 8:
			if (s->start->role == ROLE_FOLLOWER && ret->notify_fd < 0) {
				ret->notify_fd = take_listener(pid, page->listener);
				if (ret->notify_fd < 0)
					return ret->notify_fd;
			}
			break;
		case SIGTRAP | PTRACE_EVENT_EXEC << 8:
			return 0;
		case SIGILL:
		case SIGTRAP:
		case SIGSEGV:
			if (page->err)
				return child_failure(s, page);
			break;
		}
		if (ptrace(PTRACE_CONT, pid, 0, 0) < 0)
			return log_errno(errno, "cannot continue the variant of '%s'", s->path);
	}
}

static int spawn_traced(const struct spawn *s, struct report_page *page, struct spawned *ret)
{
	int go[2], r;
	pid_t pid;

	if (pipe2(go, O_CLOEXEC) < 0)
		return log_errno(errno, "cannot make a pipe");
	pid = fork();
	if (pid == 0) {
		close(go[1]);
		child_main(s, page, go[0]);
	}
	close(go[0]);
	if (pid < 0) {
		r = log_errno(errno, "cannot fork for '%s'", s->path);
		close(go[1]);
		return r;
	}
	ret->pid = pid;
	r = ptrace(PTRACE_SEIZE, pid, 0, PTRACE_OPTIONS) < 0
		    ? log_errno(errno, "cannot trace the variant (see `chiral check`)")
		    : 0;
	if (r == 0 && write(go[1], "g", 1) != 1)
		r = -errno;
	close(go[1]);
	if (r == 0)
		r = run_to_exec(s, pid, page, ret);
	if (r == 0) {
		struct loader_place place;

		r = auxv_edit(pid, s->start->has_identity ? s->start : NULL, &place);
		if (r < 0)
			return log_errno(-r, "cannot edit the auxiliary vector of '%s'", s->path);
		loader_find(pid, &place, &ret->loader);
		r = isa_cpu_hide(pid);
		if (r < 0)
			return log_errno(-r, "cannot hide the processor from '%s'", s->path);
	}
	return r < 0 ? r : 0;
}

int variant_spawn(const struct spawn *s, struct spawned *ret)
{
	struct spawned got = { .notify_fd = -1 };
	struct report_page *page;
	int r;

	page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return log_errno(errno, "cannot map a page");
	r = spawn_traced(s, page, &got);
	munmap(page, sizeof(*page));
	if (r < 0) {
		if (got.pid > 0) {
			kill(got.pid, SIGKILL);
			waitpid(got.pid, NULL, __WALL);
		}
		cleanup_close_fn(&got.notify_fd);
		return r;
	}
	*ret = got;
	return 0;
}

static char *try_path(const char *dir, size_t dir_len, const char *program, int *err)
{
	struct stat st;
	char *path = NULL;

	if (asprintf(&path, "%.*s%s%s", (int)dir_len, dir, dir_len ? "/" : "", program) < 0)
		return NULL;
	if (stat(path, &st) == 0) {
		if (S_ISREG(st.st_mode) && access(path, X_OK) == 0)
			return path;
		*err = EACCES;
	}
	free(path);
	return NULL;
}

char *variant_find_program(const char *program, char *const *env, const char *cwd)
{
	const char *search = "/usr/local/bin:/usr/bin:/bin";
	int err = ENOENT;
	char *found = NULL;

	if (strchr(program, '/')) {
		bool absolute = program[0] == '/' || !cwd[0];

		found = try_path(cwd, absolute ? 0 : strlen(cwd), program, &err);
		errno = err;
		return found;
	}
	for (size_t i = 0; env && env[i]; i++)
		if (!strncmp(env[i], "PATH=", 5))
			search = env[i] + 5;
	while (!found) {
		size_t n = strcspn(search, ":");

		found = n ? try_path(search, n, program, &err) : NULL;
		if (!search[n])
			break;
		search += n + 1;
	}
	errno = err;
	return found;
}
