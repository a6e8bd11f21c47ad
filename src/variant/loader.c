/* SPDX-License-Identifier: Apache-2.0 */
#include "variant/loader.h"

#include "variant/proc.h"

#include <string.h>

void loader_find(pid_t pid, uint64_t base, struct loader *ret)
{
	struct proc_maps maps;
	size_t i = 0;

	*ret = (struct loader){ 0 };
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
