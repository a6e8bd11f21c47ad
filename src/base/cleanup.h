/* SPDX-License-Identifier: Apache-2.0 */
/* Scope-bound release of resources (GNU C cleanup attribute). Values are left at "none" (-1, NULL). */
#ifndef CHIRAL_BASE_CLEANUP_H
#define CHIRAL_BASE_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define cleanup(fn) __attribute__((cleanup(fn)))

static inline void cleanup_close_fn(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static inline void cleanup_free_fn(void *p)
{
	free(*(void **)p);
	*(void **)p = NULL;
}

static inline void cleanup_fclose_fn(FILE **f)
{
	if (*f)
		fclose(*f);
	*f = NULL;
}

#define cleanup_close cleanup(cleanup_close_fn)
#define cleanup_free cleanup(cleanup_free_fn)
#define cleanup_fclose cleanup(cleanup_fclose_fn)

/* Hands a value out of its cleanup scope. */
static inline int take_fd(int *fd)
{
	int r = *fd;

	*fd = -1;
	return r;
}

static inline void *take_ptr_fn(void *p)
{
	void *r = *(void **)p;

	*(void **)p = NULL;
	return r;
}
#define take_ptr(p) ((__typeof__(*(p)))take_ptr_fn(p))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif
