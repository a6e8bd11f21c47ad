/* SPDX-License-Identifier: Apache-2.0 */
#include "node/microvm.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MONITOR_MS 60000
#define STOP_MS    5000
#define ARGS_MAX   256

static const char lock_wait_text[] =
	"another chiral starts or stops the microVM; waiting until it is done";

/* ---- is it alive ----------------------------------------------------------------------------- */

bool microvm_alive(const struct microvm *vm)
{
	cleanup_free char *path = microvm_path(vm, "alive");
	cleanup_close int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	return fd >= 0 && fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

static char *read_line_of(const struct microvm *vm, const char *name)
{
	cleanup_free char *path = microvm_path(vm, "%s", name);
	cleanup_fclose FILE *f = path ? fopen(path, "re") : NULL;
	char *line = NULL;
	size_t size = 0;

	if (!f || getline(&line, &size, f) < 0) {
		free(line);
		return NULL;
	}
	line[strcspn(line, "\n")] = 0;
	return line;
}

static int write_line_to(const struct microvm *vm, const char *name, const char *line)
{
	cleanup_free char *path = microvm_path(vm, "%s", name);
	cleanup_fclose FILE *f = path ? fopen(path, "we") : NULL;

	if (!f || fprintf(f, "%s\n", line) < 0 || fflush(f))
		return log_errno(EIO, "cannot write %s/%s", vm->run, name);
	return 0;
}

pid_t microvm_pid(const struct microvm *vm)
{
	cleanup_free char *line = read_line_of(vm, "pid");

	return line ? (pid_t)strtol(line, NULL, 10) : 0;
}

static void print_tail(const char *path, const char *what)
{
	cleanup_fclose FILE *f = fopen(path, "re");
	char text[2049];
	size_t n;
	long size;

	if (!f || fseek(f, 0, SEEK_END) < 0 || (size = ftell(f)) <= 0)
		return;
	fseek(f, size > 2048 ? size - 2048 : 0, SEEK_SET);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = 0;
	log_info("%s (the end of %s):\n%s", what, path, text);
}

void microvm_print_logs(const struct microvm *vm)
{
	cleanup_free char *qemu = microvm_path(vm, "qemu.log");
	cleanup_free char *console = microvm_path(vm, "console.log");

	if (qemu)
		print_tail(qemu, "QEMU said");
	if (console)
		print_tail(console, "the guest said");
}

/* ---- QEMU's command line --------------------------------------------------------------------- */

struct args {
	char *list[ARGS_MAX + 1];
	size_t count;
	bool failed;
};

__attribute__((format(printf, 2, 3))) static void arg(struct args *a, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (a->count == ARGS_MAX || vasprintf(&a->list[a->count], fmt, ap) < 0) {
		a->failed = true;
		a->list[a->count] = NULL;
	} else {
		a->list[++a->count] = NULL;
	}
	va_end(ap);
}

static void args_free(struct args *a)
{
	for (size_t i = 0; i < a->count; i++)
		free(a->list[i]);
}

static bool kvm_usable(const struct microvm *vm)
{
	return vm->isa == isa_native && !vm->emulate && access("/dev/kvm", R_OK | W_OK) == 0;
}

static void args_devices(struct args *a, const struct microvm *vm)
{
	/* restrict: the guest reaches neither this machine nor the network; published ports are
	 * forwards into it, made at run time. */
	arg(a, "-netdev");
	arg(a, "user,id=n0,ipv6=off,restrict=on");
	arg(a, "-device");
	arg(a, "virtio-net-pci,netdev=n0,romfile=");
	arg(a, "-device");
	arg(a, "virtio-serial-pci,max_ports=%d", MICROVM_PORTS + 1);
	for (int i = 0; i < MICROVM_PORTS; i++) {
		arg(a, "-chardev");
		arg(a, "socket,id=port%d,path=%s/port.%d.sock,server=on,wait=off", i, vm->run, i);
		arg(a, "-device");
		arg(a, "virtserialport,chardev=port%d,name=" MICROVM_PORT_NAME ",nr=%d", i, i,
		    i + 1);
	}
}

static void args_fill(struct args *a, const struct microvm *vm, const char *image)
{
	const char *const *machine = kvm_usable(vm) ? vm->config->kvm : vm->config->tcg;

	arg(a, "%s", vm->config->qemu);
	for (; *machine; machine++)
		arg(a, "%s", *machine);
	for (const char *const *p = (const char *const[]){"-smp", "1", "-m", "1024", "-nodefaults",
							  "-no-user-config", "-display", "none",
							  "-no-reboot", "-sandbox",
							  "on,obsolete=deny,elevateprivileges=deny,"
							  "spawn=deny,resourcecontrol=deny",
							  NULL};
	     *p; p++)
		arg(a, "%s", *p);
	arg(a, "-name");
	arg(a, "chiral-%s", isa_descs[vm->isa].debian);
	arg(a, "-kernel");
	arg(a, "%s/kernel", image);
	arg(a, "-initrd");
	arg(a, "%s/initrd", vm->run);
	arg(a, "-append");
	arg(a, "%s", vm->config->kernel_args);
	arg(a, "-serial");
	arg(a, "file:%s/console.log", vm->run);
	arg(a, "-qmp");
	arg(a, "unix:%s/qmp.sock,server=on,wait=off", vm->run);
	arg(a, "-drive");
	arg(a, "if=none,id=root,file=%s/root.squashfs,format=raw,readonly=on,file.locking=off",
	    image);
	arg(a, "-device");
	arg(a, "virtio-blk-pci,drive=root,romfile=");
	args_devices(a, vm);
}

/* ---- start ----------------------------------------------------------------------------------- */

static void remove_old(const struct microvm *vm)
{
	static const char *const names[] = {"qmp.sock", "pid",         "started",
					    "ready",    "console.log", "qemu.log"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		cleanup_free char *path = microvm_path(vm, "%s", names[i]);

		if (path)
			unlink(path);
	}
	for (int i = 0; i < MICROVM_PORTS; i++) {
		cleanup_free char *socket = microvm_path(vm, "port.%d.sock", i);
		cleanup_free char *publish = microvm_path(vm, "publish.%d", i);

		if (socket)
			unlink(socket);
		if (publish)
			unlink(publish);
	}
}

/* alive: the descriptor whose lock QEMU keeps. */
static void qemu_exec(struct args *a, const char *log, int alive)
{
	/* Nothing of the environment of whoever started it first: it serves others too. */
	char *env[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C", NULL};
	int null = open("/dev/null", O_RDWR), out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	sigset_t none;

	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(null, 0);
	dup2(out, 1);
	dup2(out, 2);
	dup2(alive, 3);
	close_range(4, ~0u, 0);
	execvpe(a->list[0], a->list, env);
	_exit(127);
}

static int alive_lock(const struct microvm *vm)
{
	cleanup_free char *path = microvm_path(vm, "alive");
	cleanup_close int fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (fd < 0 || fcntl(fd, F_OFD_SETLK, &lock) < 0)
		return log_errno(errno, "cannot lock %s/alive", vm->run);
	return take_fd(&fd);
}

/* Until QEMU's monitor answers, which is after all sockets were made. */
static int wait_monitor(const struct microvm *vm, pid_t pid)
{
	cleanup_free char *path = microvm_path(vm, "qmp.sock");
	int64_t deadline = deadline_after_ms(MONITOR_MS);
	int status;

	while (path && time_now_ms() < deadline) {
		int fd = qmp_open(path);

		if (fd >= 0) {
			close(fd);
			return 0;
		}
		if (waitpid(pid, &status, WNOHANG) == pid) {
			if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
				log_error("cannot run %s; install it with: apt-get install %s",
					  vm->config->qemu, vm->config->package);
			else
				log_error("QEMU ended at once (wait status %#x)", status);
			return -ECHILD;
		}
		usleep(5000);
	}
	log_error("QEMU does not answer on %s", path);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return -ETIMEDOUT;
}

static int qemu_start(const struct microvm *vm, const char *image)
{
	cleanup_free char *log = microvm_path(vm, "qemu.log");
	cleanup_close int alive = alive_lock(vm);
	struct args a = {.count = 0};
	char line[32];
	pid_t pid;
	int r;

	if (alive < 0 || !log)
		return alive < 0 ? alive : -ENOMEM;
	args_fill(&a, vm, image);
	pid = a.failed ? -1 : fork();
	if (pid == 0)
		qemu_exec(&a, log, alive);
	args_free(&a);
	if (pid < 0)
		return log_errno(ENOMEM, "cannot start QEMU");
	snprintf(line, sizeof(line), "%d", (int)pid);
	r = write_line_to(vm, "pid", line);
	if (r == 0)
		r = wait_monitor(vm, pid);
	if (r < 0)
		microvm_print_logs(vm);
	return r;
}

static int start_locked(const struct microvm *vm, const char *version, const char *chiral,
			const char *init)
{
	cleanup_free char *image = NULL, *modules = NULL, *initrd = microvm_path(vm, "initrd");
	int r = microvm_build(vm, NULL, &image);

	if (r < 0)
		return r;
	if (!initrd || asprintf(&modules, "%s/modules.cpio", image) < 0)
		return -ENOMEM;
	remove_old(vm);
	r = microvm_write_initrd(initrd, modules, init, chiral);
	if (r < 0)
		return r;
	log_info("starting the %s microVM%s", isa_descs[vm->isa].debian,
		 kvm_usable(vm) ? " (KVM)" : "");
	r = qemu_start(vm, image);
	return r < 0 ? r : write_line_to(vm, "started", version);
}

/* 1 when it runs what would be started now. */
static int is_current(const struct microvm *vm, const char *version)
{
	cleanup_free char *started = read_line_of(vm, "started");

	return started && !strcmp(started, version);
}

static bool is_idle(const struct microvm *vm)
{
	cleanup_free char *path = microvm_path(vm, "qmp.sock");
	cleanup_close int claim = microvm_lock(vm, "claim", NULL);
	cleanup_close int qmp = path && claim >= 0 ? qmp_open(path) : -1;
	uint32_t in_use;

	return qmp < 0 || microvm_ports_in_use(qmp, &in_use) < 0 || in_use == 0;
}

static int stop_locked(const struct microvm *vm);

/* 0 when the one that runs will do, 1 when there is none, -errno. */
static int check_running(const struct microvm *vm, const char *version)
{
	cleanup_free char *ready = microvm_path(vm, "ready");
	int r;

	if (!microvm_alive(vm))
		return 1;
	if (is_current(vm, version)) {
		if (ready && access(ready, F_OK) == 0)
			return 0;
		log_info("the microVM did not come up when it was started: it is started anew");
	} else if (is_idle(vm)) {
		log_info("the microVM runs another build of chiral: it is started anew");
	} else {
		log_error("the microVM runs another build of chiral and is in use; "
			  "end its sessions or run: chiral microvm stop");
		return -EBUSY;
	}
	r = stop_locked(vm);
	return r < 0 ? r : 1;
}

static int start_and_wait(const struct microvm *vm, const char *version, const char *chiral,
			  const char *init)
{
	struct microvm emulated = *vm;
	int r = start_locked(vm, version, chiral, init);

	if (r == 0)
		r = microvm_wait_ready(vm);
	if (r != -ENOTSUP || vm->emulate)
		return r;
	emulated.emulate = true;
	r = stop_locked(vm);
	return r < 0 ? r : start_and_wait(&emulated, version, chiral, init);
}

int microvm_start(const struct microvm *vm)
{
	cleanup_free char *chiral = NULL, *init = NULL, *version = NULL;
	cleanup_close int lock = microvm_lock(vm, "lock", lock_wait_text);
	int64_t begin = time_now_ms();
	int r = lock < 0 ? lock : microvm_guest_files(vm, &chiral, &init);

	if (r < 0)
		return r;
	version = microvm_version(chiral, init);
	if (!version)
		return log_errno(errno, "cannot read %s", chiral);
	r = check_running(vm, version);
	if (r <= 0)
		return r;
	r = start_and_wait(vm, version, chiral, init);
	if (r == 0)
		r = write_line_to(vm, "ready", "");
	if (r == 0)
		log_info("the %s microVM is up after %.1f s (`chiral microvm stop` ends it)",
			 isa_descs[vm->isa].debian, (double)(time_now_ms() - begin) / 1000);
	return r;
}

/* ---- stop ------------------------------------------------------------------------------------ */

/* pidfd of QEMU, or -1: the process may be gone before its files, and its files before it. */
static bool wait_dead(const struct microvm *vm, int pidfd, int timeout_ms)
{
	int64_t deadline = deadline_after_ms(timeout_ms);
	struct pollfd p = {.fd = pidfd, .events = POLLIN};

	if (pidfd >= 0 && poll(&p, 1, timeout_ms) == 0)
		return false;
	while (microvm_alive(vm)) {
		if (time_now_ms() > deadline)
			return false;
		usleep(5000);
	}
	return true;
}

static int stop_locked(const struct microvm *vm)
{
	cleanup_free char *path = microvm_path(vm, "qmp.sock");
	int fd = path ? qmp_open(path) : -1;
	pid_t pid = microvm_pid(vm);
	cleanup_close int pidfd = pid > 1 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;

	/* The guest keeps nothing: there is nothing to shut down inside. */
	if (fd >= 0) {
		qmp_quit(fd);
		close(fd);
	}
	if (fd < 0 || !wait_dead(vm, pidfd, STOP_MS)) {
		if (pid > 1 && microvm_alive(vm))
			kill(pid, SIGKILL);
		if (!wait_dead(vm, pidfd, STOP_MS)) {
			log_error("QEMU (process %d) cannot be ended", (int)pid);
			return -EBUSY;
		}
	}
	remove_old(vm);
	return 0;
}

int microvm_stop(const struct microvm *vm)
{
	cleanup_close int lock = microvm_lock(vm, "lock", lock_wait_text);

	if (lock < 0)
		return lock;
	return microvm_alive(vm) ? stop_locked(vm) : 0;
}
