/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runtime in a program that moves: freestanding, built once for each ISA, nothing but the image's
 * mem* functions under it. Names that instrumented code uses begin with "__mtd_".
 *
 * A thread is on one node at a time. The process of the other node waits in serve() for the thread,
 * or, at home, for calls to execute.
 */
#ifndef CHIRAL_MTD_RUNTIME_RUNTIME_H
#define CHIRAL_MTD_RUNTIME_RUNTIME_H

#include "mtd/runtime/layout.h"
#include "mtd/runtime/session.h"

#include <stddef.h>
#include <stdint.h>

enum mode {
	MTD_RUN,
	MTD_UNWIND,	/* returning, each frame pushes its record */
	MTD_REWIND,	/* calling, each frame pops its record */
	MTD_JUMP,	/* returning to the frame that called setjmp */
};

enum role { ROLE_ALONE, ROLE_HOME, ROLE_OTHER };

/* Of the thread on this node; local-exec TLS, read and written by instrumented code. */
extern __thread int __mtd_mode;
extern __thread int64_t __mtd_count;	/* points to pass before the slow path */
extern __thread void *__mtd_ssp;	/* top of the shadow stack */
extern __thread void *__mtd_tp;		/* thread block */

/* Private to the node. */
struct node {
	enum role role;
	int memory, config_fd, link;	/* descriptors; -1 when alone */
	int pages;			/* descriptor to the pager; -1: one memory file for both nodes */
	enum mtd_how how;
	const struct mtd_config *config;
};
extern struct node mtd_node;

static inline struct mtd_control *control(void)
{
	return (struct mtd_control *)MTD_CONTROL;
}

/* ---- for instrumented code ------------------------------------------------------------------- */

/* At a point whose count ran out, or at the entry while rewinding: 0 go on, 1 unwind, 2 rewind. */
int __mtd_enter(uint32_t function, uint32_t where);
/* Memory for a record's payload (size a multiple of 16), aligned to 16. */
void *__mtd_push(uint32_t function, uint32_t site, uint64_t size);
/* The payload of the newest record, which has to be the function's; the site is 16 bytes before. */
void *__mtd_pop(uint32_t function);
/* The innermost frame runs again. */
void __mtd_resumed(void);
void __mtd_set_jump(uint64_t *buffer, void *frame, uint32_t number);
void __mtd_jump(const uint64_t *buffer, int value);
int __mtd_jump_here(void *frame);
int __mtd_jump_value(void);
/* For the C library: a system call with x86-64's number and structures; the thread's block. */
long __mtd_syscall(long nr, long a, long b, long c, long d, long e, long f);
void *__mtd_thread(void);
/* mtd/libc/mtd.h */
int __mtd_moves(void);
int __mtd_isa(void);
int __mtd_protect(int on);
long __mtd_want(int what);
long __mtd_forked(void);
/* In the image (mtd/libc/start.c): runs the program from argc, argv (environment and auxiliary vector
 * behind). Returns while unwinding only. */
void __mtd_main(int argc, char **argv);

/* ---- parts ----------------------------------------------------------------------------------- */

/* Exit status of a process whose peer has ended first: the launcher looks at that one's. */
#define EXIT_PEER_GONE 121	/* EXIT_PEER_LOST of cli/cli.h */
/* send(2); the links are sockets, and a peer that is gone must not become the program's SIGPIPE. */
#define MSG_NOSIGNAL 0x4000

/* Ends this process. */
_Noreturn void leave(int status);
/* Ends this process with a sentence on stderr, status 125. */
_Noreturn void die(const char *what);
_Noreturn void die_number(const char *what, uint64_t number);
void warn_number(const char *what, uint64_t number);

/* start.c: maps the shared regions. */
/* Where the process begins, on the kernel's stack; sp points to argc. */
void mtd_start(uint64_t *sp);
void memory_map_regions(void);
/* Home, after fork: all regions from mtd_node.memory, which has the contents. */
void memory_map_copy(void);
uint64_t data_size(void);
/* Where an address of a shared region is in the memory file. */
uint64_t memory_offset(uint64_t at);
void *home_stack_top(void);
/* memory.c: mmap and its kin on the shared heap; x86-64 numbers. is_memory_call() says which. */
int is_memory_call(long nr);
long memory_call(long nr, const long *a);
/* Marks what home has put at the heap's begin as used. */
void memory_init(uint64_t used);
int is_in_heap(uint64_t address, uint64_t size);
/* Is all of it memory of the program, on this node or the other? */
int is_shared(uint64_t address, uint64_t size);
/* Calls fn for what is in use until it does not return 0, and returns that. */
int memory_for_each_used(int (*fn)(uint64_t at, uint64_t size));
/* Bytes behind the first page of MTD_CONTROL that say what is in use. */
uint64_t memory_state_size(void);

/* switch.c: runs the program until it ends. */
_Noreturn void run_thread(void);
/* The same for a thread that has unwound. */
_Noreturn void run_thread_again(void);
void draw_count(void);
/* The launcher may have written other probabilities. */
void draw_again_if_changed(void);

/* link.c */
void link_send(uint32_t type, const int64_t *v, unsigned n);
void link_send_message(const struct mtd_message *m);
/* 0, or -1 when the peer has closed. Dies on anything malformed. */
int link_receive(struct mtd_message *ret);
void link_greet(void);

/* carry.c: small data of calls. The other node: what v[] of the CALL points to is put into it. */
void carry_pack(struct mtd_message *m);
/* Home: args, as v[] has them, point to what m carries. Dies on what is malformed. */
void carry_open(struct mtd_message *m, long *args);
/* The other node: what the RESULT brings back is put where the call's arguments point. */
void carry_unpack(const struct mtd_message *call, const struct mtd_message *result, const long *args);

/* pages.c: hands the shared regions to the pager, data_size bytes of .data and .bss among them. */
void pages_begin(uint64_t data_size);
/* Home: the pages become zeros, on both nodes. 0 or -errno. */
long pages_discard(uint64_t at, uint64_t size);
/* handlers.c, for the other node: a stack for the runtime's own handlers, and one of those. */
void handlers_begin(void);
void handlers_set(int signal, uint64_t handler, uint64_t mask);
/* The next point, if the thread is here, takes the slow path, and is not taken for one that was drawn.
 * For signal handlers too. */
void look_at_next_point(void);
/* The other node: every MTD_LOOK_MS of processor time, to see what home has for the thread. */
void look_begin(void);
int look_is_due(void);
void look_done(void);

/* segv.c: from now on an access to a page that is not there asks the pager. */
void segv_begin(uint64_t data_size);

/* calls.c */
/* Executes a call of the program in this process, which is home. */
long perform_call(long nr, const long *a);
/* Executes a call at home, wherever the thread is. */
long call_home(long nr, const long *a);
_Noreturn void end_program(int status);

/* Asks home, on the other node. */
long ask_home(long nr, const long *a);

/* files.c, on the other node: files that it opens itself. */
/* Executes a call here, if it is about such a file: 1. 0: home is to execute it, and knows the positions
 * that matter. */
int files_call(long nr, const long *a, long *ret);
/* Home has opened something: should this node do so too? */
void files_opened(long nr, const long *a, long fd);
/* The thread leaves: home gets the positions, and from now on reads itself. */
void files_give_back(void);

/* signals.c */
/* The kernel's struct sigaction, on both ISAs. */
struct kernel_action {
	uint64_t handler, flags, restorer, mask;
};
#define SA_SIGINFO  0x4ul
#define SA_RESTORER 0x04000000ul
#define SA_RESTART  0x10000000ul
/* rt_sigaction of the program, at home. */
long signals_set_action(const long *a);
/* The same of one that is alone: the kernel calls its handlers. */
long signals_set_kernel_action(const long *a);
int signals_handling(void);
void signals_forget_pending(void);
/* Is there a signal whose handler should be called? Cheap. */
int signals_pending(void);
/* Calls the handlers of noted signals. A longjmp out of one leaves the mode at MTD_JUMP. Returns whether
 * all of them want interrupted calls to begin again (SA_RESTART). */
int signals_deliver(void);
/* A handler ran at a point: a wait that follows would sleep through what the program was told. */
void signals_woke(int yes);
int signals_have_woken(void);
/* A call that waits, at home: -EINTR when a signal is noted, however late. */
long signals_wait(long nr, const long *a);

/* fork.c: at home, for a thread that has unwound; parent and child run it again, with the result in
 * control(). */
_Noreturn void fork_program(void);

/* ---- per ISA --------------------------------------------------------------------------------- */

/* A system call of this ISA's kernel. */
long isa_call(long nr, long a, long b, long c, long d, long e, long f);
void isa_set_thread_pointer(void *tp);
/* A counter that all processors of a machine share, of constant speed. */
uint64_t isa_ticks(void);
/* What a signal handler returns to; 0: the kernel has it. */
uint64_t isa_signal_return(void);
_Noreturn void isa_run_on_stack(void *top, void (*fn)(void));
/* Runs a call given with x86-64's number and structures, at home. -ENOSYS when it cannot. */
long isa_call_x86_64(long nr, const long *a);
/* The same for a call that waits: -EINTR without waiting when *stop is not 0. A signal may come between that
 * look and the wait, where the thread is between the first two addresses: its handler lets it go on at the
 * third, which is -EINTR too. */
long isa_wait_x86_64(const uint64_t *stop, long nr, const long *a);
extern const char mtd_wait_begins[], mtd_wait_ends[], mtd_wait_stopped[];

#endif
