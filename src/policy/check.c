/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a rule makes sense: what it names exists, and it can be about some call. */
#include "policy/cover.h"

#include "calls/words.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct finding {
	char *why;
	size_t size;
	const char **word;
};

static bool wrong(const struct finding *f, const char *word, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static bool wrong(const struct finding *f, const char *word, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(f->why, f->size, fmt, ap);
	va_end(ap);
	*f->word = word;
	return false;
}

static bool is_plain(const char *text, size_t max)
{
	size_t n = strlen(text);

	for (size_t i = 0; i < n; i++)
		if ((unsigned char)text[i] <= 0x20 || text[i] == 0x7f)
			return false;
	return n > 0 && n <= max;
}

bool rule_check_path(const char *path, char *why, size_t size)
{
	size_t n = strlen(path);

	for (const char *p = path; (p = strstr(p, "/..")); p += 3)
		if (p[3] == 0 || p[3] == '/') {
			snprintf(why, size, "a path has no '..'");
			return false;
		}
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)path[i] < 0x20 || path[i] == 0x7f) {
			snprintf(why, size, "a path has no control characters");
			return false;
		}
	if (path[0] != '/' || n > RULE_PATH_MAX) {
		snprintf(why, size, path[0] == '/' ? "a path has at most %u bytes"
						   : "a path begins with '/'", RULE_PATH_MAX);
		return false;
	}
	return true;
}

static bool check_paths(const struct policy_rule *r, const struct finding *f)
{
	for (size_t i = 0; i < r->paths.n; i++)
		if (!rule_check_path(r->paths.v[i], f->why, f->size)) {
			*f->word = r->paths.v[i];
			return false;
		}
	return true;
}

static bool check_classes(const struct policy_rule *r, const struct finding *f)
{
	for (size_t i = 0; i < r->classes.n; i++)
		if (!is_plain(r->classes.v[i], RULE_NAME_MAX) || !class_exists(r->classes.v[i]))
			return wrong(f, r->classes.v[i],
				     "there is no class of calls with this name; `chiral calls` shows "
				     "them");
	return true;
}

/* Why no rule can be about any call of that name; NULL when one can. */
static const char *why_not(const struct policy_rule *r, const char *name)
{
	const char *why = "there is no system call with this name; `chiral calls` shows them";

	for (unsigned id = 0; id < _CALL_MAX; id++) {
		const struct call_row *row = &call_rows[call_rows[id].canonical];

		if (!row_is_called(&call_rows[id], name))
			continue;
		if (row->disposition == DISP_REFUSED)
			why = "this call is refused in every session";
		else if (row->disposition == DISP_LOCAL)
			why = "this call is local: each variant executes it for itself, and no monitor "
			      "sees it";
		else if (r->verdict != RULE_ALLOW && !row_is_refusable(row))
			why = "this call cannot be refused: no program expects it to fail";
		else if (r->level == RULE_LEVEL_OBSERVE && !row_sends_bytes(row))
			why = "this call sends no buffer of bytes: there is nothing that may differ";
		else if (r->kinds && !row_has_descriptor(row))
			why = "this call has no descriptor";
		else if (r->paths.n && !row_has_path(row))
			why = "this call has neither a path nor a descriptor";
		else
			return NULL;
	}
	return why;
}

static bool check_calls(const struct policy_rule *r, const struct finding *f)
{
	for (size_t i = 0; i < r->calls.n; i++) {
		const char *why = is_plain(r->calls.v[i], RULE_NAME_MAX)
					  ? why_not(r, r->calls.v[i])
					  : "this is no name of a system call";

		if (why)
			return wrong(f, r->calls.v[i], "%s", why);
	}
	return true;
}

bool rule_check(const struct policy_rule *r, char *why, size_t size, const char **ret_word)
{
	struct finding f = { why, size, ret_word };
	bool cover[_CALL_MAX];

	*ret_word = NULL;
	if (r->level == RULE_LEVEL_NONE && r->verdict == RULE_ALLOW)
		return wrong(&f, NULL, "the rule says nothing: it needs 'level' or 'refuse'");
	if (r->level != RULE_LEVEL_NONE && r->verdict != RULE_ALLOW)
		return wrong(&f, NULL, "the rule has both 'level' and 'refuse': make it two rules");
	if (!r->classes.n && !r->calls.n && !r->paths.n && !r->kinds)
		return wrong(&f, NULL, "the rule is about every call: it needs 'classes', 'calls', "
				       "'paths' or 'descriptors'");
	if (!check_classes(r, &f) || !check_paths(r, &f) || !check_calls(r, &f))
		return false;
	if (rule_cover(r, cover) == 0)
		return wrong(&f, NULL, "no call can meet the rule: `chiral calls` shows what is compared");
	return true;
}
