/* SPDX-License-Identifier: Apache-2.0 */
/*
 * x86-64's calls, executed by the kernel of another ISA: what a program says at a home of that ISA.
 * gen-foreign.py makes the rows from the table of all calls (src/calls).
 */
#ifndef CHIRAL_MTD_RUNTIME_FOREIGN_H
#define CHIRAL_MTD_RUNTIME_FOREIGN_H

#include <stdint.h>

enum foreign_how {
	FOREIGN_ARG,		/* argument number value, as it is */
	FOREIGN_CONST,		/* value */
	FOREIGN_FLAGS,		/* argument number value, whose bits are those of set what */
	FOREIGN_STRUCT_IN,	/* it points to a structure what */
	FOREIGN_STRUCT_OUT,
	FOREIGN_STRUCTS_OUT,	/* to as many as the result says, at most the argument behind it */
	FOREIGN_MS,		/* milliseconds, negative: for ever; becomes struct timespec */
	FOREIGN_TIMEVAL,	/* struct timeval, in and out; timespec */
	FOREIGN_TIMEVAL2,	/* two of them, in */
	FOREIGN_UTIMBUF,	/* struct utimbuf; two of timespec */
	FOREIGN_TIME,		/* time_t that the seconds go to, which are the result too; timespec */
	FOREIGN_ALARM,		/* seconds; struct itimerval */
	FOREIGN_ALARM_OLD,	/* struct itimerval; its seconds, rounded up, are the result */
};

enum foreign_sub {
	FOREIGN_SUB_NONE,
	FOREIGN_SUB_EQUAL,	/* the first two arguments are equal */
	FOREIGN_SUB_VALUE,	/* argument number selector is sub_value */
};

struct foreign_arg {
	uint8_t how, what;
	int16_t value;
};

struct foreign_call {
	int16_t from, nr;	/* x86-64's number; this kernel's */
	uint8_t sub, selector;
	uint32_t sub_value;
	struct foreign_arg arg[6];
	uint8_t ret_flags;	/* 1 + a set: of the result's bits */
	uint8_t ret_arg;	/* 1 + number of the argument that is the result in place of 0 or more */
};

struct foreign_field {
	uint8_t off, size;		/* x86-64's */
	uint8_t own_off, own_size;	/* this ISA's */
	uint8_t is_signed;
};

struct foreign_struct {
	uint16_t size, own_size, n;
	const struct foreign_field *field;
};

struct foreign_bit {
	uint32_t from, own;
};

struct foreign_flags {
	uint32_t n;
	const struct foreign_bit *bit;
};

/* A call on its way. What the kernel gets of it is private to the node. */
struct foreign {
	const struct foreign_call *call;
	const long *given;	/* x86-64's arguments; borrowed */
	long nr, arg[6];	/* for this kernel */
};

/* 0, or -ENOSYS. One call at a time. */
int foreign_begin(struct foreign *ret, long nr, const long *a);
/* r: what the kernel answered. What the program gets. */
long foreign_end(const struct foreign *f, long r);

#endif
