/* SPDX-License-Identifier: Apache-2.0 */
/* The sealed configuration of a session: probabilities of the points of one program. */
#ifndef CHIRAL_MTD_CONFIG_H
#define CHIRAL_MTD_CONFIG_H

#include "mtd/manifest.h"
#include "mtd/points.h"

/*
 * Makes a sealed memory file with struct mtd_config. A line of the points file that no point of the
 * program answers to is warned about. Returns the descriptor or -errno, logged.
 */
int mtd_config_make(const struct mtd_manifest *m, const struct mtd_points *points);

/* bit[k] for probability ppm / 1000000, see mtd/runtime/session.h. */
void mtd_config_bits(uint32_t ppm, uint64_t bit[64]);

#endif
