/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which rows of the call table a rule is about.
 *
 * Rules are about calls that every variant makes and a monitor sees: those that are compared. Local ones
 * pass the monitors by, refused ones are refused already.
 */
#ifndef CHIRAL_POLICY_COVER_H
#define CHIRAL_POLICY_COVER_H

#include "calls/table.h"
#include "policy/rules.h"

/* The pseudo-class of all calls by which bytes or effects leave a variant. */
#define CLASS_OUTPUT "output"

/* Calls of the row may be compared: rules can be about them. */
bool row_is_governed(const struct call_row *row);
/*
 * False for calls whose refusal would leave a program that cannot end or loses descriptors, and for those
 * that cannot fail (their pages in section 2 say so): nobody looks for an error there, and a process that
 * takes -1 for its id sends its signals to everybody (kill(2)).
 */
bool row_is_refusable(const struct call_row *row);
bool row_has_path(const struct call_row *row);
bool row_has_descriptor(const struct call_row *row);
/* Bytes of a buffer go into the kernel: what call_equal_but_bytes() lets differ. */
bool row_sends_bytes(const struct call_row *row);

/* name is without "@". */
bool row_is_of_class(const struct call_row *row, const char *name);
bool class_exists(const char *name);
/* The native name is the row's, or that of its parent. */
bool row_is_called(const struct call_row *row, const char *name);

/* Sets ret[id] for every canonical row that a call may have which meets the rule's conditions. Their
 * number. */
unsigned rule_cover(const struct policy_rule *r, bool ret[_CALL_MAX]);

#endif
