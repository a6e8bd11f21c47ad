/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PID 1 of the microVM's guest; static, started by the kernel from the initramfs.
 *
 * It loads the modules of the initramfs, lays a tmpfs over the read-only squashfs, brings the
 * network up and then keeps `chiral node --serial` running: that serves the host over
 * virtio-serial. Nothing in the guest outlives a power-off, so there is nothing to shut down
 * cleanly: the host just ends QEMU.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHIRAL "/run/chiral/chiral"

static void say(const char *what, const char *object)
{
	int err = errno;

	dprintf(2, "chiral-init: %s %s: %s\n", what, object, strerror(err));
}

static void say_fatal(const char *what, const char *object)
{
	say(what, object);
	reboot(RB_POWER_OFF);
	_exit(1);
}

static int mount_at(const char *source, const char *target, const char *type, unsigned long flags,
		    const char *options)
{
	mkdir(target, 0755);
	if (mount(source, target, type, flags, options) == 0)
		return 0;
	say("cannot mount", target);
	return -1;
}

static void console_open(void)
{
	int fd = open("/dev/console", O_RDWR);

	for (int i = 0; fd >= 0 && i < 3; i++)
		dup2(fd, i);
	if (fd > 2)
		close(fd);
}

/* ---- modules --------------------------------------------------------------------------------- */

static int is_module(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

/* The image builder numbered the files in the order in which they must be loaded. */
static void modules_load(void)
{
	struct dirent **list;
	int n = scandir("/modules", &list, is_module, alphasort);

	for (int i = 0; i < n; i++) {
		char path[512];
		int fd;

		snprintf(path, sizeof(path), "/modules/%s", list[i]->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST))
			say("cannot load", path);
		if (fd >= 0)
			close(fd);
		free(list[i]);
	}
	if (n >= 0)
		free(list);
}

/* ---- network
 * ----------------------------------------------------------------------------------------- */

static void set_address(struct ifreq *r, const char *address)
{
	struct sockaddr_in in = {.sin_family = AF_INET};

	inet_pton(AF_INET, address, &in.sin_addr);
	memcpy(&r->ifr_addr, &in, sizeof(in));
}

static void interface_up(const char *name, const char *address, const char *mask)
{
	struct ifreq r = {0};
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	strncpy(r.ifr_name, name, IFNAMSIZ - 1);
	set_address(&r, address);
	if (s < 0 || ioctl(s, SIOCSIFADDR, &r) < 0)
		goto fail;
	set_address(&r, mask);
	if (ioctl(s, SIOCSIFNETMASK, &r) < 0 || ioctl(s, SIOCGIFFLAGS, &r) < 0)
		goto fail;
	r.ifr_flags |= IFF_UP | IFF_RUNNING;
	if (ioctl(s, SIOCSIFFLAGS, &r) < 0)
		goto fail;
	close(s);
	return;
fail:
	say("cannot bring up", name);
	if (s >= 0)
		close(s);
}

/* QEMU's user network: the guest is 10.0.2.15, the host 10.0.2.2. */
static void network_up(void)
{
	struct rtentry route = {.rt_flags = RTF_UP | RTF_GATEWAY};
	struct sockaddr_in any = {.sin_family = AF_INET}, gateway = any;
	int s;

	interface_up("lo", "127.0.0.1", "255.0.0.0");
	interface_up("eth0", "10.0.2.15", "255.255.255.0");
	s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	inet_pton(AF_INET, "10.0.2.2", &gateway.sin_addr);
	memcpy(&route.rt_dst, &any, sizeof(any));
	memcpy(&route.rt_genmask, &any, sizeof(any));
	memcpy(&route.rt_gateway, &gateway, sizeof(gateway));
	if (s < 0 || ioctl(s, SIOCADDRT, &route) < 0)
		say("cannot set", "the default route");
	if (s >= 0)
		close(s);
}

/* ---- the root -------------------------------------------------------------------------------- */

static void copy_file(const char *from, const char *to, mode_t mode)
{
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	char buf[65536];
	ssize_t n = -1;

	while (in >= 0 && out >= 0 && (n = read(in, buf, sizeof(buf))) > 0)
		if (write(out, buf, (size_t)n) != n)
			say_fatal("cannot write", to);
	if (n < 0)
		say_fatal("cannot copy", from);
	close(in);
	close(out);
}

static void wait_for_disk(void)
{
	for (int i = 0; i < 5000 && access("/dev/vda", F_OK) < 0; i++)
		usleep(1000);
}

static void root_mount(void)
{
	static const char *const move[] = {"/proc", "/sys", "/dev"};

	wait_for_disk();
	mkdir("/new", 0755);
	if (mount_at("/dev/vda", "/lower", "squashfs", MS_RDONLY, NULL) ||
	    mount_at("tmpfs", "/upper", "tmpfs", 0, "size=60%,mode=0755"))
		say_fatal("no root without", "the disk");
	mkdir("/upper/data", 0755);
	mkdir("/upper/work", 0755);
	if (mount_at("overlay", "/new", "overlay", 0,
		     "lowerdir=/lower,upperdir=/upper/data,workdir=/upper/work"))
		say_fatal("no root without", "overlayfs");
	mount_at("tmpfs", "/new/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755");
	mkdir("/new/run/lock", 01777);
	mkdir("/new/run/chiral", 0755);
	copy_file("/chiral", "/new" CHIRAL, 0755);
	for (size_t i = 0; i < sizeof(move) / sizeof(move[0]); i++) {
		char to[64];

		snprintf(to, sizeof(to), "/new%s", move[i]);
		if (mount(move[i], to, NULL, MS_MOVE, NULL) < 0)
			say("cannot move", to);
	}
	if (chdir("/new") < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 ||
	    chdir("/") < 0)
		say_fatal("cannot switch to", "the root");
}

static void rest_mount(void)
{
	mount_at("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "ptmxmode=0666,mode=0620");
	mount_at("shm", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777");
	mount_at("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777,size=60%");
	mount_at("cgroup2", "/sys/fs/cgroup", "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	mount_at("bpf", "/sys/fs/bpf", "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700");
	mount_at("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL);
	/* What udev would have made. */
	symlink("/proc/self/fd", "/dev/fd");
	symlink("/proc/self/fd/0", "/dev/stdin");
	symlink("/proc/self/fd/1", "/dev/stdout");
	symlink("/proc/self/fd/2", "/dev/stderr");
}

static void host_name_set(void)
{
	char name[64];
	int fd = open("/etc/hostname", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, name, sizeof(name));

	if (fd >= 0)
		close(fd);
	while (n > 0 && name[n - 1] == '\n')
		n--;
	if (n > 0)
		sethostname(name, (size_t)n);
}

/* ---- service --------------------------------------------------------------------------------- */

static pid_t node_start(void)
{
	static const char *const env[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=/root",
		"TERM=linux",
		"LANG=C.UTF-8",
		NULL,
	};
	/* As on a Debian host under systemd. */
	struct rlimit files = {.rlim_cur = 1024, .rlim_max = 1048576};
	struct rlimit stack = {.rlim_cur = 8u << 20, .rlim_max = RLIM_INFINITY};
	pid_t pid = fork();

	if (pid)
		return pid;
	setrlimit(RLIMIT_NOFILE, &files);
	setrlimit(RLIMIT_STACK, &stack);
	setsid();
	execle(CHIRAL, "chiral", "node", "--serial", (char *)NULL, (char *const *)env);
	say("cannot run", CHIRAL);
	_exit(127);
}

int main(void)
{
	mount_at("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	mount_at("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	mount_at("devtmpfs", "/dev", "devtmpfs", MS_NOSUID, NULL);
	console_open();
	modules_load();
	root_mount();
	rest_mount();
	host_name_set();
	network_up();

	for (pid_t node = -1;;) {
		int status;
		pid_t pid;

		if (node < 0)
			node = node_start();
		pid = wait(&status);
		if (pid == node) {
			dprintf(2,
				"chiral-init: the node ended (wait status %#x); it is started "
				"again\n",
				status);
			node = -1;
			sleep(1);
		} else if (pid < 0) {
			sleep(1);
		}
	}
}
