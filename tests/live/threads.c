/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that end their process, or make it another program, in every state of the others. The first
 * argument says how. */
#include "live.h"

static int fds[2];

static void *blocked_in_read(void *arg)
{
	char byte;

	(void)!read(fds[0], &byte, 1);
	return arg;
}

static volatile unsigned long work;

static void *computes(void *arg)
{
	for (;;)
		work++;
	return arg;
}

static void *writes(void *arg)
{
	int null = open("/dev/null", O_WRONLY);

	for (int i = 0; i < 100; i++)
		EXPECT(write(null, &i, sizeof(i)) == sizeof(i));
	close(null);
	return arg;
}

static void crowd(void)
{
	pthread_t t;

	EXPECT(pipe(fds) == 0);
	EXPECT(pthread_create(&t, NULL, blocked_in_read, NULL) == 0);
	EXPECT(pthread_create(&t, NULL, computes, NULL) == 0);
	for (int i = 0; i < 3; i++)
		EXPECT(pthread_create(&t, NULL, writes, NULL) == 0);
}

static void *exits(void *arg)
{
	pause_ms(30);
	say("a thread exits\n");
	exit(23);
	return arg;
}

static void *executes(void *arg)
{
	pause_ms(30);
	say("a thread executes\n");
	execl(SELF, "threads", "executed", NULL);
	EXPECT(!"execl returned");
	return arg;
}

static void *survives(void *arg)
{
	pause_ms(50);
	say("after main\n");
	exit(0);
	return arg;
}

/* Each thread's bytes go through a pipe of its own. */
static void *pumps(void *arg)
{
	int p[2], sum = 0;

	EXPECT(pipe(p) == 0);
	for (int i = 0; i < 200; i++) {
		int got;

		EXPECT(write(p[1], &i, sizeof(i)) == sizeof(i));
		EXPECT(read(p[0], &got, sizeof(got)) == sizeof(got));
		sum += got;
	}
	close(p[0]);
	close(p[1]);
	return (void *)(intptr_t)(sum + (int)(intptr_t)arg);
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int counter;

static void *locks(void *arg)
{
	for (int i = 0; i < 2000; i++) {
		pthread_mutex_lock(&lock);
		counter++;
		pthread_mutex_unlock(&lock);
	}
	return arg;
}

static void many(void)
{
	pthread_t t[8];

	for (int round = 0; round < 4; round++) {
		for (long i = 0; i < 8; i++)
			EXPECT(pthread_create(&t[i], NULL, i % 2 ? pumps : locks, (void *)i) == 0);
		for (long i = 0; i < 8; i++) {
			void *sum;

			EXPECT(pthread_join(t[i], &sum) == 0);
			EXPECT(i % 2 == 0 || (long)(intptr_t)sum == 199 * 100 + i);
		}
	}
	EXPECT(counter == 4 * 4 * 2000);
	say("many\n");
}

/* Numbers are closed and given away again by all threads; a lock that is taken is waited for with a look
 * at the clock, as interpreters do. */
static void *opens(void *arg)
{
	struct timespec now;

	for (int i = 0; i < 200; i++) {
		int fd;

		if (pthread_mutex_trylock(&lock) != 0) {
			EXPECT(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
			EXPECT(pthread_mutex_lock(&lock) == 0);
		}
		work++;
		EXPECT(pthread_mutex_unlock(&lock) == 0);
		fd = open("/dev/null", O_WRONLY);
		EXPECT(fd >= 0);
		EXPECT(write(fd, &i, sizeof(i)) == sizeof(i));
		EXPECT(close(fd) == 0);
	}
	return arg;
}

static void files(void)
{
	pthread_t t[4];

	for (int i = 0; i < 4; i++)
		EXPECT(pthread_create(&t[i], NULL, opens, NULL) == 0);
	for (int i = 0; i < 4; i++)
		EXPECT(pthread_join(t[i], NULL) == 0);
	EXPECT(work == 800);
}

static int box, back[2];

/* What the box holds is known by the byte that came through the pipe. */
static void *receives(void *arg)
{
	int null = open("/dev/null", O_WRONLY);
	char byte;

	for (int i = 0; i < 300; i++) {
		EXPECT(read(fds[0], &byte, 1) == 1);
		EXPECT(write(null, &box, sizeof(box)) == sizeof(box));
		EXPECT(box == i);
		EXPECT(write(back[1], &byte, 1) == 1);
	}
	close(null);
	return arg;
}

static void tells(void)
{
	pthread_t t;
	char byte;

	EXPECT(pipe(fds) == 0 && pipe(back) == 0);
	EXPECT(pthread_create(&t, NULL, receives, NULL) == 0);
	for (int i = 0; i < 300; i++) {
		box = i;
		EXPECT(write(fds[1], "", 1) == 1);
		EXPECT(read(back[0], &byte, 1) == 1);
	}
	EXPECT(pthread_join(t, NULL) == 0);
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "many";
	pthread_t t;
	char byte;

	if (!strcmp(how, "executed")) {
		/* The process is whole: it can fork and wait. */
		pid_t pid = fork();
		int status;

		if (pid == 0)
			_exit(getppid() > 1 ? 5 : 6);
		EXPECT(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 5);
		say("executed\n");
		return 0;
	}
	if (!strcmp(how, "differs")) {
		/* An address is another one in each variant; with or without a thread before. */
		if (argc > 2) {
			EXPECT(pthread_create(&t, NULL, pumps, NULL) == 0);
			EXPECT(pthread_join(t, NULL) == 0);
		}
		dprintf(1, "%p\n", (void *)&byte);
		return 0;
	}
	if (!strcmp(how, "many")) {
		many();
		return 0;
	}
	if (!strcmp(how, "tells")) {
		tells();
		return 0;
	}
	if (!strcmp(how, "files")) {
		files();
		return 0;
	}
	crowd();
	if (!strcmp(how, "main-exits")) {
		pause_ms(30);
		exit(0);
	}
	if (!strcmp(how, "main-executes")) {
		pause_ms(30);
		execl(SELF, "threads", "executed", NULL);
	}
	if (!strcmp(how, "main-leaves")) {
		EXPECT(pthread_create(&t, NULL, survives, NULL) == 0);
		pthread_exit(NULL);
	}
	EXPECT(pthread_create(&t, NULL, !strcmp(how, "thread-executes") ? executes : exits, NULL) == 0);
	(void)!read(fds[0], &byte, 1);
	return 1;
}
