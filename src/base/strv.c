/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strv.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int take(struct strv *s, char *owned)
{
	char **v;

	if (!owned)
		return -ENOMEM;
	/* Grows at powers of two, told from n alone. */
	if ((s->n & (s->n - 1)) == 0) {
		v = realloc(s->v, (s->n ? s->n * 2 : 1) * sizeof(*v));
		if (!v) {
			free(owned);
			return -ENOMEM;
		}
		s->v = v;
	}
	s->v[s->n++] = owned;
	return 0;
}

int strv_add(struct strv *s, const char *text)
{
	return take(s, strdup(text));
}

int strv_addf(struct strv *s, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = vasprintf(&text, fmt, ap);
	va_end(ap);
	return take(s, r < 0 ? NULL : text);
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void strv_sort_unique(struct strv *s)
{
	size_t kept = 0;

	if (s->n > 1)
		qsort(s->v, s->n, sizeof(*s->v), compare);
	for (size_t i = 0; i < s->n; i++) {
		if (kept && !strcmp(s->v[kept - 1], s->v[i]))
			free(s->v[i]);
		else
			s->v[kept++] = s->v[i];
	}
	s->n = kept;
}

void strv_free(struct strv *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->v[i]);
	free(s->v);
	*s = (struct strv){ 0 };
}
