/* SPDX-License-Identifier: Apache-2.0 */
/* A map from LLVM's pointers to small numbers. NULL is empty. */
#ifndef CHIRAL_MTD_TRANSFORM_INDEX_H
#define CHIRAL_MTD_TRANSFORM_INDEX_H

struct index;

void index_set(struct index **map, const void *key, int value);
/* -1 when it is not there. */
int index_get(const struct index *map, const void *key);
void index_free(struct index **map);

#endif
