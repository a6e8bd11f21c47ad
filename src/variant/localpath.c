/* SPDX-License-Identifier: Apache-2.0 */
#include "variant/localpath.h"

#include "base/cleanup.h"
#include "isa/isa.h"

#include <stdio.h>
#include <string.h>

static const char *const loader_files[] = {
	"/etc/ld.so.cache",
	"/etc/ld.so.preload",
	"/etc/ld.so.nohwcap",
};

/* Roots below which the loader probes for variants of its libraries. */
static const char *const library_roots[] = {
	"/lib/", "/lib64/", "/usr/lib/", "/usr/lib64/", "/usr/libexec/", "/usr/local/lib/",
};

static bool below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	while (n > 1 && dir[n - 1] == '/')
		n--;
	return !strncmp(path, dir, n) && (path[n] == 0 || path[n] == '/');
}

/* name.so or name.so.1.2 */
static bool is_shared_object(const char *path)
{
	const char *base = strrchr(path, '/');
	const char *so = base;

	while (so && (so = strstr(so, ".so"))) {
		if (so[3] == 0 || so[3] == '.')
			return true;
		so += 3;
	}
	return false;
}

/* Below /lib/TRIPLET or /usr/.../lib/TRIPLET; *ret_rest: what follows the directory. */
static bool in_multiarch_dir(const char *path, const char **ret_rest)
{
	char component[64];

	for (int i = 0; i < _ISA_MAX; i++) {
		const char *at;

		snprintf(component, sizeof(component), "/lib/%s", isa_descs[i].triplet);
		at = strstr(path, component);
		*ret_rest = at ? at + strlen(component) : NULL;
		if (at && (**ret_rest == 0 || **ret_rest == '/') &&
		    (at == path || !strncmp(path, "/usr/", 5)))
			return true;
	}
	return false;
}

static bool has_dotdot(const char *path)
{
	for (const char *p = path; (p = strstr(p, "/.."));  p += 3)
		if (p[3] == 0 || p[3] == '/')
			return true;
	return false;
}

bool localpath_is_python_module(const char *path)
{
	static const char root[] = "/usr/lib/python3", folder[] = "/lib-dynload";
	const char *at;

	if (strncmp(path, root, sizeof(root) - 1) || has_dotdot(path))
		return false;
	at = strchr(path + sizeof(root) - 1, '/');
	return at && below(at, folder);
}

bool localpath_is_malloc_setting(const char *path)
{
	return !strcmp(path, "/proc/sys/vm/overcommit_memory");
}

bool localpath_match(const char *path, char *const *extra, bool by_loader)
{
	const char *rest;
	bool multiarch;

	if (path[0] != '/')
		return false;
	if (by_loader && is_shared_object(path))
		return true;
	if (has_dotdot(path))
		return false;
	for (size_t i = 0; extra && extra[i]; i++)
		if (below(path, extra[i]))
			return true;
	multiarch = in_multiarch_dir(path, &rest);
	if (multiarch && !strncmp(rest, "/gconv/", 7))
		return true;
	if (!by_loader || multiarch)
		return multiarch && by_loader;
	for (size_t i = 0; i < ARRAY_SIZE(loader_files); i++)
		if (!strcmp(path, loader_files[i]))
			return true;
	/* musl's loader: the name ends in the ISA's. */
	if (!strncmp(path, "/etc/ld-musl-", 13))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(library_roots); i++)
		if (!strncmp(path, library_roots[i], strlen(library_roots[i])))
			return !strncmp(path, "/lib64/ld-", 10) || !strncmp(path, "/lib/ld-", 8) ||
			       strstr(path, "/glibc-hwcaps");
	return false;
}
