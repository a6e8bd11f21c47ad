/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *log_name = "chiral";

void log_set_name(const char *name)
{
	log_name = name;
}

static void emit(const char *tag, const char *colour, int err, const char *fmt, va_list ap)
{
	char line[2048];
	bool tty = isatty(STDERR_FILENO);
	int saved = errno;
	size_t n, max = sizeof(line) - 1;

	n = (size_t)snprintf(line, max, "%s: %s%s%s", log_name, tty ? colour : "", tag,
			     tty && *colour ? "\033[0m" : "");
	if (n < max)
		n += (size_t)vsnprintf(line + n, max - n, fmt, ap);
	if (n < max && err > 0)
		n += (size_t)snprintf(line + n, max - n, ": %s", strerror(err));
	if (n > max - 1)
		n = max - 1;
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
