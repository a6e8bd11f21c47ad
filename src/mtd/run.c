/* SPDX-License-Identifier: Apache-2.0 */
#include "mtd/run.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "cli/cli.h"
#include "mtd/config.h"
#include "mtd/runtime/layout.h"
#include "mtd/runtime/session.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A program expects its first descriptor to be 3: ours are far away. */
#define FIRST_DESCRIPTOR 200

enum side { SIDE_HOME, SIDE_OTHER, _SIDE_MAX };

struct session {
	const struct mtd_run *run;
	int memory, config;
	struct mtd_control *control;
	char *file[_SIDE_MAX];
	pid_t pid[_SIDE_MAX];
	int status[_SIDE_MAX];	/* of waitpid(2) */
	bool ended[_SIDE_MAX];
};

static const char *const side_names[] = { "home", "other" };

/* ---- starting -------------------------------------------------------------------------------- */

static int move_up(int fd)
{
	return fcntl(fd, F_DUPFD, FIRST_DESCRIPTOR);
}

static const char *emulator(enum isa isa)
{
	return isa == ISA_AARCH64 ? "qemu-aarch64" : "qemu-x86_64";
}

/* In the child. */
_Noreturn static void become(const struct session *s, enum side side, enum isa isa, int link)
{
	char value[64];
	char **argv = s->run->argv;
	sigset_t none;
	size_t n = 0;

	snprintf(value, sizeof(value), "%s:%d:%d:%d", side_names[side], move_up(s->memory),
		 move_up(s->config), move_up(link));
	setenv(MTD_ENVIRONMENT, value, 1);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (side == SIDE_OTHER)	/* a terminal's signals are the program's, and that is home's */
		setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	while (argv[n])
		n++;
	if (isa == isa_native) {
		execv(s->file[side], argv);
	} else {
		/* The emulator gives argv[0] to the program as it is told with -0. */
		char **v = calloc(n + 5, sizeof(*v));

		if (v) {
			v[0] = (char *)emulator(isa);
			v[1] = "-0";
			v[2] = argv[0];
			v[3] = s->file[side];
			memcpy(v + 4, argv + 1, (n - 1) * sizeof(*v));
			execvp(v[0], v);
		}
	}
	log_errno(errno, "cannot execute %s%s", s->file[side],
		  isa == isa_native ? "" : " (an emulator, package qemu-user, runs it here)");
	_exit(EXIT_NOT_EXECUTABLE);
}

static int start_side(struct session *s, enum side side, enum isa isa, int link)
{
	s->pid[side] = fork();
	if (s->pid[side] < 0)
		return log_errno(errno, "cannot start a process");
	if (s->pid[side] == 0)
		become(s, side, isa, link);
	return 0;
}

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

static int load(struct session *s)
{
	cleanup_free char *path = NULL;
	struct mtd_manifest manifest;
	struct mtd_points points;
	int r;

	if (asprintf(&path, "%s.chiral", s->run->argv[0]) < 0)
		return log_errno(ENOMEM, "cannot run %s", s->run->argv[0]);
	r = mtd_manifest_load(path, &manifest);
	if (r < 0)
		return r;
	r = mtd_points_load(s->run->points, &points);
	if (r == 0) {
		s->config = mtd_config_make(&manifest, &points);
		r = s->config < 0 ? s->config : 0;
		mtd_points_free(&points);
	}
	mtd_manifest_free(&manifest);
	return r;
}

static int start(struct session *s)
{
	const enum isa isa[] = { ISA_X86_64, s->run->other };
	int r = load(s), fds[2];

	if (r == 0)
		r = make_memory(s);
	if (r < 0)
		return r;
	for (int i = 0; i < _SIDE_MAX; i++)
		if (asprintf(&s->file[i], "%s.%s", s->run->argv[0], isa_descs[isa[i]].name) < 0)
			return log_errno(ENOMEM, "cannot run %s", s->run->argv[0]);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return log_errno(errno, "cannot make the link");
	for (int i = 0; i < _SIDE_MAX && r == 0; i++)
		r = start_side(s, i, isa[i], fds[i]);
	close(fds[0]);
	close(fds[1]);
	return r;
}

/* ---- until the end --------------------------------------------------------------------------- */

static void print_status(const struct session *s, const char *state)
{
	const struct mtd_control *c = s->control;

	if (s->run->status_fd < 0)
		return;
	dprintf(s->run->status_fd,
		"{\"mtd\":{\"state\":\"%s\",\"switches\":%" PRIu64 ",\"calls\":%" PRIu64
		",\"frames\":%" PRIu64 ",\"record_bytes\":%" PRIu64 "}}\n",
		state, c->switches, c->calls, c->frames, c->record_bytes);
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

static void block_signals(sigset_t *ret)
{
	static const int signals[] = { SIGCHLD, SIGINT, SIGTERM, SIGHUP, SIGQUIT };

	sigemptyset(ret);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaddset(ret, signals[i]);
	sigprocmask(SIG_BLOCK, ret, NULL);
}

int mtd_run(const struct mtd_run *run)
{
	struct session s = { .run = run, .memory = -1, .config = -1 };
	int status = EXIT_OWN_FAILURE;
	sigset_t set;

	block_signals(&set);
	if (start(&s) == 0) {
		wait_for_end(&s, &set);
		status = exit_status(&s);
		print_status(&s, "ended");
	}
	kill_all(&s);
	if (s.control)
		munmap(s.control, MTD_PAGE);
	cleanup_close_fn(&s.memory);
	cleanup_close_fn(&s.config);
	free(s.file[SIDE_HOME]);
	free(s.file[SIDE_OTHER]);
	return status;
}
