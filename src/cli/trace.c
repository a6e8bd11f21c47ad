/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "base/log.h"
#include "cli/cli.h"
#include "event/event.h"
#include "link/recfile.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <uthash.h>

static const char usage[] =
	"usage: chiral trace [--json] FILE\n"
	"\n"
	"Prints a record of `chiral record` in the manner of strace: thread, call, result.\n"
	"Calls that each variant makes for itself (memory, libraries) are not in a record.\n"
	"\n"
	"  --json  one JSON object a line for each event\n"
	"  --help  this text\n"
	"\n"
	"Exit status: 0, or 125 when FILE cannot be read or was made by another version.\n";

static const char *const when[_SIGNAL_WHEN_MAX] = {
	[SIGNAL_BEFORE] = "before the next call",
	[SIGNAL_AT_EXIT] = "as the next call returns",
	[SIGNAL_FAULT] = "fault",
	[SIGNAL_FATAL] = "fatal",
	[SIGNAL_IN_CODE] = "in the middle of a computation",
};

static void print_signal(const struct event *e)
{
	printf("%u --- SIG%s (%s) ---\n", e->tid, sigabbrev_np(e->signal) ?: "?", when[e->when]);
}

static void print_death(const struct event *e)
{
	int status = (int)e->wait_status;

	if (WIFSIGNALED(status))
		printf("%u +++ killed by SIG%s +++\n", e->tid,
		       sigabbrev_np(WTERMSIG(status)) ?: "?");
	else
		printf("%u +++ exited with %d +++\n", e->tid, WEXITSTATUS(status));
}

/* An announced call is printed twice: where it began, and where it ended. */
static void print_event(const struct event *e)
{
	switch ((enum event_kind)e->kind) {
	case EVENT_CALL:
		printf("%u ", e->tid);
		if (!(e->parts & CALL_PART_ENTRY))
			printf("<... %s resumed> ", call_rows[e->call->id].name);
		call_print(stdout, e->call);
		putchar('\n');
		break;
	case EVENT_SIGNAL:
		print_signal(e);
		break;
	default:
		print_death(e);
	}
}

/* Nothing in these texts needs an escape. */
static void print_event_json(const struct event *e)
{
	printf("{\"tid\":%u,", e->tid);
	switch ((enum event_kind)e->kind) {
	case EVENT_CALL:
		printf("\"event\":\"call\",\"entry\":%s,\"exit\":%s,\"call\":",
		       e->parts & CALL_PART_ENTRY ? "true" : "false",
		       e->parts & CALL_PART_EXIT ? "true" : "false");
		call_print_json(stdout, e->call);
		break;
	case EVENT_SIGNAL:
		printf("\"event\":\"signal\",\"signal\":\"SIG%s\",\"when\":\"%s\"",
		       sigabbrev_np(e->signal) ?: "?", when[e->when]);
		break;
	default:
		printf("\"event\":\"death\",\"status\":%u", e->wait_status);
	}
	puts("}");
}

#define THREADS_MAX 65536u /* alive at once: a file of garbage cannot ask for more memory */

/* A thread's call: the end of an announced one is printed with what is known from its beginning. */
struct traced {
	uint32_t tid;
	struct call_record call;
	UT_hash_handle hh;
};

static struct traced *traced_of(struct traced **all, uint32_t tid)
{
	struct traced *t;

	HASH_FIND(hh, *all, &tid, sizeof(tid), t);
	if (t)
		return t;
	t = HASH_COUNT(*all) < THREADS_MAX ? calloc(1, sizeof(*t)) : NULL;
	if (!t)
		return NULL;
	t->tid = tid;
	HASH_ADD(hh, *all, tid, sizeof(t->tid), t);
	return t;
}

static void traced_remove(struct traced **all, struct traced *t)
{
	HASH_DELETE(hh, *all, t);
	call_record_free(&t->call);
	free(t);
}

static void traced_free(struct traced **all)
{
	struct traced *t, *tmp;

	HASH_ITER(hh, *all, t, tmp)
	traced_remove(all, t);
}

/* An event's kind and thread; its call is decoded to the thread's own record. */
static int decode(struct traced **all, struct reader *r, struct event *ret)
{
	struct reader head = *r;
	struct traced *t;

	get_u8(&head);
	t = traced_of(all, get_u32(&head));
	if (!t)
		return -ENOMEM;
	ret->call = &t->call;
	return event_decode(r, ret);
}

static int print_events(const struct frame *f, struct traced **all, bool json)
{
	struct reader r = reader_of(f->body, f->len);

	while (r.left) {
		struct event e;
		struct reader one;
		size_t n;
		const uint8_t *bytes = get_blob(&r, FRAME_MAX, &n);

		if (!bytes)
			return -EPROTO;
		one = reader_of(bytes, n);
		if (decode(all, &one, &e) < 0 || !reader_done(&one))
			return -EPROTO;
		(json ? print_event_json : print_event)(&e);
		if (e.kind == EVENT_DEATH)
			traced_remove(all, traced_of(all, e.tid));
	}
	return 0;
}

static int trace_file(const char *path, bool json)
{
	struct traced *all = NULL;
	struct recfile *file = NULL;
	struct hello hello, own;
	const uint8_t *start;
	struct frame f;
	size_t len;
	int r = recfile_open(path, &file, &hello, &start, &len);

	if (r < 0)
		return r;
	hello_init(&own, NULL);
	if (memcmp(hello.table_digest, own.table_digest, sizeof(own.table_digest)) != 0)
		r = log_errno(EPROTO, "%s was recorded with another call table (another version of "
				      "Chiral)", path);
	while (r == 0 && (r = recfile_next(file, &f)) == 1) {
		r = 0;
		if (f.type == FRAME_EVENTS && print_events(&f, &all, json) < 0)
			r = log_errno(EPROTO, "%s holds malformed events", path);
	}
	traced_free(&all);
	recfile_free(file);
	if (r == 0 && fflush(stdout) != 0)
		r = log_errno(errno, "cannot write to stdout");
	return r;
}

int cmd_trace(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	bool json = false;
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (c == 'h') {
			fputs(usage, stdout);
			return 0;
		}
		if (c != 'j') {
			fputs("see `chiral trace --help`\n", stderr);
			return EXIT_OWN_FAILURE;
		}
		json = true;
	}
	if (argc - optind != 1) {
		log_error("one FILE is needed; see `chiral trace --help`");
		return EXIT_OWN_FAILURE;
	}
	return trace_file(argv[optind], json) < 0 ? EXIT_OWN_FAILURE : 0;
}
