/* SPDX-License-Identifier: Apache-2.0 */
/* The groups that meson.build names, alone or one after the other. */
#include "calls.h"

#include <ftw.h>
#include <sys/stat.h>

#define GROUP(name) void test_##name(void);
CALL_GROUPS
#undef GROUP

static const struct group {
	const char *name;
	void (*test)(void);
} groups[] = {
#define GROUP(name) { #name, test_##name },
	CALL_GROUPS
#undef GROUP
};

#define N_GROUPS (sizeof(groups) / sizeof(groups[0]))

void *const nowhere = (void *)8;

int file_with(const char *name, const char *text)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);

	EXPECT(fd >= 0);
	EXPECT(write(fd, text, strlen(text)) == (ssize_t)strlen(text) && lseek(fd, 0, SEEK_SET) == 0);
	return fd;
}

pid_t start_child(void (*body)(int), int arg)
{
	pid_t pid = fork();

	EXPECT(pid >= 0);
	if (pid == 0) {
		body(arg);
		_exit(0);
	}
	return pid;
}

void end_child(pid_t pid)
{
	int status;

	EXPECT(waitpid(pid, &status, 0) == pid);
	EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

void in_child(void (*body)(void))
{
	pid_t pid = fork();

	EXPECT(pid >= 0);
	if (pid == 0) {
		body();
		_exit(0);
	}
	end_child(pid);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

/* In a folder of its own, which goes with it. */
static int run_group(const struct group *g)
{
	char folder[64];
	int status;
	pid_t pid;

	snprintf(folder, sizeof(folder), "/tmp/chiral-live-%d", (int)getpid());
	EXPECT(mkdir(folder, 0700) == 0);
	pid = fork();
	EXPECT(pid >= 0);
	if (pid == 0) {
		EXPECT(chdir(folder) == 0);
		umask(022);
		g->test();
		_exit(0);
	}
	EXPECT(waitpid(pid, &status, 0) == pid);
	EXPECT(nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS) == 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* A new program, so that nothing of one group is left in the next. */
static bool execute_group(const char *name)
{
	int status;
	pid_t pid = fork();

	EXPECT(pid >= 0);
	if (pid == 0) {
		execl(SELF, "calls", name, NULL);
		_exit(126);
	}
	EXPECT(waitpid(pid, &status, 0) == pid);
	dprintf(1, "%s: %s (status %x)\n", name,
		status == 0 ? "ok" : status == 77 << 8 ? "skipped" : "FAILED", status);
	return status == 0 || status == 77 << 8;
}

int main(int argc, char **argv)
{
	bool ok = true;

	alarm(300); /* whatever happens, nothing is left */
	if (argc == 1) {
		for (size_t i = 0; i < N_GROUPS; i++)
			ok &= execute_group(groups[i].name);
		return !ok;
	}
	for (size_t i = 0; i < N_GROUPS; i++)
		if (argc == 2 && !strcmp(argv[1], groups[i].name))
			return run_group(&groups[i]);
	dprintf(2, "usage: calls [GROUP]\n");
	return 2;
}
