/* SPDX-License-Identifier: Apache-2.0 */
#include "variant/loader.h"

#include "variant/proc.h"

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

void loader_find(pid_t pid, uint64_t base, struct loader *ret)
{
	struct proc_maps maps;
	size_t i = 0;

	*ret = (struct loader){ .python = is_python(pid) };
	if (base == 0 || proc_maps_read(pid, &maps) < 0)
		return;
	while (i < maps.n && maps.map[i].start != base)
		i++;
	if (i < maps.n && maps.map[i].inode) {
		ret->start = base;
		for (size_t k = i; k < maps.n && maps.map[k].inode == maps.map[i].inode &&
				   !strcmp(maps.map[k].path, maps.map[i].path);
		     k++)
			ret->end = maps.map[k].end;
	}
	proc_maps_free(&maps);
}
