/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The steps of the transformer, in the order in which main.c takes them. Before "instrument" each
 * makes the module mean the same on both ISAs; "instrument" makes its functions able to unwind into
 * frame records and to rewind from them.
 */
#ifndef CHIRAL_MTD_TRANSFORM_STEPS_H
#define CHIRAL_MTD_TRANSFORM_STEPS_H

#include "mtd/points.h"
#include "mtd/transform/ir.h"

/* One whole program: aliases resolved, everything but the entry internal, unused code gone, literals
 * in sections of their own (their address must not depend on an ISA's merging). */
void step_close_world(struct ir *ir);
/* Reports what cannot be moved: inline assembly, intrinsics of an ISA, x87, exceptions... */
void step_check(struct ir *ir);
/* Labels as numbers, and jumps to them as switches. */
void step_gotos(struct ir *ir);
/* va_list as x86-64 lays it out, variadic functions with one explicit pointer to their arguments. */
void step_variadics(struct ir *ir);
/* Structures by value: copied by the caller, passed by pointer. */
void step_byval(struct ir *ir);
/* Thread-local variables: at a fixed offset in the thread block that moves with the thread. */
void step_thread_locals(struct ir *ir);

/* The function at whose entry the runtime does what a program has asked for (mtd/libc/api.c): a point in
 * every program. */
#define WISH_POINT "chiral_point"

/* ---- which functions may move ---------------------------------------------------------------- */

struct fn {
	LLVMValueRef value;
	bool entry, exit;	/* switch points */
	bool may_switch;	/* is one, or may call one */
	bool address_taken;
	bool calls_stdio_only;	/* through pointers */
	bool fixed;		/* back ends may call it (memcpy, sin), or such a one calls it: never a point */
};

struct program {
	struct fn *fns;		/* defined functions; the index is the id in records */
	unsigned n;
	bool indirect_may_switch;	/* a function whose address is taken may */
	bool stdio_may_switch;	/* one that a FILE may point to */
	struct index *index;
};

/* points: NULL for a program that has none, and cannot fulfil a wish either. */
void program_find_points(struct ir *ir, const struct mtd_points *points, struct program *ret);
void program_free(struct program *p);
/* May this call move? */
bool program_call_may_switch(const struct program *p, LLVMValueRef call);
bool ir_is_setjmp(LLVMValueRef call);
bool ir_is_longjmp(LLVMValueRef call);

/* ---- instrumentation ------------------------------------------------------------------------- */

struct statistics {
	unsigned functions, sites, values;
	uint64_t largest_record;
};

/* The mark of functions whose slots stay in memory. */
#define IN_MEMORY "chiral-in-memory"

/* Rewrites function number id, which may switch. */
void instrument(struct ir *ir, const struct program *p, unsigned id, struct statistics *stats);
/* longjmp and its other names become the runtime's. After all functions are instrumented. */
void step_longjmp(struct ir *ir);

#endif
