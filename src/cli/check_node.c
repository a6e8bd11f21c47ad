/* SPDX-License-Identifier: Apache-2.0 */
/* Probes: the embedded second node, a microVM of the other ISA. */
#include "cli/check.h"

#include "base/cleanup.h"
#include "node/microvm.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

static struct microvm other_vm(void)
{
	enum isa isa = isa_native == ISA_X86_64 ? ISA_AARCH64 : ISA_X86_64;

	return (struct microvm){ .isa = isa, .config = &microvm_configs[isa] };
}

/* First line of what the command prints on stdout; its exit status must be 0. */
static int first_line(const char *const *argv, char *buf, size_t max)
{
	cleanup_fclose FILE *f = NULL;
	int fd[2], status;
	pid_t pid;

	if (pipe2(fd, O_CLOEXEC) < 0)
		return -errno;
	pid = check_fork();
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		dup2(null, STDIN_FILENO);
		dup2(null, STDERR_FILENO);
		dup2(fd[1], STDOUT_FILENO);
		execvp(argv[0], (char *const *)argv);
		_exit(errno == ENOENT ? 127 : 126);
	}
	close(fd[1]);
	f = fdopen(fd[0], "r");
	if (pid < 0 || !f)
		return pid < 0 ? pid : -errno;
	if (!fgets(buf, (int)max, f))
		*buf = 0;
	buf[strcspn(buf, "\n")] = 0;
	while (fgetc(f) != EOF)
		;
	if (waitpid(pid, &status, 0) != pid)
		return -errno;
	return status == 0 ? 0 : WIFEXITED(status) && WEXITSTATUS(status) == 127 ? -ENOENT : 1;
}

static int probe_qemu(char *detail)
{
	struct microvm vm = other_vm();
	const char *argv[] = { vm.config->qemu, "--version", NULL };
	char line[128];
	int r = first_line(argv, line, sizeof(line));

	if (r)
		return check_say(detail, r, "%s, of the Debian package %s", vm.config->qemu,
				 vm.config->package);
	return check_say(detail, 0, "%s", line);
}

static int probe_image(char *detail)
{
	static const char *const files[] = { "kernel", "modules.cpio", "root.squashfs" };
	struct microvm vm = other_vm();
	cleanup_free char *image = microvm_image(&vm);
	char path[PATH_MAX];
	struct stat st;

	if (!image)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", image, files[i]);
		if (stat(path, &st) < 0)
			return check_say(detail, -errno, "%.200s", path);
		if (!S_ISREG(st.st_mode) || st.st_size == 0)
			return check_say(detail, 1, "%.200s is empty", path);
	}
	return check_say(detail, 0, "%.200s", image);
}

static int probe_guest(char *detail)
{
	struct microvm vm = other_vm();
	char *chiral, *init;
	int r, null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	dup2(null, STDERR_FILENO); /* the sentence is ours here */
	r = microvm_guest_files(&vm, &chiral, &init);
	return r < 0 ? r : check_say(detail, 0, "%.200s", chiral);
}

static int probe_keyring(char *detail)
{
	static const char path[] = "/usr/share/keyrings/debian-archive-keyring.gpg";
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	char byte;

	if (fd < 0)
		return check_say(detail, -errno, "%s", path);
	return read(fd, &byte, 1) == 1 ? 0 : check_say(detail, 1, "%s is empty", path);
}

/* What an image is made with. */
static int probe_tools(char *detail)
{
	static const char *const tools[][4] = {
		{ "apt-get", "--version" },
		{ "dpkg-deb", "--version" },
		{ "mksquashfs", "-help" },
		{ "cpio", "--version" },
	};
	char line[128];

	for (size_t i = 0; i < ARRAY_SIZE(tools); i++)
		if (first_line(tools[i], line, sizeof(line)) == -ENOENT)
			return check_say(detail, -ENOENT, "%s", tools[i][0]);
	return 0;
}

const struct check check_node[] = {
	{ "qemu", CHECK_SHOULD, "the default second node: a microVM of the other ISA",
	  "install that package with apt", probe_qemu },
	{ "microvm-image", CHECK_SHOULD, "the microVM's kernel and user land",
	  "chiral microvm build (about a minute, from Debian packages)", probe_image },
	{ "microvm-chiral", CHECK_SHOULD, "chiral itself for the microVM's ISA",
	  "make foreign, in a source tree of chiral", probe_guest },
	{ "apt-keyring", CHECK_SHOULD, "trust the Debian packages that the image is built from",
	  "apt install debian-archive-keyring", probe_keyring },
	{ "image-tools", CHECK_SHOULD, "build the image",
	  "apt install apt dpkg squashfs-tools cpio", probe_tools },
	{ 0 },
};
