/* SPDX-License-Identifier: Apache-2.0 */
/* What a call is about: the kinds of its descriptors, and the files that it names or has open. */
#ifndef CHIRAL_POLICY_SUBJECT_H
#define CHIRAL_POLICY_SUBJECT_H

#include "event/call.h"
#include "policy/rules.h"

#include <sys/types.h>

/* Looked up when it is asked for. Zero but for the first two. */
struct subject {
	pid_t tid;
	const struct call_record *call;
	bool has_kinds, has_names;
	bool unknown;	/* names: something could not be looked up */
	uint8_t kinds;
	struct strv names; /* absolute */
};

/* A bit for each enum descriptor_kind of an argument; all bits when one cannot be told. */
uint8_t subject_kinds(struct subject *s);
/* Whether one of the call's files matches one of the patterns, or cannot be told: by the name that the
 * call gives, made absolute and free of "..", and by where it leads through symbolic links. */
bool subject_is_at(struct subject *s, const struct strv *patterns);
void subject_free(struct subject *s);

/* The pattern matches the absolute path, or a directory above it. */
bool pattern_matches(const char *pattern, const char *path);
/* Takes "//", "." and ".." out of an absolute path. */
void path_normalise(char *path);

#endif
