/* SPDX-License-Identifier: Apache-2.0 */
/* Signals by every call that sends, blocks, awaits or reads them; values that go with them. */
#include "calls.h"
#include "old.h"

#include <sys/prctl.h>
#include <sys/wait.h>

static volatile sig_atomic_t count;
static volatile siginfo_t last; /* libc says of kill(2) that it calls nothing of ours */

static void handler(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	last = *info;
	count++;
}

static void install(int signal, int flags)
{
	struct sigaction sa = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags }, old;

	EXPECT(sigaction(signal, &sa, NULL) == 0 && sigaction(signal, NULL, &old) == 0);
	EXPECT(old.sa_sigaction == handler && (old.sa_flags & SA_SIGINFO));
}

static void sending(void)
{
	pid_t pid = getpid(), tid = gettid();

	install(SIGUSR1, 0);
	count = 0;
	EXPECT(kill(pid, SIGUSR1) == 0 && count == 1 && last.si_code == SI_USER && last.si_pid == getpid());
	EXPECT(syscall(SYS_tgkill, pid, tid, SIGUSR1) == 0 && count == 2 && last.si_code == SI_TKILL);
	EXPECT(syscall(SYS_tkill, gettid(), SIGUSR1) == 0 && count == 3);
	EXPECT(kill(getpid(), 0) == 0 && count == 3);
	FAILS(kill(getpid(), 99), EINVAL);
	FAILS(syscall(SYS_tgkill, -1, 1, SIGUSR1), EINVAL);
	FAILS(syscall(SYS_tkill, 0, SIGUSR1), EINVAL);
	say("kill, tgkill, tkill\n");
}

static void values(void)
{
	siginfo_t info = { .si_code = SI_QUEUE };
	pid_t tid = gettid();

	install(SIGRTMIN + 1, 0);
	count = 0;
	EXPECT(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){ .sival_int = 77 }) == 0);
	EXPECT(count == 1 && last.si_value.sival_int == 77 && last.si_code == SI_QUEUE && last.si_pid == getpid());
	info.si_signo = SIGRTMIN + 1;
	info.si_pid = getpid();
	info.si_uid = getuid();
	info.si_value.sival_int = 78;
	EXPECT(syscall(SYS_rt_tgsigqueueinfo, getpid(), tid, SIGRTMIN + 1, &info) == 0 && count == 2);
	EXPECT(last.si_value.sival_int == 78);
	/* An address is sent, and not looked at by who gets it */
	EXPECT(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){ .sival_ptr = &info }) == 0 && count == 3);
	FAILS(syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, nowhere), EFAULT);
	FAILS(sigqueue(getpid(), 99, (union sigval){ 0 }), EINVAL);
	say("rt_sigqueueinfo, rt_tgsigqueueinfo\n");
}

static void blocking(void)
{
	struct timespec none = { 0, 0 }, soon = { 2, 0 };
	sigset_t set, old, pending;
	siginfo_t info;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGRTMIN + 2);
	EXPECT(sigprocmask(SIG_BLOCK, &set, &old) == 0 && !sigismember(&old, SIGUSR1));
	count = 0;
	EXPECT(kill(getpid(), SIGUSR1) == 0 && count == 0);
	EXPECT(sigpending(&pending) == 0 && sigismember(&pending, SIGUSR1) && !sigismember(&pending, SIGUSR2));
	EXPECT(sigtimedwait(&set, &info, &soon) == SIGUSR1 && info.si_pid == getpid() && info.si_code == SI_USER);
	EXPECT(sigqueue(getpid(), SIGRTMIN + 2, (union sigval){ .sival_int = 9 }) == 0);
	EXPECT(sigwaitinfo(&set, &info) == SIGRTMIN + 2 && info.si_value.sival_int == 9);
	FAILS(sigtimedwait(&set, &info, &none), EAGAIN);
	none.tv_nsec = -1;
	FAILS(sigtimedwait(&set, &info, &none), EINVAL);
	EXPECT(kill(getpid(), SIGUSR1) == 0);
	sigemptyset(&pending);
	FAILS(sigsuspend(&pending), EINTR);
	EXPECT(count == 1 && sigprocmask(SIG_SETMASK, &old, NULL) == 0);
	FAILS(syscall(SYS_rt_sigprocmask, 99, &set, NULL, 8), EINVAL);
	FAILS(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, 4), EINVAL);
	FAILS(syscall(SYS_rt_sigpending, nowhere, 8), EFAULT);
	FAILS(syscall(SYS_rt_sigaction, SIGKILL, &set, NULL, 8), EINVAL);
	say("rt_sigprocmask, rt_sigpending, rt_sigtimedwait, rt_sigsuspend\n");
}

static void by_descriptor(void)
{
	struct signalfd_siginfo info[2];
	sigset_t set;
	int fd, old;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	EXPECT(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	old = old_signalfd(-1, &set);
	EXPECT(fd >= 0 && old >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	FAILS(read(fd, info, sizeof(info)), EAGAIN);
	EXPECT(sigqueue(getpid(), SIGUSR2, (union sigval){ .sival_int = 5 }) == 0);
	EXPECT(read(fd, info, sizeof(info)) == sizeof(info[0]) && info[0].ssi_signo == SIGUSR2);
	EXPECT(info[0].ssi_pid == (uint32_t)getpid() && info[0].ssi_int == 5);
	sigaddset(&set, SIGUSR1);
	EXPECT(signalfd(fd, &set, 0) == fd);
	FAILS(signalfd(99, &set, 0), EBADF);
	FAILS(signalfd(-1, &set, 0x10), EINVAL);
	close(fd);
	close(old);
	say("signalfd4, signalfd\n");
}

static void own_stack(void)
{
	static char memory[65536];
	stack_t s = { .ss_sp = memory, .ss_size = sizeof(memory) }, old;

	EXPECT(sigaltstack(&s, NULL) == 0 && sigaltstack(NULL, &old) == 0 && old.ss_sp == memory);
	install(SIGUSR1, SA_ONSTACK | SA_NODEFER);
	count = 0;
	EXPECT(raise(SIGUSR1) == 0 && count == 1);
	s.ss_size = 10;
	FAILS(sigaltstack(&s, NULL), ENOMEM);
	say("sigaltstack, rt_sigreturn\n");
}

/* A stop and its end interrupt a sleep, which the kernel goes on with. */
static void stops(int arg)
{
	struct timespec t = { 0, 150000000 };

	(void)arg;
	EXPECT(nanosleep(&t, NULL) == 0);
}

static void stopping(void)
{
	pid_t pid = start_child(stops, 0);
	int status;

	pause_ms(30);
	EXPECT(kill(pid, SIGSTOP) == 0 && waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
	EXPECT(kill(pid, SIGCONT) == 0 && waitpid(pid, &status, WCONTINUED) == pid && WIFCONTINUED(status));
	end_child(pid);
	say("restart_syscall\n");
}

void test_signaling(void)
{
	sending();
	values();
	blocking();
	by_descriptor();
	own_stack();
	stopping();
}
