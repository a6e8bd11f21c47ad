/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The switch. At a point the thread unwinds: every function on its stack writes a record of what it
 * needs, and returns. run_thread() then tells the peer and waits. The peer calls the program's first
 * function in mode MTD_REWIND: every function pops its record and calls the next one again, until the
 * innermost one is where it was. No register and no native stack frame ever crosses.
 */
#include "mtd/runtime/runtime.h"

#include "calls.h"

__thread int __mtd_mode;
__thread int64_t __mtd_count;
__thread void *__mtd_ssp;
__thread void *__mtd_tp;

struct record {
	uint32_t site, function;
	uint64_t size;
	/* payload, then struct record_end */
};
struct record_end {
	uint64_t size, zero;
};

#define RECORDS_END (MTD_RECORDS + MTD_RECORDS_SIZE)
#define SHADOW_TOP  ((void *)(MTD_SHADOW + MTD_SHADOW_SIZE))

/* ---- when ------------------------------------------------------------------------------------ */

static void get_random(void *to, size_t n)
{
	if (isa_call(OWN_getrandom, (long)to, (long)n, 0, 0, 0, 0) != (long)n)
		die("the kernel gives no random numbers");
}

static unsigned direction(void)
{
	return mtd_node.role == ROLE_OTHER ? MTD_TO_HOME : MTD_FROM_HOME;
}

/* Of the configuration that the count was drawn from. */
static uint32_t drawn_generation;

static uint32_t generation(void)
{
	return mtd_node.config ? __atomic_load_n(&mtd_node.config->generation, __ATOMIC_ACQUIRE) : 0;
}

static int64_t draw(const struct mtd_config *c, unsigned d)
{
	static uint64_t random[63];	/* private: the kernel writes it */
	unsigned digits = 0;
	int64_t n = 0;

	if (!c || !c->largest[d] || control()->stays)
		return INT64_MAX;
	/* Higher digits are 1 less often: from some on never. */
	while (digits < 63 && c->bit[d][digits])
		digits++;
	get_random(random, digits * sizeof(random[0]));
	for (unsigned k = 0; k < digits; k++)
		if (random[k] < c->bit[d][k])
			n |= (int64_t)1 << k;
	return n;
}

void draw_count(void)
{
	look_done();
	drawn_generation = generation();
	__mtd_count = draw(mtd_node.config, direction());
	/* A handler may have run before that. */
	if (signals_pending() || look_is_due())
		__mtd_count = -1;
}

void draw_again_if_changed(void)
{
	if (__mtd_mode == MTD_RUN && !control()->want && drawn_generation != generation())
		draw_count();
}

/* The count ran out here: is it this point's turn? A count that was not drawn from what holds now says
 * nothing, and may be drawn again: how long one has waited already does not matter to it. */
static int accept_point(uint32_t function, uint32_t where)
{
	const struct mtd_config *c = mtd_node.config;
	static uint32_t random;
	uint32_t rate, largest;
	unsigned d = direction();

	if (!c || function >= c->n_functions || where >= _MTD_WHERE_MAX)
		return 0;
	if (look_is_due() || generation() & 1 || generation() != drawn_generation)
		return 0;
	rate = c->rate[function].ppm[where][d];
	largest = c->largest[d];
	if (!rate)
		return 0;
	if (rate >= largest)
		return 1;
	get_random(&random, sizeof(random));
	return (uint64_t)random * largest < (uint64_t)rate << 32;
}

/* to_home: which switch it is. The program can write to watch, so it is no more than a wish. */
static void note(enum mtd_tick what, int to_home)
{
	if (control()->watch)
		control()->tick[to_home][what] = isa_ticks();
}

static int is_other(void)
{
	return mtd_node.role == ROLE_OTHER;
}

/* Of the switch that has begun. */
static int64_t switch_ssp, switch_frames;

static int begin_unwinding(void)
{
	note(MTD_TICK_POINT, is_other());
	control()->record_top = MTD_RECORDS;
	switch_ssp = (int64_t)__mtd_ssp;
	switch_frames = (int64_t)control()->frames;
	__mtd_mode = MTD_UNWIND;
	return 1;
}

int __mtd_enter(uint32_t function, uint32_t where)
{
	if (__mtd_mode == MTD_REWIND)
		return 2;
	if (__mtd_mode != MTD_RUN)
		die("a function was entered while the program was unwinding");
	if (control()->want && !signals_handling() && mtd_node.role != ROLE_ALONE)
		return begin_unwinding();
	if (signals_pending()) {
		signals_deliver();
		signals_woke(1);
		/* A handler jumped: unwind without records, the frame is left. */
		if (__mtd_mode == MTD_JUMP)
			return 1;
		draw_count();
		return 0;
	}
	if (!accept_point(function, where)) {
		draw_count();
		return 0;
	}
	return begin_unwinding();
}

/* ---- records --------------------------------------------------------------------------------- */

void *__mtd_push(uint32_t function, uint32_t site, uint64_t size)
{
	uint64_t at = control()->record_top, whole = sizeof(struct record) + sizeof(struct record_end);
	struct record *r = (struct record *)at;

	/* What a jump would record is not needed: any memory of the size will do. */
	if (__mtd_mode == MTD_JUMP) {
		if (size > MTD_RECORDS_SIZE)
			die("a frame record is larger than the record area");
		return (void *)MTD_RECORDS;
	}
	if (__mtd_mode != MTD_UNWIND)
		die("a function unwinds although the program runs");
	if (at < MTD_RECORDS || at > RECORDS_END || size > MTD_RECORDS_SIZE ||
	    RECORDS_END - at < size + whole)
		die("the frame records do not fit into their area: the recursion is too deep");
	*r = (struct record){ .site = site, .function = function, .size = size };
	*(struct record_end *)(at + sizeof(*r) + size) = (struct record_end){ .size = size };
	control()->record_top = at + size + whole;
	control()->frames++;
	control()->record_bytes += size + whole;
	return r + 1;
}

void *__mtd_pop(uint32_t function)
{
	uint64_t at = control()->record_top, whole = sizeof(struct record) + sizeof(struct record_end);
	struct record *r;
	uint64_t size;

	if (__mtd_mode != MTD_REWIND)
		die("a function rewinds although the program runs");
	if (at < MTD_RECORDS + whole || at > RECORDS_END || at % 16)
		die_number("a frame record is missing; wanted the one of function ", function);
	size = ((struct record_end *)(at - sizeof(struct record_end)))->size;
	if (size > at - MTD_RECORDS - whole || size % 16)
		die_number("a frame record has an impossible size; wanted the one of function ", function);
	r = (struct record *)(at - size - whole);
	if (r->function != function || r->size != size)
		die_number("a frame record is of another function; wanted the one of function ", function);
	control()->record_top = (uint64_t)r;
	return r + 1;
}

void __mtd_resumed(void)
{
	if (control()->record_top != MTD_RECORDS)
		die("frame records are left although the innermost function runs again");
	__mtd_mode = MTD_RUN;
	note(MTD_TICK_REWOUND, !is_other());
	draw_count();
	note(MTD_TICK_DRAWN, !is_other());
}

/* ---- jumps ----------------------------------------------------------------------------------- */

static uint64_t jump_frame;
static int jump_site, jump_result;

void __mtd_set_jump(uint64_t *buffer, void *frame, uint32_t number)
{
	buffer[0] = (uint64_t)frame;
	buffer[1] = number;
}

void __mtd_jump(const uint64_t *buffer, int value)
{
	jump_frame = buffer[0];
	jump_site = (int)buffer[1];
	jump_result = value ? value : 1;
	__mtd_mode = MTD_JUMP;
}

int __mtd_jump_here(void *frame)
{
	if (__mtd_mode != MTD_JUMP || (uint64_t)frame != jump_frame)
		return 0;
	__mtd_mode = MTD_RUN;
	/* While the handler ran that it may have come from, no point was due. */
	draw_count();
	return jump_site;
}

int __mtd_jump_value(void)
{
	return jump_result;
}

/* ---- the thread ------------------------------------------------------------------------------ */

static void serve_call(const struct mtd_message *call)
{
	static struct mtd_message m;	/* private: the kernel reads and writes what it carries */
	long args[6];

	if (mtd_node.role != ROLE_HOME)
		die("home asked the other node for a system call");
	for (int i = 0; i < 6; i++)
		args[i] = call->v[i + 1];
	m = *call;
	carry_open(&m, args);
	m.v[0] = perform_call(call->v[0], args);
	m.type = MTD_RESULT;
	m.carried = 0;
	link_send_message(&m);
}

/* Waits until the thread arrives here. */
static void serve(void)
{
	struct mtd_message m;

	for (;;) {
		if (link_receive(&m) < 0)
			leave(EXIT_PEER_GONE);
		if (m.type == MTD_SWITCH) {
			note(MTD_TICK_ARRIVED, !is_other());
			return;
		}
		if (m.type == MTD_END)
			leave((int)m.v[0]);
		if (m.type != MTD_CALL)
			die_number("an unexpected message came from the other node: ", m.type);
		serve_call(&m);
	}
}

/* What __mtd_main() gets: made at home, in shared memory. */
static char **start_arguments(int *ret_argc)
{
	uint64_t *p = (uint64_t *)MTD_HEAP;

	*ret_argc = (int)p[0];
	return (char **)(p + 1);
}

/* Goes to the peer, and waits there for the thread to come back. */
static void leave_node(void)
{
	const int64_t v[] = { (int64_t)control()->record_top, switch_ssp,
			      (int64_t)control()->frames - switch_frames };

	if (mtd_node.role == ROLE_OTHER)
		files_give_back();
	control()->switches++;
	if (control()->want == MTD_WANT_SWITCH)
		control()->want = MTD_WANT_NOTHING;
	note(MTD_TICK_UNWOUND, is_other());
	link_send(MTD_SWITCH, v, 3);
	serve();
}

/* The thread has unwound, and what it is for is not (only) to move. */
static int wants_fork(void)
{
	return control()->want == MTD_WANT_FORK;
}

/* Returns when the thread is to go on here. */
static void go_elsewhere(void)
{
	if (__mtd_mode == MTD_JUMP)
		die("the program jumps to a function that has returned");
	if (__mtd_mode != MTD_UNWIND)
		die("the program's first function has returned");
	if (__mtd_ssp != SHADOW_TOP)
		die("the shadow stack is not balanced");
	if (mtd_node.role == ROLE_OTHER || !wants_fork())
		leave_node();
	if (mtd_node.role == ROLE_HOME && wants_fork())
		fork_program();
}

_Noreturn void run_thread_again(void)
{
	for (;;) {
		int argc;
		char **argv = start_arguments(&argc);

		__mtd_mode = MTD_REWIND;
		__mtd_count = -1;
		__mtd_main(argc, argv);
		go_elsewhere();
	}
}

_Noreturn void run_thread(void)
{
	char **argv;
	int argc;

	__mtd_tp = (void *)MTD_THREAD;
	__mtd_ssp = SHADOW_TOP;
	if (mtd_node.role == ROLE_OTHER) {
		serve();
		run_thread_again();
	}
	draw_count();
	argv = start_arguments(&argc);
	__mtd_main(argc, argv);
	go_elsewhere();
	run_thread_again();
}

void *__mtd_thread(void)
{
	return __mtd_tp;
}
