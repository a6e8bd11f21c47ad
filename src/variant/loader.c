/* SPDX-License-Identifier: Apache-2.0 */
#include "variant/loader.h"

#include "base/cleanup.h"
#include "variant/proc.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool is_python(pid_t pid)
{
	char link[64], path[PATH_MAX];
	const char *base;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/exe", pid);
	n = readlink(link, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = 0;
	base = strrchr(path, '/');
	return base && !strncmp(base, "/python3", 8);
}

/* ld-linux-x86-64.so.2; ld-2.31.so before glibc 2.34 */
static bool is_gnu(const char *path)
{
	const char *base = strrchr(path, '/');

	return base && (!strncmp(base, "/ld-linux", 9) || !strncmp(base, "/ld-2.", 6));
}

/* /proc/PID/mem writes to code too (FOLL_FORCE): into a copy of the page for this process. */
static int open_memory(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	return open(path, O_RDWR | O_CLOEXEC);
}

static bool break_at(pid_t pid, uint64_t entry, uint8_t *replaced)
{
	const struct isa_breakpoint *b = &isa_breakpoint;
	cleanup_close int mem = open_memory(pid);

	return mem >= 0 && pread(mem, replaced, b->size, (off_t)entry) == b->size &&
	       pwrite(mem, b->insn, b->size, (off_t)entry) == b->size;
}

void loader_find(pid_t pid, const struct loader_place *place, struct loader *ret)
{
	struct proc_maps maps;
	bool gnu = false;
	size_t i = 0;

	*ret = (struct loader){ .python = is_python(pid) };
	if (place->base == 0 || proc_maps_read(pid, &maps) < 0)
		return;
	while (i < maps.n && maps.map[i].start != place->base)
		i++;
	if (i < maps.n && maps.map[i].inode) {
		gnu = is_gnu(maps.map[i].path);
		ret->start = place->base;
		for (size_t k = i; k < maps.n && maps.map[k].inode == maps.map[i].inode &&
				   !strcmp(maps.map[k].path, maps.map[i].path);
		     k++)
			ret->end = maps.map[k].end;
	}
	proc_maps_free(&maps);
	if (gnu || ret->start == ret->end)
		return;
	if (break_at(pid, place->entry, ret->replaced))
		ret->entry = place->entry;
	else
		ret->end = ret->start; /* nobody would say when its time is over */
}

bool loader_leave(struct loader *l, pid_t tid, const siginfo_t *info)
{
	const struct isa_breakpoint *b = &isa_breakpoint;
	cleanup_close int mem = -1;
	struct isa_regs regs;

	if (!l->entry || info->si_signo != SIGTRAP || info->si_code <= 0 ||
	    isa_regs_get(tid, &regs) < 0 || isa_regs_pc(&regs) != l->entry + b->pc_after)
		return false;
	mem = open_memory(tid);
	if (mem < 0 || pwrite(mem, l->replaced, b->size, (off_t)l->entry) != b->size)
		return false;
	isa_regs_set_pc(&regs, l->entry);
	if (isa_regs_set(tid, &regs) < 0)
		return false;
	l->entry = 0;
	l->end = l->start;
	return true;
}
