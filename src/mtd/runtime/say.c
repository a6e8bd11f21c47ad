/* SPDX-License-Identifier: Apache-2.0 */
#include "mtd/runtime/runtime.h"

#include "calls.h"

#define STDERR		 2
#define EXIT_OWN_FAILURE 125	/* cli/cli.h */

static size_t append(char *line, size_t at, size_t max, const char *text)
{
	while (*text && at < max)
		line[at++] = *text++;
	return at;
}

static size_t append_number(char *line, size_t at, size_t max, uint64_t n)
{
	char digits[21];
	size_t i = sizeof(digits);

	digits[--i] = 0;
	do
		digits[--i] = (char)('0' + n % 10);
	while ((n /= 10) && i);
	return append(line, at, max, digits + i);
}

static void say(const char *tag, const char *what, const uint64_t *number)
{
	char line[256];
	size_t n = append(line, 0, sizeof(line) - 1, tag);

	n = append(line, n, sizeof(line) - 1, what);
	if (number)
		n = append_number(line, n, sizeof(line) - 1, *number);
	line[n++] = '\n';
	isa_call(OWN_write, STDERR, (long)line, (long)n, 0, 0, 0);
}

#define NODE_NAME (mtd_node.role == ROLE_OTHER ? "chiral[other]: " : "chiral[home]: ")

_Noreturn void leave(int status)
{
	for (;;)
		isa_call(OWN_exit_group, status, 0, 0, 0, 0, 0);
}

_Noreturn void die(const char *what)
{
	say(NODE_NAME, what, NULL);
	leave(EXIT_OWN_FAILURE);
}

_Noreturn void die_number(const char *what, uint64_t number)
{
	say(NODE_NAME, what, &number);
	leave(EXIT_OWN_FAILURE);
}

void warn_number(const char *what, uint64_t number)
{
	say(NODE_NAME, what, &number);
}
