/* SPDX-License-Identifier: Apache-2.0 */
/* The page of supported calls, made from the call table. */
#ifndef CHIRAL_CALLS_PAGE_H
#define CHIRAL_CALLS_PAGE_H

#include "base/bytes.h"

enum page_format {
	PAGE_TEXT,	/* aligned columns */
	PAGE_MARKDOWN,	/* doc/supported-calls.md */
	PAGE_JSON,	/* one object; readers must ignore members that they do not understand */
};

/*
 * Appends the page to w: rows whose name contains `name` (all when NULL) and their sums. Returns the
 * number of rows printed; out of memory shows in w->failed.
 */
unsigned page_print(struct writer *w, enum page_format format, const char *name);

#endif
