/* SPDX-License-Identifier: Apache-2.0 */
/* The sealed configuration of a session: probabilities of the points of one program. */
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
/*
 * A memory file with a configuration's bytes, which nobody can write but through *ret_mapped (unmapped by
 * the caller; ret_mapped may be NULL). The descriptor or -errno, logged.
 */
int mtd_config_seal(const void *data, size_t size, struct mtd_config **ret_mapped);
/* Reads the points file again for a running program; on failure, logged, all stays as it was. */
int mtd_config_reload(struct mtd_config *mapped, const char *program, const char *points_file);

/* bit[k] for probability ppm / 1000000, see mtd/runtime/session.h. */
void mtd_config_bits(uint32_t ppm, uint64_t bit[64]);

#endif
