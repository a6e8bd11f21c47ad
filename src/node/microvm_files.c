/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where things are. A build folder has chiral, src/node/chiral-init and, in a folder named after
 * the Debian architecture, the same for the other ISA; the tools are in ../tools. Installed, both
 * are in
 * ../lib/chiral. CHIRAL_GUEST and CHIRAL_TOOLS override.
 */
#include "node/microvm.h"

#include "base/cleanup.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

char *microvm_path(const struct microvm *vm, const char *fmt, ...)
{
	char name[64], *path;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(name, sizeof(name), fmt, ap);
	va_end(ap);
	return asprintf(&path, "%s/%s", vm->run, name) < 0 ? NULL : path;
}

/* ---- run folder ------------------------------------------------------------------------------ */

static int make_folders(char *path)
{
	for (char *slash = path + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = 0;
		if (mkdir(path, 0700) < 0 && errno != EEXIST && access(path, F_OK) < 0)
			return log_errno(errno, "cannot make %s", path);
		*slash = '/';
	}
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return log_errno(errno, "cannot make %s", path);
	return 0;
}

/* What is in the folder is trusted (sockets that give a shell in the guest). */
static int check_owner(const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return log_errno(errno, "cannot use %s", path);
	if (S_ISDIR(st.st_mode) && st.st_uid == geteuid() && !(st.st_mode & 022))
		return 0;
	log_error("%s is not a folder that only this user can write to; remove it", path);
	return -EPERM;
}

static char *run_base(void)
{
	const char *xdg = getenv("XDG_RUNTIME_DIR");
	char *base;
	struct stat st;

	if (xdg && xdg[0] == '/')
		return strdup(xdg);
	if (asprintf(&base, "/run/user/%u", (unsigned)geteuid()) < 0)
		return NULL;
	if (stat(base, &st) == 0 && st.st_uid == geteuid())
		return base;
	free(base);
	if (geteuid() == 0)
		return strdup("/run");
	return asprintf(&base, "/tmp/chiral-%u", (unsigned)geteuid()) < 0 ? NULL : base;
}

int microvm_open(enum isa isa, struct microvm *ret)
{
	cleanup_free char *base = run_base(), *run = NULL;
	int r;

	if (!base || asprintf(&run, "%s/chiral/microvm-%s", base, isa_descs[isa].debian) < 0)
		return log_errno(ENOMEM, "cannot open the microVM");
	/* A unix socket's path has 108 bytes. */
	if (strlen(run) > 90) {
		log_error(
			"the path %s is too long for sockets; set XDG_RUNTIME_DIR to a shorter one",
			run);
		return -ENAMETOOLONG;
	}
	r = make_folders(run);
	if (r == 0)
		r = check_owner(run);
	if (r < 0)
		return r;
	*ret = (struct microvm){.isa = isa, .config = &microvm_configs[isa], .run = take_ptr(&run)};
	return 0;
}

void microvm_close(struct microvm *vm)
{
	free(vm->run);
	vm->run = NULL;
}

int microvm_lock(const struct microvm *vm, const char *name, const char *waiting)
{
	cleanup_free char *path = microvm_path(vm, "%s", name);
	cleanup_close int fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;

	if (fd < 0)
		return log_errno(errno, "cannot open %s/%s", vm->run, name);
	for (int i = 0; i < 20; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return take_fd(&fd);
		usleep(50000);
	}
	if (waiting)
		log_info("%s", waiting);
	while (flock(fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return log_errno(errno, "cannot lock %s", path);
	return take_fd(&fd);
}

/* ---- our own files --------------------------------------------------------------------------- */

/* The folder of the running program; owned. */
static char *exe_folder(void)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (n <= 0)
		return NULL;
	path[n] = 0;
	*strrchr(path, '/') = 0;
	return strdup(path);
}

static bool found(char **path, int mode)
{
	if (*path && access(*path, mode) == 0)
		return true;
	free(*path);
	*path = NULL;
	return false;
}

/* "FOLDER/SUB/NAME" if it is there. */
static char *look(const char *folder, const char *sub, const char *name, int mode)
{
	char *path;

	if (!folder || asprintf(&path, "%s/%s/%s", folder, sub, name) < 0)
		return NULL;
	return found(&path, mode) ? path : NULL;
}

char *microvm_tool(const char *name)
{
	static const char *const places[] = {"../tools", "../../tools", "../lib/chiral/tools"};
	cleanup_free char *exe = exe_folder();
	char *path = look(getenv("CHIRAL_TOOLS"), ".", name, X_OK);

	for (size_t i = 0; !path && i < ARRAY_SIZE(places); i++)
		path = look(exe, places[i], name, X_OK);
	if (!path)
		log_error("chiral's script %s is not beside it; set CHIRAL_TOOLS to its folder",
			  name);
	return path;
}

static int guest_files_in(const char *folder, const char *sub, char **ret_chiral, char **ret_init)
{
	cleanup_free char *chiral = look(folder, sub, "chiral", R_OK);
	cleanup_free char *init = look(folder, sub, "chiral-init", R_OK);

	if (!init)
		init = look(folder, sub, "src/node/chiral-init", R_OK);
	if (!chiral || !init)
		return -ENOENT;
	*ret_chiral = take_ptr(&chiral);
	*ret_init = take_ptr(&init);
	return 0;
}

int microvm_guest_files(const struct microvm *vm, char **ret_chiral, char **ret_init)
{
	const char *arch = isa_descs[vm->isa].debian;
	cleanup_free char *exe = exe_folder();
	char places[5][64];

	if (guest_files_in(getenv("CHIRAL_GUEST"), ".", ret_chiral, ret_init) == 0)
		return 0;
	snprintf(places[0], 64, "%s", arch);
	snprintf(places[1], 64, "../build-%s", arch);
	snprintf(places[2], 64, "../build/%s", arch);
	snprintf(places[3], 64, "../lib/chiral/%s", arch);
	snprintf(places[4], 64, ".");
	for (size_t i = 0; i < ARRAY_SIZE(places) - (vm->isa != isa_native); i++)
		if (guest_files_in(exe, places[i], ret_chiral, ret_init) == 0)
			return 0;
	log_error("chiral for %s was not found (looked in %s/%s); build it with `make foreign`",
		  arch, exe ? exe : "", arch);
	return -ENOENT;
}

char *microvm_version(const char *chiral, const char *init)
{
	struct stat a, b;
	char *text;

	if (stat(chiral, &a) < 0 || stat(init, &b) < 0)
		return NULL;
	if (asprintf(&text, "%s %lld %ld.%09ld %lld %ld.%09ld", chiral, (long long)a.st_size,
		     a.st_mtim.tv_sec, a.st_mtim.tv_nsec, (long long)b.st_size, b.st_mtim.tv_sec,
		     b.st_mtim.tv_nsec) < 0)
		return NULL;
	return text;
}

/* As chiral_cache() in tools/lib/debian.sh. */
char *microvm_image(const struct microvm *vm)
{
	const char *own = getenv("CHIRAL_CACHE"), *xdg = getenv("XDG_CACHE_HOME");
	const char *home = getenv("HOME"), *arch = isa_descs[vm->isa].debian;
	char *path;
	int r;

	if (own && *own)
		r = asprintf(&path, "%s/microvm-%s", own, arch);
	else if (xdg && *xdg)
		r = asprintf(&path, "%s/chiral/microvm-%s", xdg, arch);
	else
		r = asprintf(&path, "%s/.cache/chiral/microvm-%s", home ? home : "", arch);
	return r < 0 ? NULL : path;
}

/* ---- the image ------------------------------------------------------------------------------- */

#define BUILD_ARGS_MAX 250

static void build_exec(const char *tool, const char *arch, const char *const *args, int out)
{
	const char *argv[BUILD_ARGS_MAX + 4] = {tool, "--arch", arch};
	size_t n = 3;

	for (size_t i = 0; args && args[i] && i < BUILD_ARGS_MAX; i++)
		argv[n++] = args[i];
	dup2(out, 1);
	execv(tool, (char *const *)argv);
	log_errno(errno, "cannot run %s", tool);
	_exit(127);
}

static char *read_all(int fd)
{
	char *text = NULL, chunk[4096];
	size_t len = 0;
	cleanup_fclose FILE *out = open_memstream(&text, &len);
	ssize_t n;

	while (out && ((n = read(fd, chunk, sizeof(chunk))) > 0 || (n < 0 && errno == EINTR)))
		if (n > 0)
			fwrite(chunk, 1, (size_t)n, out);
	if (!out || fflush(out))
		return NULL;
	while (len && text[len - 1] == '\n')
		text[--len] = 0;
	return text;
}

int microvm_build(const struct microvm *vm, const char *const *args, char **ret_output)
{
	cleanup_free char *tool = microvm_tool("microvm-build"), *output = NULL;
	int p[2], status;
	pid_t pid;

	if (!tool)
		return -ENOENT;
	if (pipe2(p, O_CLOEXEC) < 0)
		return log_errno(errno, "cannot make a pipe");
	pid = fork();
	if (pid == 0)
		build_exec(tool, isa_descs[vm->isa].debian, args, p[1]);
	close(p[1]);
	output = read_all(p[0]);
	close(p[0]);
	if (pid < 0)
		return log_errno(EAGAIN, "cannot run %s", tool);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return log_errno(errno, "cannot wait for %s", tool);
	if (status || !output) {
		log_error("building the microVM's image failed, see above");
		return -EIO;
	}
	*ret_output = take_ptr(&output);
	return 0;
}

/* ---- initramfs ------------------------------------------------------------------------------- */

static int copy_into(FILE *out, const char *path)
{
	cleanup_fclose FILE *in = fopen(path, "re");
	char chunk[65536];
	size_t n;

	if (!in)
		return log_errno(errno, "cannot open %s", path);
	while ((n = fread(chunk, 1, sizeof(chunk), in)) > 0)
		if (fwrite(chunk, 1, n, out) != n)
			return log_errno(errno, "cannot write the initramfs");
	return ferror(in) ? log_errno(EIO, "cannot read %s", path) : 0;
}

static void pad(FILE *out)
{
	while (ftell(out) % 4)
		fputc(0, out);
}

/* cpio(5), "New ASCII Format"; Linux Documentation/driver-api/early-userspace/buffer-format.rst */
static void put_cpio_header(FILE *out, const char *name, unsigned mode, unsigned long size)
{
	static unsigned ino = 900000;

	fprintf(out, "070701%08X%08X%08X%08X%08X%08X%08lX%08X%08X%08X%08X%08X%08X%s", ino++, mode,
		0, 0, 1, 0, size, 0, 0, 0, 0, (unsigned)strlen(name) + 1, 0, name);
	fputc(0, out);
	pad(out);
}

static int put_cpio_file(FILE *out, const char *name, const char *path)
{
	struct stat st;
	int r;

	if (stat(path, &st) < 0)
		return log_errno(errno, "cannot read %s", path);
	put_cpio_header(out, name, S_IFREG | 0755, (unsigned long)st.st_size);
	r = copy_into(out, path);
	pad(out);
	return r;
}

int microvm_write_initrd(const char *path, const char *modules, const char *init,
			 const char *chiral)
{
	cleanup_fclose FILE *out = fopen(path, "we");
	int r;

	if (!out)
		return log_errno(errno, "cannot write %s", path);
	r = copy_into(out, modules);
	if (r == 0) {
		pad(out);
		r = put_cpio_file(out, "init", init);
	}
	if (r == 0)
		r = put_cpio_file(out, "chiral", chiral);
	if (r < 0)
		return r;
	put_cpio_header(out, "TRAILER!!!", 0, 0);
	if (fflush(out) || ferror(out))
		return log_errno(EIO, "cannot write %s", path);
	return 0;
}
