/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "node/exec.h"
#include "node/microvm.h"
#include "node/node.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PUBLISH_MAX 32

static void usage(FILE *f)
{
	fputs("usage: chiral microvm [--isa arm64|amd64] ACTION\n"
	      "\n"
	      "The microVM is the node of the other ISA on this machine: QEMU with a kernel and a "
	      "user\n"
	      "land from Debian packages. `chiral run` builds and starts it when it is needed.\n"
	      "\n"
	      "  build [--refresh]   build its image (cached); --refresh: with the mirror's newest "
	      "packages\n"
	      "  start               start it and wait until it serves\n"
	      "  stop                end it, with all its sessions\n"
	      "  status [--json]     say whether it runs and who uses it\n"
	      "  exec [--publish HOST:GUEST]... [--] CMD...\n"
	      "                      run a command in it; its processes end with it. --publish: "
	      "while it\n"
	      "                      runs, 127.0.0.1:HOST of this machine leads to port GUEST in "
	      "it\n"
	      "  add PACKAGE...      add Debian packages with their dependencies, now and for "
	      "later\n"
	      "  cp SOURCE... DEST   copy files or folders of this machine into it (until it is "
	      "stopped)\n"
	      "\n"
	      "Exit status: of exec the command's own (128 + N when signal N killed it); otherwise 0,\n"
	      "125 when it failed, 121 when the microVM went away.\n",
	      f);
}

static int exit_of(int r)
{
	if (r == -EPIPE)
		return EXIT_PEER_LOST;
	return r < 0 ? EXIT_OWN_FAILURE : r;
}

/* ---- build, start, stop ---------------------------------------------------------------------- */

static int do_build(const struct microvm *vm, int argc, char **argv)
{
	static const char *const refresh[] = {"--refresh", NULL};
	cleanup_free char *image = NULL;
	bool fresh = argc == 2 && !strcmp(argv[1], "--refresh");
	int r;

	if (argc > 1 && !fresh) {
		usage(stderr);
		return EXIT_OWN_FAILURE;
	}
	r = microvm_build(vm, fresh ? refresh : NULL, &image);
	if (r == 0)
		puts(image);
	return exit_of(r);
}

static int do_start(const struct microvm *vm, int argc, char **argv)
{
	return exit_of(microvm_start(vm));
}

static int do_stop(const struct microvm *vm, int argc, char **argv)
{
	return exit_of(microvm_stop(vm));
}

/* ---- status ---------------------------------------------------------------------------------- */

struct status {
	bool built, running, answers;
	pid_t pid;
	long up; /* seconds */
	char kernel[64];
	size_t packages;
	uint32_t in_use;
};

static void status_image(const char *image, struct status *s)
{
	cleanup_free char *path = NULL, *line = NULL;
	cleanup_fclose FILE *f = NULL;
	size_t size = 0;

	if (asprintf(&path, "%s/manifest", image) < 0 || !(f = fopen(path, "re")))
		return;
	s->built = fscanf(f, "kernel %63s\n", s->kernel) == 1;
	while (getline(&line, &size, f) > 0)
		s->packages++;
}

static void status_running(const struct microvm *vm, struct status *s)
{
	cleanup_free char *started = microvm_path(vm, "pid"), *path = microvm_path(vm, "qmp.sock");
	cleanup_close int claim = -1, qmp = -1;
	struct stat st;

	s->running = microvm_alive(vm);
	if (!s->running || !started || !path)
		return;
	s->pid = microvm_pid(vm);
	if (stat(started, &st) == 0)
		s->up = time(NULL) - st.st_mtime;
	claim = microvm_lock(vm, "claim", NULL);
	qmp = claim < 0 ? -1 : qmp_open(path);
	s->answers = qmp >= 0 && microvm_ports_in_use(qmp, &s->in_use) == 0;
	if (s->answers)
		microvm_publish_sweep(vm, qmp, s->in_use);
}

static void print_published(const struct microvm *vm, const struct status *s, const char *separator)
{
	for (int i = 0; i < MICROVM_PORTS; i++)
		if (s->in_use & 1u << i)
			microvm_publish_print(vm, i, stdout, separator);
}

static void print_status_json(const struct microvm *vm, const struct status *s)
{
	printf("{\"isa\":\"%s\",\"built\":%s,\"kernel\":\"%s\",\"packages\":%zu,\"running\":%s",
	       isa_descs[vm->isa].name, s->built ? "true" : "false", s->kernel, s->packages,
	       s->running ? "true" : "false");
	if (s->running) {
		printf(",\"pid\":%d,\"up\":%ld,\"sessions\":%d,\"answers\":%s,\"published\":\"",
		       (int)s->pid, s->up, __builtin_popcount(s->in_use),
		       s->answers ? "true" : "false");
		print_published(vm, s, " ");
		printf("\"");
	}
	puts("}");
}

static void print_status(const struct microvm *vm, const struct status *s, const char *image)
{
	printf("microVM   %s\n", isa_descs[vm->isa].debian);
	if (s->built)
		printf("image     %s (kernel %s, %zu packages)\n", image, s->kernel, s->packages);
	else
		printf("image     not built\n");
	if (!s->running) {
		printf("state     stopped\n");
		return;
	}
	printf("state     running for %ld s, process %d%s\n", s->up, (int)s->pid,
	       s->answers ? "" : ", but QEMU does not answer");
	printf("sessions  %d of %d\n", __builtin_popcount(s->in_use), MICROVM_PORTS - 1);
	printf("published");
	print_published(vm, s, " 127.0.0.1:");
	printf("\n");
}

static int do_status(const struct microvm *vm, int argc, char **argv)
{
	cleanup_free char *image = microvm_image(vm);
	struct status s = {.built = false};

	if (!image)
		return EXIT_OWN_FAILURE;
	status_image(image, &s);
	status_running(vm, &s);
	if (argc > 1 && !strcmp(argv[1], "--json"))
		print_status_json(vm, &s);
	else
		print_status(vm, &s, image);
	return 0;
}

/* ---- exec ------------------------------------------------------------------------------------ */

/* QEMU's sockets may be closed a moment before its lock is gone. */
static bool has_ended(const struct microvm *vm)
{
	for (int i = 0; i < 50 && microvm_alive(vm); i++)
		usleep(10000);
	return !microvm_alive(vm);
}

static int run_in_guest(const struct microvm *vm, char **argv, int in, const char *const *publish)
{
	cleanup_free char *term = NULL;
	char *env[2] = {NULL};
	struct exec_request req = {.argv = argv, .env = env};
	int fd = microvm_connect(vm->isa, publish), r;

	if (fd < 0)
		return fd;
	if (getenv("TERM") && asprintf(&term, "TERM=%s", getenv("TERM")) > 0)
		env[0] = term;
	r = exec_remote(fd, "the microVM", &req, in, STDOUT_FILENO, STDERR_FILENO);
	if (r == -EPIPE && has_ended(vm)) {
		log_error("the microVM has ended; what it said last is in %s/*.log", vm->run);
		microvm_print_logs(vm);
	}
	return r;
}

static int do_exec(const struct microvm *vm, int argc, char **argv)
{
	static const struct option options[] = {
		{"publish", required_argument, NULL, 'p'},
		{0},
	};
	const char *publish[PUBLISH_MAX + 1] = {NULL};
	size_t n = 0;
	int c;

	optind = 0; /* getopt starts anew */
	while ((c = getopt_long(argc, argv, "+", options, NULL)) == 'p' && n < PUBLISH_MAX)
		publish[n++] = optarg;
	if (c >= 0 || optind == argc) {
		usage(stderr);
		return EXIT_OWN_FAILURE;
	}
	return exit_of(run_in_guest(vm, argv + optind, STDIN_FILENO, publish));
}

/* Runs producer on this machine with its output as the input of consumer in the guest. */
static int pipe_into_guest(const struct microvm *vm, char **producer, char **consumer)
{
	int p[2], status, r;
	pid_t pid;

	if (pipe2(p, O_CLOEXEC) < 0)
		return log_errno(errno, "cannot make a pipe");
	pid = fork();
	if (pid == 0) {
		dup2(p[1], 1);
		execvp(producer[0], producer);
		log_errno(errno, "cannot run %s", producer[0]);
		_exit(127);
	}
	close(p[1]);
	r = pid < 0 ? -EAGAIN : run_in_guest(vm, consumer, p[0], NULL);
	close(p[0]);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (r == 0 && status) {
		log_error("%s failed, see above", producer[0]);
		return EXIT_OWN_FAILURE;
	}
	return r;
}

/* ---- add ------------------------------------------------------------------------------------- */

/* As tools/microvm-build does it: the files, and what dpkg would have noted about them. $1: name of
 * the package. */
static const char unpack_script[] =
	"set -e; db=/var/lib/dpkg; mkdir -p $db/info\n"
	"tar -x -v --quoting-style=literal --warning=no-timestamp -C / --keep-directory-symlink "
	">$db/new\n"
	"sed -e 's,^\\.,,' -e 's,/$,,' -e 's,^$,/.,' $db/new >$db/info/$1.list\n";
static const char note_script[] =
	"{ sed -e '1a Status: install ok installed'; echo; } >>/var/lib/dpkg/status\n";

/* debs: one path a line, NAME_VERSION_ARCH.deb, cut in place. */
static int unpack_in_guest(const struct microvm *vm, char *debs)
{
	int r = 0;

	for (char *deb = strtok(debs, "\n"); deb && r == 0; deb = strtok(NULL, "\n")) {
		const char *base = strrchr(deb, '/');
		cleanup_free char *name = NULL;

		base = base ? base + 1 : deb;
		name = strndup(base, strcspn(base, "_"));
		if (!name)
			return -ENOMEM;
		r = pipe_into_guest(vm, (char *[]){"dpkg-deb", "--fsys-tarfile", deb, NULL},
				    (char *[]){"sh", "-c", (char *)unpack_script, "sh", name, NULL});
		if (r == 0)
			r = pipe_into_guest(vm, (char *[]){"dpkg-deb", "-f", deb, NULL},
					    (char *[]){"sh", "-c", (char *)note_script, NULL});
	}
	return r;
}

static int do_add(const struct microvm *vm, int argc, char **argv)
{
	cleanup_free char *debs = NULL;
	cleanup_free const char **args = calloc(2 * (size_t)argc + 1, sizeof(*args));
	int r;

	if (argc < 2) {
		usage(stderr);
		return EXIT_OWN_FAILURE;
	}
	if (!args)
		return EXIT_OWN_FAILURE;
	for (int i = 1; i < argc; i++) {
		args[2 * i - 2] = "--add";
		args[2 * i - 1] = argv[i];
	}
	r = microvm_build(vm, args, &debs);
	if (r == 0 && *debs && microvm_alive(vm)) {
		log_info("unpacking into the running microVM");
		r = unpack_in_guest(vm, debs);
	}
	return exit_of(r);
}

/* ---- cp -------------------------------------------------------------------------------------- */

/* Into a folder that is there, or (one source) under the new name. $1: 1 if there is one source. */
static const char copy_script[] = "set -e; one=$1 name=$2 to=$3\n"
				  "if [ -d \"$to\" ]; then exec tar -x --warning=no-timestamp -p "
				  "--numeric-owner -C \"$to\"; fi\n"
				  "if [ \"$one\" != 1 ]; then mkdir -p \"$to\"; exec tar -x "
				  "--warning=no-timestamp -p --numeric-owner -C \"$to\"; fi\n"
				  "case $to in */) echo \"chiral: $to is not a folder in the "
				  "microVM\" >&2; cat >/dev/null; exit 1;; esac\n"
				  "mkdir -p \"$(dirname \"$to\")\"\n"
				  "new=$(mktemp -d \"$to.XXXXXX\"); trap 'rm -rf \"$new\"' EXIT\n"
				  "tar -x --warning=no-timestamp -p --numeric-owner -C \"$new\"\n"
				  "mv -fT \"$new/$name\" \"$to\"\n";

/* Absolute path of a source without following a link at its end. Owned. */
static char *source_path(const char *text)
{
	cleanup_free char *dir_copy = strdup(text), *base_copy = strdup(text), *dir = NULL;
	const char *base;
	struct stat st;
	char *path;

	if (!dir_copy || !base_copy || lstat(text, &st) < 0)
		return NULL;
	base = basename(base_copy);
	if (!strcmp(base, ".") || !strcmp(base, "..") || !strcmp(base, "/"))
		return realpath(text, NULL);
	dir = realpath(dirname(dir_copy), NULL);
	return dir && asprintf(&path, "%s/%s", dir, base) >= 0 ? path : NULL;
}

static int copy(const struct microvm *vm, size_t n, char **sources, char *to)
{
	/* tar -cf - --numeric-owner, then -C FOLDER ./NAME for each */
	cleanup_free char **argv = calloc(3 * n + 5, sizeof(*argv));
	char *one = n == 1 ? "1" : "0", *name = strrchr(sources[0], '/') + 1;
	char *consumer[] = {"sh", "-c", (char *)copy_script, "cp", one, name, to, NULL};
	size_t k = 0;
	int r;

	if (!argv)
		return -ENOMEM;
	argv[k++] = "tar";
	argv[k++] = "-cf";
	argv[k++] = "-";
	argv[k++] = "--numeric-owner";
	for (size_t i = 0; i < n; i++) {
		char *base = strrchr(sources[i], '/');

		argv[k++] = "-C";
		argv[k] = NULL;
		if (asprintf(&argv[k], "%.*s/", (int)(base - sources[i]), sources[i]) < 0)
			return -ENOMEM;
		k++;
		argv[k] = NULL;
		if (asprintf(&argv[k], "./%s", base + 1) < 0)
			return -ENOMEM;
		k++;
	}
	r = pipe_into_guest(vm, argv, consumer);
	for (size_t i = 0; i < n; i++) {
		free(argv[4 + 3 * i + 1]);
		free(argv[4 + 3 * i + 2]);
	}
	return r;
}

static int do_cp(const struct microvm *vm, int argc, char **argv)
{
	size_t n = argc > 2 ? (size_t)argc - 2 : 0;
	cleanup_free char **sources = calloc(n + 1, sizeof(*sources));
	int r = 0;

	if (!n || !sources) {
		usage(stderr);
		return EXIT_OWN_FAILURE;
	}
	for (size_t i = 0; i < n && r == 0; i++) {
		sources[i] = source_path(argv[i + 1]);
		if (!sources[i])
			r = log_errno(errno, "cannot copy %s", argv[i + 1]);
	}
	if (r == 0)
		r = copy(vm, n, sources, argv[argc - 1]);
	for (size_t i = 0; i < n; i++)
		free(sources[i]);
	return exit_of(r);
}

/* ---- the table ------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	int (*run)(const struct microvm *vm, int argc, char **argv);
} actions[] = {
	{"build", do_build}, {"start", do_start}, {"stop", do_stop}, {"status", do_status},
	{"exec", do_exec},   {"add", do_add},     {"cp", do_cp},
};

static int run_action(enum isa isa, int argc, char **argv)
{
	struct microvm vm;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
		if (strcmp(argv[0], actions[i].name))
			continue;
		if (microvm_open(isa, &vm) < 0)
			return EXIT_OWN_FAILURE;
		r = actions[i].run(&vm, argc, argv);
		microvm_close(&vm);
		return r;
	}
	log_error("there is no action '%s'; see `chiral microvm --help`", argv[0]);
	return EXIT_OWN_FAILURE;
}

int cmd_microvm(int argc, char **argv)
{
	static const struct option options[] = {
		{"isa", required_argument, NULL, 'i'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int c, isa = isa_native == ISA_X86_64 ? ISA_AARCH64 : ISA_X86_64;

	while ((c = getopt_long(argc, argv, "+h", options, NULL)) >= 0) {
		switch (c) {
		case 'i':
			isa = isa_from_name(optarg);
			if (isa >= 0)
				break;
			log_error("'%s' is not an ISA; it is arm64 or amd64", optarg);
			return EXIT_OWN_FAILURE;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return EXIT_OWN_FAILURE;
		}
	}
	if (optind == argc) {
		usage(stderr);
		return EXIT_OWN_FAILURE;
	}
	return run_action((enum isa)isa, argc - optind, argv + optind);
}
