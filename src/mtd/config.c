/* SPDX-License-Identifier: Apache-2.0 */
#include "mtd/config.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "mtd/runtime/session.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void mtd_config_bits(uint32_t ppm, uint64_t bit[64])
{
	long double q = 1.0L - (long double)ppm / MTD_MILLION;	/* q^(2^k) */

	for (int k = 0; k < 64; k++) {
		bit[k] = (uint64_t)(q / (1.0L + q) * 0x1p64L);
		q *= q;
	}
}

static void set_rates(struct mtd_config *c, const struct mtd_manifest_point *at,
		      const struct mtd_point *p)
{
	const bool where[_MTD_WHERE_MAX] = { at->entry && p->entry, at->exit && p->exit };
	const uint32_t ppm[_MTD_DIRECTION_MAX] = { p->from_home, p->to_home };

	for (int w = 0; w < _MTD_WHERE_MAX; w++) {
		for (int d = 0; where[w] && d < _MTD_DIRECTION_MAX; d++) {
			c->rate[at->id].ppm[w][d] = ppm[d];
			if (ppm[d] > c->largest[d])
				c->largest[d] = ppm[d];
		}
	}
}

/* The manifest does not say what belongs to the C library: for "*" every point of the program counts,
 * for the program has no others unless it was built with "**". */
static void fill(struct mtd_config *c, const struct mtd_manifest *m, const struct mtd_points *points)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct mtd_point *p = mtd_points_find(points, m->points[i].function, false);

		if (p)
			set_rates(c, &m->points[i], p);
	}
	for (int d = 0; d < _MTD_DIRECTION_MAX; d++)
		mtd_config_bits(c->largest[d], c->bit[d]);
}

static void warn_unknown(const struct mtd_manifest *m, const struct mtd_points *points)
{
	for (size_t k = 0; k < points->n; k++) {
		bool known = points->v[k].function[0] == '*';

		for (size_t i = 0; i < m->n && !known; i++)
			known = !strcmp(m->points[i].function, points->v[k].function);
		if (!known)
			log_warn("%s is no switch point of this program; select it when you build it",
				 points->v[k].function);
	}
}

int mtd_config_share(const void *config, size_t size, struct mtd_config_file *ret)
{
	cleanup_close int fd = memfd_create("chiral-mtd-config", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *c;

	if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
		return log_errno(errno, "cannot make the configuration");
	c = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (c == MAP_FAILED)
		return log_errno(errno, "cannot make the configuration");
	memcpy(c, config, size);
	*ret = (struct mtd_config_file){ .fd = -1, .c = c, .size = size };
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0) {
		int r = log_errno(errno, "cannot make the configuration");

		mtd_config_unshare(ret);
		return r;
	}
	ret->fd = take_fd(&fd);
	return 0;
}

/* The program may read meanwhile: an odd generation tells it that nothing is to be relied on. */
int mtd_config_change(struct mtd_config_file *f, const void *config, size_t size)
{
	struct mtd_config head;
	const size_t from = offsetof(struct mtd_config, largest);
	uint32_t generation = f->c->generation;

	if (size != f->size)
		return -EINVAL;
	memcpy(&head, config, sizeof(head));
	if (head.n_functions != f->c->n_functions ||
	    memcmp(head.build_id, f->c->build_id, sizeof(head.build_id)) != 0)
		return -EINVAL;
	/* The program reads these at any time. */
	if (memcmp(head.local, f->c->local, sizeof(head.local)) != 0)
		log_warn("the files that the other node opens itself stay as they are until the program is "
			 "started again");
	__atomic_store_n(&f->c->generation, generation + 1, __ATOMIC_SEQ_CST);
	memcpy((char *)f->c + from, (const char *)config + from, size - from);
	__atomic_store_n(&f->c->generation, generation + 2, __ATOMIC_SEQ_CST);
	return 0;
}

void mtd_config_unshare(struct mtd_config_file *f)
{
	if (f->c)
		munmap(f->c, f->size);
	cleanup_close_fn(&f->fd);
	*f = MTD_NO_CONFIG_FILE;
}

static struct mtd_config *make(const struct mtd_manifest *m, const struct mtd_points *points,
			       size_t *ret_size)
{
	struct mtd_config *c;
	uint32_t n = 0;
	size_t size;

	for (size_t i = 0; i < m->n; i++)
		if (m->points[i].id >= n)
			n = m->points[i].id + 1;
	size = sizeof(*c) + n * sizeof(c->rate[0]);
	c = calloc(1, size);
	if (!c) {
		log_errno(ENOMEM, "cannot make the configuration");
		return NULL;
	}
	c->magic = MTD_CONFIG_MAGIC;
	c->n_functions = n;
	memcpy(c->build_id, m->build_id, sizeof(c->build_id));
	memcpy(c->local, points->local, sizeof(c->local));
	warn_unknown(m, points);
	fill(c, m, points);
	*ret_size = size;
	return c;
}

struct mtd_config *mtd_config_load(const char *program, const char *points_file, size_t *ret_size)
{
	cleanup_free char *path = NULL;
	struct mtd_config *c = NULL;
	struct mtd_manifest manifest;
	struct mtd_points points;

	if (asprintf(&path, "%s.chiral", program) < 0) {
		log_errno(ENOMEM, "cannot run %s", program);
		return NULL;
	}
	if (mtd_manifest_load(path, &manifest) < 0)
		return NULL;
	/* Every other one has a point of the runtime's. */
	if (!manifest.n)
		log_error("%s cannot move: it was built with --chiral-points=none", program);
	else if (mtd_points_load_of_root(points_file, &points) == 0) {
		c = make(&manifest, &points, ret_size);
		mtd_points_free(&points);
	}
	mtd_manifest_free(&manifest);
	return c;
}
