/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration of a session: probabilities of the points of one program. */
#ifndef CHIRAL_MTD_CONFIG_H
#define CHIRAL_MTD_CONFIG_H

#include "mtd/manifest.h"
#include "mtd/points.h"
#include "mtd/runtime/session.h"

/*
 * The configuration of PROGRAM, by PROGRAM.chiral and a points file. A line of that file that no point of
 * the program answers to is warned about. Owned; NULL, logged, when one of the two is not usable.
 */
struct mtd_config *mtd_config_load(const char *program, const char *points_file, size_t *ret_size);
/* What a program's process maps: nobody but its owner can change it. */
struct mtd_config_file {
	int fd;				/* sealed: it can be mapped to be read */
	struct mtd_config *c;		/* the owner's mapping */
	size_t size;
};
#define MTD_NO_CONFIG_FILE ((struct mtd_config_file){ .fd = -1 })

/* A memory file with a configuration's bytes (copied). 0 or -errno, logged. */
int mtd_config_share(const void *config, size_t size, struct mtd_config_file *ret);
/* The program goes on with these probabilities (need not be aligned). 0, or -EINVAL when they are another program's. */
int mtd_config_change(struct mtd_config_file *f, const void *config, size_t size);
void mtd_config_unshare(struct mtd_config_file *f);

/* bit[k] for probability ppm / 1000000, see mtd/runtime/session.h. */
void mtd_config_bits(uint32_t ppm, uint64_t bit[64]);

#endif
