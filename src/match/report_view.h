/* SPDX-License-Identifier: Apache-2.0 */
/* Helpers that the printers of a report share. */
#ifndef CHIRAL_MATCH_REPORT_VIEW_H
#define CHIRAL_MATCH_REPORT_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* Copies text with bytes outside printable ASCII as \xNN; cut with "..." when it does not fit into
 * max bytes (NUL included, at least 4). */
void report_escape(char *buf, size_t max, const char *text);

/* "2026-01-31T23:59:59.123456789Z"; buf of at least 31 bytes. */
void report_print_time(char *buf, size_t max, const struct timespec *time);

/* 32 hexadecimal digits. */
void report_print_session(char ret[33], const uint8_t id[16]);

/* The first column in which two printed calls differ. SIZE_MAX: in none, or only in that one has no
 * result yet (" = ?" or nothing). */
size_t report_first_difference(const char *a, const char *b);

/* The same call, one of them perhaps without its result. */
static inline bool report_same_call(const char *a, const char *b)
{
	return report_first_difference(a, b) == SIZE_MAX;
}

#endif
