/* SPDX-License-Identifier: Apache-2.0 */
#include "mtd/points.h"

#include "base/cleanup.h"
#include "base/log.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define NAME_MAX_LEN 255
#define MAX_WORDS    4

struct word {
	const char *p;
	size_t len;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The words of a line without its comment; more than max are counted, not stored. */
static unsigned split_line(const char *p, size_t len, struct word *words, unsigned max)
{
	const char *comment = memchr(p, '#', len), *end = comment ? comment : p + len;
	unsigned n = 0;

	while (p < end) {
		const char *start;

		while (p < end && is_blank(*p))
			p++;
		start = p;
		while (p < end && !is_blank(*p))
			p++;
		if (p > start) {
			if (n < max)
				words[n] = (struct word){ start, (size_t)(p - start) };
			n++;
		}
	}
	return n;
}

static bool word_is(struct word w, const char *text)
{
	return w.len == strlen(text) && !memcmp(w.p, text, w.len);
}

static bool is_function_name(struct word w)
{
	if (word_is(w, "*") || word_is(w, "**"))
		return true;
	if (w.len > NAME_MAX_LEN)
		return false;
	for (size_t i = 0; i < w.len; i++)
		if (!isalnum((unsigned char)w.p[i]) && !strchr("_.$", w.p[i]))
			return false;
	return !memchr(w.p, 0, w.len);
}

/* "12.5%" -> 125000 parts per million. */
static bool parse_probability(struct word w, uint32_t *ret)
{
	uint64_t value = 0, unit = MTD_MILLION / 100;
	bool fraction = false, digits = false;

	if (w.len < 2 || w.len > 9 || w.p[w.len - 1] != '%')
		return false;
	for (size_t i = 0; i + 1 < w.len; i++) {
		if (w.p[i] == '.' && !fraction) {
			fraction = true;
			continue;
		}
		if (w.p[i] < '0' || w.p[i] > '9')
			return false;
		digits = true;
		if (!fraction) {
			value = value * 10 + (uint64_t)(w.p[i] - '0') * (MTD_MILLION / 100);
			continue;
		}
		unit /= 10;
		if (!unit)
			return false;
		value += (uint64_t)(w.p[i] - '0') * unit;
	}
	if (!digits || value > MTD_MILLION)
		return false;
	*ret = (uint32_t)value;
	return true;
}

static const char *parse_point(const struct word *w, unsigned n, struct mtd_point *ret)
{
	struct mtd_point p = { .entry = true, .from_home = MTD_MILLION };

	if (n > MAX_WORDS)
		return "a point is FUNCTION [WHERE [FROM-HOME [TO-HOME]]]";
	if (!is_function_name(w[0]))
		return "the first word is not the name of a function";
	if (n > 1) {
		bool both = word_is(w[1], "entry,exit");

		p.exit = both || word_is(w[1], "exit");
		p.entry = both || word_is(w[1], "entry");
		if (!p.entry && !p.exit)
			return "the second word is entry, exit or entry,exit";
	}
	if (n > 2 && !parse_probability(w[2], &p.from_home))
		return "the third word is a probability, 0% to 100% with at most four decimals";
	p.to_home = p.from_home;
	if (n > 3 && !parse_probability(w[3], &p.to_home))
		return "the fourth word is a probability, 0% to 100% with at most four decimals";
	*ret = p;
	return NULL;
}

/* Of a plain path: what else it could be written as would not be found in the list. */
static bool is_plain_path(struct word w)
{
	const char *end = w.p + w.len, *star = memchr(w.p, '*', w.len);

	if (memchr(w.p, 0, w.len) || w.len < 2 || (star && star + 1 != end))
		return false;
	for (const char *p = w.p; p < end; p++) {
		size_t n = 0;	/* the length of the part behind a slash */

		if (*p != '/')
			continue;
		while (p + 1 + n < end && p[1 + n] != '/')
			n++;
		if (!n || (p[1] == '.' && (n == 1 || (n == 2 && p[2] == '.'))))
			return false;
	}
	return true;
}

static const char *parse_local(struct mtd_points *to, const struct word *w, unsigned n)
{
	if (n > 1)
		return "a path stands alone in its line";
	if (!is_plain_path(w[0]))
		return "a path of a file has no empty parts, no . and no .., and a * at its end only";
	/* Another 0 ends them all. */
	if (w[0].len + 2 > sizeof(to->local) - to->local_size)
		return "there are too many paths of files";
	memcpy(to->local + to->local_size, w[0].p, w[0].len);
	to->local_size += w[0].len + 1;
	return NULL;
}

static int add_point(struct mtd_points *to, struct word name, struct mtd_point p)
{
	struct mtd_point *v;

	if ((to->n & (to->n - 1)) == 0) {
		v = realloc(to->v, (to->n ? to->n * 2 : 1) * sizeof(*v));
		if (!v)
			return -ENOMEM;
		to->v = v;
	}
	p.function = strndup(name.p, name.len);
	if (!p.function)
		return -ENOMEM;
	to->v[to->n++] = p;
	return 0;
}

int mtd_points_parse(const char *text, size_t len, struct mtd_points *ret, unsigned *ret_line,
		     const char **ret_what)
{
	struct mtd_points points = { 0 };
	unsigned line = 0;
	int r = 0;

	while (len && r == 0) {
		const char *nl = memchr(text, '\n', len);
		size_t n = nl ? (size_t)(nl - text) : len;
		struct word words[MAX_WORDS];
		unsigned n_words = split_line(text, n, words, MAX_WORDS);
		struct mtd_point p;

		line++;
		text += nl ? n + 1 : n;
		len -= nl ? n + 1 : n;
		if (!n_words)
			continue;
		if (*words[0].p == '/') {
			*ret_what = parse_local(&points, words, n_words);
			r = *ret_what ? -EINVAL : 0;
			continue;
		}
		*ret_what = points.n == MTD_POINTS_MAX ? "there are too many points"
						       : parse_point(words, n_words, &p);
		r = *ret_what ? -EINVAL : add_point(&points, words[0], p);
	}
	if (r < 0) {
		*ret_line = line;
		mtd_points_free(&points);
		return r;
	}
	*ret = points;
	return 0;
}

static int load(FILE *f, const char *path, struct mtd_points *ret)
{
	cleanup_free char *text = malloc(MTD_POINTS_FILE_MAX + 1);
	const char *what;
	unsigned line;
	size_t n;
	int r;

	if (!text)
		return log_errno(ENOMEM, "cannot read the points file %s", path);
	n = fread(text, 1, MTD_POINTS_FILE_MAX + 1, f);
	if (ferror(f))
		return log_errno(EIO, "cannot read the points file %s", path);
	if (n > MTD_POINTS_FILE_MAX) {
		log_error("the points file %s is larger than 1 MiB", path);
		return -EFBIG;
	}
	r = mtd_points_parse(text, n, ret, &line, &what);
	if (r == -EINVAL)
		log_error("%s:%u: %s", path, line, what);
	else if (r < 0)
		log_errno(-r, "cannot read the points file %s", path);
	return r;
}

int mtd_points_load(const char *path, struct mtd_points *ret)
{
	cleanup_fclose FILE *f = fopen(path, "re");

	return f ? load(f, path, ret) : log_errno(errno, "cannot read the points file %s", path);
}

int mtd_points_load_of_root(const char *path, struct mtd_points *ret)
{
	cleanup_fclose FILE *f = fopen(path, "re");
	struct stat st;

	if (!f || fstat(fileno(f), &st) < 0)
		return log_errno(errno, "cannot read the points file %s", path);
	if (st.st_uid != 0 || st.st_mode & (S_IWGRP | S_IWOTH)) {
		log_error("others than root can change the points file %s, and so the program itself; do "
			  "chown root and chmod go-w", path);
		return -EPERM;
	}
	return load(f, path, ret);
}

const struct mtd_point *mtd_points_find(const struct mtd_points *p, const char *function,
					bool in_libc)
{
	for (size_t i = 0; i < p->n; i++) {
		const char *name = p->v[i].function;

		if (!strcmp(name, function) || !strcmp(name, "**") ||
		    (!strcmp(name, "*") && !in_libc))
			return &p->v[i];
	}
	return NULL;
}

void mtd_points_free(struct mtd_points *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->v[i].function);
	free(p->v);
	*p = (struct mtd_points){ 0 };
}
