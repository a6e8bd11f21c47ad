/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Probes of `chiral check`: each asks the kernel by doing the thing, never by its version. A probe
 * runs in a process of its own (it may install filters, enter namespaces, hang or crash) and ends
 * with it; children of a probe die with it (check_fork()).
 */
#ifndef CHIRAL_CLI_CHECK_H
#define CHIRAL_CLI_CHECK_H

#include <linux/filter.h>
#include <stddef.h>
#include <sys/types.h>

enum check_grade {
	CHECK_MUST,
	CHECK_SHOULD,
	CHECK_NICE,
	_CHECK_GRADE_MAX,
};

#define CHECK_DETAIL_MAX 256

struct check {
	const char *name;
	enum check_grade grade;
	const char *purpose;	/* what chiral needs it for */
	const char *remedy;	/* what to do when it is missing */
	/* 0 when it is there, -errno when not (a positive value: not, and no errno explains it).
	 * detail: what was found, one short sentence; may stay "". */
	int (*probe)(char detail[CHECK_DETAIL_MAX]);
};

/* NULL-named entry at the end of each. */
extern const struct check check_trace[], check_notify[], check_host[], check_node[];

/* fork() whose child dies with the probe. */
pid_t check_fork(void);

/* Installs, in the calling process, a filter that returns action for getppid(2) and allows the
 * rest. The return value of seccomp(2), or -errno. */
int check_filter_getppid(unsigned action, unsigned flags);

/* Formats into detail and returns r. */
int check_say(char detail[CHECK_DETAIL_MAX], int r, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
