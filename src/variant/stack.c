/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation. Only the tracer may read the registers, and only a process that may trace
 * the variant (with yama: its ancestor) may open its memory and files; the parser of attacker-made
 * data should be neither. So this process gathers registers, descriptors and the list of modules, a
 * forked one unwinds with them in a sandbox and sends lines through a pipe, and whatever happens to
 * it, the lines that came until the deadline are the stack.
 */
#include "variant/stack.h"

#include "base/cleanup.h"
#include "variant/proc.h"
#include "variant/sandbox.h"
#include "variant/stack_dwfl.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#define MEMORY_EXTRA ((size_t)512 << 20)

static int gather_registers(pid_t tid, bool stopped, struct stack_regs *ret)
{
	struct proc_syscall s;
	struct isa_regs regs;
	int r;

	if (stopped) {
		r = isa_regs_get(tid, &regs);
		if (r < 0)
			return r;
		ret->all = true;
		ret->n = isa_dwarf_regs(&regs, ret->value);
		ret->pc = isa_regs_pc(&regs);
		ret->sp = isa_regs_sp(&regs);
		return 0;
	}
	r = proc_syscall(tid, &s);
	if (r < 0)
		return r;
	ret->pc = s.pc;
	ret->sp = s.sp;
	return 0;
}

static bool same_file(const struct proc_map *a, const struct proc_map *b)
{
	return a->inode == b->inode && !strcmp(a->path, b->path);
}

/* Neighbouring mappings of one file with growing offsets are one loaded object; memory of the
 * object that is not of the file (.bss) may lie between them. Returns the index behind its last
 * mapping. */
static size_t module_end(const struct proc_maps *maps, size_t first, bool *ret_code)
{
	size_t end = first + 1, last = first;

	*ret_code = maps->map[first].perms[2] == 'x';
	for (size_t i = first + 1; i < maps->n; i++) {
		const struct proc_map *m = &maps->map[i];

		if (m->inode == 0 && !*m->path)
			continue;
		if (!same_file(m, &maps->map[first]) || m->offset <= maps->map[last].offset)
			break;
		*ret_code |= m->perms[2] == 'x';
		last = i;
		end = i + 1;
	}
	return end;
}

static void gather_modules(pid_t tid, const struct proc_maps *maps, struct stack_input *in)
{
	size_t end;

	for (size_t i = 0; i < maps->n && in->n_modules < STACK_MODULES_MAX; i = end) {
		const struct proc_map *m = &maps->map[i];
		bool vdso = !strcmp(m->path, "[vdso]"), code;
		int fd = -1;

		end = module_end(maps, i, &code);
		if (!code || (m->inode == 0 && !vdso))
			continue;
		if (!vdso)
			fd = proc_map_open(tid, m);
		in->module[in->n_modules++] = (struct stack_module){
			.start = m->start,
			.end = maps->map[end - 1].end,
			.path = m->path,
			.fd = fd < 0 ? -1 : fd,
			.in_memory = vdso,
		};
	}
}

static int compare_int(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static void __attribute__((noreturn)) child(const struct stack_input *in, int out_fd)
{
	int keep[STACK_MODULES_MAX + 2];
	size_t n = 0;

	keep[n++] = in->mem_fd;
	keep[n++] = out_fd;
	for (unsigned i = 0; i < in->n_modules; i++)
		if (in->module[i].fd >= 0)
			keep[n++] = in->module[i].fd;
	qsort(keep, n, sizeof(*keep), compare_int);
	/* The monitor's handlers are not for this process; a crash must be one. */
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	if (sandbox_enter(keep, n, MEMORY_EXTRA, 1) == 0)
		stack_unwind_to(in, out_fd);
	_exit(0);
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Bytes that came until the end of the pipe or the deadline; 1: the deadline. */
static int read_lines(int fd, char *buf, size_t max, size_t *ret_n)
{
	int64_t deadline = now_ms() + STACK_DEADLINE_MS;
	size_t n = 0;

	*ret_n = 0;
	while (n < max) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int64_t left = deadline - now_ms();
		ssize_t r;

		if (left <= 0)
			return 1;
		if (poll(&p, 1, (int)left) <= 0)
			continue;
		r = read(fd, buf + n, max - n);
		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			break;
		n += (size_t)r;
		*ret_n = n;
	}
	return 0;
}

/* The child's word is not trusted: bounded lines, complete ones only. */
static int add_lines(char *buf, size_t n, struct strv *frames)
{
	char *line = buf, *end;
	unsigned count = 0;

	while (count <= STACK_FRAMES_MAX && (end = memchr(line, '\n', n - (size_t)(line - buf)))) {
		*end = 0;
		if (strlen(line) >= STACK_FRAME_TEXT_MAX)
			line[STACK_FRAME_TEXT_MAX - 1] = 0;
		if (strv_add(frames, line) < 0)
			return -ENOMEM;
		line = end + 1;
		count++;
	}
	return count ? 0 : -ENODATA;
}

static int unwind(const struct stack_input *in, struct strv *frames)
{
	size_t max = (STACK_FRAMES_MAX + 1) * STACK_FRAME_TEXT_MAX, n;
	cleanup_free char *buf = malloc(max);
	int pipe_fd[2], r, late;
	pid_t pid;

	if (!buf)
		return -ENOMEM;
	if (pipe2(pipe_fd, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0)
		child(in, pipe_fd[1]);
	r = pid < 0 ? -errno : 0;
	close(pipe_fd[1]);
	if (r == 0) {
		late = read_lines(pipe_fd[0], buf, max, &n);
		/* Killed also when it closed its pipe: whoever controls it may do that and stay. */
		kill(pid, SIGKILL);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
		r = add_lines(buf, n, frames);
		if (r == 0 && late)
			r = strv_add(frames, "(time was up before the end of the stack)");
	}
	close(pipe_fd[0]);
	return r;
}

int stack_unwind(pid_t tid, bool stopped, struct strv *frames)
{
	cleanup_free struct stack_input *in = calloc(1, sizeof(*in));
	struct proc_maps maps = { 0 };
	char path[64];
	int r;

	if (!in)
		return -ENOMEM;
	in->tid = tid;
	r = gather_registers(tid, stopped, &in->regs);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "/proc/%d/mem", tid);
	in->mem_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (in->mem_fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	r = proc_maps_read(tid, &maps);
	if (r == 0) {
		gather_modules(tid, &maps, in);
		r = unwind(in, frames);
	}
	for (unsigned i = 0; i < in->n_modules; i++)
		if (in->module[i].fd >= 0)
			close(in->module[i].fd);
	close(in->mem_fd);
	proc_maps_free(&maps);
	return r;
}
