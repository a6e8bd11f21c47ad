/* SPDX-License-Identifier: Apache-2.0 */
/* A signal while a thread computes or waits for another one, makes no compared call, is being born, becomes
 * another program, or ends. */
#include "live.h"

#include <semaphore.h>
#include <spawn.h>
#include <sys/time.h>

extern char **environ;

static volatile sig_atomic_t got;

static void handler(int signal)
{
	(void)signal;
	got++;
}

static void catch(int signal, int flags)
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = flags };

	EXPECT(sigaction(signal, &sa, NULL) == 0);
	got = 0;
}

static void timer(long us, long interval_us)
{
	struct itimerval t = { { 0, interval_us }, { 0, us } };

	EXPECT(setitimer(ITIMER_REAL, &t, NULL) == 0);
}

static volatile unsigned long work;

static void computing(void)
{
	catch(SIGALRM, 0);
	timer(10000, 0);
	while (!got)
		work++;
	say("computing\n");
	/* Several: each finds the program in another round. */
	for (int i = 0; i < 3; i++) {
		got = 0;
		timer(10000, 0);
		while (!got)
			work++;
		EXPECT(getppid() > 0);
	}
	say("computing again\n");
}

static sem_t sem;

static void waiting(void)
{
	catch(SIGALRM, 0);
	EXPECT(sem_init(&sem, 0, 0) == 0);
	timer(20000, 0);
	EXPECT(sem_wait(&sem) == -1 && errno == EINTR && got == 1);
	say("waiting\n");
}

static void posts(int signal)
{
	(void)signal;
	got++;
	sem_post(&sem);
}

static void *asks(void *arg)
{
	pause_ms(30);
	EXPECT(kill(getpid(), SIGTERM) == 0);
	return arg;
}

/* The way many daemons end: the main thread waits for a semaphore that the handler posts. */
static void told_to_end(void)
{
	struct sigaction sa = { .sa_handler = posts, .sa_flags = SA_RESTART };
	pthread_t t;

	got = 0;
	EXPECT(sigaction(SIGTERM, &sa, NULL) == 0);
	EXPECT(pthread_create(&t, NULL, asks, NULL) == 0);
	while (sem_wait(&sem) < 0)
		EXPECT(errno == EINTR);
	EXPECT(got == 1);
	EXPECT(pthread_join(t, NULL) == 0);
	signal(SIGTERM, SIG_DFL);
	say("told to end\n");
}

static void *spins(void *arg)
{
	while (!got)
		work++;
	return arg;
}

/* Sent to one thread by another that goes on to wait for it. */
static void to_a_thread(void)
{
	pthread_t t;

	catch(SIGUSR1, 0);
	EXPECT(pthread_create(&t, NULL, spins, NULL) == 0);
	pause_ms(20);
	EXPECT(pthread_kill(t, SIGUSR1) == 0);
	EXPECT(pthread_join(t, NULL) == 0);
	say("to a thread\n");
}

/* A signal at every moment of the making of children. */
static void births(void)
{
	char *argv[] = { "true", NULL };
	int status;

	catch(SIGALRM, SA_RESTART);
	timer(1500, 1500);
	for (int i = 0; i < 40 || got < 5; i++) {
		pid_t pid = i % 3 == 0 ? fork() : i % 3 == 1 ? vfork() : 0;

		if (i % 3 == 2)
			EXPECT(posix_spawn(&pid, "/bin/true", NULL, NULL, argv, environ) == 0);
		EXPECT(pid >= 0);
		if (pid == 0)
			_exit(0);
		EXPECT(waitpid(pid, &status, 0) == pid && status == 0);
	}
	timer(0, 0);
	say("births\n");
}

/* A timer goes on in the new program, which ignores its signal (and Linux the timer then) and catches it. */
static void becomes_another(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		catch(SIGALRM, SA_RESTART);
		timer(1000, 1000);
		while (got < 3)
			EXPECT(getppid() > 0);
		signal(SIGALRM, SIG_IGN);
		execl(SELF, "moments", "another", NULL);
		_exit(1);
	}
	EXPECT(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 9);
	/* Without a handler it ends the new program, wherever that is. */
	pid = fork();
	if (pid == 0) {
		catch(SIGALRM, SA_RESTART);
		timer(60000, 1000);
		execl("/bin/sh", "sh", "-c", "while :; do :; done", NULL);
		_exit(1);
	}
	EXPECT(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) &&
	       WTERMSIG(status) == SIGALRM);
	say("becomes another\n");
}

static int another(void)
{
	catch(SIGALRM, SA_RESTART);
	timer(1000, 1000);
	while (got < 3)
		EXPECT(getppid() > 0);
	return 9;
}

/* Signals rain while processes end by themselves, and are ended. */
static void ends(void)
{
	int status;

	for (int i = 0; i < 20; i++) {
		pid_t pid = fork();

		EXPECT(pid >= 0);
		if (pid == 0) {
			catch(SIGUSR1, SA_RESTART);
			timer(500, 500);
			catch(SIGALRM, SA_RESTART);
			while (got < i % 4)
				EXPECT(getppid() > 0);
			_exit(3);
		}
		EXPECT(waitpid(pid, &status, 0) == pid);
		EXPECT((WIFEXITED(status) && WEXITSTATUS(status) == 3) ||
		       (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM));
	}
	for (int i = 0; i < 20; i++) {
		pid_t pid = fork();

		EXPECT(pid >= 0);
		if (pid == 0) {
			if (i % 2)
				for (;;)
					EXPECT(getppid() > 0);
			for (;;)
				work++;
		}
		EXPECT(kill(pid, i % 4 < 2 ? SIGTERM : SIGKILL) == 0);
		EXPECT(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
	}
	say("ends\n");
}

int main(int argc, char **argv)
{
	(void)argv;
	if (argc > 1)
		return another();
	computing();
	waiting();
	told_to_end();
	to_a_thread();
	births();
	becomes_another();
	ends();
	return 0;
}
