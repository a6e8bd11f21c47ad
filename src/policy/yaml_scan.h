/* SPDX-License-Identifier: Apache-2.0 */
/* A walk over a YAML text, event by event (libyaml). */
#ifndef CHIRAL_POLICY_YAML_SCAN_H
#define CHIRAL_POLICY_YAML_SCAN_H

#include <stdbool.h>
#include <stddef.h>

/* Syntax, and what policies do not use: anchors, tags, several documents, NUL bytes, deep nesting.
 * 1, 0 when there is nothing but comments, -EINVAL, logged with name and line. */
int policy_yaml_scan(const char *name, const char *text, size_t len);

/* The line of a key in the mapping that begins at line from; again: of its second place there. from when
 * there is none. */
unsigned policy_yaml_line_of_key(const char *text, size_t len, unsigned from, const char *key,
				 bool again);

#endif
