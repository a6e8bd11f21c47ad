/* SPDX-License-Identifier: Apache-2.0 */
#include "node/microvm.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "node/node.h"
#include "node/port_sync.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* From QEMU's start to the guest's first answer: 3 s on an idle machine, much more on a busy one.
 */
#define BOOT_MS 90000
#define SYNC_MS 10000
/* The last port is for microvm_wait_ready(). */
#define PORTS_FOR_SESSIONS (MICROVM_PORTS - 1)
/* How long the host stays away so that the guest sees it go. */
#define AWAY_US 300000

int microvm_ports_in_use(int qmp, uint32_t *ret)
{
	cleanup_free char *text = NULL;
	int r = qmp_human(qmp, "info chardev", &text);

	if (r < 0)
		return r;
	*ret = 0;
	/* "port3: filename=disconnected:unix:/run/..." while nobody is connected. */
	for (int i = 0; i < MICROVM_PORTS; i++) {
		char head[64];
		const char *at;

		snprintf(head, sizeof(head), "port%d: filename=", i);
		at = strstr(text, head);
		if (!at)
			return -EPROTO;
		if (strncmp(at + strlen(head), "disconnected:", 13))
			*ret |= 1u << i;
	}
	return 0;
}

static int port_connect(const struct microvm *vm, int port)
{
	cleanup_free char *path = microvm_path(vm, "port.%d.sock", port);
	cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un un = {.sun_family = AF_UNIX};

	if (fd < 0 || !path)
		return -ENOMEM;
	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	if (connect(fd, (struct sockaddr *)&un, sizeof(un)) < 0)
		return -errno;
	/* Bytes of the session before may be all there is: reading must not wait for more. */
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	return take_fd(&fd);
}

/* A connection in the guest, or -ETIMEDOUT, -errno. Not logged. */
static int port_open(const struct microvm *vm, int port, int timeout_ms)
{
	int64_t deadline = deadline_after_ms(timeout_ms);

	for (;;) {
		cleanup_close int fd = port_connect(vm, port);
		int left = deadline_left_ms(deadline), r;

		if (fd < 0)
			return fd;
		/* The guest may have taken us for the host before: then it must see us go. */
		r = port_sync_host(fd, left < 1000 ? left : 1000);
		if (r == 0)
			return take_fd(&fd);
		if (r != -ETIMEDOUT || time_now_ms() >= deadline)
			return r;
		close(take_fd(&fd));
		usleep(AWAY_US);
	}
}

/* "VM status: paused (internal-error)" */
static bool kvm_gave_up(const struct microvm *vm)
{
	cleanup_free char *path = microvm_path(vm, "qmp.sock"), *text = NULL;
	cleanup_close int qmp = path ? qmp_open(path) : -1;

	return qmp >= 0 && qmp_human(qmp, "info status", &text) == 0 &&
	       strstr(text, "internal-error");
}

/* While the guest boots it has no port open; it answers as soon as it has. */
int microvm_wait_ready(const struct microvm *vm)
{
	int64_t deadline = deadline_after_ms(BOOT_MS);
	int r;

	do {
		cleanup_close int fd = port_connect(vm, MICROVM_PORTS - 1);

		r = fd < 0 ? fd : port_sync_host(fd, 2000);
		if (r == 0)
			return 0;
		if (kvm_gave_up(vm)) {
			log_warn("KVM does not work on this machine");
			return -ENOTSUP;
		}
		if (!microvm_alive(vm)) {
			log_error("the microVM ended while it booted");
			microvm_print_logs(vm);
			return -ECHILD;
		}
	} while (time_now_ms() < deadline);
	log_error("the microVM does not answer after %d s", BOOT_MS / 1000);
	microvm_print_logs(vm);
	return -ETIMEDOUT;
}

/*
 * Claims a free port: its number, the connection in *ret_fd. Ports are taken in turn (the file
 * "claim" says which was last): the guest may still be clearing up after the session on the one
 * just freed.
 */
static int port_claim(const struct microvm *vm, int claim, uint32_t in_use, int *ret_fd)
{
	int r = -EBUSY;
	uint8_t last = 0;

	if (pread(claim, &last, 1, 0) < 0)
		last = 0;
	for (int n = 1; n <= PORTS_FOR_SESSIONS; n++) {
		int i = (last + n) % PORTS_FOR_SESSIONS, fd;

		if (in_use & 1u << i)
			continue;
		fd = port_open(vm, i, SYNC_MS);
		if (fd >= 0) {
			last = (uint8_t)i;
			if (pwrite(claim, &last, 1, 0) < 0)
				log_debug("cannot write %s/claim: %s", vm->run, strerror(errno));
			*ret_fd = fd;
			return i;
		}
		r = fd;
		if (fd != -ETIMEDOUT)
			break;
	}
	if (r == -EBUSY)
		log_error("all %d ports of the microVM are in use; end a session first",
			  PORTS_FOR_SESSIONS);
	else
		log_errno(-r, "the microVM does not answer; try: chiral microvm stop");
	return r;
}

static int connect_claimed(const struct microvm *vm, int claim, const char *const *publish)
{
	cleanup_free char *path = microvm_path(vm, "qmp.sock");
	cleanup_close int qmp = path ? qmp_open(path) : -ENOMEM, fd = -1;
	uint32_t in_use;
	int port, r;

	if (qmp < 0)
		return log_errno(-qmp, "cannot talk to QEMU on %s", path);
	r = microvm_ports_in_use(qmp, &in_use);
	if (r < 0)
		return log_errno(-r, "cannot ask QEMU for its ports");
	microvm_publish_sweep(vm, qmp, in_use);
	port = port_claim(vm, claim, in_use, &fd);
	if (port < 0)
		return port;
	if (publish && publish[0]) {
		r = microvm_publish_add(vm, qmp, port, publish);
		if (r < 0)
			return r;
	}
	return take_fd(&fd);
}

static int connect_open(const struct microvm *vm, const char *const *publish)
{
	cleanup_close int claim = -1;
	int r = microvm_start(vm);

	if (r < 0)
		return r;
	claim = microvm_lock(vm, "claim", NULL);
	return claim < 0 ? claim : connect_claimed(vm, claim, publish);
}

int microvm_connect(enum isa isa, const char *const *publish)
{
	struct microvm vm;
	int r;

	for (size_t i = 0; publish && publish[i]; i++) {
		unsigned host, guest;

		r = microvm_publish_parse(publish[i], &host, &guest);
		if (r < 0)
			return r;
	}
	r = microvm_open(isa, &vm);
	if (r < 0)
		return r;
	r = connect_open(&vm, publish);
	microvm_close(&vm);
	return r;
}
