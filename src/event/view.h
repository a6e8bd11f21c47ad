/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A native call seen through its canonical row: where each canonical argument comes from, its
 * scalar, and how many bytes or elements belong to it. Internal to src/event.
 */
#ifndef CHIRAL_EVENT_VIEW_H
#define CHIRAL_EVENT_VIEW_H

#include "event/call.h"

#define IOV_COUNT_MAX    1024u       /* the kernel's UIO_MAXIOV */
#define STRUCT_COUNT_MAX 65536u      /* elements of one struct array */
#define FDSET_BITS_MAX   (1u << 20)  /* descriptors a process may have (fs.nr_open) */
#define SOCKADDR_MAX     128u        /* struct sockaddr_storage */
#define STRING_MAX       4096u       /* PATH_MAX, with the NUL */
#define STRUCT_SIZE_MAX  4096u       /* native and canonical size of any struct of the table */
#define RW_COUNT_MAX     0x7ffff000u /* the kernel's MAX_RW_COUNT: it moves no more in one call */

struct call_view {
	const struct call_ctx *cx;
	const struct native_call *n;
	const struct call_row *row;     /* canonical */
	uint64_t raw[CALL_ARGS_MAX];    /* native values; the address for pointers, 0 for none */
	uint64_t scalar[CALL_ARGS_MAX]; /* canonical values */
	uint8_t conv[CALL_ARGS_MAX];    /* enum conv_kind */
	int64_t ret;                    /* canonical result; 0 at entry */
	int64_t native_ret;             /* leader's exit only */
	bool at_exit;
	int lenptr;                     /* number of the argument behind LEN_DEREF, or -1 */
	uint32_t len_before, len_after; /* what it points to, at entry and at exit */
};

/* 0, or -ESRCH when the process is gone. */
int view_init(struct call_view *v, const struct call_ctx *cx, const struct native_call *n);

/* The same at an exit: the scalars are those that the entry has given. */
int view_init_exit(struct call_view *v, const struct call_ctx *cx, const struct native_call *n,
		   const uint64_t scalar[CALL_ARGS_MAX]);

/* Turns a view of an entry into that of the exit with canonical result ret. */
void view_set_exit(struct call_view *v, int64_t ret);

/* -errno values: nothing else in the result register is an error. */
static inline bool ret_is_error(int64_t ret)
{
	return ret < 0 && ret >= -4095;
}

/* Argument i as a length: its value, 0 when negative; of a length pointer what is behind it, at
 * exit the smaller of what the program and the kernel put there. */
uint64_t view_count_of(const struct call_view *v, unsigned i);

/* Length in bytes, or count of elements, of argument i. Bounded by 2^63. */
uint64_t view_length(const struct call_view *v, unsigned i);

/* Argument i has an in-payload: it points somewhere and the kernel looks there. */
bool view_has_in(const struct call_view *v, unsigned i);
/* Argument i has an out-payload at this exit. */
bool view_has_out(const struct call_view *v, unsigned i);

/* recvmsg and its like; sendmmsg is inout, since it tells how much of each message was sent. */
static inline bool spec_receives(const struct arg_spec *s)
{
	return s->dir == DIR_OUT;
}

static inline bool kind_is_pointer(uint8_t kind)
{
	return kind == ARG_PTR || kind >= ARG_PATH;
}

#endif
