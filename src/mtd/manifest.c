/* SPDX-License-Identifier: Apache-2.0 */
#include "mtd/manifest.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "mtd/runtime/session.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_LEN 1000

static bool parse_hex(const char *s, uint64_t *ret)
{
	uint64_t v = 0;

	for (int i = 0; i < 16; i++) {
		if (!isxdigit((unsigned char)s[i]))
			return false;
		v = v << 4 | (uint64_t)(isdigit((unsigned char)s[i])
						? s[i] - '0'
						: tolower((unsigned char)s[i]) - 'a' + 10);
	}
	*ret = v;
	return true;
}

static int add_point(struct mtd_manifest *m, uint32_t id, const char *function, bool entry, bool exit)
{
	struct mtd_manifest_point *v;

	if ((m->n & (m->n - 1)) == 0) {
		v = realloc(m->points, (m->n ? m->n * 2 : 1) * sizeof(*v));
		if (!v)
			return -ENOMEM;
		m->points = v;
	}
	m->points[m->n] = (struct mtd_manifest_point){
		.function = strdup(function), .id = id, .entry = entry, .exit = exit };
	return m->points[m->n].function ? (m->n++, 0) : -ENOMEM;
}

/* "17 serve entry" */
static int parse_point(struct mtd_manifest *m, char *text)
{
	char *save = NULL, *id = strtok_r(text, " ", &save), *function = strtok_r(NULL, " ", &save);
	char *where = strtok_r(NULL, " ", &save), *end;
	unsigned long number;
	bool both, entry, exit;

	if (!where || strtok_r(NULL, " ", &save) || !isdigit((unsigned char)*id) || strlen(id) > 5)
		return -EINVAL;
	number = strtoul(id, &end, 10);
	both = !strcmp(where, "entry,exit");
	entry = both || !strcmp(where, "entry");
	exit = both || !strcmp(where, "exit");
	if (*end || number >= MTD_MAX_FUNCTIONS || m->n == MTD_MAX_FUNCTIONS || (!entry && !exit))
		return -EINVAL;
	return add_point(m, (uint32_t)number, function, entry, exit);
}

static int parse_line(struct mtd_manifest *m, unsigned line, char *text)
{
	if (line == 1)
		return strcmp(text, "chiral-mtd 1") ? -EINVAL : 0;
	if (line == 2)
		return strncmp(text, "build-id ", 9) || strlen(text) != 41 ||
				       !parse_hex(text + 9, &m->build_id[0]) ||
				       !parse_hex(text + 25, &m->build_id[1])
			       ? -EINVAL
			       : 0;
	return strncmp(text, "point ", 6) ? -EINVAL : parse_point(m, text + 6);
}

int mtd_manifest_parse(const char *text, size_t len, struct mtd_manifest *ret)
{
	struct mtd_manifest m = { 0 };
	unsigned line = 0;
	int r = 0;

	while (len && r == 0) {
		const char *nl = memchr(text, '\n', len);
		size_t n = nl ? (size_t)(nl - text) : 0;
		char copy[LINE_MAX_LEN + 1];

		if (!nl || n > LINE_MAX_LEN || memchr(text, 0, n)) {
			r = -EINVAL;
			break;
		}
		memcpy(copy, text, n);
		copy[n] = 0;
		r = parse_line(&m, ++line, copy);
		text += n + 1;
		len -= n + 1;
	}
	if (r == 0 && line < 2)
		r = -EINVAL;
	if (r < 0)
		mtd_manifest_free(&m);
	else
		*ret = m;
	return r;
}

int mtd_manifest_load(const char *path, struct mtd_manifest *ret)
{
	cleanup_fclose FILE *f = fopen(path, "re");
	cleanup_free char *text = malloc(MTD_MANIFEST_MAX + 1);
	size_t n;
	int r;

	if (!f) {
		r = errno;
		log_error("cannot read the manifest %s: %s; build the program with `chiral cc`", path,
			  strerror(r));
		return -r;
	}
	if (!text)
		return log_errno(ENOMEM, "cannot read the manifest %s", path);
	n = fread(text, 1, MTD_MANIFEST_MAX + 1, f);
	r = ferror(f) ? -EIO : n > MTD_MANIFEST_MAX ? -EFBIG : mtd_manifest_parse(text, n, ret);
	if (r < 0)
		log_error("%s is not a manifest of `chiral cc`; build the program again", path);
	return r;
}

void mtd_manifest_free(struct mtd_manifest *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->points[i].function);
	free(m->points);
	*m = (struct mtd_manifest){ 0 };
}
