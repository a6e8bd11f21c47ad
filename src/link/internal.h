/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of a link share. */
#ifndef CHIRAL_LINK_INTERNAL_H
#define CHIRAL_LINK_INTERNAL_H

#include "link/framing.h"

/* Sets link_error() to "PEER " and the clause; returns err. */
int link_fail(struct link *l, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Makes err what every later call returns; returns err. */
int link_break(struct link *l, int err);
/* What may come from now on; borrowed. */
void link_set_rule(struct link *l, const struct framing_rule *rule);

#endif
