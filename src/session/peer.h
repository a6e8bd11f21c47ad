/* SPDX-License-Identifier: Apache-2.0 */
/* The hub's view of one node. Internal to src/session. */
#ifndef CHIRAL_SESSION_PEER_H
#define CHIRAL_SESSION_PEER_H

#include "link/link.h"
#include "session/start.h"

#include <sys/types.h>

struct peer {
	char *node;		/* as the user named it; owned */
	enum session_role role;
	struct link *link;	/* NULL: not connected or gone */
	pid_t pid;		/* of a local node's process, else 0 */
	enum isa isa;
	struct started started;
	bool exited, lost, dropped;
	bool unread;		/* complete frames wait in memory, where poll(2) sees nothing */
	struct exited result;
	uint64_t acked_events, acked_bytes;
	int64_t heard_at, progress_at;	/* ms */
};

/* Connects and shakes hands. 0 or -errno, logged. */
int peer_connect(struct peer *p, const char *node, const char *const *publish,
		 const uint8_t *session);
/* The same over a descriptor that is already connected. */
int peer_adopt(struct peer *p, const char *node, int fd, const uint8_t *session);

/* Waits for a frame of that type; heartbeats are passed over. ERROR frames are logged and their exit
 * status is stored. 0 or -errno, logged. The frame is borrowed as from link_recv(). */
int peer_expect(struct peer *p, enum frame_type type, int timeout_ms, struct frame *ret,
		int *ret_exit_status);

int peer_send(struct peer *p, enum frame_type type, const void *body, size_t len);
/* FILE: the name of the file at path, then its bytes. 0, 1 as link_flush(), or -errno, logged unless the
 * link broke. */
int peer_ship(struct peer *p, const char *path);

/* Closes the link and ends a local node's process: gently, then not. */
void peer_close(struct peer *p);

/* ERROR bodies: u32 exit status, str text. */
void error_encode(struct writer *w, int exit_status, const char *text);
/* Owned text; *ret_exit_status 125 when the body is not one. */
char *error_decode(const uint8_t *body, size_t len, int *ret_exit_status);

#endif
