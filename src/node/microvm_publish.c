/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Published ports: 127.0.0.1:HOST of this machine leads to port GUEST in the guest while a session
 * runs.
 *
 * A session may end by SIGKILL, so a small process watches it: it holds the read end of a pipe
 * whose write end the session's process has, and removes the forwards at its end. RUN/publish.N
 * says which they are and, by a nonce, whose: the port may have gone to another session meanwhile.
 */
#include "node/microvm.h"

#include "base/cleanup.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

int microvm_publish_parse(const char *text, unsigned *ret_host, unsigned *ret_guest)
{
	unsigned host, guest;
	char rest;

	if (sscanf(text, "%5u:%5u%c", &host, &guest, &rest) != 2 || host < 1 || host > 65535 ||
	    guest < 1 || guest > 65535 || strspn(text, "0123456789:") != strlen(text)) {
		log_error("'%s' is not HOST:GUEST, two port numbers from 1 to 65535", text);
		return -EINVAL;
	}
	*ret_host = host;
	*ret_guest = guest;
	return 0;
}

static int forward_add(int qmp, unsigned host, unsigned guest)
{
	cleanup_free char *output = NULL;
	char line[128];
	int r;

	snprintf(line, sizeof(line), "hostfwd_add n0 tcp:127.0.0.1:%u-:%u", host, guest);
	r = qmp_human(qmp, line, &output);
	if (r < 0)
		return log_errno(-r, "cannot publish port %u", host);
	if (*output) {
		log_error("cannot publish 127.0.0.1:%u: the port is in use on this machine", host);
		return -EADDRINUSE;
	}
	return 0;
}

static void forward_remove(int qmp, unsigned host)
{
	cleanup_free char *output = NULL;
	char line[128];

	snprintf(line, sizeof(line), "hostfwd_remove n0 tcp:127.0.0.1:%u", host);
	qmp_human(qmp, line, &output);
}

/* Removes what RUN/publish.PORT lists; only if it is nonce's, when nonce is given. */
static void publish_remove(const struct microvm *vm, int qmp, int port, const char *nonce)
{
	cleanup_free char *path = microvm_path(vm, "publish.%d", port);
	cleanup_fclose FILE *f = path ? fopen(path, "re") : NULL;
	char owner[64];
	unsigned host, guest;

	if (!f || fscanf(f, "%63s", owner) != 1 || (nonce && strcmp(owner, nonce)))
		return;
	while (fscanf(f, "%u:%u", &host, &guest) == 2)
		forward_remove(qmp, host);
	unlink(path);
}

void microvm_publish_sweep(const struct microvm *vm, int qmp, uint32_t in_use)
{
	for (int i = 0; i < MICROVM_PORTS; i++)
		if (!(in_use & 1u << i))
			publish_remove(vm, qmp, i, NULL);
}

void microvm_publish_print(const struct microvm *vm, int port, FILE *out, const char *separator)
{
	cleanup_free char *path = microvm_path(vm, "publish.%d", port);
	cleanup_fclose FILE *f = path ? fopen(path, "re") : NULL;
	unsigned host, guest;

	if (!f || fscanf(f, "%*s") == EOF)
		return;
	while (fscanf(f, "%u:%u", &host, &guest) == 2)
		fprintf(out, "%s%u:%u", separator, host, guest);
}

/* ---- the watcher ----------------------------------------------------------------------------- */

static void watch(const struct microvm *vm, int port, const char *nonce, int pipe_end)
{
	cleanup_free char *path = microvm_path(vm, "qmp.sock");
	int null = open("/dev/null", O_RDWR), claim, qmp;
	char c;

	setsid();
	for (int s = 1; s < _NSIG; s++)
		signal(s, s == SIGTERM || s == SIGINT || s == SIGHUP ? SIG_IGN : SIG_DFL);
	/* Nobody waits for the end of our output. */
	for (int i = 0; i < 3; i++)
		dup2(null, i);
	dup2(pipe_end, 3);
	close_range(4, ~0u, 0);
	while (read(3, &c, 1) < 0 && errno == EINTR)
		;
	claim = microvm_lock(vm, "claim", NULL);
	qmp = claim < 0 || !path ? -1 : qmp_open(path);
	if (qmp >= 0)
		publish_remove(vm, qmp, port, nonce);
	_exit(0);
}

/* Forked twice, so that it is nobody's child to wait for. The pipe's write end stays open in this
 * process until it ends. */
static int watcher_start(const struct microvm *vm, int port, const char *nonce)
{
	int p[2];
	pid_t pid;

	if (pipe2(p, O_CLOEXEC) < 0)
		return log_errno(errno, "cannot make a pipe");
	pid = fork();
	if (pid == 0) {
		close(p[1]);
		if (fork() == 0)
			watch(vm, port, nonce, p[0]);
		_exit(0);
	}
	close(p[0]);
	if (pid < 0) {
		close(p[1]);
		return log_errno(EAGAIN, "cannot fork");
	}
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return 0;
}

/* ---- adding ---------------------------------------------------------------------------------- */

static int publish_write(const struct microvm *vm, int port, const char *nonce,
			 const char *const *publish)
{
	cleanup_free char *path = microvm_path(vm, "publish.%d", port);
	cleanup_fclose FILE *f = path ? fopen(path, "we") : NULL;

	if (!f)
		return log_errno(errno, "cannot write %s", path);
	fprintf(f, "%s\n", nonce);
	for (size_t i = 0; publish[i]; i++)
		fprintf(f, "%s\n", publish[i]);
	return fflush(f) ? log_errno(errno, "cannot write %s", path) : 0;
}

static void nonce_make(char text[33])
{
	uint8_t raw[16] = {0};

	if (getrandom(raw, sizeof(raw), 0) != sizeof(raw))
		log_debug("no random bytes");
	for (size_t i = 0; i < sizeof(raw); i++)
		sprintf(text + 2 * i, "%02x", raw[i]);
}

int microvm_publish_add(const struct microvm *vm, int qmp, int port, const char *const *publish)
{
	char nonce[33];
	size_t n = 0;
	int r;

	nonce_make(nonce);
	r = publish_write(vm, port, nonce, publish);
	for (; r == 0 && publish[n]; n++) {
		unsigned host, guest;

		r = microvm_publish_parse(publish[n], &host, &guest);
		if (r == 0)
			r = forward_add(qmp, host, guest);
		if (r < 0)
			break;
		if (microvm_publish_backlog(vm, host) < 0)
			log_debug("port %u keeps QEMU's backlog", host);
	}
	if (r == 0)
		r = watcher_start(vm, port, nonce);
	if (r == 0)
		return 0;
	/* Those that were made; a port that was in use by another session stays. */
	while (n--) {
		unsigned host, guest;

		if (microvm_publish_parse(publish[n], &host, &guest) == 0)
			forward_remove(qmp, host);
	}
	cleanup_free char *path = microvm_path(vm, "publish.%d", port);

	if (path)
		unlink(path);
	return r;
}
