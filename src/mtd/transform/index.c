/* SPDX-License-Identifier: Apache-2.0 */
#include "mtd/transform/index.h"

#include "mtd/transform/ir.h"

#include <stdlib.h>
#include <uthash.h>

struct index {
	const void *key;
	int value;
	UT_hash_handle hh;
};

void index_set(struct index **map, const void *key, int value)
{
	struct index *e;

	HASH_FIND_PTR(*map, &key, e);
	if (!e) {
		e = xalloc(1, sizeof(*e));
		e->key = key;
		HASH_ADD_PTR(*map, key, e);
	}
	e->value = value;
}

int index_get(const struct index *map, const void *key)
{
	struct index *e;

	HASH_FIND_PTR(map, &key, e);
	return e ? e->value : -1;
}

void index_free(struct index **map)
{
	struct index *e, *next;

	HASH_ITER(hh, *map, e, next) {
		HASH_DEL(*map, e);
		free(e);
	}
}
