/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The points file: which functions are switch points, and how often a program moves there.
 *
 *	# FUNCTION   WHERE        FROM-HOME  TO-HOME
 *	serve        entry        10%        20%
 *	flush        entry,exit   0.5%
 *
 *	/etc/localtime
 *
 * A probability is a percentage with at most four decimals; without the second one both directions
 * have the first, without both they are 100%. FUNCTION "*" stands for all functions of the program's
 * own sources, "**" for those of the C library too. The first line that names a function counts.
 *
 * A line that is a path names a file that the other node opens itself to read it, or with a * at its end
 * all files whose paths begin so.
 */
#ifndef CHIRAL_MTD_POINTS_H
#define CHIRAL_MTD_POINTS_H

#include "mtd/runtime/session.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MTD_POINTS_MAX	    4096	/* lines with a point */
#define MTD_POINTS_FILE_MAX (1u << 20)	/* bytes */
#define MTD_MILLION	    1000000u	/* probabilities are parts per million */

struct mtd_point {
	char *function;
	bool entry, exit;
	uint32_t from_home, to_home;	/* 0..MTD_MILLION */
};

struct mtd_points {
	struct mtd_point *v;
	size_t n;
	/* Paths of local files, as struct mtd_config has them. */
	char local[MTD_LOCAL_SIZE];
	size_t local_size;
};

/*
 * Parses text (not terminated; may hold anything). 0, -EINVAL or -ENOMEM; after -EINVAL *ret_line is
 * the number of the wrong line and *ret_what a sentence (static) about it.
 */
int mtd_points_parse(const char *text, size_t len, struct mtd_points *ret, unsigned *ret_line,
		     const char **ret_what);
/* Reads and parses a file. 0 or -errno, logged. */
int mtd_points_load(const char *path, struct mtd_points *ret);
/* The same for a file that decides where a program runs: nobody but root may be able to change it, for
 * the program may be taken over. -EPERM, logged, when others can. */
int mtd_points_load_of_root(const char *path, struct mtd_points *ret);
/* The point that counts for a function, or NULL. in_libc: it belongs to the C library. */
const struct mtd_point *mtd_points_find(const struct mtd_points *p, const char *function,
					bool in_libc);
void mtd_points_free(struct mtd_points *p);

#endif
