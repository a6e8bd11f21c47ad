/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program for musl's C library, which is its own loader as well: files, processes, signals, threads
 * and sockets. `musl /DIR` works in that folder and prints what it found.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static void fail(const char *what)
{
	printf("%s: %s\n", what, strerror(errno));
	exit(1);
}

/* A name that a loader would open for itself: what is in the file is data, and the leader's. */
static void read_library(const char *folder)
{
	char line[64] = "", path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/library.so.1", folder);
	f = fopen(path, "r");
	if (!f || !fgets(line, sizeof(line), f))
		fail("library.so.1");
	fclose(f);
	printf("library.so.1: %s", line);
}

static void list_folder(void)
{
	struct dirent **names;
	struct stat st;
	int n = scandir("tree", &names, NULL, alphasort);

	if (n < 0)
		fail("tree");
	for (int i = 0; i < n; i++) {
		char path[300];

		snprintf(path, sizeof(path), "tree/%s", names[i]->d_name);
		if (stat(path, &st) < 0)
			fail(path);
		printf("%s %o %lld\n", names[i]->d_name, (unsigned)st.st_mode,
		       S_ISREG(st.st_mode) ? (long long)st.st_size : 0);
		free(names[i]);
	}
	free(names);
}

static void write_file(void)
{
	char buf[256];
	FILE *f = fopen("out", "w+");

	if (!f)
		fail("out");
	for (int i = 0; i < 2000; i++)
		fprintf(f, "%d %.3f\n", i, i / 7.0);
	fseek(f, -20, SEEK_END);
	while (fgets(buf, sizeof(buf), f))
		printf("end: %s", buf);
	fclose(f);
	if (rename("out", "out2") < 0 || unlink("out2") < 0)
		fail("rename, unlink");
}

static void run_processes(void)
{
	char *argv[] = { "sh", "-c", "tr a-z A-Z | rev; exit 4", NULL }, buf[64];
	posix_spawn_file_actions_t actions;
	int in[2], out[2], status;
	ssize_t n = 0, got;
	FILE *p;
	pid_t pid;

	if (pipe(in) < 0 || pipe(out) < 0)
		fail("pipe");
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in[0], 0);
	posix_spawn_file_actions_adddup2(&actions, out[1], 1);
	for (int i = 0; i < 2; i++) {
		posix_spawn_file_actions_addclose(&actions, in[i]);
		posix_spawn_file_actions_addclose(&actions, out[i]);
	}
	errno = posix_spawnp(&pid, "sh", &actions, NULL, argv, environ);
	if (errno)
		fail("posix_spawnp");
	posix_spawn_file_actions_destroy(&actions);
	close(in[0]);
	close(out[1]);
	if (write(in[1], "spawned\n", 8) != 8)
		fail("write");
	close(in[1]);
	while ((got = read(out[0], buf + n, sizeof(buf) - 1 - (size_t)n)) > 0)
		n += got;
	buf[n] = 0;
	close(out[0]);
	waitpid(pid, &status, 0);
	printf("%s%d\n", buf, WEXITSTATUS(status));
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(9);
	waitpid(pid, &status, 0);
	printf("child %d, system %d\n", WEXITSTATUS(status), WEXITSTATUS(system("exit 3")));
	p = popen("cat tree/a", "r");
	if (!p || !fgets(buf, sizeof(buf), p))
		fail("popen");
	printf("popen %s%d\n", buf, pclose(p));
}

static volatile sig_atomic_t hits;

static void hit(int signal)
{
	(void)signal;
	hits++;
}

static void take_signals(void)
{
	struct sigaction sa = { .sa_handler = hit };
	struct timespec longer = { 60, 0 };

	sigaction(SIGALRM, &sa, NULL);
	sigaction(SIGUSR1, &sa, NULL);
	raise(SIGUSR1);
	ualarm(20000, 0);
	printf("sleep %s\n", nanosleep(&longer, NULL) && errno == EINTR ? "interrupted" : "over");
	printf("%d signals\n", (int)hits);
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn = PTHREAD_COND_INITIALIZER;
static int next;

/* Threads take turns: which one writes is not the kernel's affair. */
static void *write_in_turn(void *arg)
{
	int me = (int)(long)arg;

	for (int round = 0; round < 3; round++) {
		pthread_mutex_lock(&lock);
		while (next % 4 != me)
			pthread_cond_wait(&turn, &lock);
		printf("thread %d\n", me);
		fflush(stdout);
		next++;
		pthread_cond_broadcast(&turn);
		pthread_mutex_unlock(&lock);
	}
	return arg;
}

static void run_threads(void)
{
	pthread_t t[4];
	long sum = 0;
	void *ret;

	for (long i = 0; i < 4; i++)
		if (pthread_create(&t[i], NULL, write_in_turn, (void *)i))
			fail("pthread_create");
	for (int i = 0; i < 4; i++) {
		pthread_join(t[i], &ret);
		sum += (long)ret;
	}
	printf("threads %ld\n", sum);
}

static void use_sockets(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t size = sizeof(a);
	int s = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0), d;
	char buf[16] = "";

	if (bind(s, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(s, 1) < 0 ||
	    getsockname(s, (struct sockaddr *)&a, &size) < 0 ||
	    connect(c, (struct sockaddr *)&a, sizeof(a)) < 0 || (d = accept(s, NULL, NULL)) < 0)
		fail("socket");
	send(c, "by a socket", 11, 0);
	recv(d, buf, sizeof(buf), 0);
	printf("%s\n", buf);
}

int main(int argc, char **argv)
{
	char buf[32];
	time_t t = 0;

	if (argc != 2 || chdir(argv[1]) < 0)
		fail("usage: musl DIR");
	read_library(argv[1]);
	list_folder();
	write_file();
	run_processes();
	take_signals();
	run_threads();
	use_sockets();
	strftime(buf, sizeof(buf), "%F %T", gmtime(&t));
	printf("%s %s\n", buf, getenv("HOME") ? "home" : "none");
	return 5;
}
