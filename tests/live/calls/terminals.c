/* SPDX-License-Identifier: Apache-2.0 */
/* Pseudo-terminals, with a session of their own, and every request on them. */
#include "calls.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>

static int open_pty(char name[32])
{
	int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC), unlock = 0, number = -1, on = 1;

	if (master < 0)
		SKIP("no pseudo-terminals here");
	EXPECT(ioctl(master, TIOCSPTLCK, &unlock) == 0 && ioctl(master, TIOCGPTN, &number) == 0);
	EXPECT(ioctl(master, TIOCGPTLCK, &unlock) == 0 && unlock == 0);
	EXPECT(ioctl(master, TIOCPKT, &on) == 0 && ioctl(master, TIOCGPKT, &on) == 0 && on == 1);
	on = 0;
	EXPECT(ioctl(master, TIOCPKT, &on) == 0);
	snprintf(name, 32, "/dev/pts/%d", number);
	return master;
}

static void settings(int tty)
{
	struct winsize size = { 24, 80, 1, 2 }, got = { 0 };
	struct termios t;
	int value = -1;

	EXPECT(ioctl(tty, TCGETS, &t) == 0 && (t.c_lflag & ECHO) && t.c_cc[VINTR] == 3);
	t.c_lflag &= ~(tcflag_t)(ECHO | ICANON);
	t.c_cc[VMIN] = 2;
	EXPECT(ioctl(tty, TCSETS, &t) == 0 && ioctl(tty, TCSETSW, &t) == 0 && ioctl(tty, TCSETSF, &t) == 0);
	memset(&t, 0, sizeof(t));
	EXPECT(ioctl(tty, TCGETS, &t) == 0 && !(t.c_lflag & ECHO) && t.c_cc[VMIN] == 2);
	EXPECT(ioctl(tty, TIOCSWINSZ, &size) == 0 && ioctl(tty, TIOCGWINSZ, &got) == 0);
	EXPECT(!memcmp(&size, &got, sizeof(size)));
	EXPECT(ioctl(tty, TIOCGETD, &value) == 0 && value == 0);
	EXPECT(ioctl(tty, TCSBRK, 1) == 0 && ioctl(tty, TCFLSH, TCIOFLUSH) == 0);
	EXPECT(ioctl(tty, TCXONC, TCOOFF) == 0 && ioctl(tty, TCXONC, TCOON) == 0);
	EXPECT(ioctl(tty, TIOCEXCL) == 0 && ioctl(tty, TIOCGEXCL, &value) == 0 && value == 1);
	EXPECT(ioctl(tty, TIOCNXCL) == 0 && ioctl(tty, TIOCGEXCL, &value) == 0 && value == 0);
	EXPECT(ioctl(tty, TIOCSBRK) == 0 || errno == ENOTTY || errno == EINVAL);
	EXPECT(ioctl(tty, TIOCCBRK) == 0 || errno == ENOTTY || errno == EINVAL);
	FAILS(ioctl(tty, TCGETS, nowhere), EFAULT);
	FAILS(ioctl(tty, TIOCSWINSZ, nowhere), EFAULT);
	FAILS(ioctl(tty, TCXONC, 99), EINVAL);
	FAILS(ioctl(tty, TIOCMGET, &value), ENOTTY);
	say("TCGETS, TCSETS, TCSETSW, TCSETSF, TIOCGWINSZ, TIOCSWINSZ, ...\n");
}

static void in_session(int master, int tty)
{
	pid_t pid = 0, own = getpid();
	int n = -1;
	struct pollfd p = { tty, POLLIN, 0 };
	char a[8];

	EXPECT(setsid() == own);
	EXPECT(ioctl(tty, TIOCSCTTY, 0) == 0);
	EXPECT(ioctl(tty, TIOCGSID, &pid) == 0 && pid == getpid());
	EXPECT(ioctl(tty, TIOCGPGRP, &pid) == 0 && pid == getpid());
	pid = getpid();
	EXPECT(ioctl(tty, TIOCSPGRP, &pid) == 0 && tcgetpgrp(tty) == pid && tcgetsid(tty) == pid);
	pid = -5;
	FAILS(ioctl(tty, TIOCSPGRP, &pid), EINVAL);
	EXPECT(write(master, "typed", 5) == 5 && poll(&p, 1, -1) == 1 && ioctl(tty, FIONREAD, &n) == 0 && n == 5);
	EXPECT(read(tty, a, 8) == 5 && !memcmp(a, "typed", 5));
	EXPECT(write(tty, "shown", 5) == 5 && ioctl(tty, TIOCOUTQ, &n) == 0);
	EXPECT(read(master, a, 8) == 5 && !memcmp(a, "shown", 5));
	signal(SIGHUP, SIG_IGN);
	signal(SIGCONT, SIG_IGN);
	EXPECT(ioctl(tty, TIOCNOTTY) == 0);
	FAILS(ioctl(tty, TIOCGPGRP, &pid), ENOTTY);
	say("TIOCSCTTY, TIOCGSID, TIOCGPGRP, TIOCSPGRP, FIONREAD, TIOCOUTQ, TIOCNOTTY\n");
}

static void without_terminal(void)
{
	struct termios t;
	int pair[2], value;

	EXPECT(pipe(pair) == 0);
	FAILS(ioctl(pair[0], TCGETS, &t), ENOTTY);
	FAILS(ioctl(99, TCGETS, &t), EBADF);
	FAILS(ioctl(pair[0], TIOCGSID, &value), ENOTTY);
	EXPECT(isatty(pair[0]) == 0);
	close(pair[0]);
	close(pair[1]);
	say("no terminal\n");
}

void test_terminals(void)
{
	char name[32], other[32];
	int master = open_pty(name), tty = open(name, O_RDWR | O_NOCTTY), peer, status;
	pid_t pid;

	EXPECT(tty >= 0 && ttyname_r(tty, other, sizeof(other)) == 0 && !strcmp(name, other));
	peer = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	EXPECT(peer >= 0 && fcntl(peer, F_GETFD) == FD_CLOEXEC);
	close(peer);
	settings(tty);
	without_terminal();
	pid = fork();
	EXPECT(pid >= 0);
	if (pid == 0) {
		in_session(master, tty);
		_exit(0);
	}
	EXPECT(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
	/* Hangs up the terminal of the caller's session: this one has none */
	pid = fork();
	EXPECT(pid >= 0);
	if (pid == 0) {
		EXPECT(setsid() > 0 && (vhangup() == 0 || errno == EPERM));
		_exit(0);
	}
	end_child(pid);
	close(master);
	FAILS(write(tty, "x", 1), EIO);
	close(tty);
	say("vhangup\n");
}
