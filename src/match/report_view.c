/* SPDX-License-Identifier: Apache-2.0 */
#include "match/report_view.h"

#include <stdio.h>
#include <string.h>

void report_escape(char *buf, size_t max, const char *text)
{
	static const char hex[] = "0123456789abcdef";
	size_t n = 0, cut = 0; /* cut: where "..." still fits */

	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		size_t need = c >= ' ' && c < 0x7f ? 1 : 4;

		if (n + need + 1 > max) {
			memcpy(buf + cut, "...", 4);
			return;
		}
		if (need == 1) {
			buf[n] = (char)c;
		} else {
			memcpy(buf + n, (char[]){ '\\', 'x', hex[c >> 4], hex[c & 15] }, 4);
		}
		n += need;
		if (n + 4 <= max)
			cut = n;
	}
	buf[n] = 0;
}

void report_print_time(char *buf, size_t max, const struct timespec *time)
{
	char seconds[32];
	struct tm tm;

	gmtime_r(&time->tv_sec, &tm);
	strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf, max, "%s.%09ldZ", seconds, time->tv_nsec);
}

void report_print_session(char ret[33], const uint8_t id[16])
{
	for (int i = 0; i < 16; i++)
		snprintf(ret + 2 * i, 3, "%02x", id[i]);
}

/* Columns of a call up to its result; all of it when it has none. */
static size_t without_result(const char *s)
{
	size_t n = strlen(s);

	return n >= 4 && !strcmp(s + n - 4, " = ?") ? n - 4 : n;
}

size_t report_first_difference(const char *a, const char *b)
{
	size_t n = without_result(a), m = without_result(b), i = 0;

	while (i < n && i < m && a[i] == b[i])
		i++;
	if (i < n && i < m)
		return i;
	if (i == n && i == m)
		return SIZE_MAX;
	/* One ends here: what the other has more may be its result. */
	return strncmp((i < n ? a : b) + i, " = ", 3) ? i : SIZE_MAX;
}
