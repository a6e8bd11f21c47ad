/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/PID/maps: "START-END PERMS OFFSET MAJOR:MINOR INODE   PATH". */
#include "base/cleanup.h"
#include "variant/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

void proc_maps_free(struct proc_maps *maps)
{
	for (size_t i = 0; i < maps->n; i++)
		free(maps->map[i].path);
	free(maps->map);
	*maps = (struct proc_maps){ 0 };
}

static int parse_line(char *line, struct proc_map *ret)
{
	struct proc_map m = { 0 };
	int at = 0;

	line[strcspn(line, "\n")] = 0;
	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %*x:%*x %" SCNu64 "%n", &m.start,
		   &m.end, m.perms, &m.offset, &m.inode, &at) != 5 ||
	    m.end <= m.start)
		return -EINVAL;
	line += at;
	m.path = strdup(line + strspn(line, " "));
	if (!m.path)
		return -ENOMEM;
	*ret = m;
	return 0;
}

static int append(struct proc_maps *maps, char *line)
{
	struct proc_map *map;

	if (maps->n == PROC_MAPS_MAX)
		return -E2BIG;
	if ((maps->n & (maps->n - 1)) == 0) {
		map = realloc(maps->map, (maps->n ? maps->n * 2 : 1) * sizeof(*map));
		if (!map)
			return -ENOMEM;
		maps->map = map;
	}
	return parse_line(line, &maps->map[maps->n]);
}

int proc_maps_read(pid_t pid, struct proc_maps *ret)
{
	struct proc_maps maps = { 0 };
	cleanup_fclose FILE *f = NULL;
	cleanup_free char *line = NULL;
	size_t cap = 0;
	char path[64];
	int r = 0;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	f = fopen(path, "re");
	if (!f)
		return errno == ENOENT ? -ESRCH : -errno;
	while (r == 0 && getline(&line, &cap, f) > 0) {
		r = append(&maps, line);
		maps.n += r == 0;
	}
	if (r == 0 && ferror(f))
		r = -ESRCH; /* the process went away while it was read */
	if (r < 0)
		proc_maps_free(&maps);
	else
		*ret = maps;
	return r;
}

const struct proc_map *proc_maps_find(const struct proc_maps *maps, uint64_t addr)
{
	size_t low = 0, high = maps->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct proc_map *m = &maps->map[mid];

		if (addr < m->start)
			high = mid;
		else if (addr >= m->end)
			low = mid + 1;
		else
			return m;
	}
	return NULL;
}

/* O_PATH first: opening a FIFO would wait, opening a device may act. */
static int open_regular(const char *path, uint64_t inode)
{
	cleanup_close int at = open(path, O_PATH | O_CLOEXEC);
	char again[64];
	struct stat st;
	int fd;

	if (at < 0)
		return -errno;
	if (fstat(at, &st) < 0)
		return -errno;
	/* The device is not compared: btrfs and overlayfs show another one in maps. */
	if (!S_ISREG(st.st_mode) || st.st_ino != inode)
		return -EINVAL;
	snprintf(again, sizeof(again), "/proc/self/fd/%d", at);
	fd = open(again, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

int proc_map_open(pid_t pid, const struct proc_map *map)
{
	char path[PATH_MAX + 64];
	int fd;

	if (map->inode == 0)
		return -ENOENT;
	/* The mapped file itself, also when it was removed or replaced; needs CAP_SYS_ADMIN or
	 * CAP_CHECKPOINT_RESTORE (proc_pid_map_files(5)). */
	snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, pid, map->start,
		 map->end);
	fd = open_regular(path, map->inode);
	if (fd >= 0 || map->path[0] != '/')
		return fd;
	/* By name, as the variant sees it. */
	snprintf(path, sizeof(path), "/proc/%d/root%.*s", pid, PATH_MAX, map->path);
	return open_regular(path, map->inode);
}
