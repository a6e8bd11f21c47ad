/* SPDX-License-Identifier: Apache-2.0 */
#include "mtd/cc/cc.h"

#include "base/log.h"
#include "isa/isa.h"
#include "mtd/image/image.h"
#include "mtd/points.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct link {
	const struct cc_request *request;
	const struct cc_tools *tools;
	const char *output;
	uint64_t build_id[2];
};

/* What __mtd_... the image itself needs of the C library, and what back ends call. */
static const char *const wanted[] = { "__mtd_main", "memcpy", "memmove", "memset", "memcmp" };

#define MUST(r, call) ((r) = (r) ? (r) : (call))

/* What a step's exit status means. */
static int finish_step(const struct strv *argv, int status)
{
	if (status > 128)
		log_error("%s was killed by signal %d (an error of Chiral or of LLVM)", argv->v[0],
			  status - 128);
	return status > 0 ? -EIO : status;	/* the tool has said why */
}

static int run_step(struct strv *argv, int built)
{
	return finish_step(argv, built ? log_errno(ENOMEM, "cannot link") : cc_run(argv));
}

/* ---- to one module --------------------------------------------------------------------------- */

static int compile_source(const struct link *l, const char *source, const char *object)
{
	cleanup_strv struct strv argv = { 0 };
	int r = strv_add(&argv, "clang-19");

	MUST(r, strv_add(&argv, "-gline-tables-only"));
	for (size_t i = 0; i < l->request->compile.n; i++)
		MUST(r, strv_add(&argv, l->request->compile.v[i]));
	MUST(r, cc_add_flags(&argv, l->tools->libc));
	MUST(r, strv_add(&argv, "-c"));
	MUST(r, strv_add(&argv, source));
	MUST(r, strv_add(&argv, "-o"));
	MUST(r, strv_add(&argv, object));
	return run_step(&argv, r);
}

/* LLD resolves symbols and archives as in any link, and stops before it makes code. */
static int link_bitcode(const struct link *l, const char *to)
{
	cleanup_strv struct strv argv = { 0 };
	unsigned sources = 0;
	int r = strv_add(&argv, "ld.lld-19"), e;

	MUST(r, strv_add(&argv, "-melf_x86_64"));
	MUST(r, strv_add(&argv, "-static"));
	MUST(r, strv_add(&argv, "--lto-emit-llvm"));
	/* Whole-program optimisation would inline the functions that are to be points. */
	MUST(r, strv_add(&argv, "--lto-O0"));
	MUST(r, strv_add(&argv, "--entry=__mtd_main"));
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		MUST(r, strv_addf(&argv, "--undefined=%s", wanted[i]));
	MUST(r, strv_addf(&argv, "%s/start.o", l->tools->libc));
	for (size_t i = 0; i < l->request->link.n; i++) {
		char object[64];

		if (*l->request->link.v[i]) {
			MUST(r, strv_add(&argv, l->request->link.v[i]));
			continue;
		}
		snprintf(object, sizeof(object), "%u.o", sources);
		MUST(r, strv_addf(&argv, "%s/%s", l->tools->work, object));
		if (r)
			break;
		e = compile_source(l, l->request->sources.v[sources++], argv.v[argv.n - 1]);
		if (e < 0)
			return e;
	}
	MUST(r, strv_addf(&argv, "-L%s", l->tools->libc));
	MUST(r, strv_addf(&argv, "%s/libc.a", l->tools->libc));
	MUST(r, strv_add(&argv, "-o"));
	MUST(r, strv_add(&argv, to));
	return run_step(&argv, r);
}

/* ---- the build's identity -------------------------------------------------------------------- */

static int hash_file(crypto_generichash_state *state, const char *path)
{
	cleanup_fclose FILE *f = fopen(path, "re");
	unsigned char block[65536];
	size_t n;

	if (!f)
		return log_errno(errno, "cannot read %s", path);
	while ((n = fread(block, 1, sizeof(block), f)))
		crypto_generichash_update(state, block, n);
	return ferror(f) ? log_errno(EIO, "cannot read %s", path) : 0;
}

static int make_build_id(struct link *l, const char *module, const char *points)
{
	crypto_generichash_state state;
	int r;

	if (sodium_init() < 0)
		return log_errno(EIO, "libsodium does not start");
	crypto_generichash_init(&state, NULL, 0, sizeof(l->build_id));
	r = hash_file(&state, module);
	if (r == 0 && points)
		r = hash_file(&state, points);
	crypto_generichash_update(&state, (const unsigned char *)CHIRAL_VERSION, sizeof(CHIRAL_VERSION));
	crypto_generichash_final(&state, (unsigned char *)l->build_id, sizeof(l->build_id));
	return r;
}

/* ---- to two programs ------------------------------------------------------------------------- */

static int transform(const struct link *l, const char *points, const char *list, const char *in,
		     const char *out)
{
	cleanup_strv struct strv argv = { 0 };
	int r = strv_addf(&argv, "%s/chiral-mtd-transform", l->tools->folder);

	MUST(r, strv_add(&argv, points ? "--points" : "--no-points"));
	if (points)
		MUST(r, strv_add(&argv, points));
	MUST(r, strv_add(&argv, "--list"));
	MUST(r, strv_add(&argv, list));
	MUST(r, strv_add(&argv, in));
	MUST(r, strv_add(&argv, out));
	return run_step(&argv, r);
}

static int add_back_end(struct strv *argv, const char *module, const char *isa, const char *object)
{
	int r = strv_add(argv, "llc-19");

	MUST(r, strv_add(argv, "-O2"));
	MUST(r, strv_add(argv, "-filetype=obj"));
	MUST(r, strv_add(argv, "-relocation-model=static"));
	MUST(r, strv_add(argv, "-function-sections"));
	MUST(r, strv_add(argv, "-data-sections"));
	MUST(r, strv_addf(argv, "-mtriple=%s-linux-musl", isa));
	MUST(r, strv_add(argv, module));
	MUST(r, strv_add(argv, "-o"));
	MUST(r, strv_add(argv, object));
	return r;
}

/* Most of the time of a build goes by here. */
static int make_objects(const char *module, char *const objects[_ISA_MAX])
{
	cleanup_strv struct strv a = { 0 }, b = { 0 };
	int r = add_back_end(&a, module, isa_descs[0].name, objects[0]);

	static_assert(_ISA_MAX == 2, "a back end for each ISA");
	MUST(r, add_back_end(&b, module, isa_descs[1].name, objects[1]));
	return finish_step(&a, r ? log_errno(ENOMEM, "cannot link") : cc_run_two(&a, &b));
}

/* Functions that a back end calls for what its ISA has no instruction (128-bit division). */
static int find_libgcc(const char *isa, char **ret)
{
	cleanup_strv struct strv argv = { 0 };
	int r = strv_addf(&argv, "%s-linux-gnu-gcc", isa);

	MUST(r, strv_add(&argv, "-print-libgcc-file-name"));
	r = r ? log_errno(ENOMEM, "cannot link") : cc_run_for_line(&argv, ret);
	return r > 0 ? -EIO : r;
}

static int link_program(const struct link *l, const char *isa, const char *object, const char *script,
			const char *output)
{
	cleanup_strv struct strv argv = { 0 };
	cleanup_free char *libgcc = NULL;
	int r = find_libgcc(isa, &libgcc);

	if (r < 0)
		return r;
	MUST(r, strv_add(&argv, "ld.lld-19"));
	MUST(r, strv_add(&argv, "-static"));
	MUST(r, strv_add(&argv, "--no-relax"));
	MUST(r, strv_add(&argv, "-T"));
	MUST(r, strv_add(&argv, script));
	MUST(r, strv_add(&argv, object));
	MUST(r, strv_addf(&argv, "%s/runtime.%s.o", l->tools->folder, isa));
	MUST(r, strv_add(&argv, libgcc));
	MUST(r, strv_add(&argv, "-o"));
	MUST(r, strv_add(&argv, output));
	return run_step(&argv, r);
}

static int make_programs(const struct link *l, const char *module, char *const outputs[2])
{
	char *object[2] = { NULL, NULL }, *script = NULL;
	int r = asprintf(&script, "%s/layout.ld", l->tools->work) < 0 ? -ENOMEM : 0;

	for (unsigned i = 0; i < _ISA_MAX && r == 0; i++) {
		char folder[4096];

		snprintf(folder, sizeof(folder), "%s/%s", l->tools->work, isa_descs[i].name);
		if (mkdir(folder, 0700) < 0)
			r = log_errno(errno, "cannot make %s", folder);
		else if (asprintf(&object[i], "%s/program.o", folder) < 0)
			r = -ENOMEM;
	}
	MUST(r, make_objects(module, object));
	MUST(r, image_write_layout((const char *const *)object, "*program.o", l->build_id, script));
	for (unsigned i = 0; i < _ISA_MAX && r == 0; i++)
		r = link_program(l, isa_descs[i].name, object[i], script, outputs[i]);
	MUST(r, image_check((const char *const *)outputs));
	free(object[0]);
	free(object[1]);
	free(script);
	return r;
}

/* ---- outputs --------------------------------------------------------------------------------- */

static int write_manifest(const struct link *l, const char *list, const char *path)
{
	cleanup_fclose FILE *in = fopen(list, "re"), *out = fopen(path, "we");
	char line[1024];

	if (!in || !out)
		return log_errno(errno, "cannot write %s", path);
	fprintf(out, "chiral-mtd 1\nbuild-id %016" PRIx64 "%016" PRIx64 "\n", l->build_id[0],
		l->build_id[1]);
	while (fgets(line, sizeof(line), in))
		fprintf(out, "point %s", line);
	if (ferror(in) || fflush(out) || ferror(out))
		return log_errno(EIO, "cannot write %s", path);
	return 0;
}

/* PROGRAM is the file for this machine: a second name of it. */
static int name_native(const struct link *l, const char *native)
{
	if (unlink(l->output) < 0 && errno != ENOENT)
		return log_errno(errno, "cannot replace %s", l->output);
	if (link(native, l->output) < 0)
		return log_errno(errno, "cannot make %s", l->output);
	return 0;
}

static int empty_points(const struct link *l, char **ret)
{
	int fd;

	if (asprintf(ret, "%s/points", l->tools->work) < 0) {
		*ret = NULL;
		return log_errno(ENOMEM, "cannot link");
	}
	fd = open(*ret, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return log_errno(errno, "cannot write %s", *ret);
	close(fd);
	return 0;
}

static int link_all(struct link *l, char *const file[5], char *const outputs[2])
{
	cleanup_free char *empty = NULL;
	const char *points = l->request->points;
	int r = 0;

	if (!points && !l->request->cannot_move) {
		r = empty_points(l, &empty);
		points = empty;
	}
	MUST(r, link_bitcode(l, file[0]));
	MUST(r, make_build_id(l, file[0], points));
	MUST(r, transform(l, points, file[1], file[0], file[2]));
	MUST(r, make_programs(l, file[2], outputs));
	MUST(r, write_manifest(l, file[1], file[3]));
	MUST(r, name_native(l, outputs[isa_native]));
	return r;
}

int cc_link(const struct cc_request *request, const struct cc_tools *tools)
{
	struct link l = { .request = request, .tools = tools };
	char *file[5] = { 0 }, *outputs[_ISA_MAX] = { 0 };
	int r = 0;

	l.output = request->output ? request->output : "a.out";
	if (!request->link.n) {
		log_error("there is nothing to link; see `chiral cc --help`");
		return -EINVAL;
	}
	if (asprintf(&file[0], "%s/program.bc", tools->work) < 0 ||
	    asprintf(&file[1], "%s/list", tools->work) < 0 ||
	    asprintf(&file[2], "%s/moving.bc", tools->work) < 0 ||
	    asprintf(&file[3], "%s.chiral", l.output) < 0)
		r = log_errno(ENOMEM, "cannot link");
	for (unsigned i = 0; i < _ISA_MAX && r == 0; i++)
		if (asprintf(&outputs[i], "%s.%s", l.output, isa_descs[i].name) < 0)
			r = log_errno(ENOMEM, "cannot link");
	MUST(r, link_all(&l, file, outputs));
	for (unsigned i = 0; i < ARRAY_SIZE(file); i++)
		free(file[i]);
	for (unsigned i = 0; i < _ISA_MAX; i++)
		free(outputs[i]);
	return r;
}
