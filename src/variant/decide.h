/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is to be done with a call, from its row and the state of the process: the same rule on both
 * sides, so that leader and follower agree which calls are compared.
 */
#ifndef CHIRAL_VARIANT_DECIDE_H
#define CHIRAL_VARIANT_DECIDE_H

#include "event/call.h"
#include "variant/loader.h"
#include "variant/vdt.h"

enum decision {
	DECIDE_LOCAL,	/* each variant for itself, not compared */
	DECIDE_COMPARE, /* an event: compared, and replayed or mirrored as the row says */
	DECIDE_REFUSE,	/* the same error everywhere */
};

struct verdict_of_call {
	enum decision decision;
	int err;		/* DECIDE_REFUSE: positive errno; 0: success without effect */
	const char *local_path; /* DECIDE_LOCAL by path: the path, as from call_path() */
};

/* n is resolved and c captured at entry. loader: the process's. extra: further local paths, as for
 * localpath_match(). */
struct verdict_of_call call_decide(const struct native_call *n, const struct call_record *c,
				   const struct vdt *vdt, const struct loader *loader,
				   char *const *extra);

/* The path an argument captured, valid until the next call of this function; NULL when it is not readable or
 * too long. */
const char *call_path(const struct call_record *c, unsigned arg);

/*
 * How often the variants make this call may differ (see replay/elastic.h and tempname.h): what is counted of a
 * thread's calls on both sides leaves it out.
 */
bool call_is_elastic(const struct call_record *c);

/* The process-wide warning about calls that answer ENOSYS: true the first time for a row. */
bool call_warn_once(const struct native_call *n);

/* The effect of a local call that succeeded with native result ret on the descriptor table. */
void call_local_effects(const struct native_call *n, const struct call_record *c, int64_t ret,
			struct vdt *vdt);

/* The effect of a compared call that succeeded: new descriptors are virtual. */
void call_virtual_effects(const struct call_record *c, struct vdt *vdt);

#endif
