/* SPDX-License-Identifier: Apache-2.0 */
/* base/log.h for fuzz targets: messages are made, so that their arguments are looked at, not printed. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

#define FORMAT(fmt)                                                                                \
	do {                                                                                       \
		char line[2048];                                                                   \
		va_list ap;                                                                        \
		va_start(ap, fmt);                                                                 \
		vsnprintf(line, sizeof(line), fmt, ap);                                            \
		va_end(ap);                                                                        \
	} while (0)

void log_set_name(const char *name)
{
}

int log_errno(int err, const char *fmt, ...)
{
	FORMAT(fmt);
	return -err;
}

void log_error(const char *fmt, ...)
{
	FORMAT(fmt);
}

void log_warn(const char *fmt, ...)
{
	FORMAT(fmt);
}

void log_info(const char *fmt, ...)
{
	FORMAT(fmt);
}

void log_debug(const char *fmt, ...)
{
	FORMAT(fmt);
}
