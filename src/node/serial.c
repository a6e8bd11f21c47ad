/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory: a port whose host side is closed cannot be waited for (poll(2) says POLLHUP at once,
 * read(2) returns 0), but the driver sends SIGIO when the host comes or goes. So this process holds
 * every idle port open with O_ASYNC and looks at all of them when SIGIO arrives, and once a second
 * to be safe. The port then belongs to a keeper; when that has ended, and with it all that had the
 * port open, the driver has thrown away unread bytes, and the port is opened anew.
 */
#include "node/listen.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "node/keeper.h"
#include "node/port_sync.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define PORTS_MAX   64
#define PORT_FOLDER "/sys/class/virtio-ports"
#define PORT_PREFIX "chiral."
#define TICK_MS     1000

struct port {
	char path[64]; /* of the device */
	int fd;        /* idle and open; else -1 */
	pid_t keeper;  /* serves it; else 0 */
};

struct serial {
	struct port ports[PORTS_MAX];
	size_t count;
	int signals;
	bool ending;
};

static void port_add(struct serial *s, const char *device)
{
	char path[384], name[64] = "";
	cleanup_fclose FILE *f = NULL;
	struct port *p;

	snprintf(path, sizeof(path), PORT_FOLDER "/%.256s/name", device);
	f = fopen(path, "re");
	if (!f || !fgets(name, sizeof(name), f) || s->count == PORTS_MAX ||
	    strncmp(name, PORT_PREFIX, strlen(PORT_PREFIX)))
		return;
	p = &s->ports[s->count];
	*p = (struct port){.fd = -1};
	if (snprintf(p->path, sizeof(p->path), "/dev/%s", device) < (int)sizeof(p->path))
		s->count++;
}

static int ports_find(struct serial *s)
{
	DIR *d = opendir(PORT_FOLDER);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.')
			port_add(s, e->d_name);
	if (d)
		closedir(d);
	if (s->count)
		return 0;
	log_error("this machine has no virtio-serial port named " PORT_PREFIX
		  "N; --serial is for the guest of a microVM");
	return -ENODEV;
}

static void port_open(struct port *p)
{
	p->fd = open(p->path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (p->fd < 0)
		return; /* tried again at the next tick */
	fcntl(p->fd, F_SETOWN, getpid());
	fcntl(p->fd, F_SETFL, O_NONBLOCK | O_ASYNC);
}

static bool is_host_there(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	poll(&p, 1, 0);
	return !(p.revents & (POLLHUP | POLLERR));
}

static int keeper_main(int fd)
{
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	fcntl(fd, F_SETFL, O_NONBLOCK); /* no SIGIO for the data of a session */
	if (port_sync_guest(fd) < 0)
		return 0;
	return keeper_run(fd, true);
}

static void port_serve(struct port *p)
{
	pid_t pid = fork();

	if (pid == 0) {
		sigset_t term;

		/* Before the session there is nothing to clean up. */
		sigemptyset(&term);
		sigaddset(&term, SIGTERM);
		sigprocmask(SIG_UNBLOCK, &term, NULL);
		_exit(keeper_main(p->fd));
	}
	if (pid < 0) {
		log_errno(errno, "cannot fork for %s", p->path);
		return;
	}
	p->keeper = pid;
	close(p->fd);
	p->fd = -1;
}

static void ports_look(struct serial *s)
{
	for (size_t i = 0; i < s->count; i++) {
		struct port *p = &s->ports[i];

		if (p->keeper)
			continue;
		if (p->fd < 0)
			port_open(p);
		if (p->fd >= 0 && is_host_there(p->fd))
			port_serve(p);
	}
}

static void reap(struct serial *s)
{
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		for (size_t i = 0; i < s->count; i++)
			if (s->ports[i].keeper == pid)
				s->ports[i].keeper = 0;
}

static int signals_open(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_SETMASK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void wait_signals(struct serial *s, int timeout_ms)
{
	struct pollfd p = {.fd = s->signals, .events = POLLIN};
	struct signalfd_siginfo info;

	poll(&p, 1, timeout_ms);
	while (read(s->signals, &info, sizeof(info)) == sizeof(info))
		s->ending |= info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT;
	reap(s);
}

static void end_all(struct serial *s)
{
	bool left = true;

	for (int i = 0; left && i < 50; i++) {
		left = false;
		for (size_t j = 0; j < s->count; j++) {
			if (!s->ports[j].keeper)
				continue;
			if (i == 0)
				kill(s->ports[j].keeper, SIGTERM);
			left = true;
		}
		if (left)
			wait_signals(s, 100);
	}
}

int node_serial(void)
{
	struct serial s = {.count = 0};

	if (ports_find(&s) < 0)
		return -ENODEV;
	s.signals = signals_open();
	if (s.signals < 0)
		return log_errno(errno, "cannot take signals");
	while (!s.ending) {
		ports_look(&s);
		wait_signals(&s, TICK_MS);
	}
	end_all(&s);
	return 0;
}
