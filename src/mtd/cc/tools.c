/* SPDX-License-Identifier: Apache-2.0 */
#include "mtd/cc/cc.h"

#include "base/log.h"
#include "node/microvm.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* ---- running programs ------------------------------------------------------------------------ */

static int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return log_errno(errno, "cannot wait for a tool");
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int start(struct strv *argv, int out, pid_t *ret)
{
	posix_spawn_file_actions_t actions;
	int e;

	if (strv_add(argv, "") < 0)
		return log_errno(ENOMEM, "cannot run %s", argv->v[0]);
	free(argv->v[--argv->n]);
	argv->v[argv->n] = NULL;
	posix_spawn_file_actions_init(&actions);
	if (out >= 0)
		posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	e = posix_spawnp(ret, argv->v[0], &actions, NULL, argv->v, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (e == ENOENT)
		log_error("%s is missing; tools/install-deps installs what chiral cc needs", argv->v[0]);
	else if (e)
		log_errno(e, "cannot run %s", argv->v[0]);
	return -e;
}

int cc_run(struct strv *argv)
{
	pid_t pid;
	int r = start(argv, -1, &pid);

	return r < 0 ? r : wait_for(pid);
}

int cc_run_two(struct strv *a, struct strv *b)
{
	pid_t pid_a, pid_b;
	int r = start(a, -1, &pid_a), s;

	if (r < 0)
		return r;
	s = start(b, -1, &pid_b);
	r = wait_for(pid_a);
	if (s == 0)
		s = wait_for(pid_b);
	return r ? r : s;
}

int cc_run_for_line(struct strv *argv, char **ret)
{
	cleanup_close int from = -1, to = -1;
	char line[4096];
	size_t n = 0;
	ssize_t got;
	int fds[2], r;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return log_errno(errno, "cannot run %s", argv->v[0]);
	from = fds[0];
	to = fds[1];
	r = start(argv, to, &pid);
	if (r < 0)
		return r;
	close(take_fd(&to));
	while (n < sizeof(line) - 1 && (got = read(from, line + n, sizeof(line) - 1 - n)) > 0)
		n += (size_t)got;
	close(take_fd(&from));
	r = wait_for(pid);
	if (r != 0)
		return r;
	line[n] = 0;
	line[strcspn(line, "\n")] = 0;
	*ret = strdup(line);
	return *ret ? 0 : log_errno(ENOMEM, "cannot run %s", argv->v[0]);
}

/* ---- where the parts are --------------------------------------------------------------------- */

static char *find_folder(void)
{
	static const char *const places[] = { "src/mtd", "../lib/chiral/mtd" };
	char exe[PATH_MAX], *path;
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	if (n <= 0)
		return NULL;
	exe[n] = 0;
	*strrchr(exe, '/') = 0;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		if (asprintf(&path, "%s/%s/chiral-mtd-transform", exe, places[i]) < 0)
			return NULL;
		if (access(path, X_OK) == 0) {
			*strrchr(path, '/') = 0;
			return path;
		}
		free(path);
	}
	return NULL;
}

int cc_find_tools(struct cc_tools *ret)
{
	struct cc_tools t = { .folder = find_folder() };
	cleanup_free char *script = NULL;
	cleanup_strv struct strv argv = { 0 };
	int r;

	if (!t.folder) {
		log_error("chiral-mtd-transform is not beside chiral; build Chiral where LLVM 19 is "
			  "installed (tools/install-deps)");
		return -ENOENT;
	}
	script = microvm_tool("mtd-libc");
	r = script ? strv_add(&argv, script) : -ENOENT;
	if (r == 0)
		r = cc_run_for_line(&argv, &t.libc);
	if (r != 0) {
		log_error("the C library for programs that move could not be made");
		cc_tools_free(&t);
		return r < 0 ? r : -EIO;
	}
	*ret = t;
	return 0;
}

int cc_make_work_folder(struct cc_tools *t)
{
	const char *tmp = getenv("TMPDIR");

	if (asprintf(&t->work, "%s/chiral-cc.XXXXXX", tmp && *tmp ? tmp : "/tmp") < 0) {
		t->work = NULL;
		return log_errno(ENOMEM, "cannot make a temporary folder");
	}
	if (!mkdtemp(t->work)) {
		int e = errno;

		log_errno(e, "cannot make the temporary folder %s", t->work);
		free(t->work);
		t->work = NULL;
		return -e;
	}
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

void cc_tools_free(struct cc_tools *t)
{
	if (t->work)
		nftw(t->work, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(t->work);
	free(t->folder);
	free(t->libc);
	*t = (struct cc_tools){ 0 };
}
