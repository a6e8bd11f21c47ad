/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: see facts.h. */
#include "session/facts.h"

#include "base/cleanup.h"
#include "isa/isa.h"

#include <stdarg.h>
#include <stdio.h>

/* Libraries that are named; a machine of another release differs in all of them. */
#define LIBRARIES_SAID 8

struct comparison {
	const struct facts *fa, *fb;
	const char *a, *b;
	facts_say *say;
	void *arg;
	unsigned n_libraries;	/* that differ */
	char libraries[1536];	/* the first of them, with their versions */
};

static void __attribute__((format(printf, 3, 4)))
say(struct comparison *c, bool refuse, const char *fmt, ...)
{
	char text[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	c->say(c->arg, refuse, text);
}

/* Bytes of a version without a last part like +b1: sign, letters, digits. */
static size_t without(const char *version, size_t n, const char *signs, const char *letters)
{
	size_t at = n, len = strlen(letters);

	while (at && version[at - 1] >= '0' && version[at - 1] <= '9')
		at--;
	if (at == n || at < len + 1 || strncmp(version + at - len, letters, len) != 0 ||
	    !strchr(signs, version[at - len - 1]))
		return n;
	return at - len - 1;
}

/* Without Debian's suffix of a rebuild from the same source (1.2-3+b1). */
static size_t source_len(const char *version)
{
	return without(version, strlen(version), "+", "b");
}

/* Also without that of an update to a stable release (1.2-3+deb12u1, 1.2-3~deb12u1). */
static size_t base_len(const char *version)
{
	size_t n = source_len(version), at = n;

	while (at && version[at - 1] >= '0' && version[at - 1] <= '9')
		at--;
	return at && at < n && version[at - 1] == 'u' ? without(version, at - 1, "+~", "deb") : n;
}

static bool same_version(const struct fact *x, const struct fact *y,
			 size_t (*len_of)(const char *version))
{
	size_t n = len_of(x->version);

	return n == len_of(y->version) && !strncmp(x->version, y->version, n) &&
	       !strcmp(x->package, y->package);
}

static bool same_id(const struct fact *x, const struct fact *y)
{
	return x->id_size == y->id_size && !memcmp(x->id, y->id, x->id_size);
}

/* Of one ISA and one kind: whether they are equal says something. */
static bool comparable_id(const struct comparison *c, const struct fact *x, const struct fact *y)
{
	bool any_isa = x->role == FACT_SCRIPT;

	return (any_isa || c->fa->isa == c->fb->isa) && x->id_kind != FACT_ID_NONE &&
	       x->id_kind == y->id_kind;
}

static const char *kind_of(const struct fact *f)
{
	return f->role == FACT_SCRIPT ? "a script" : "an ELF program";
}

#define REMEDY "; install the same on both, or use --allow-different-versions"

static void compare_builds(struct comparison *c, const struct fact *x, const struct fact *y)
{
	if (x->role == FACT_SCRIPT)
		say(c, true, "the script '%s' has other bytes on %s than on %s" REMEDY, x->name, c->a,
		    c->b);
	else
		say(c, true, "'%s' is another build on %s than on %s: their %s differ" REMEDY, x->name,
		    c->a, c->b, x->id_kind == FACT_ID_BUILD ? "build ids" : "bytes");
}

static void compare_programs(struct comparison *c, const struct fact *x, const struct fact *y)
{
	if ((x->role == FACT_SCRIPT) != (y->role == FACT_SCRIPT)) {
		say(c, true, "'%s' is %s on %s and %s on %s" REMEDY, x->name, kind_of(x), c->a,
		    kind_of(y), c->b);
		return;
	}
	/* Equal bytes need no version. */
	if (comparable_id(c, x, y) && same_id(x, y))
		return;
	if (*x->package && *y->package && !same_version(x, y, source_len))
		say(c, !same_version(x, y, base_len),
		    "'%s' is %s %s on %s, but %s %s on %s" REMEDY, x->name, x->package, x->version,
		    c->a, y->package, y->version, c->b);
	else if (comparable_id(c, x, y))
		compare_builds(c, x, y);
	else if (!*x->package != !*y->package)
		say(c, false, "'%s' is %s %s on %s, and of no package on %s: whether their versions "
			      "are equal is not known", x->name, *x->package ? x->package : y->package,
		    *x->version ? x->version : y->version, *x->package ? c->a : c->b,
		    *x->package ? c->b : c->a);
}

/* One package has many libraries. */
static bool said_already(const struct facts *f, const struct fact *x)
{
	for (const struct fact *o = f->v; o < x; o++)
		if (o->role >= FACT_LOADER && *o->path && *x->package &&
		    !strcmp(o->package, x->package))
			return true;
	return false;
}

static void note_library(struct comparison *c, const struct fact *x, const struct fact *y)
{
	size_t n = strlen(c->libraries), room = sizeof(c->libraries) - n;
	const char *comma = n ? ", " : "";

	if (++c->n_libraries > LIBRARIES_SAID)
		return;
	if (*x->package && *y->package)
		snprintf(c->libraries + n, room, "%s%s of %s %s and %s %s", comma, x->name, x->package,
			 x->version, y->package, y->version);
	else
		snprintf(c->libraries + n, room, "%s%s of two builds", comma, x->name);
}

static void compare_library(struct comparison *c, const struct fact *x, const struct fact *y)
{
	bool known = *x->package && *y->package;

	if (!*x->path || !*y->path) {
		if (*x->path || *y->path)
			say(c, true, "'%s' needs %s, which is on %s, but not on %s; install it there",
			    c->fa->v[0].name, x->name, *x->path ? c->a : c->b,
			    *x->path ? c->b : c->a);
		return;
	}
	if (known ? same_version(x, y, source_len) : !comparable_id(c, x, y) || same_id(x, y))
		return;
	if (!said_already(c->fa, x))
		note_library(c, x, y);
}

static const struct fact *find_library(const struct facts *f, const struct fact *like)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->v[i].role == like->role &&
		    (like->role == FACT_LOADER || !strcmp(f->v[i].name, like->name)))
			return &f->v[i];
	return NULL;
}

static void compare_libraries(struct comparison *c)
{
	char more[32] = "";

	for (size_t i = 0; i < c->fa->n; i++) {
		const struct fact *x = &c->fa->v[i];
		const struct fact *y = x->role >= FACT_LOADER ? find_library(c->fb, x) : NULL;

		/* What one ISA alone needs cannot be compared. */
		if (y)
			compare_library(c, x, y);
	}
	if (c->n_libraries > LIBRARIES_SAID)
		snprintf(more, sizeof(more), ", and %u more", c->n_libraries - LIBRARIES_SAID);
	if (c->n_libraries)
		say(c, false, "libraries on %s and %s differ, and so may the variants without an "
			      "attack: %s%s", c->a, c->b, c->libraries, more);
}

void facts_compare(const struct facts *fa, const char *a, const struct facts *fb, const char *b,
		   facts_say *to, void *arg)
{
	struct comparison c = { fa, fb, a, b, to, arg, 0, "" };

	for (size_t i = 0; i < fa->n && i < fb->n; i++) {
		const struct fact *x = &fa->v[i], *y = &fb->v[i];

		if (x->role > FACT_PROGRAM || y->role > FACT_PROGRAM)
			break;
		compare_programs(&c, x, y);
		if (x->role != y->role)
			return;
	}
	compare_libraries(&c);
}
