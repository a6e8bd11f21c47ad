/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation. dpkg keeps a list of paths for each package, and one file with a paragraph a
 * package. Every list is read once, and its lines are compared with the paths that are looked for;
 * most lines are passed over by their length alone.
 *
 * Lists have the paths as they are in the package: a file of /usr/bin may be listed in /bin, which
 * is the same folder since Debian merged them.
 */
#include "variant/packages.h"

#include "base/cleanup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#define FILE_MAX (64u << 20)

struct wanted {
	const struct facts *facts;
	char **package;		/* of each file, owned; NULL: not found yet */
	size_t left;
	uint64_t lengths;	/* bit N: some path has a length of N modulo 64 */
};

struct text {
	char *p;
	size_t n;
};

static void text_free(struct text *t)
{
	free(t->p);
}

/* Empty when it cannot be read. A NUL follows the bytes. */
static struct text read_text(int dir_fd, const char *name)
{
	cleanup_close int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct text t = { 0 };
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > FILE_MAX)
		return t;
	t.p = malloc((size_t)st.st_size + 1);
	while (t.p && t.n < (size_t)st.st_size) {
		ssize_t r = read(fd, t.p + t.n, (size_t)st.st_size - t.n);

		if (r <= 0)
			break;
		t.n += (size_t)r;
	}
	if (t.p)
		t.p[t.n] = 0;
	return t;
}

/* "/usr/bin/x" -> "/bin/x", NULL for other paths. */
static const char *before_merge(const char *path)
{
	static const char *const merged[] = { "/bin/", "/sbin/", "/lib/", "/lib32/", "/lib64/",
					      "/libx32/" };

	if (strncmp(path, "/usr/", 5))
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(merged); i++)
		if (!strncmp(path + 4, merged[i], strlen(merged[i])))
			return path + 4;
	return NULL;
}

static bool is_line(const char *path, const char *line, size_t n)
{
	return path && strlen(path) == n && !memcmp(path, line, n);
}

static bool is_looked_for(const struct fact *f)
{
	return *f->path && !*f->package;
}

static void want(struct wanted *w, const char *path)
{
	if (path)
		w->lengths |= 1ull << (strlen(path) % 64);
}

static int match_line(struct wanted *w, const char *line, size_t n, const char *package, size_t len)
{
	for (size_t i = 0; i < w->facts->n; i++) {
		const struct fact *f = &w->facts->v[i];

		if (w->package[i] || !is_looked_for(f) ||
		    (!is_line(f->path, line, n) && !is_line(before_merge(f->path), line, n)))
			continue;
		w->package[i] = strndup(package, len);
		if (!w->package[i])
			return -ENOMEM;
		w->left--;
	}
	return 0;
}

/* file: "NAME.list" or "NAME:ARCH.list" */
static int search_list(struct wanted *w, int info_fd, const char *file)
{
	size_t len = strcspn(file, ":");
	cleanup(text_free) struct text t = read_text(info_fd, file);

	if (!file[len])
		len = strlen(file) - strlen(".list");
	for (const char *line = t.p, *end; line && *line; line = end + 1) {
		end = strchrnul(line, '\n');
		if (w->lengths & 1ull << ((size_t)(end - line) % 64) &&
		    match_line(w, line, (size_t)(end - line), file, len) < 0)
			return -ENOMEM;
		if (!*end)
			break;
	}
	return 0;
}

static bool is_list(const char *name)
{
	size_t n = strlen(name);

	return n > 5 && !strcmp(name + n - 5, ".list");
}

static int search_lists(struct wanted *w, const char *dir)
{
	cleanup_free char *path = NULL;
	struct dirent *e;
	DIR *d;
	int r = 0;

	if (asprintf(&path, "%s/info", dir) < 0)
		return -ENOMEM;
	d = opendir(path);
	while (d && r == 0 && w->left && (e = readdir(d)))
		if (is_list(e->d_name))
			r = search_list(w, dirfd(d), e->d_name);
	if (d)
		closedir(d);
	return r;
}

/* The value of a field in the paragraph at p; *ret_len 0 when it has none. */
static const char *field(const char *p, const char *end, const char *name, size_t *ret_len)
{
	size_t n = strlen(name);

	for (const char *line = p; line < end; line = memchr(line, '\n', (size_t)(end - line)) + 1) {
		const char *stop = memchr(line, '\n', (size_t)(end - line));

		if (!stop)
			break;
		if ((size_t)(stop - line) > n && !memcmp(line, name, n)) {
			*ret_len = (size_t)(stop - line) - n;
			return line + n;
		}
	}
	*ret_len = 0;
	return NULL;
}

static int take_paragraph(struct wanted *w, struct facts *facts, const char *p, const char *end)
{
	size_t name_len, version_len;
	const char *name = field(p, end, "Package: ", &name_len);
	const char *version = field(p, end, "Version: ", &version_len);
	cleanup_free char *v = NULL;

	if (!name || !version || version_len > FACT_PACKAGE_MAX || name_len > FACT_PACKAGE_MAX)
		return 0;
	for (size_t i = 0; i < facts->n; i++) {
		if (!w->package[i] || !is_line(w->package[i], name, name_len))
			continue;
		if (!v)
			v = strndup(version, version_len);
		if (!v || fact_set_package(&facts->v[i], w->package[i], v) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int read_versions(struct wanted *w, const char *dir, struct facts *facts)
{
	cleanup_close int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup(text_free) struct text t = read_text(fd, "status");
	int r = 0;

	for (const char *p = t.p, *end; p && *p && r == 0; p = end) {
		end = strstr(p, "\n\n");
		end = end ? end + 2 : t.p + strlen(t.p);
		r = take_paragraph(w, facts, p, end);
	}
	return r;
}

int packages_find(const char *dir, struct facts *facts)
{
	struct wanted w = { .facts = facts, .package = calloc(facts->n + 1, sizeof(char *)) };
	int r = 0;

	if (!w.package)
		return -ENOMEM;
	for (size_t i = 0; i < facts->n; i++) {
		if (!is_looked_for(&facts->v[i]))
			continue;
		w.left++;
		want(&w, facts->v[i].path);
		want(&w, before_merge(facts->v[i].path));
	}
	if (w.left)
		r = search_lists(&w, dir);
	if (r == 0)
		r = read_versions(&w, dir, facts);
	for (size_t i = 0; i < facts->n; i++)
		free(w.package[i]);
	free(w.package);
	return r;
}
