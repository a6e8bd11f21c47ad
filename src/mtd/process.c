/* SPDX-License-Identifier: Apache-2.0 */
#include "mtd/process.h"

#include "base/log.h"
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/* A program expects its first descriptor to be 3: ours are far away. */
#define FIRST_DESCRIPTOR 200

static int move_up(int fd)
{
	return fcntl(fd, F_DUPFD, FIRST_DESCRIPTOR);
}

static const char *emulator(enum isa isa)
{
	return isa == ISA_AARCH64 ? "qemu-aarch64" : "qemu-x86_64";
}

static void set_environment(const struct mtd_process *p)
{
	char value[96];
	int n = snprintf(value, sizeof(value), "%s:%d:%d:%d", p->home ? "home" : "other",
			 move_up(p->memory), move_up(p->config), move_up(p->link));

	if (p->pages >= 0)
		snprintf(value + n, sizeof(value) - (size_t)n, ":%d:%d", move_up(p->pages), (int)p->how);
	setenv(MTD_ENVIRONMENT, value, 1);
}

static void set_streams(const struct mtd_process *p)
{
	int from[3];

	if (!p->streams)
		return;
	/* High first: they may be 0 to 2. */
	for (int i = 0; i < 3; i++)
		from[i] = fcntl(p->streams[i] < 0 ? open("/dev/null", O_RDWR | O_CLOEXEC) : p->streams[i],
				F_DUPFD_CLOEXEC, FIRST_DESCRIPTOR);
	for (int i = 0; i < 3; i++)
		dup2(from[i], i);
	signal(SIGPIPE, SIG_DFL);	/* who gives it streams may ignore it */
}

static void execute(const struct mtd_process *p)
{
	size_t n = 0;
	char **v;

	if (p->isa == isa_native) {
		execv(p->file, p->argv);
		return;
	}
	while (p->argv[n])
		n++;
	/* The emulator gives argv[0] to the program as it is told with -0. */
	v = calloc(n + 5, sizeof(*v));
	if (!v)
		return;
	v[0] = (char *)emulator(p->isa);
	v[1] = "-0";
	v[2] = p->argv[0];
	v[3] = (char *)p->file;
	memcpy(v + 4, p->argv + 1, (n - 1) * sizeof(*v));
	execvp(v[0], v);
}

_Noreturn static void become(const struct mtd_process *p)
{
	sigset_t none;

	if (p->env)
		environ = (char **)p->env;
	set_environment(p);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!p->home || p->streams)	/* a terminal's signals are the program's, and that is home's */
		setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	set_streams(p);
	execute(p);
	log_errno(errno, "cannot execute %s%s", p->file,
		  p->isa == isa_native ? "" : " (an emulator, package qemu-user, runs it here)");
	_exit(EXIT_NOT_EXECUTABLE);
}

pid_t mtd_process_start(const struct mtd_process *p)
{
	pid_t pid = fork();

	if (pid < 0)
		return log_errno(errno, "cannot start a process");
	if (pid == 0)
		become(p);
	return pid;
}
