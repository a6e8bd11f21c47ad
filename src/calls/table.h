/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The call table: one row for every system call that Linux 6.12 has on x86-64 or arm64, and one for
 * every known sub-call (fcntl$F_DUPFD). The rows are data, generated from calls.tbl, structs.tbl and
 * flags.tbl by gen-table.py; both ISAs' numbers and layouts are in every binary.
 *
 * A *canonical* row is one that appears in events. A row with an alias (open, stat, poll, time, ...)
 * never does: its calls are turned into those of its canonical row, so that a variant whose libc uses
 * the old form agrees with one whose ISA has the new form only.
 */
#ifndef CHIRAL_CALLS_TABLE_H
#define CHIRAL_CALLS_TABLE_H

#include "isa/isa.h"

#include <stdbool.h>
#include <stdint.h>

#include "calls.gen.h" /* enum call_id (CALL_READ, CALL_FCNTL_F_DUPFD, ..., _CALL_MAX),
			* enum struct_id (STRUCT_STAT, ..., _STRUCT_MAX),
			* enum flagset_id (FLAGS_OPEN, ..., _FLAGS_MAX),
			* CALLS_TABLE_DIGEST "hex": changes whenever a row, struct or flag changes */

#define CALL_ARGS_MAX 6
#define CALL_NR_MAX 512 /* native call numbers are below this on both ISAs */

enum arg_kind {
	ARG_NONE,	/* unused */
	ARG_INT,	/* s32; like all scalars canonical as a sign- or zero-extended 64-bit value */
	ARG_UINT,	/* u32 */
	ARG_LONG,	/* s64 */
	ARG_ULONG,	/* u64; sizes, offsets, counts */
	ARG_FD,		/* s32 */
	ARG_DIRFD,	/* s32, AT_FDCWD possible */
	ARG_FLAGS,	/* u32/u64, bits translated by flag set */
	ARG_MODE,	/* u32, printed octal */
	ARG_PID,	/* s32, canonical pid or tid */
	ARG_UID,	/* u32, user or group id */
	ARG_SIGNAL,	/* s32 */
	ARG_CMD,	/* u32 selector of the sub-call; compared, canonical like ARG_UINT */
	ARG_PTR,	/* address in the variant: only whether it is NULL is compared */
	ARG_IGNORED,	/* never compared (cookies, sizes of ISA-specific buffers) */
	/* what follows points into memory; direction and length apply */
	ARG_PATH,	/* in: NUL-terminated, at most 4096 bytes with the NUL */
	ARG_STR,	/* in: NUL-terminated, at most 4096 bytes (xattr names, keys) */
	ARG_STRV,	/* in: NULL-terminated vector of strings (argv, envp) */
	ARG_BUF,	/* bytes; length from the length source */
	ARG_STRUCT,	/* struct or array of structs: layout by struct id, count from length source */
	ARG_IOVEC,	/* iovec array; count from length source; bytes moved from @ret when out */
	ARG_MSGHDR,	/* struct msghdr: name, iovec, control (SCM_RIGHTS carries fds) */
	ARG_MMSGHDR,	/* array of mmsghdr; count from length source */
	ARG_SOCKADDR,	/* in: length from length source; out: length behind the u32 it points to */
	ARG_LENPTR,	/* pointer to u32, in and out (getsockopt, accept, getsockname) */
	ARG_FDPAIR,	/* out: int[2], both are new descriptors (pipe2, socketpair) */
	ARG_FDSET,	/* inout: fd_set; number of bits from length source */
	ARG_SIGSET,	/* in or out: kernel sigset; bytes from length source (always 8) */
	ARG_SIGSETPAIR, /* in: pselect6's { const sigset_t *, size_t } */
	_ARG_KIND_MAX,
};

enum arg_dir {
	DIR_NONE,
	DIR_IN = 1,
	DIR_OUT = 2,
	DIR_INOUT = 3,
};

/*
 * Where a length (bytes) or a count (elements) comes from: the source's value, bounded by the value of
 * cap_arg, times scale, plus add. A struct with LEN_CONST 1 and a cap is one of which the program gives
 * the size in bytes in the argument cap_arg: it is cut there (getsockopt, openat2).
 */
enum len_kind {
	LEN_ONE,	/* the constant 1 */
	LEN_CONST,	/* value */
	LEN_ARG,	/* canonical argument number value */
	LEN_RET,	/* the call's result (out only) */
	LEN_DEREF,	/* the u32 behind pointer argument number value */
};

struct len_source {
	uint8_t kind;	  /* enum len_kind */
	uint8_t cap_arg;  /* 1 + number of the argument that bounds it, 0 for none; of an
			   * ARG_LENPTR the u32 behind it */
	uint16_t scale;	  /* multiplier, 1 for most */
	uint32_t value;
	uint8_t add;	  /* bytes before those that are counted (msgsnd's type) */
	bool cap_deref;	  /* the cap is the u32 that cap_arg points to (sched_setattr's size) */
	bool cap_beyond;  /* what is between the struct's end and the cap counts unless it is zero */
};

struct arg_spec {
	uint8_t kind;	/* enum arg_kind */
	uint8_t dir;	/* enum arg_dir */
	uint8_t always; /* inout: the out part is valid after failure too (select's timeout); out: it
			 * is valid after an interruption and then only (nanosleep's remainder) */
	uint8_t what;	/* enum struct_id or enum flagset_id, by kind */
	struct len_source len;
	const char *name; /* as in the man page: "fd", "buf", "count" */
};

/* How an alias row makes a canonical argument. */
enum conv_kind {
	CONV_ARG,	/* native argument number value */
	CONV_CONST,	/* the constant value */
	CONV_MS,	/* native argument is an int of milliseconds (negative: none); the canonical
			 * one a struct timespec, NULL when negative; its out part is dropped */
	CONV_TIMEVAL,	/* native argument points to a timeval, the canonical one to a timespec; in
			 * the out direction too (gettimeofday, the time that select left) */
	CONV_TIMEVAL2,	/* the same for an array of two (utimes) */
	CONV_UTIMBUF,	/* native argument points to a struct utimbuf (2 x s64 seconds) */
	CONV_TIME,	/* out: native argument points to a time_t or is NULL, and the native result is
			 * the seconds; canonical is an out struct timespec (time -> clock_gettime) */
	CONV_ALARM,	/* native argument is an unsigned int of seconds, the canonical one an in
			 * struct itimerval of that value and no interval (alarm -> setitimer) */
	CONV_ALARM_OLD, /* out: the canonical struct itimerval makes the native result: its seconds,
			 * rounded to the nearest, but 1 for anything between 0 and 1 */
};

struct conv {
	uint8_t kind;
	int64_t value;
};

enum disposition {
	DISP_REPLAYED,	/* executed by the leader only; followers get its outcome */
	DISP_LOCAL,	/* executed by each variant, not compared; monitors never see it */
	DISP_MIRRORED,	/* executed by each variant and compared */
	DISP_BY_FD,	/* local when the descriptor argument is local, else replayed */
	DISP_BY_PATH,	/* local when the path is, else replayed */
	DISP_REFUSED,	/* the same answer everywhere: -row.refuse_errno (0: success, nothing done) */
	DISP_IRREGULAR, /* named C code; row.irregular says which */
};

enum irregular {
	IRR_NONE,
	IRR_MMAP,	/* mmap: local when anonymous or of a local fd; filled when virtual */
	IRR_EXECVE,	/* execve, execveat */
	IRR_CLONE,	/* clone, clone3, fork, vfork */
	IRR_EXIT,	/* exit, exit_group */
	IRR_WAIT,	/* wait4, waitid */
	IRR_CLOSE,	/* close, close_range */
	IRR_DUP,	/* dup, dup2, dup3, fcntl F_DUPFD* */
	IRR_FDFLAGS,	/* fcntl F_GETFD, F_SETFD, FIOCLEX, FIONCLEX: on the placeholder too */
	IRR_SIGNAL,	/* calls that wait for or change signals (sigsuspend, sigtimedwait) */
	IRR_KILL,	/* kill, tkill, tgkill, rt_sigqueueinfo, pidfd_send_signal */
	IRR_MPROTECT,	/* mprotect, pkey_mprotect: mirrored when PROT_EXEC is asked for */
	IRR_LIMIT,	/* prlimit64: limits on memory are set in every variant */
	IRR_SET_TID,	/* set_tid_address: executed by each; the result is the leader's thread id */
	_IRR_MAX,
};

enum call_status {
	STATUS_SUPPORTED,
	STATUS_PARTIAL,	    /* works with the limit that the note names */
	STATUS_UNSUPPORTED, /* answers row.refuse_errno (ENOSYS; ENOTTY for an unknown ioctl, ...) in
			     * every variant; named once in a warning. Disposition is DISP_REFUSED */
	STATUS_REFUSED,	    /* refused by design; the note says why */
};

/* row.flags */
#define CALL_BLOCKS 0x01u     /* may wait for something outside the variant */
#define CALL_OUTPUT 0x02u     /* bytes or effects leave the variant */
#define CALL_RET_FD 0x04u     /* a result >= 0 is a new descriptor */
#define CALL_RET_ADDR 0x08u   /* the result is an address of the variant: never compared or copied */
#define CALL_RET_IGNORED 0x10u /* the result is not replicated */
#define CALL_PARENT 0x20u     /* has sub-calls; itself stands for the unknown selector */
#define CALL_SUB_EQUAL 0x40u  /* sub-row that is selected by arguments 0 and 1 being equal (dup2) */
#define CALL_WATCHED 0x80u    /* local, but the leader's monitor has to see it (signal handlers);
			       * refused, but for calls that a tracer has made its thread do;
			       * else: the monitor sees it before it is executed (no recorder does) */
#define CALL_TRACED 0x100u    /* followers may execute it too: a tracer gives the leader's result */

struct call_row {
	const char *name;	/* "openat", "fcntl$F_DUPFD" */
	int16_t nr[_ISA_MAX];	/* native number, -1 where the ISA has no such call */
	uint16_t canonical;	/* enum call_id: itself, or the target of the alias */
	uint8_t n_args;
	uint8_t disposition;	/* enum disposition */
	uint8_t irregular;	/* enum irregular */
	uint8_t status;		/* enum call_status */
	uint16_t flags;
	uint8_t subject;	/* number of the canonical argument BY_FD and BY_PATH look at */
	uint8_t fd_of_path;	/* BY_PATH: 1 + number of the dirfd argument, 0 for none */
	uint8_t cloexec_arg;	/* CALL_RET_FD, FDPAIR: 1 + number of the flags argument whose
				 * O_CLOEXEC-valued bit makes the new descriptor close-on-exec */
	uint8_t ret_flags;	/* 1 + enum flagset_id when the result is flags (F_GETFL), else 0 */
	uint8_t ret_arg;	/* alias rows: 1 + native argument that a native result >= 0 is (dup2 of
				 * equal descriptors, which newer libcs ask with F_GETFL), else 0 */
	uint8_t lenptr;		/* 1 + number of the argument that points to a length (LEN_DEREF), else 0 */
	uint16_t refuse_errno;	/* DISP_REFUSED */
	uint16_t parent;	/* sub-calls: the enum call_id of the parent row; else own id */
	uint32_t sub_value;	/* sub-calls: the selector's value (same on all ISAs) */
	uint32_t sub_value2;	/* second selector (socket options: level in sub_value, option here) */
	struct arg_spec args[CALL_ARGS_MAX];
	struct conv conv[CALL_ARGS_MAX]; /* alias rows: how to make the canonical arguments */
	const char *class;	/* systemd's names: "@file-system", "@network-io", ... */
	const char *note;	/* one sentence for people; "" when there is nothing to say */
};

extern const struct call_row call_rows[_CALL_MAX];

/* Row of a native number (parents for calls with sub-calls), or NULL when there is none. */
const struct call_row *call_row_of_nr(enum isa isa, long nr);

/*
 * The sub-row of a parent for its native arguments, or the parent when the selector is unknown. Rows
 * without sub-calls are returned as they are.
 */
const struct call_row *call_row_sub(const struct call_row *row, const uint64_t args[CALL_ARGS_MAX]);

static inline unsigned call_row_id(const struct call_row *row)
{
	return (unsigned)(row - call_rows);
}

/* ---- structures ------------------------------------------------------------------------------- */

enum field_kind {
	FIELD_BYTES,  /* copied and compared as is */
	FIELD_UINT,   /* unsigned integer, widths may differ between ISAs */
	FIELD_SINT,   /* signed integer */
	FIELD_FLAGS,  /* bits translated by flag set */
	FIELD_COOKIE, /* belongs to the variant (epoll data): translated by object, never compared */
	FIELD_PTR,    /* address: only NULL-ness */
	FIELD_IGNORED, /* neither compared nor copied (padding, sa_restorer) */
	FIELD_FD,     /* descriptor number (s32) */
	FIELD_PID,
	FIELD_VALUE, /* union sigval: the integer is compared; of an address only that it is one */
	FIELD_UTIME,  /* seconds of utimensat: they do not count when the nanoseconds behind them are
		       * UTIME_NOW or UTIME_OMIT, and programs leave them unset then */
};

struct field_spec {
	const char *name;
	uint8_t kind;
	uint8_t what;		     /* FIELD_FLAGS: enum flagset_id */
	uint8_t dir;		     /* DIR_INOUT; DIR_OUT for fields that are only written by the
				      * kernel (pollfd.revents): not compared on the way in; DIR_IN for
				      * those that it only reads (pollfd.events): never written */
	uint16_t canon_off, canon_size;
	uint16_t off[_ISA_MAX], size[_ISA_MAX]; /* size 0: the ISA does not have the field */
};

struct struct_spec {
	const char *name;	/* "stat", "epoll_event" */
	uint16_t canon_size;	/* canonical: fields in table order, packed, no padding */
	uint16_t size[_ISA_MAX];
	bool plain[_ISA_MAX];	/* native and canonical are the same bytes, in both directions */
	uint8_t n_fields;
	const struct field_spec *fields;
};

extern const struct struct_spec struct_specs[_STRUCT_MAX];

/* ---- flags ------------------------------------------------------------------------------------ */

struct flag_spec {
	const char *name;	/* "O_DIRECTORY" */
	uint64_t mask;		/* 0 for a plain bit; else the field it is a value of (O_ACCMODE) */
	uint64_t canon;		/* asm-generic's value */
	uint64_t native[_ISA_MAX];
};

struct flagset_spec {
	const char *name;
	bool translated;	/* some native value differs from the canonical one */
	uint16_t n_flags;
	const struct flag_spec *flags;
};

extern const struct flagset_spec flagset_specs[_FLAGS_MAX];

/* Bits that no flag of the set names are kept as they are. */
uint64_t flags_to_canon(enum flagset_id set, enum isa isa, uint64_t native);
uint64_t flags_from_canon(enum flagset_id set, enum isa isa, uint64_t canon);

#endif
