/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wire and file format, version 3. Everything about it is in this header.
 *
 * A connection joins a hub (chiral run, lead, follow, verify) and a node (a monitor, a chiral node
 * daemon). Each side first sends HELLO, at once and without waiting for the other's; afterwards both
 * send frames:
 *
 *	u32 length   of the body, at most FRAME_MAX
 *	u16 type     enum frame_type
 *	u16 zero
 *	body
 *
 * All numbers are little endian. A body is parsed to its last byte: trailing bytes, unknown types,
 * lengths over the bound, a non-zero reserved field end the connection with an error.
 *
 * A record file is the magic FILE_MAGIC and then frames: HELLO, START, those that a leader sends
 * (EVENTS, STDIO, EXITED) in their order, and END. Nothing follows END; a file without it was cut.
 */
#ifndef CHIRAL_LINK_PROTOCOL_H
#define CHIRAL_LINK_PROTOCOL_H

#include <stdint.h>

#define PROTOCOL_VERSION 3u
#define PROTOCOL_MAGIC "CHIRAL\r\n" /* 8 bytes, opens a HELLO body */
#define FILE_MAGIC "CHIRALREC\r\n\x1a\n\0\0\0" /* 16 bytes */

#define FRAME_HEADER_SIZE 8u
#define FRAME_MAX (80u << 20)

/*
 * One line a type: name; who sends it (H hub, L leader, F follower, N any node, * any); what it is.
 *
 * Bodies, where one is more than a line: HELLO below; START, STARTED, EXITED in session/start.h; events
 * in event/event.h; VERDICT and REPORTED (a report) in match/report.h; EXEC in node/exec.h;
 * MOVE_START and MOVE_POINTS in mtd/remote.h, MOVE in mtd/pages/wire.h. str is a u32
 * length and the bytes. All others are empty.
 */
#define FRAME_TYPES(X)                                                                             \
	X(HELLO, "*: version, ISA, page size, session, call table; opens every connection")        \
	X(START, "H: what to run, in which role, with which settings")                             \
	X(STARTED, "N: the variant exists and waits at its first instruction")                     \
	X(GO, "H: run; after REPORT: go on")                                                       \
	X(EVENTS, "L, relayed to F: events in their order, each a u32 length and the event")       \
	X(ACK, "F, to L by H: u64 events and u64 bytes of them (with lengths) that were taken")    \
	X(VERDICT, "F: divergence; the follower's half of the report. L: a call that the policy "  \
		   "forbids, and its report")                                                      \
	X(STDIO, "H to L stdin, L to H output: u8 descriptor, bytes; no bytes: its end; L to H "   \
		 "of 0: u32 how many more bytes of stdin were taken")                              \
	X(SIGNAL, "H to L: u32 signal for the program")                                            \
	X(KILL, "H: end the variant now")                                                          \
	X(FREEZE, "H: stop the variant and keep it")                                               \
	X(REPORT, "H to L: execute no call; say the last calls and u32 tid's call stack")          \
	X(REPORTED, "L: the leader's half of the report")                                          \
	X(EXITED, "N: the variant is gone: wait status, counters; of EXEC: u32 wait status")       \
	X(HEARTBEAT, "*: I am alive")                                                              \
	X(ERROR, "*: u32 exit status for the hub, str sentence; the sender closes after it")       \
	X(EXEC, "H: run a command on the node outside a session: its argv, environment, cwd")      \
	X(FILE, "H: a program's binary, before START: str name, the rest its bytes")               \
	X(END, "record files only: u64 number of frames after START; the last frame")             \
	X(MATCHED, "F, to L by H: u32 thread whose call, for which the leader waits, was equal; " \
		   "of H 0: nobody compares any more")                                             \
	X(NOTICE, "F: a difference that the policy lets pass: its report")                         \
	X(MOVE_START, "H: be the other node of a program that moves; FILE follows. Answered by "   \
		      "STARTED: u32 how its memory is watched")                                    \
	X(MOVE, "H, N: pages and messages of a program that moves")                                \
	X(MOVE_POINTS, "H: probabilities of its switch points, from now on")

enum frame_type {
#define X(name, text) FRAME_##name,
	FRAME_TYPES(X)
#undef X
	_FRAME_TYPE_MAX,
};

/* HELLO body: these fields in this order, HELLO_SIZE bytes. Magic and version come first and stay
 * where they are in every version to come. */
#define HELLO_SIZE 48u

struct hello {
	uint8_t magic[8];	  /* PROTOCOL_MAGIC */
	uint16_t version;	  /* PROTOCOL_VERSION */
	uint8_t isa;		  /* enum isa of the sender */
	uint8_t zero;
	uint32_t page_size;	  /* bytes */
	uint8_t session[16];	  /* random; 0 from a node that has not been told yet */
	uint8_t table_digest[16]; /* CALLS_TABLE_DIGEST, binary: both must have the same rows */
};

/* Bytes of stdin that a hub may have sent and a leader not taken yet. */
#define STDIN_AHEAD (256u << 10)

#define HEARTBEAT_INTERVAL_MS 1000
#define PEER_TIMEOUT_MS 4000

#endif
