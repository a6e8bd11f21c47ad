/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The manifest of a program that moves, PROGRAM.chiral, which `chiral cc` writes:
 *
 *	chiral-mtd 1
 *	build-id 0123456789abcdef0123456789abcdef
 *	point 17 serve entry
 */
#ifndef CHIRAL_MTD_MANIFEST_H
#define CHIRAL_MTD_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MTD_MANIFEST_MAX (8u << 20)	/* bytes */

struct mtd_manifest_point {
	char *function;
	uint32_t id;	/* below MTD_MAX_FUNCTIONS */
	bool entry, exit;
};

struct mtd_manifest {
	uint64_t build_id[2];
	struct mtd_manifest_point *points;
	size_t n;
};

/* Parses text (may hold anything). 0, -EINVAL or -ENOMEM. */
int mtd_manifest_parse(const char *text, size_t len, struct mtd_manifest *ret);
/* 0 or -errno, logged. */
int mtd_manifest_load(const char *path, struct mtd_manifest *ret);
void mtd_manifest_free(struct mtd_manifest *m);

#endif
