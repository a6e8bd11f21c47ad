/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory: the keeper is a child subreaper (PR_SET_CHILD_SUBREAPER), so every orphan of the session
 * becomes its child. At the end it kills its children until it has none: the children of those
 * become its children in turn. No privilege and no cgroup is needed.
 *
 * The session ends itself when the peer goes. One that does not (a monitor that hangs) is killed
 * GRACE_MS later.
 */
#include "node/keeper.h"

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "cli/cli.h"
#include "link/protocol.h"
#include "node/node.h"
#include "session/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define GRACE_MS 1000
#define DEATH_MS 4000
/* poll(2) of a virtio-serial port would wake the keeper at every byte, so it looks now and then. */
#define SERIAL_TICK_MS 100

struct keeper {
	int fd;
	bool serial;
	int signals; /* signalfd */
	pid_t session;
	int status; /* wait status of the session, once it is dead */
	bool dead;
	bool peer_gone;
	int64_t kill_at;
};

/* ---- beginnings ------------------------------------------------------------------------------ */

static void close_others(int fd)
{
	if (fd > 3)
		close_range(3, (unsigned)fd - 1, 0);
	close_range((unsigned)fd + 1, ~0u, 0);
}

static void signals_default(void)
{
	/* struct sigaction of the kernel: all zeros is SIG_DFL. libc keeps two signals to itself, which
	 * can be inherited as ignored nevertheless. */
	const uint64_t none_of_it[4] = { 0 };
	sigset_t none;

	for (int s = 1; s < _NSIG; s++)
		if (s != SIGKILL && s != SIGSTOP)
			syscall(SYS_rt_sigaction, s, none_of_it, NULL, sizeof(uint64_t));
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int signals_open(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_SETMASK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static pid_t session_start(int fd)
{
	pid_t keeper = getpid(), pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != keeper)
		_exit(1);
	signals_default();
	close_others(fd);
	_exit(node_serve(fd)); /* not exit(3): what it would flush is not ours */
}

/* ---- the end --------------------------------------------------------------------------------- */

static void reap(struct keeper *k)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG | __WALL)) > 0) {
		if (pid == k->session) {
			k->dead = true;
			k->status = status;
		}
	}
}

/* Signals every direct child. */
static void children_kill(void)
{
	char path[64];
	cleanup_fclose FILE *f = NULL;
	int pid;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	f = fopen(path, "re");
	while (f && fscanf(f, "%d", &pid) == 1)
		kill(pid, SIGKILL);
}

static bool has_children(void)
{
	siginfo_t info;

	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0;
}

static void bury(struct keeper *k)
{
	int64_t deadline = deadline_after_ms(DEATH_MS);
	int pause_us = 200;

	if (!k->dead)
		kill(k->session, SIGKILL);
	for (;;) {
		children_kill();
		reap(k);
		if (!has_children())
			return;
		if (time_now_ms() > deadline) {
			log_error(
				"processes of the session cannot be killed; see `ps` on this node");
			return;
		}
		usleep((useconds_t)pause_us);
		pause_us = pause_us < 10000 ? pause_us * 2 : pause_us;
	}
}

/* The port stays open when the session is gone, so the host is told in the stream. */
static void port_say_end(const struct keeper *k)
{
	char text[96];
	struct writer w = {0};

	if (WIFSIGNALED(k->status))
		snprintf(text, sizeof(text),
			 "the process that serves the session was killed by signal %d",
			 WTERMSIG(k->status));
	else
		snprintf(text, sizeof(text), "the session is over on the node");
	put_u32(&w, 0); /* the length of the body, put in below */
	put_u16(&w, FRAME_ERROR);
	put_u16(&w, 0);
	error_encode(&w, EXIT_PEER_LOST, text);
	put_u32_at(&w, 0, (uint32_t)(w.len - FRAME_HEADER_SIZE));
	if (!w.failed && write(k->fd, w.data, w.len) < 0)
		log_debug("the host did not hear of the session's end: %s", strerror(errno));
	writer_free(&w);
}

/* ---- the session's life ---------------------------------------------------------------------- */

static bool is_hung_up(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLRDHUP};

	return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLRDHUP | POLLERR | POLLNVAL));
}

static void on_signal(struct keeper *k)
{
	struct signalfd_siginfo info;

	while (read(k->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			reap(k);
		else
			k->kill_at = 0;
	}
}

/* Waits for something to happen, or for the time to kill. */
static void keeper_wait(struct keeper *k)
{
	struct pollfd p[2] = {
		{.fd = k->signals, .events = POLLIN},
		{.fd = k->serial || k->peer_gone ? -1 : k->fd, .events = POLLRDHUP},
	};
	int64_t tick = k->serial ? deadline_after_ms(SERIAL_TICK_MS) : INT64_MAX;

	poll(p, 2, deadline_left_ms(k->kill_at < tick ? k->kill_at : tick));
	if (p[0].revents)
		on_signal(k);
	if (!k->peer_gone && is_hung_up(k->fd)) {
		k->peer_gone = true;
		if (k->kill_at == INT64_MAX)
			k->kill_at = deadline_after_ms(GRACE_MS);
	}
}

int keeper_run(int fd, bool serial)
{
	struct keeper k = {.fd = fd, .serial = serial, .kill_at = INT64_MAX};

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	setsid(); /* ^C in the terminal is for the hub, not for a variant */
	close_others(fd);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	signals_default();
	k.signals = signals_open();
	k.session = k.signals < 0 ? -1 : session_start(fd);
	if (k.session < 0) {
		log_errno(errno, "cannot start a process for a session");
		return 1;
	}
	while (!k.dead && time_now_ms() < k.kill_at)
		keeper_wait(&k);
	bury(&k);
	if (serial && !is_hung_up(fd))
		port_say_end(&k);
	close(fd);
	close(k.signals);
	return WIFSIGNALED(k.status) ? 128 + WTERMSIG(k.status) : WEXITSTATUS(k.status);
}
