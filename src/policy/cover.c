/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/cover.h"

#include "calls/words.h"
#include "event/call.h"

#include <string.h>

bool row_is_governed(const struct call_row *row)
{
	return !row_is_alias(row) && row->disposition != DISP_LOCAL &&
	       row->disposition != DISP_REFUSED;
}

static const uint16_t never_fail[] = {
	CALL_GETPID, CALL_GETPPID, CALL_GETTID, CALL_GETPGID, CALL_SET_TID_ADDRESS, CALL_GETUID,
	CALL_GETEUID, CALL_GETGID, CALL_GETEGID, CALL_SETFSUID, CALL_SETFSGID, CALL_UMASK,
	CALL_SCHED_YIELD, CALL_SYNC,
};

bool row_is_refusable(const struct call_row *row)
{
	for (size_t i = 0; i < ARRAY_SIZE(never_fail); i++)
		if (call_row_id(row) == never_fail[i])
			return false;
	return row->irregular != IRR_EXIT && row->irregular != IRR_CLOSE;
}

static bool has_kind(const struct call_row *row, enum arg_kind a, enum arg_kind b)
{
	for (unsigned i = 0; i < row->n_args; i++)
		if (row->args[i].kind == a || row->args[i].kind == b)
			return true;
	return false;
}

bool row_has_descriptor(const struct call_row *row)
{
	return has_kind(row, ARG_FD, ARG_DIRFD);
}

bool row_sends_bytes(const struct call_row *row)
{
	for (unsigned i = 0; i < row->n_args; i++)
		if (spec_is_sent_buffer(&row->args[i]))
			return true;
	return false;
}

bool row_has_path(const struct call_row *row)
{
	return has_kind(row, ARG_PATH, ARG_PATH) || row_has_descriptor(row);
}

bool row_is_of_class(const struct call_row *row, const char *name)
{
	if (!strcmp(name, CLASS_OUTPUT))
		return row->flags & CALL_OUTPUT;
	return row->class[0] == '@' && !strcmp(row->class + 1, name);
}

bool class_exists(const char *name)
{
	for (unsigned id = 0; id < _CALL_MAX; id++)
		if (row_is_of_class(&call_rows[id], name))
			return true;
	return false;
}

bool row_is_called(const struct call_row *row, const char *name)
{
	return !strcmp(row->name, name) ||
	       (row_is_sub(row) && !strcmp(call_rows[row->parent].name, name));
}

static bool is_named(const struct policy_rule *r, const struct call_row *row)
{
	if (r->classes.n == 0 && r->calls.n == 0)
		return true;
	for (size_t i = 0; i < r->classes.n; i++)
		if (row_is_of_class(&call_rows[row->canonical], r->classes.v[i]))
			return true;
	for (size_t i = 0; i < r->calls.n; i++)
		if (row_is_called(row, r->calls.v[i]))
			return true;
	return false;
}

static bool can_meet(const struct policy_rule *r, const struct call_row *row)
{
	if (r->level == RULE_LEVEL_OBSERVE && !row_sends_bytes(row))
		return false;
	return row_is_governed(row) && (r->verdict == RULE_ALLOW || row_is_refusable(row)) &&
	       (r->kinds == 0 || row_has_descriptor(row)) && (r->paths.n == 0 || row_has_path(row));
}

unsigned rule_cover(const struct policy_rule *r, bool ret[_CALL_MAX])
{
	unsigned n = 0;

	memset(ret, 0, _CALL_MAX * sizeof(*ret));
	/* Also by the names of old calls, which are turned into others: "open" is openat. */
	for (unsigned id = 0; id < _CALL_MAX; id++) {
		unsigned canonical = call_rows[id].canonical;

		if (ret[canonical] || !is_named(r, &call_rows[id]) ||
		    !can_meet(r, &call_rows[canonical]))
			continue;
		ret[canonical] = true;
		n++;
	}
	return n;
}
