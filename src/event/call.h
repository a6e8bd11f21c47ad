/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Canonical calls: what a system call of a variant is when ISA, addresses and layouts are taken out
 * of it. The leader's monitor makes one at each call; the follower's makes its own and the two are
 * compared; the outcome of the leader's is then written into the follower.
 *
 * All functions here are the table's interpreter: they know argument kinds, never calls.
 */
#ifndef CHIRAL_EVENT_CALL_H
#define CHIRAL_EVENT_CALL_H

#include "base/bytes.h"
#include "calls/table.h"
#include "event/mem.h"

#include <stdio.h>

/* Bytes of one argument above this are represented by keyed digests (in-payloads only). */
#define PAYLOAD_INLINE_MAX 8192u
/* A digest stands for this many bytes of the payload (the last one for the rest). */
#define PAYLOAD_BLOCK       4096u
#define PAYLOAD_DIGEST_SIZE 16u
/* Upper bound of the bytes that one argument may move: more is an error of the session. */
#define PAYLOAD_MAX       (64u << 20)
#define CALL_PAYLOADS_MAX 8
#define SESSION_KEY_SIZE  32

enum payload_form {
	PAYLOAD_BYTES, /* canonical bytes */
	PAYLOAD_NULL,  /* reserved: an argument that is NULL has the scalar 0 and no payload */
	PAYLOAD_FAULT, /* the memory was not readable, or is of a size that the kernel refuses; data
			* holds what could be read (in-payloads over PAYLOAD_INLINE_MAX: digests) */
	PAYLOAD_DIGEST, /* data: a PAYLOAD_DIGEST_SIZE digest per PAYLOAD_BLOCK; len: real length */
};

struct payload {
	uint8_t arg;   /* canonical argument number */
	uint8_t form;  /* enum payload_form */
	uint32_t len;  /* length in bytes of what is represented */
	uint32_t off;  /* where data is in call_record.bytes */
	uint32_t size; /* bytes of data there */
	const uint8_t *lent; /* data, when it is not there but in a struct mem that lends it (peek) */
};

/* One canonical call. Reused from call to call: call_record_reset() keeps the allocation. */
struct call_record {
	uint16_t id; /* enum call_id of a canonical row (sub-rows included) */
	uint8_t n_in, n_out;
	bool has_exit;               /* ret and out are valid */
	uint64_t arg[CALL_ARGS_MAX]; /* canonical scalars; 0 / 1 for pointers (NULL / not) */
	int64_t ret;                 /* result, or -errno (errno values are equal on both ISAs) */
	struct payload in[CALL_PAYLOADS_MAX];
	struct payload out[CALL_PAYLOADS_MAX];
	struct writer bytes; /* storage of all payloads */
};

void call_record_reset(struct call_record *c);
void call_record_free(struct call_record *c);
/* Copies what is lent: the record may be kept. 0 or -ENOMEM. */
int call_record_own(struct call_record *c);
/* The payloads are gone, the rest stays. */
void call_record_forget(struct call_record *c);

/* The payload of canonical argument arg, or NULL when it has none. */
const struct payload *call_in_of(const struct call_record *c, unsigned arg);
const struct payload *call_out_of(const struct call_record *c, unsigned arg);

extern const uint8_t call_no_bytes[];

static inline const uint8_t *payload_data(const struct call_record *c, const struct payload *p)
{
	if (p->lent)
		return p->lent;
	return c->bytes.data ? c->bytes.data + p->off : call_no_bytes;
}

/* A native call as the registers show it. */
struct native_call {
	enum isa isa;
	long nr;
	uint64_t arg[CALL_ARGS_MAX];
	uint64_t pc;	/* where it was made; 0: not known */
	const struct call_row *row;   /* native row, its sub-call resolved */
	const struct call_row *canon; /* canonical row (aliases resolved) */
};

/*
 * Translation of values that belong to a variant. epoll cookies are known by (epoll fd, registered
 * fd), both canonical. to_object: native cookie -> fd, or -1; to_cookie: fd -> native cookie.
 * registered: called at a successful capture of an in cookie (epoll_ctl).
 */
struct cookie_ops {
	int64_t (*to_object)(void *owner, int epfd, uint64_t cookie);
	uint64_t (*to_cookie)(void *owner, int epfd, int64_t object);
};

struct call_ctx {
	enum isa isa;
	struct mem *mem;
	const uint8_t *key;               /* SESSION_KEY_SIZE bytes; digests depend on it */
	const struct cookie_ops *cookies; /* NULL: cookies become 0 */
	void *cookies_owner;
};

/* Fills n->row and n->canon from isa, nr and arg. -ENOSYS when there is no row. */
int call_resolve(struct native_call *n);

/* Entry: scalars and in-payloads. c is reset first. 0, or -ESRCH when the process is gone, -ENOMEM,
 * -E2BIG. A variant's bad pointer is not an error: it becomes PAYLOAD_FAULT. */
int call_capture_in(const struct call_ctx *cx, const struct native_call *n, struct call_record *c);

/*
 * Exit, leader: canonical result and out-payloads of native result ret; c is that of the entry, n still
 * has the registers of the entry. An address as the result (CALL_RET_ADDR) becomes 0: it means nothing
 * elsewhere, and the follower's own is that of the call it has made itself.
 */
int call_capture_out(const struct call_ctx *cx, const struct native_call *n, int64_t ret,
		     struct call_record *c);

/* Exit, follower: writes the leader's out-payloads into the variant's memory and gives the native
 * result. -EFAULT when the follower's memory cannot take them (a divergence), -EPROTO when the
 * leader's record does not fit the call. */
int call_apply_out(const struct call_ctx *cx, const struct native_call *n,
		   const struct call_record *leader, int64_t *ret_native);

/* Adds len bytes of the variant's memory at addr as the out-payload of argument arg, which the
 * table ignores (mmap's address): as many as are readable. 0, -ESRCH, -ENOMEM, -E2BIG. */
int call_add_memory(const struct call_ctx *cx, struct call_record *c, unsigned arg, uint64_t addr,
		    uint64_t len);

/* Overwrites the beginning of argument arg's memory, an ARG_PATH, with len bytes. 0, -EFAULT, -ESRCH. */
int call_rewrite_path(const struct call_ctx *cx, const struct native_call *n, unsigned arg,
		      const void *bytes, size_t len);

/* The native cookie of an in argument with a FIELD_COOKIE (epoll_ctl): 1 and *ret, or 0. */
int call_in_cookie(const struct call_ctx *cx, const struct native_call *n, uint64_t *ret);

/* Descriptors that a successful call has made: its result, an fd pair, those in a message. */
struct call_new_fd {
	int fd;
	bool cloexec;
};

/* Their number; the first max of them are written to ret. Needs entry and exit part. */
size_t call_new_fds(const struct call_record *c, struct call_new_fd *ret, size_t max);

struct call_mismatch {
	int arg;      /* canonical argument number; -1: another call altogether */
	bool payload; /* contents differ, not the scalar */
	bool exact;   /* offset is the first differing byte; else the start of its block */
	uint64_t offset;
	uint64_t leader_value, follower_value; /* scalars, or the differing bytes when exact */
	char text[256]; /* one sentence: "argument 2 (buf) differs at byte 17: 0x41 / 0x42" */
};

/* Entry parts of both. True when equal; otherwise says where. */
bool call_equal(const struct call_record *leader, const struct call_record *follower,
		struct call_mismatch *ret);

/* The argument is a buffer of bytes that go into the kernel. */
static inline bool spec_is_sent_buffer(const struct arg_spec *s)
{
	return (s->kind == ARG_BUF || s->kind == ARG_IOVEC) && s->dir == DIR_IN;
}

/* The calls are equal but for the bytes, not the number of bytes, of such buffers. */
bool call_equal_but_bytes(const struct call_record *leader, const struct call_record *follower);

/*
 * Wire form. Decoding validates everything against the row (ids, counts, arg numbers, forms,
 * lengths) and is safe on hostile bytes: -EPROTO. parts: CALL_PART_* present in the bytes. A call
 * that was announced comes in two records: an exit part alone is added to the entry part that *ret
 * holds when the ids are equal; else *ret is that exit part only (arguments 0). *ret must be
 * zero-initialised before its first use.
 */
#define CALL_PART_ENTRY 1u
#define CALL_PART_EXIT  2u
/* With an entry part alone: the leader executes the call only when it was matched (MATCHED). */
#define CALL_PART_AWAITED 4u
/* With an entry part: the policy says that bytes which differ in a buffer are reported only. */
#define CALL_PART_OBSERVED 8u
void call_encode(struct writer *w, const struct call_record *c, unsigned parts);
int call_decode(struct reader *r, struct call_record *ret, unsigned *ret_parts);

/* strace-like: openat(AT_FDCWD, "/etc/passwd", O_RDONLY|O_CLOEXEC) = 3. No newline. Of strings and
 * buffers the first CALL_PRINT_LIMIT bytes. */
#define CALL_PRINT_LIMIT 64u
void call_print(FILE *f, const struct call_record *c);
/* The same with another limit; elements of arrays are limited to an eighth of it. */
void call_print_limit(FILE *f, const struct call_record *c, size_t limit);
/* One JSON object, no newline: {"call":"read","args":{"fd":3,"buf":"...","count":4096},"ret":1}.
 * Bytes that are not UTF-8 are escaped as \u00XX. Strings are limited as in call_print(). */
void call_print_json(FILE *f, const struct call_record *c);

/* Keyed digests of a payload, one per block; n_digests = max(1, ceil(len / PAYLOAD_BLOCK)). */
void payload_digest(const uint8_t *key, const uint8_t *data, size_t len, uint8_t *ret);

#endif
