/* SPDX-License-Identifier: Apache-2.0 */
#include "variant/libraries.h"

#include "base/cleanup.h"
#include "isa/isa.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define CACHE_FILE "/etc/ld.so.cache"
#define LIBRARIES_MAX 512u

/* An object whose DT_NEEDED are still to be looked at. */
struct object {
	struct elffile elf;
	char *path;
};

struct search {
	struct object *v;	/* in the order of the loader; the first is the program */
	size_t n;
	const char *library_path; /* LD_LIBRARY_PATH or NULL */
	const char *cache;	/* the loader's cache, mapped; NULL: none */
	size_t cache_size;
};

static bool fits(const struct elffile *e)
{
	return e->machine == isa_descs[isa_native].elf_machine && e->class == ELFCLASS64;
}

/* 1 when path is a library of this ISA: *ret is then filled. */
static int try_library(const char *path, struct object *ret)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct object o = { 0 };
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	r = elffile_read(fd, &o.elf);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	o.path = fits(&o.elf) ? realpath(path, NULL) : NULL;
	if (!o.path) {
		elffile_free(&o.elf);
		return 0;
	}
	*ret = o;
	return 1;
}

static int try_in(const char *dir, size_t len, const char *name, struct object *ret)
{
	cleanup_free char *path = NULL;

	if (asprintf(&path, "%.*s/%s", (int)len, dir, name) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	return try_library(path, ret);
}

/* A folder of a search path; $ORIGIN is the folder of the object that names it. */
static int try_dir(const char *dir, size_t len, const char *origin, const char *name,
		   struct object *ret)
{
	const char *rest = dir;
	cleanup_free char *expanded = NULL;
	size_t folder = (size_t)(strrchr(origin, '/') - origin);

	if (!strncmp(dir, "$ORIGIN", 7))
		rest += 7;
	else if (!strncmp(dir, "${ORIGIN}", 9))
		rest += 9;
	if (rest == dir)
		return len ? try_in(dir, len, name, ret) : 0;
	if (asprintf(&expanded, "%.*s%.*s", (int)folder, origin, (int)(len - (size_t)(rest - dir)),
		     rest) < 0) {
		expanded = NULL;
		return -ENOMEM;
	}
	return try_in(expanded, strlen(expanded), name, ret);
}

static int try_path(const char *path, const char *separators, const char *origin, const char *name,
		    struct object *ret)
{
	int r = 0;

	while (path && *path && r == 0) {
		size_t n = strcspn(path, separators);

		r = try_dir(path, n, origin, name, ret);
		path += n + (path[n] != 0);
	}
	return r;
}

/* The cache ends with the names and paths that it is about, each with a NUL behind it. */
static int try_cache(const struct search *s, const char *name, struct object *ret)
{
	const char *at = s->cache, *end = s->cache + s->cache_size;
	size_t n = strlen(name) + 1;
	int r = 0;

	while (s->cache && r == 0 && (at = memmem(at, (size_t)(end - at), name, n))) {
		const char *from = at;

		while (from > s->cache && from[-1] != 0)
			from--;
		if (at > from && at[-1] == '/' && *from == '/')
			r = try_library(from, ret);
		at += n;
	}
	return r;
}

static int try_defaults(const char *name, struct object *ret)
{
	/* %: the multiarch triplet */
	static const char *const dirs[] = { "/lib/%", "/usr/lib/%", "/lib64", "/usr/lib64", "/lib",
					    "/usr/lib" };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(dirs) && r == 0; i++) {
		char dir[128];
		const char *triplet = strchr(dirs[i], '%') ? isa_descs[isa_native].triplet : "";

		snprintf(dir, sizeof(dir), "%.*s%s", (int)strcspn(dirs[i], "%"), dirs[i], triplet);
		r = try_in(dir, strlen(dir), name, ret);
	}
	return r;
}

/* In the loader's order: DT_RPATH of the object and the program (unless it has a DT_RUNPATH),
 * LD_LIBRARY_PATH, DT_RUNPATH, the cache, the system's folders. */
static int find_library(const struct search *s, const struct object *by, const char *name,
			struct object *ret)
{
	const struct object *program = &s->v[0];
	int r = 0;

	if (strchr(name, '/'))
		return try_library(name, ret);
	if (!by->elf.runpath) {
		r = try_path(by->elf.rpath, ":", by->path, name, ret);
		if (r == 0 && by != program && !program->elf.runpath)
			r = try_path(program->elf.rpath, ":", program->path, name, ret);
	}
	if (r == 0)
		r = try_path(s->library_path, ":;", program->path, name, ret);
	if (r == 0)
		r = try_path(by->elf.runpath, ":", by->path, name, ret);
	if (r == 0)
		r = try_cache(s, name, ret);
	return r ? r : try_defaults(name, ret);
}

static bool is_known(const struct facts *f, const char *name)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->v[i].role == FACT_LIBRARY && !strcmp(f->v[i].name, name))
			return true;
	return false;
}

static void set_build(struct fact *f, const struct elffile *e)
{
	f->id_kind = e->build_id_size ? FACT_ID_BUILD : FACT_ID_NONE;
	f->id_size = e->build_id_size;
	memcpy(f->id, e->build_id, e->build_id_size);
}

static int add_library(struct search *s, size_t by, const char *name, struct facts *facts)
{
	struct object o = { 0 };
	int r = find_library(s, &s->v[by], name, &o);
	struct fact *f = r < 0 ? NULL : facts_add(facts, FACT_LIBRARY, name, r ? o.path : "");

	if (f && r == 1) {
		set_build(f, &o.elf);
		if (o.elf.package)
			r = fact_set_package(f, o.elf.package, o.elf.version);
		s->v[s->n++] = o;
		return r < 0 ? r : 0;
	}
	if (r == 1) {
		elffile_free(&o.elf);
		free(o.path);
	}
	return f ? 0 : -ENOMEM;
}

static void map_cache(struct search *s)
{
	cleanup_close int fd = open(CACHE_FILE, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *p;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size < 2)
		return;
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return;
	s->cache = p;
	s->cache_size = (size_t)st.st_size;
}

static int search_all(struct search *s, struct facts *facts)
{
	int r = 0;

	for (size_t i = 0; i < s->n && r == 0; i++) {
		for (size_t k = 0; k < s->v[i].elf.needed.n && r == 0; k++) {
			const char *name = s->v[i].elf.needed.v[k];

			if (s->n < LIBRARIES_MAX && facts->n < FACTS_MAX && !is_known(facts, name) &&
			    strlen(name) <= FACT_PATH_MAX)
				r = add_library(s, i, name, facts);
		}
	}
	return r;
}

int libraries_find(const struct elffile *program, const char *path, char *const *env,
		   struct facts *facts)
{
	struct search s = { .v = calloc(LIBRARIES_MAX, sizeof(*s.v)), .n = 1 };
	int r;

	if (!s.v)
		return -ENOMEM;
	s.v[0] = (struct object){ *program, (char *)path }; /* both borrowed */
	for (size_t i = 0; env && env[i]; i++)
		if (!strncmp(env[i], "LD_LIBRARY_PATH=", 16))
			s.library_path = env[i] + 16;
	map_cache(&s);
	r = search_all(&s, facts);
	if (s.cache)
		munmap((void *)s.cache, s.cache_size);
	for (size_t i = 1; i < s.n; i++) {
		elffile_free(&s.v[i].elf);
		free(s.v[i].path);
	}
	free(s.v);
	return r;
}
