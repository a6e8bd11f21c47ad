/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *log_name = "chiral";

void log_set_name(const char *name)
{
	log_name = name;
}

/* What a peer or a program sent may be part of a message: it must not command the terminal. Bytes of
 * C1 controls, which some terminals obey, come as 0xc2 0x80..0x9f in UTF-8. */
static void make_harmless(uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((p[i] < 0x20 && p[i] != '\n' && p[i] != '\t') || p[i] == 0x7f ||
		    (i && p[i - 1] == 0xc2 && p[i] >= 0x80 && p[i] < 0xa0))
			p[i] = '?';
}

static void emit(const char *tag, const char *colour, int err, const char *fmt, va_list ap)
{
	char line[2048];
	int saved = errno;
	bool tty = isatty(STDERR_FILENO);
	size_t n, text, max = sizeof(line) - 1;

	n = (size_t)snprintf(line, max, "%s: %s%s%s", log_name, tty ? colour : "", tag,
			     tty && *colour ? "\033[0m" : "");
	text = n;
	if (n < max)
		n += (size_t)vsnprintf(line + n, max - n, fmt, ap);
	if (n < max && err > 0)
		n += (size_t)snprintf(line + n, max - n, ": %s", strerror(err));
	if (n > max - 1)
		n = max - 1;
	if (text < n)
		make_harmless((uint8_t *)line + text, n - text);
	line[n++] = '\n';
	(void)!write(STDERR_FILENO, line, n);
	errno = saved;
}

#define EMIT(tag, colour, err)                                                                     \
	do {                                                                                       \
		va_list ap;                                                                        \
		va_start(ap, fmt);                                                                 \
		emit(tag, colour, err, fmt, ap);                                                   \
		va_end(ap);                                                                        \
	} while (0)

int log_errno(int err, const char *fmt, ...)
{
	EMIT("error: ", "\033[31m", err);
	return -err;
}

void log_error(const char *fmt, ...)
{
	EMIT("error: ", "\033[31m", 0);
}

void log_warn(const char *fmt, ...)
{
	EMIT("warning: ", "\033[33m", 0);
}

void log_info(const char *fmt, ...)
{
	EMIT("", "", 0);
}

void log_debug(const char *fmt, ...)
{
	static int enabled = -1;

	if (enabled < 0)
		enabled = getenv("CHIRAL_DEBUG") != NULL;
	if (enabled)
		EMIT("debug: ", "", 0);
}
