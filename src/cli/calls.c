/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/log.h"
#include "calls/page.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>

static const char help[] =
	"usage: chiral calls [--json|--markdown] [NAME]\n"
	"\n"
	"Prints which system calls a protected program may use, from the call table: number on each\n"
	"ISA, class, status, disposition and a remark. NAME prints only the calls whose name contains it.\n"
	"\n"
	"  --json      one JSON object\n"
	"  --markdown  the page doc/supported-calls.md\n"
	"  --help      this text\n"
	"\n"
	"Exit status: 0, or 1 when no call has such a name.\n";

static int print_page(enum page_format format, const char *name)
{
	struct writer w = { 0 };
	unsigned n = page_print(&w, format, name);
	int status = 0;

	if (w.failed) {
		log_errno(ENOMEM, "the page of calls cannot be made");
		status = EXIT_OWN_FAILURE;
	} else if (n == 0) {
		log_error("no system call has '%s' in its name; `chiral calls` lists all", name);
		status = 1;
	} else if (fwrite(w.data, 1, w.len, stdout) != w.len || fflush(stdout)) {
		log_errno(errno, "the page of calls cannot be written to standard output");
		status = EXIT_OWN_FAILURE;
	}
	writer_free(&w);
	return status;
}

int cmd_calls(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "markdown", no_argument, NULL, 'm' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	enum page_format format = PAGE_TEXT;
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (c) {
		case 'j':
			format = PAGE_JSON;
			break;
		case 'm':
			format = PAGE_MARKDOWN;
			break;
		case 'h':
			fputs(help, stdout);
			return 0;
		default:
			fputs("Try `chiral calls --help`.\n", stderr);
			return EXIT_OWN_FAILURE;
		}
	}
	if (argc - optind > 1) {
		log_error("`chiral calls` takes one NAME at most; see `chiral calls --help`");
		return EXIT_OWN_FAILURE;
	}
	return print_page(format, argv[optind]);
}
