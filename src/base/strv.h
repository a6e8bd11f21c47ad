/* SPDX-License-Identifier: Apache-2.0 */
/* A growing vector of owned strings. Zero-initialised is empty. */
#ifndef CHIRAL_BASE_STRV_H
#define CHIRAL_BASE_STRV_H

#include "base/cleanup.h"

#include <stddef.h>

struct strv {
	char **v;
	size_t n;
};

/* Appends a copy. 0 or -ENOMEM (the vector is as before). */
int strv_add(struct strv *s, const char *text);
int strv_addf(struct strv *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Ascending by bytes (strcmp(3)), nothing twice. */
void strv_sort_unique(struct strv *s);
void strv_free(struct strv *s);

#define cleanup_strv cleanup(strv_free)

#endif
