/* SPDX-License-Identifier: Apache-2.0 */
#include "node/listen.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "link/link.h"
#include "node/keeper.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONNECTIONS_MAX 256
#define END_MS          6000

struct daemon {
	int listener;
	int signals;
	bool once;
	bool ending;
	int status; /* exit status of the keeper that ended last */
	size_t count;
	pid_t keepers[CONNECTIONS_MAX];
};

static int signals_open(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_SETMASK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void reap(struct daemon *d)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (size_t i = 0; i < d->count; i++) {
			if (d->keepers[i] == pid) {
				d->keepers[i] = d->keepers[--d->count];
				break;
			}
		}
		d->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	}
}

static void end_all(struct daemon *d)
{
	int64_t deadline = deadline_after_ms(END_MS);

	for (size_t i = 0; i < d->count; i++)
		kill(d->keepers[i], SIGTERM);
	while (d->count && time_now_ms() < deadline) {
		struct pollfd p = {.fd = d->signals, .events = POLLIN};
		struct signalfd_siginfo info;

		poll(&p, 1, 100);
		while (read(d->signals, &info, sizeof(info)) > 0)
			;
		reap(d);
	}
}

static void on_signal(struct daemon *d)
{
	struct signalfd_siginfo info;

	while (read(d->signals, &info, sizeof(info)) == sizeof(info))
		if (info.ssi_signo != SIGCHLD)
			d->ending = true;
	reap(d);
}

static void on_connection(struct daemon *d)
{
	int fd = transport_accept(d->listener, 0);
	pid_t pid;

	if (fd < 0)
		return; /* it went before it was taken */
	pid = fork();
	if (pid == 0)
		_exit(keeper_run(fd, false));
	close(fd);
	if (pid < 0)
		log_errno(errno, "cannot fork for a connection");
	else
		d->keepers[d->count++] = pid;
	if (d->once) {
		close(d->listener);
		d->listener = -1;
	}
}

static void serve(struct daemon *d)
{
	while (!d->ending && !(d->once && d->listener < 0 && d->count == 0)) {
		struct pollfd p[2] = {
			{.fd = d->signals, .events = POLLIN},
			{.fd = d->count < CONNECTIONS_MAX ? d->listener : -1, .events = POLLIN},
		};

		poll(p, 2, -1);
		if (p[0].revents)
			on_signal(d);
		if (p[1].revents)
			on_connection(d);
	}
}

static void unlink_socket(const char *address)
{
	if (!strncmp(address, "unix:", 5))
		unlink(address + 5);
}

int node_listen(const char *address, bool once)
{
	struct daemon d = {.once = once};
	cleanup_free char *final = NULL;

	d.listener = transport_listen(address, &final);
	if (d.listener < 0)
		return d.listener;
	d.signals = signals_open();
	if (d.signals < 0)
		return log_errno(errno, "cannot take signals");
	log_info("listening on %s", final);
	serve(&d);
	end_all(&d);
	if (d.listener >= 0)
		close(d.listener);
	unlink_socket(final);
	close(d.signals);
	return once ? d.status : 0;
}
