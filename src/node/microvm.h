/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The microVM: one QEMU per ISA and user, reached over virtio-serial ports. It is shared by all
 * sessions of the user and stays up until `chiral microvm stop`.
 *
 * Its run folder ($XDG_RUNTIME_DIR/chiral/microvm-ARCH, mode 0700) holds:
 *
 *	lock		held exclusively while the microVM is started or stopped
 *	alive		locked (OFD) by QEMU itself as long as it lives
 *	claim		held while a port is chosen or the monitor is talked to
 *	pid, started	of QEMU; what it was started with
 *	ready		there once the guest has answered
 *	qmp.sock	QEMU's monitor
 *	port.N.sock	virtio-serial ports; QEMU takes one connection each
 *	publish.N	ports of this machine that lead to the guest for the session on port N
 *	console.log, qemu.log
 *
 * Whether a port is free is asked of QEMU, so that a crashed hub cannot keep one.
 */
#ifndef CHIRAL_NODE_MICROVM_H
#define CHIRAL_NODE_MICROVM_H

#include "isa/isa.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define MICROVM_PORTS     16
#define MICROVM_PORT_NAME "chiral.%d" /* as the guest sees it */

/* What differs between the guests' ISAs: data. Lists of QEMU arguments are NULL-terminated. */
struct microvm_config {
	const char *qemu;       /* program */
	const char *package;    /* Debian's, for the message when it is missing */
	const char *const *tcg; /* machine, CPU and accelerator when the ISA is emulated */
	const char *const *kvm; /* the same when it is this machine's */
	const char *kernel_args;
};

extern const struct microvm_config microvm_configs[_ISA_MAX];

struct microvm {
	enum isa isa;
	const struct microvm_config *config;
	char *run;    /* run folder, owned */
	bool emulate; /* do not use KVM */
};

/* Fills *ret and makes the run folder. -errno, logged. */
int microvm_open(enum isa isa, struct microvm *ret);
void microvm_close(struct microvm *vm);

/* "RUN/name"; owned by the caller; NULL without memory. */
char *microvm_path(const struct microvm *vm, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* ---- files (microvm_files.c) ----------------------------------------------------------------- */

/* Where tools/microvm-build puts the image; owned. */
char *microvm_image(const struct microvm *vm);
/* A script of ours (tools/NAME), or NULL, logged. Owned. */
char *microvm_tool(const char *name);
/* The guest's binaries: chiral and chiral-init. Owned. -ENOENT, logged. */
int microvm_guest_files(const struct microvm *vm, char **ret_chiral, char **ret_init);
/* What would be started now, in a line: changes when one of the binaries does. Owned. */
char *microvm_version(const char *chiral, const char *init);
/* Runs tools/microvm-build ARGS... (NULL-terminated); its standard output is handed over (owned)
 * without the last newline. -errno, logged. */
int microvm_build(const struct microvm *vm, const char *const *args, char **ret_output);
/* modules.cpio of the image plus init and chiral. */
int microvm_write_initrd(const char *path, const char *modules, const char *init,
			 const char *chiral);

/* Opens (creates) RUN/name and takes an exclusive flock: the descriptor, or -errno, logged. Says
 * `waiting` on stderr when that takes long. */
int microvm_lock(const struct microvm *vm, const char *name, const char *waiting);

/* ---- life (microvm_start.c) ------------------------------------------------------------------ */

bool microvm_alive(const struct microvm *vm);
pid_t microvm_pid(const struct microvm *vm);
/* Starts it when it is not up, anew when it runs another chiral and nobody uses it, and waits until
 * it serves. Progress on stderr. 0, -errno, logged. */
int microvm_start(const struct microvm *vm);
int microvm_stop(const struct microvm *vm);
/* Prints the end of QEMU's and the guest's messages. */
void microvm_print_logs(const struct microvm *vm);

/* ---- QEMU's monitor (qmp.c); hold the lock "claim" ------------------------------------------- */

/* A connection, or -errno (not logged). */
int qmp_open(const char *path);
/* Runs a command of the human monitor; its output (owned; "" when it said nothing). -errno. */
int qmp_human(int fd, const char *command, char **ret_output);
int qmp_quit(int fd);

/* ---- ports (microvm_port.c, microvm_publish.c) ----------------------------------------------- */

/* Bit N of *ret: port N is connected. */
int microvm_ports_in_use(int qmp, uint32_t *ret);
/* Waits until the guest of a QEMU just started serves. 0, -ENOTSUP when KVM gave up (some hosts
 * that are guests themselves have it only in part), -errno; logged. */
int microvm_wait_ready(const struct microvm *vm);

/* Writes RUN/publish.PORT's pairs to out, each after a separator, if there are any: "HOST:GUEST".
 */
void microvm_publish_print(const struct microvm *vm, int port, FILE *out, const char *separator);
/* "HOST:GUEST" -> numbers; -EINVAL, logged. */
int microvm_publish_parse(const char *text, unsigned *ret_host, unsigned *ret_guest);
/* Adds the forwards for the session on port, and a process that removes them when this process
 * ends. */
int microvm_publish_add(const struct microvm *vm, int qmp, int port, const char *const *publish);
/* Lets many clients connect at once to a published port. -errno, not logged: it works without. */
int microvm_publish_backlog(const struct microvm *vm, unsigned port);
/* Removes forwards of sessions that are over (their hub was killed with its watcher). */
void microvm_publish_sweep(const struct microvm *vm, int qmp, uint32_t in_use);

#endif
