/* SPDX-License-Identifier: Apache-2.0 */
/* The START frame: everything a monitor needs to run its variant. */
#ifndef CHIRAL_SESSION_START_H
#define CHIRAL_SESSION_START_H

#include "base/bytes.h"
#include "event/call.h"
#include "policy/rules.h"
#include "session/facts.h"

#include <stdbool.h>
#include <stdint.h>

enum session_role {
	ROLE_LEADER,
	ROLE_FOLLOWER,
	_ROLE_MAX,
};

/* How far the leader may run ahead. */
enum session_level {
	LEVEL_ASYNC,	/* up to the window */
	LEVEL_LOCKSTEP, /* every compared call waits for the followers before it takes effect */
	LEVEL_OBSERVE,	/* as async; divergences are logged only */
	_LEVEL_MAX,
};

enum on_divergence {
	ON_KILL,
	ON_FREEZE,
	ON_REPORT,
	_ON_DIVERGENCE_MAX,
};

/* What is done when a follower's node is lost; without the leader's there is no session. */
enum on_lost_peer {
	LOST_KILL,
	LOST_CONTINUE,	/* the leader goes on without it */
	_ON_LOST_PEER_MAX,
};

/* How a leader's calls are captured. */
enum session_capture {
	CAPTURE_PTRACE,
	CAPTURE_BPF,	/* recorded by the kernel; an error where that is not possible */
	CAPTURE_AUTO,	/* recorded by the kernel where that is possible */
	_CAPTURE_MAX,
};

#define START_RLIMITS 16	/* RLIM_NLIMITS of Linux on both ISAs */
#define START_STRINGS_MAX 65536u /* argv and environment: number of strings */
#define START_STRING_MAX (128u << 10) /* bytes of one (MAX_ARG_STRLEN, execve(2)) */
#define START_LOCAL_MAX 1024u
/* Program paths longer than this are refused (PATH_MAX with the NUL). */
#define START_PATH_MAX 4096u

struct start {
	uint8_t role, level, action, on_lost_peer, capture;
	bool stdio_inherit; /* leader on this machine: the program has the terminal itself */
	bool shipped;	    /* the program's binary came in a FILE frame */
	bool discard;	    /* leader: events are made and dropped, to measure what capturing costs */
	bool has_identity;  /* the fields below the line are set (followers) */
	uint8_t session[16];
	uint8_t key[SESSION_KEY_SIZE];
	uint32_t window_events;
	uint64_t window_bytes;
	char *program;	/* as typed for the leader, absolute for followers */
	char **argv;	/* NULL-terminated */
	char **env;
	char *cwd;	/* "" : the node's default */
	char **local;	/* paths that each variant opens for itself, besides the built-in ones */
	struct policy_rules rules; /* canonical */
	uint32_t umask;
	uint32_t leader_pid; /* followers: the canonical id of the first process */
	/* ---- the leader's identity, which followers show their program ------------------------ */
	uint32_t uid, euid, gid, egid;
	struct {
		uint64_t cur, max;
	} rlimits[START_RLIMITS];
	struct facts facts; /* the leader's files, kept in records; empty in a leader's START */
};

void start_encode(struct writer *w, const struct start *s);
/* 0 or -EPROTO / -ENOMEM; ret is untouched on failure. */
int start_decode(const uint8_t *body, size_t len, struct start *ret);
void start_free(struct start *s);

/* Fills the identity fields with this process's own. */
void start_set_identity(struct start *s);

/* STARTED: a node's answer. The absolute path is the leader's; identity as above. */
struct started {
	uint32_t pid;	/* on the node */
	char *program;	/* absolute path that was executed; owned */
	struct start identity; /* only the identity fields */
	struct facts facts;    /* what the variant begins with on this node */
};

void started_encode(struct writer *w, const struct started *s);
int started_decode(const uint8_t *body, size_t len, struct started *ret);
void started_free(struct started *s);

/* EXITED: the variant is gone. */
#define EXITED_REASONS 4
struct exited {
	int32_t wait_status;	/* wait(2) status of the first process */
	uint64_t compared;	/* calls: compared, replayed, mirrored, local seen by the monitor */
	uint64_t replayed;
	uint64_t local;
	uint64_t events, bytes;	/* sent or consumed */
	/* A leader's calls that the kernel recorded, and those of them that the tracer had to complete: no
	 * room in the ring, memory that the kernel could not read, too much of it, EPIPE. */
	uint64_t recorded, completed[EXITED_REASONS];
	uint64_t clocks; /* of recorded: not calls, but clocks that were read without one */
	bool diverged;		/* not on the wire: the monitor's own knowledge */
};

void exited_encode(struct writer *w, const struct exited *e);
int exited_decode(const uint8_t *body, size_t len, struct exited *ret);

const char *level_name(enum session_level level);
int level_from_name(const char *name);
const char *action_name(enum on_divergence action);
int action_from_name(const char *name);
const char *lost_name(enum on_lost_peer action);
int lost_from_name(const char *name);
const char *capture_name(enum session_capture capture);
int capture_from_name(const char *name);

/* Owned NULL-terminated string vectors. */
char **argv_copy(char *const *v);
void argv_free(char **v);
size_t argv_len(char *const *v);

#endif
