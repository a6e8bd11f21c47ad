/* SPDX-License-Identifier: Apache-2.0 */
/* A shell with job control on a pseudo-terminal: stopped by ^Z, continued, interrupted by ^C; a job in the
 * background that wants to read from the terminal. */
#include "live.h"

#include <sys/ioctl.h>
#include <termios.h>

static int master;

static pid_t start_shell(void)
{
	pid_t pid;

	master = posix_openpt(O_RDWR | O_NOCTTY);
	EXPECT(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
	pid = fork();
	EXPECT(pid >= 0);
	if (pid == 0) {
		int tty;

		EXPECT(setsid() == getpid());
		tty = open(ptsname(master), O_RDWR);
		EXPECT(tty >= 0 && ioctl(tty, TIOCSCTTY, 0) == 0);
		EXPECT(tcgetpgrp(tty) == getpid());
		for (int i = 0; i < 3; i++)
			EXPECT(dup2(tty, i) == i);
		close(tty);
		close(master);
		execl("/bin/sh", "sh", "-i", NULL);
		_exit(1);
	}
	return pid;
}

static void type(const char *text)
{
	EXPECT(write(master, text, strlen(text)) == (ssize_t)strlen(text));
}

static char output[64 << 10];
static size_t length;

/* Reads until the shell and its jobs have written text, after what was expected before. Whether they wrote
 * other in between. */
static bool expect_with(const char *text, const char *other)
{
	char *found, *in_between;

	while (!(found = strstr(output, text))) {
		ssize_t n = read(master, output + length, sizeof(output) - 1 - length);

		EXPECT(n > 0);
		length += (size_t)n;
		output[length] = 0;
	}
	in_between = strstr(output, other);
	found += strlen(text);
	length -= (size_t)(found - output);
	memmove(output, found, length + 1);
	return in_between && in_between < found;
}

static void expect(const char *text)
{
	expect_with(text, text);
}

int main(void)
{
	pid_t shell = start_shell();
	int status;

	/* What is typed is echoed: the quotes make the difference. */
	type("PS1='pro''mpt '\n");
	expect("prompt ");
	type("sh -c 'echo is u''p; exec sleep 100'\n");
	expect("is up");
	EXPECT(tcgetpgrp(master) != shell);
	type("\x1a");
	expect("prompt ");
	EXPECT(tcgetpgrp(master) == shell);
	type("jobs\n");
	expect("Stopped");
	expect("prompt ");
	say("stopped\n");
	type("fg\n");
	expect("sleep 100");
	while (tcgetpgrp(master) == shell)
		pause_ms(5);
	type("\x03");
	expect("prompt ");
	type("echo status $?\n");
	expect("status 130");
	expect("prompt ");
	say("interrupted\n");
	/* It is stopped by SIGTTIN and reads when it is in front. */
	type("sh -c 'read line; echo got $line' &\n");
	expect("prompt ");
	do {
		pause_ms(20);
		type("jobs\n");
	} while (!expect_with("prompt ", "Stopped"));
	type("fg\n");
	expect("read line");
	type("a line\n");
	expect("got a line");
	expect("prompt ");
	say("read\n");
	type("exit 7\n");
	EXPECT(waitpid(shell, &status, 0) == shell && WIFEXITED(status) &&
	       WEXITSTATUS(status) == 7);
	close(master);
	return 0;
}
