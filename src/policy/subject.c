/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/subject.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* Documentation/admin-guide/devices.txt of Linux: consoles and serial lines, ptys. */
#define TTY_MAJOR 4
#define TTYAUX_MAJOR 5
#define PTY_SLAVE_FIRST 136
#define PTY_SLAVE_LAST 143

#define PROC_NAME_MAX 64

/* ---- kinds ------------------------------------------------------------------------------------ */

static enum descriptor_kind kind_of_device(dev_t device)
{
	unsigned n = major(device);

	return n == TTY_MAJOR || n == TTYAUX_MAJOR || (n >= PTY_SLAVE_FIRST && n <= PTY_SLAVE_LAST)
		       ? DESCRIPTOR_TTY
		       : DESCRIPTOR_DEVICE;
}

static enum descriptor_kind kind_of(const struct stat *st)
{
	switch (st->st_mode & S_IFMT) {
	case S_IFSOCK:
		return DESCRIPTOR_SOCKET;
	case S_IFIFO:
		return DESCRIPTOR_PIPE;
	case S_IFREG:
		return DESCRIPTOR_FILE;
	case S_IFDIR:
		return DESCRIPTOR_DIRECTORY;
	case S_IFCHR:
		return kind_of_device(st->st_rdev);
	case 0:
		return DESCRIPTOR_EVENT; /* anonymous inodes have no type */
	default:
		return DESCRIPTOR_DEVICE;
	}
}

static bool is_descriptor(const struct call_record *c, unsigned i)
{
	uint8_t kind = call_rows[c->id].args[i].kind;

	return (kind == ARG_FD || kind == ARG_DIRFD) && (int)c->arg[i] >= 0;
}

static void proc_fd_name(char name[PROC_NAME_MAX], const struct subject *s, unsigned arg)
{
	snprintf(name, PROC_NAME_MAX, "/proc/%d/fd/%d", s->tid, (int)s->call->arg[arg]);
}

uint8_t subject_kinds(struct subject *s)
{
	for (unsigned i = 0; i < CALL_ARGS_MAX && !s->has_kinds; i++) {
		char name[PROC_NAME_MAX];
		struct stat st;

		if (!is_descriptor(s->call, i))
			continue;
		proc_fd_name(name, s, i);
		if (stat(name, &st) == 0)
			s->kinds |= (uint8_t)(1u << kind_of(&st));
		else if (errno != ENOENT) /* a number that is no descriptor: the call fails */
			s->kinds = UINT8_MAX;
	}
	s->has_kinds = true;
	return s->kinds;
}

/* ---- names ------------------------------------------------------------------------------------ */

void path_normalise(char *path)
{
	char *to = path;
	const char *from = path;

	while (*from) {
		size_t n = strcspn(from, "/");

		if (n == 2 && from[0] == '.' && from[1] == '.') {
			while (to > path && *--to != '/')
				;
		} else if (n && !(n == 1 && from[0] == '.')) {
			*to++ = '/';
			memmove(to, from, n);
			to += n;
		}
		from += n;
		from += strspn(from, "/");
	}
	if (to == path)
		*to++ = '/';
	*to = 0;
}

static void add_name(struct subject *s, const char *name)
{
	if (strv_add(&s->names, name) < 0)
		s->unknown = true;
}

/* Where a link of /proc leads; false: nowhere that has a name. */
static bool read_link(struct subject *s, const char *link, char to[PATH_MAX])
{
	ssize_t n = readlink(link, to, PATH_MAX - 1);

	if (n < 0) {
		s->unknown = s->unknown || errno != ENOENT;
		return false;
	}
	to[n] = 0;
	return to[0] == '/';
}

static void add_descriptor(struct subject *s, unsigned arg)
{
	char link[PROC_NAME_MAX], to[PATH_MAX];

	proc_fd_name(link, s, arg);
	if (read_link(s, link, to))
		add_name(s, to);
}

/* The program's "self" is not ours. */
static const char *without_self(const char *path)
{
	static const char *const selves[] = { "/proc/self", "/proc/thread-self" };

	for (size_t i = 0; i < ARRAY_SIZE(selves); i++) {
		size_t n = strlen(selves[i]);

		if (!strncmp(path, selves[i], n) && (path[n] == '/' || path[n] == 0))
			return path + n;
	}
	return NULL;
}

/* Through symbolic links, as far as the file exists; else its directory. */
static void add_resolved(struct subject *s, const char *path)
{
	char outside[PATH_MAX + PROC_NAME_MAX], to[PATH_MAX], *base;
	const char *rest = without_self(path);
	int n = rest ? snprintf(outside, sizeof(outside), "/proc/%d%s", s->tid, rest)
		     : snprintf(outside, sizeof(outside), "/proc/%d/root%s", s->tid, path);

	if (n >= (int)sizeof(outside))
		return;
	if (realpath(outside, to)) {
		add_name(s, to);
		return;
	}
	base = strrchr(outside, '/');
	*base++ = 0;
	if (realpath(outside, to) && strlen(to) + 1 + strlen(base) < PATH_MAX) {
		strcat(strcat(to, "/"), base);
		path_normalise(to);
		add_name(s, to);
	}
}

/* The directory that a relative name is below. */
static bool base_of(struct subject *s, unsigned arg, char to[PATH_MAX])
{
	const struct call_row *row = &call_rows[s->call->id];
	char link[PROC_NAME_MAX];

	if (arg > 0 && row->args[arg - 1].kind == ARG_DIRFD && is_descriptor(s->call, arg - 1))
		proc_fd_name(link, s, arg - 1);
	else
		snprintf(link, sizeof(link), "/proc/%d/cwd", s->tid);
	return read_link(s, link, to);
}

static void add_path(struct subject *s, unsigned arg)
{
	const struct payload *p = call_in_of(s->call, arg);
	char path[2 * PATH_MAX + 1];
	size_t n = 0;

	if (!p || p->form != PAYLOAD_BYTES || p->size >= PATH_MAX)
		return; /* no name: the call fails */
	if (p->size == 0 || payload_data(s->call, p)[0] != '/') {
		if (!base_of(s, arg, path))
			return;
		n = strlen(path);
		path[n++] = '/';
	}
	memcpy(path + n, payload_data(s->call, p), p->size);
	path[n + p->size] = 0;
	if (n + p->size < PATH_MAX)
		add_resolved(s, path);
	path_normalise(path);
	add_name(s, path);
}

static void find_names(struct subject *s)
{
	const struct call_row *row = &call_rows[s->call->id];

	for (unsigned i = 0; i < row->n_args; i++) {
		if (row->args[i].kind == ARG_PATH)
			add_path(s, i);
		else if (is_descriptor(s->call, i) && row->args[i].kind == ARG_FD)
			add_descriptor(s, i);
	}
	s->has_names = true;
}

bool pattern_matches(const char *pattern, const char *path)
{
	return fnmatch(pattern, path, FNM_PATHNAME | FNM_LEADING_DIR) == 0;
}

bool subject_is_at(struct subject *s, const struct strv *patterns)
{
	if (!s->has_names)
		find_names(s);
	for (size_t i = 0; i < s->names.n; i++)
		for (size_t k = 0; k < patterns->n; k++)
			if (pattern_matches(patterns->v[k], s->names.v[i]))
				return true;
	return s->unknown;
}

void subject_free(struct subject *s)
{
	strv_free(&s->names);
}
