/* SPDX-License-Identifier: Apache-2.0 */
#include "variant/program.h"

#include "base/cleanup.h"
#include "cli/cli.h"
#include "isa/isa.h"
#include "variant/elffile.h"
#include "variant/filehead.h"
#include "variant/libraries.h"
#include "variant/packages.h"
#include "variant/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#define DIGEST_FILE_MAX (256 << 20)	/* bytes; what is larger has no digest */

struct inspection {
	const struct start *start;
	struct facts facts;
	struct program_refusal *why;
};

static bool __attribute__((format(printf, 3, 4)))
refuse(struct program_refusal *why, int exit_status, const char *fmt, ...)
{
	va_list ap;

	why->exit_status = exit_status;
	va_start(ap, fmt);
	vsnprintf(why->text, sizeof(why->text), fmt, ap);
	va_end(ap);
	return false;
}

static bool no_memory(struct inspection *in)
{
	return refuse(in->why, EXIT_OWN_FAILURE, "out of memory");
}

/* What a follower lacks, the leader has: the hub asked for that path. */
static const char *remedy_missing(const struct start *s)
{
	return s->role == ROLE_FOLLOWER
		       ? "; the leader's node has it: install it on this node too, or send one with "
			 "--program"
		       : "";
}

void program_not_found(const struct start *start, int err, struct program_refusal *why)
{
	const char *name = start->program;
	struct stat st;

	if (err == EACCES && strchr(name, '/') && stat(name, &st) == 0 && S_ISDIR(st.st_mode))
		refuse(why, EXIT_NOT_EXECUTABLE, "'%s' is a directory on this node, not a program",
		       name);
	else if (err == EACCES)
		refuse(why, EXIT_NOT_EXECUTABLE, "'%s' is not executable on this node; give it the "
						 "permission with chmod +x", name);
	else
		refuse(why, EXIT_NOT_FOUND, "cannot find '%s' on this node%s", name,
		       remedy_missing(start));
}

/* Reads to the end; fd is at its beginning. */
static void set_digest(struct fact *f, int fd)
{
	static uint8_t block[1 << 16];
	crypto_generichash_state h;
	uint64_t total = 0;
	ssize_t n;

	crypto_generichash_init(&h, NULL, 0, FACT_ID_SIZE_MAX);
	while ((n = pread(fd, block, sizeof(block), (off_t)total)) > 0) {
		total += (uint64_t)n;
		if (total > DIGEST_FILE_MAX)
			return;
		crypto_generichash_update(&h, block, (size_t)n);
	}
	if (n < 0)
		return;
	crypto_generichash_final(&h, f->id, FACT_ID_SIZE_MAX);
	f->id_kind = FACT_ID_DIGEST;
	f->id_size = FACT_ID_SIZE_MAX;
}

/* Before the kernel would: it names no file. what: "" or "the interpreter of '/x', ", for people. */
static bool may_execute(struct inspection *in, const char *path, const char *what, int *ret_fd)
{
	cleanup_close int fd = open(path, O_PATH | O_CLOEXEC);
	const char *privileges;
	struct stat st;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return refuse(in->why, EXIT_NOT_FOUND, "'%s'%s is not on this node; install it", path,
			      what);
	if (fd < 0)
		return refuse(in->why, EXIT_NOT_EXECUTABLE, "cannot open '%s'%s: %s", path, what,
			      strerror(errno));
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || access(path, X_OK) < 0)
		return refuse(in->why, EXIT_NOT_EXECUTABLE, "'%s'%s is not executable on this node; "
			      "give it the permission with chmod +x", path, what);
	privileges = privileges_of_file(fd);
	if (privileges)
		return refuse(in->why, EXIT_NOT_EXECUTABLE, "'%s'%s is %s, and a session never gives "
			      "new privileges; start the session as the user that it would become, "
			      "with a copy that is not", path, what, privileges);
	*ret_fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (*ret_fd < 0)
		return refuse(in->why, EXIT_NOT_EXECUTABLE, "cannot read '%s'%s: %s", path, what,
			      strerror(errno));
	return true;
}

static bool right_isa(struct inspection *in, const char *path, const char *what,
		      const struct filehead *h)
{
	const char *here = isa_descs[isa_native].name;

	if (h->kind != FILEHEAD_ELF)
		return refuse(in->why, EXIT_NOT_EXECUTABLE, "'%s'%s is neither an ELF program nor a "
			      "script that begins with #! and its interpreter", path, what);
	if (!h->native)
		return refuse(in->why, EXIT_NOT_EXECUTABLE, "'%s'%s is for %s, and this node is %s; "
			      "install the one for %s, or send it with --program %s=PATH", path, what,
			      filehead_isa_name(h), here, here, here);
	return true;
}

static struct fact *add(struct inspection *in, enum fact_role role, const char *path)
{
	cleanup_free char *real = realpath(path, NULL);

	return facts_add(&in->facts, role, path, real ? real : path);
}

/* The loader is executed as well: by the kernel, before the program. */
static bool inspect_loader(struct inspection *in, const char *program, const char *loader)
{
	cleanup_free char *what = NULL;
	cleanup_close int fd = -1;
	struct filehead h = { 0 };
	struct fact *f;
	struct elffile e;

	if (asprintf(&what, ", the dynamic loader of '%s',", program) < 0) {
		what = NULL;
		return no_memory(in);
	}
	if (!may_execute(in, loader, what, &fd))
		return false;
	if (filehead_read(fd, &h) < 0 || !right_isa(in, loader, what, &h))
		return false;
	f = add(in, FACT_LOADER, loader);
	if (!f)
		return no_memory(in);
	if (elffile_read(fd, &e) == 0) {
		f->id_kind = e.build_id_size ? FACT_ID_BUILD : FACT_ID_NONE;
		f->id_size = e.build_id_size;
		memcpy(f->id, e.build_id, e.build_id_size);
		elffile_free(&e);
	}
	return true;
}

/* musl and others search elsewhere, and need no libraries of the system's. */
static bool is_gnu_loader(const char *path)
{
	const char *base = strrchr(path, '/');

	return base && !strncmp(base, "/ld-linux", 9);
}

static bool inspect_elf(struct inspection *in, const char *path, int fd)
{
	struct fact *f = add(in, FACT_PROGRAM, path);
	struct elffile e;
	bool ok = true;

	if (!f)
		return no_memory(in);
	if (elffile_read(fd, &e) < 0)
		return refuse(in->why, EXIT_NOT_EXECUTABLE, "'%s' is a damaged ELF file", path);
	if (e.build_id_size) {
		f->id_kind = FACT_ID_BUILD;
		f->id_size = e.build_id_size;
		memcpy(f->id, e.build_id, e.build_id_size);
	} else {
		set_digest(f, fd);
	}
	if (e.package && strlen(e.package) <= FACT_PACKAGE_MAX &&
	    strlen(e.version) <= FACT_PACKAGE_MAX && fact_set_package(f, e.package, e.version) < 0)
		ok = no_memory(in);
	if (ok && e.interp)
		ok = inspect_loader(in, path, e.interp);
	if (ok && e.interp && is_gnu_loader(e.interp) &&
	    libraries_find(&e, path, in->start->env, &in->facts) < 0)
		ok = no_memory(in);
	elffile_free(&e);
	return ok;
}

/* Relative interpreters are meant from the working directory. Owned, NULL without memory. */
static char *from_cwd(const struct start *s, const char *path)
{
	char *r;

	if (path[0] == '/' || !s->cwd[0])
		return strdup(path);
	return asprintf(&r, "%s/%s", s->cwd, path) < 0 ? NULL : r;
}

static bool inspect_file(struct inspection *in, const char *path, const char *what, int depth)
{
	cleanup_free char *interpreter = NULL, *of = NULL;
	cleanup_close int fd = -1;
	struct filehead h;
	struct fact *f;
	int r;

	if (!may_execute(in, path, what, &fd))
		return false;
	r = filehead_read(fd, &h);
	if (r < 0)
		return refuse(in->why, EXIT_NOT_EXECUTABLE, "cannot read '%s'%s: %s", path, what,
			      strerror(-r));
	if (h.kind != FILEHEAD_SCRIPT)
		return right_isa(in, path, what, &h) && inspect_elf(in, path, fd);
	if (depth == FILEHEAD_DEPTH_MAX)
		return refuse(in->why, EXIT_NOT_EXECUTABLE, "'%s'%s is a script of too many scripts",
			      path, what);
	f = add(in, FACT_SCRIPT, path);
	interpreter = from_cwd(in->start, h.interpreter);
	if (!f || !interpreter || asprintf(&of, ", the interpreter of '%s',", path) < 0) {
		of = NULL;
		return no_memory(in);
	}
	set_digest(f, fd);
	return inspect_file(in, interpreter, of, depth + 1);
}

bool program_inspect(const char *path, const struct start *start, struct facts *ret,
		     struct program_refusal *why)
{
	struct inspection in = { .start = start, .why = why, .facts.isa = (uint8_t)isa_native };
	bool ok = inspect_file(&in, path, "", 0);

	if (ok && packages_find(PACKAGES_DIR, &in.facts) < 0)
		ok = no_memory(&in);
	if (!ok) {
		facts_free(&in.facts);
		return false;
	}
	*ret = in.facts;
	return true;
}
