/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names that the C library makes up (mkstemp(3), mkdtemp(3)).
 *
 * glibc before 2.37, and gnulib of that time in mktemp(1), make their letters (6 and 10) of the address
 * of a variable and of the monotonic clock (sysdeps/posix/tempname.c, try_tempname_len()), so that each
 * variant would have a name of its own. The follower is given the leader's, in the template that the
 * program is going to see. Such a name is known by the clock that was read just before, by a call that
 * makes a new file or folder and nothing else, and by the letters, which have to be all of the difference.
 */
#ifndef CHIRAL_REPLAY_TEMPNAME_H
#define CHIRAL_REPLAY_TEMPNAME_H

#include "replay/thread.h"

#include <stdbool.h>

/*
 * Where one variant has found its number unfit and asked for another one (getrandom), and the other has
 * not. c is a call of either at that place, other the other's.
 */
bool tempname_is_retry(const struct fthread *f, const struct call_record *c,
		       const struct call_record *other);

/* f->leader and f->call differ as m says. True when that was such a name: f->call is captured anew, and
 * is to be compared again. */
bool tempname_adopt(struct fthread *f, const struct call_mismatch *m);

#endif
