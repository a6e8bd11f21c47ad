/* SPDX-License-Identifier: Apache-2.0 */
#include "mtd/config.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "mtd/runtime/session.h"

#include <errno.h>
#include <fcntl.h>
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

static int write_all(int fd, const void *data, size_t n)
{
	const char *p = data;

	while (n) {
		ssize_t r = write(fd, p, n);

		if (r < 0)
			return -errno;
		p += r;
		n -= (size_t)r;
	}
	return 0;
}

int mtd_config_make(const struct mtd_manifest *m, const struct mtd_points *points)
{
	cleanup_close int fd = memfd_create("chiral-mtd-config", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	cleanup_free struct mtd_config *c = NULL;
	uint32_t n = 0;
	size_t size;
	int r;

	for (size_t i = 0; i < m->n; i++)
		if (m->points[i].id >= n)
			n = m->points[i].id + 1;
	size = sizeof(*c) + n * sizeof(c->rate[0]);
	c = calloc(1, size);
	if (fd < 0 || !c)
		return log_errno(fd < 0 ? errno : ENOMEM, "cannot make the configuration");
	c->magic = MTD_CONFIG_MAGIC;
	c->n_functions = n;
	memcpy(c->build_id, m->build_id, sizeof(c->build_id));
	warn_unknown(m, points);
	fill(c, m, points);
	r = write_all(fd, c, size);
	if (r == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
		r = -errno;
	return r < 0 ? log_errno(-r, "cannot make the configuration") : take_fd(&fd);
}
