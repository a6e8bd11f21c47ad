/* SPDX-License-Identifier: Apache-2.0 */
#include "mtd/run.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "cli/cli.h"
#include "mtd/config.h"
#include "mtd/process.h"
#include "mtd/runtime/layout.h"
#include "mtd/runtime/session.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum side { SIDE_HOME, SIDE_OTHER, _SIDE_MAX };

struct session {
	const struct mtd_run *run;
	int memory;
	struct mtd_config_file config;
	struct mtd_control *control;
	pid_t pid[_SIDE_MAX];
	int status[_SIDE_MAX];	/* of waitpid(2) */
	bool ended[_SIDE_MAX];
};

/* ---- starting -------------------------------------------------------------------------------- */

static int make_memory(struct session *s)
{
	void *p;

	s->memory = memfd_create("chiral-mtd", MFD_CLOEXEC);
	if (s->memory < 0 || ftruncate(s->memory, (off_t)MTD_MEMORY_SIZE) < 0)
		return log_errno(errno, "cannot make the shared memory");
	p = mmap(NULL, MTD_PAGE, PROT_READ, MAP_SHARED, s->memory, MTD_CONTROL - MTD_SHARED);
	if (p == MAP_FAILED)
		return log_errno(errno, "cannot map the shared memory");
	s->control = p;
	return 0;
}

static int start(struct session *s)
{
	const enum isa isa[] = { (enum isa)s->run->home.isa, (enum isa)s->run->other.isa };
	cleanup_free struct mtd_config *config = NULL;
	size_t size;
	int r, fds[2];

	config = mtd_config_load(s->run->argv[0], s->run->points, &size);
	if (!config)
		return -EINVAL;
	r = mtd_config_share(config, size, &s->config);
	if (r == 0)
		r = make_memory(s);
	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return log_errno(errno, "cannot make the link");
	for (int i = 0; i < _SIDE_MAX && r >= 0; i++) {
		cleanup_free char *file = mtd_file_of(s->run, isa[i]);
		const struct mtd_process process = {
			.file = file, .argv = s->run->argv, .isa = isa[i], .home = i == SIDE_HOME,
			.memory = s->memory, .config = s->config.fd, .link = fds[i], .pages = -1 };

		r = s->pid[i] = file ? mtd_process_start(&process) : -ENOMEM;
	}
	close(fds[0]);
	close(fds[1]);
	return r < 0 ? r : 0;
}

/* ---- until the end --------------------------------------------------------------------------- */

static void print_status(const struct session *s, const char *state)
{
	const struct mtd_control *c = s->control;
	const struct pager_counters counters = { .switches = c->switches, .calls = c->calls,
						 .frames = c->frames, .record_bytes = c->record_bytes };

	mtd_print_status(s->run->status_fd, state, &counters);
}

static void reap(struct session *s)
{
	for (int i = 0; i < _SIDE_MAX; i++)
		if (!s->ended[i] && s->pid[i] > 0 &&
		    waitpid(s->pid[i], &s->status[i], WNOHANG) == s->pid[i])
			s->ended[i] = true;
}

static bool all_ended(const struct session *s)
{
	for (int i = 0; i < _SIDE_MAX; i++)
		if (s->pid[i] > 0 && !s->ended[i])
			return false;
	return true;
}

/* A signal from a terminal reached home as well. */
static void pass_on(const struct session *s, const siginfo_t *si)
{
	if (si->si_code != SI_KERNEL && s->pid[SIDE_HOME] > 0 && !s->ended[SIDE_HOME])
		kill(s->pid[SIDE_HOME], si->si_signo);
}

/* When one side has ended, the other one ends by itself: its link is closed. */
static void wait_for_end(struct session *s, const sigset_t *set)
{
	const struct timespec second = { .tv_sec = 1 };

	while (reap(s), !all_ended(s)) {
		siginfo_t si;

		if (sigtimedwait(set, &si, &second) < 0)
			print_status(s, "running");
		else if (si.si_signo == SIGHUP && si.si_code != SI_KERNEL)
			mtd_reload(s->run, &s->config);
		else if (si.si_signo != SIGCHLD)
			pass_on(s, &si);
	}
}

static void kill_all(struct session *s)
{
	for (int i = 0; i < _SIDE_MAX; i++) {
		if (s->pid[i] <= 0 || s->ended[i])
			continue;
		kill(s->pid[i], SIGKILL);
		waitpid(s->pid[i], &s->status[i], 0);
		s->ended[i] = true;
	}
}

/* The thread may have been on either side when it ended. */
static int exit_status(const struct session *s)
{
	for (int i = 0; i < _SIDE_MAX; i++)
		if (WIFSIGNALED(s->status[i]))
			return 128 + WTERMSIG(s->status[i]);
	if (WEXITSTATUS(s->status[SIDE_HOME]) != EXIT_PEER_LOST)
		return WEXITSTATUS(s->status[SIDE_HOME]);
	return WEXITSTATUS(s->status[SIDE_OTHER]);
}

int mtd_run_here(const struct mtd_run *run)
{
	struct session s = { .run = run, .memory = -1, .config = MTD_NO_CONFIG_FILE };
	int status = EXIT_OWN_FAILURE;
	sigset_t set;

	mtd_block_signals(&set);
	if (start(&s) == 0) {
		wait_for_end(&s, &set);
		status = exit_status(&s);
		print_status(&s, "ended");
	}
	kill_all(&s);
	if (s.control)
		munmap(s.control, MTD_PAGE);
	cleanup_close_fn(&s.memory);
	mtd_config_unshare(&s.config);
	return status;
}
