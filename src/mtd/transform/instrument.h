/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rewriting of one function, in parts. The function afterwards:
 *
 *	entry:    shadow frame; slots; if a point and --count < 0, or else if mode != 0: slow
 *	body:     ... each call that may switch is alone in a block; after it: if mode != 0: unwind k
 *	unwind k: push a record with the values that are live after call k; return null
 *	slow:     the runtime decides: go on, unwind (record 0 holds the arguments), or rewind
 *	rewind:   pop the record; load its values; go to the block of call k, which is issued again
 *
 * Values live across such a block are kept in slots (native stack variables); mem2reg makes them
 * values again at the end, except in functions where they are too many (slots.c).
 */
#ifndef CHIRAL_MTD_TRANSFORM_INSTRUMENT_H
#define CHIRAL_MTD_TRANSFORM_INSTRUMENT_H

#include "mtd/transform/liveness.h"
#include "mtd/transform/steps.h"

/* A call that may switch, alone in its block. */
struct site {
	LLVMValueRef call;
	uint64_t *saved;	/* values that a record of it holds */
};

/* A call of setjmp. */
struct set_jump {
	LLVMValueRef call;	/* of setjmp, then of mtd_set_jump */
	LLVMValueRef result;	/* variable: what setjmp returns */
	uint64_t *saved;	/* values that a longjmp brings back */
	uint64_t area;		/* where in the shadow frame they are kept */
	LLVMBasicBlockRef back;	/* where a longjmp continues */
};

struct job {
	struct ir *ir;
	const struct program *program;
	struct statistics *stats;
	unsigned id;
	LLVMValueRef f;
	struct site *sites;
	unsigned n_sites;
	struct set_jump *jumps;
	unsigned n_jumps;
	LLVMValueRef *locals;	/* variables of constant size: they are in the frame */
	unsigned n_locals;
	LLVMBasicBlockRef entry, body;
	LLVMValueRef frame;	/* the shadow frame, or NULL when there is none */
	uint64_t frame_size;
	bool dynamic;		/* has variables of variable size: the top is part of the state */
	struct liveness live;
	LLVMValueRef *slot;	/* by the value's number; NULL when it needs none */
	bool in_memory;		/* slots are in the shadow frame, records empty */
	LLVMValueRef *loads;	/* in_memory: of the slot at hand, by the block's number */
	LLVMBasicBlockRef rewind;
	LLVMValueRef record, dispatch;
};

/* frame.c: local variables go to the shadow stack, which does not move. */
void job_make_frame(struct job *j);
/* Makes the frame when there is none yet. */
void job_enter_frame(struct job *j);
/* Offset in the frame of something new. */
uint64_t job_place(struct job *j, uint64_t size, uint64_t align);
/* To be called when frame_size has its last value. */
void job_finish_frame(struct job *j);
/* Gives the frame back, before a return (at the builder's position). */
void job_leave_frame(struct job *j);

/* jumps.c */
void job_lower_setjmp(struct job *j);
void job_place_jump_areas(struct job *j);
void job_make_jump_blocks(struct job *j);
/* In an unwinding block: a longjmp that ends here continues, others go on unwinding. */
void job_catch_jump(struct job *j);

/* slots.c */
/* When it is known what records have to hold. */
void job_choose_slots(struct job *j);
void job_make_slots(struct job *j);
/* in_memory: arguments are stored when the function begins, not when it rewinds. */
void job_store_arguments(struct job *j);

/* records.c */
void job_make_records(struct job *j);

/* Values with an address: stored and loaded with the alignment that both ISAs keep. */
void job_store(struct job *j, LLVMValueRef v, LLVMValueRef p);
LLVMValueRef job_load(struct job *j, LLVMTypeRef t, LLVMValueRef p);

#endif
