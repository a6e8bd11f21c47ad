/* SPDX-License-Identifier: Apache-2.0 */
/* A policy file as it is written: strings at their places, nothing understood yet. */
#ifndef CHIRAL_POLICY_YAML_H
#define CHIRAL_POLICY_YAML_H

#include <stddef.h>
#include <stdint.h>

struct yaml_rule {
	char **classes, **calls, **paths, **descriptors;
	uint32_t classes_count, calls_count, paths_count, descriptors_count;
	char *level, *refuse;
};

struct yaml_window {
	char *events, *bytes;
};

/* Members that the file does not have are NULL. */
struct yaml_policy {
	char *level, *on_divergence, *on_lost_peer;
	struct yaml_window *window;
	char **local;
	uint32_t local_count;
	struct yaml_rule *rules;
	uint32_t rules_count;
};

/* One document without anchors, tags, and NUL bytes, of the keys above and no others. 0 and *ret (NULL
 * for an empty file; policy_yaml_free()), or -EINVAL, logged with name and line. */
int policy_yaml_read(const char *name, const char *text, size_t len, struct yaml_policy **ret);
void policy_yaml_free(struct yaml_policy *y);

/*
 * The line, counted from 1, of the scalar value at the top-level key; item: in that entry of its list,
 * counted from 0, or -1. Without a value, that of the entry or key itself. 0: not found.
 */
unsigned policy_yaml_line_of(const char *text, size_t len, const char *key, int item,
			     const char *value);

#endif
