/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fork, at home. The thread has unwound: all that it is lies in shared memory, and no native stack is
 * in use. That memory would stay the parent's, so a copy is made first, and the child maps it instead.
 * The child goes on here and does not move: its peer is its parent's.
 */
#include "mtd/runtime/runtime.h"

#include "calls.h"

enum { NR_pwrite64 = 18, NR_close = 3, NR_fork = 57, NR_ftruncate = 77, NR_memfd_create = 319 };
#define MFD_CLOEXEC 1
#define FIRST_DESCRIPTOR 200	/* the program's own are below */

static long copy_fd;
/* Private memory: parent and child have one each from the fork on, while the usual one is shared. */
static char own_stack[16384] __attribute__((aligned(64)));

static long at_home(long nr, long a, long b, long c, long d)
{
	long args[6] = { a, b, c, d, 0, 0 };

	return isa_call_x86_64(nr, args);
}

static int copy_range(uint64_t at, uint64_t size)
{
	uint64_t offset = memory_offset(at), done = 0;

	while (done < size) {
		long r = at_home(NR_pwrite64, copy_fd, (long)(at + done), (long)(size - done),
				 (long)(offset + done));

		if (r <= 0)
			return r < 0 ? (int)r : -1;
		done += (uint64_t)r;
	}
	return 0;
}

static int copy_all(void)
{
	uint64_t shadow = control()->want_ssp;
	int r = copy_range(MTD_DATA, data_size());

	if (shadow < MTD_SHADOW || shadow > MTD_SHADOW + MTD_SHADOW_SIZE)
		die("the top of the shadow stack is not in it");
	if (r == 0)
		r = copy_range(MTD_CONTROL, MTD_PAGE + memory_state_size());
	if (r == 0)
		r = copy_range(MTD_SIGNALS, MTD_SIGNALS_SIZE);
	if (r == 0)
		r = copy_range(MTD_THREAD, MTD_THREAD_BLOCK);
	if (r == 0)
		r = copy_range(MTD_RECORDS, control()->record_top - MTD_RECORDS);
	if (r == 0)
		r = copy_range(shadow, MTD_SHADOW + MTD_SHADOW_SIZE - shadow);
	return r ? r : memory_for_each_used(copy_range);
}

/* Makes the file behind the descriptor. */
static long make_copy(void)
{
	enum { NR_fcntl = 72, F_DUPFD_CLOEXEC = 1030 };
	long low = at_home(NR_memfd_create, (long)"chiral-mtd", MFD_CLOEXEC, 0, 0), r;

	if (low < 0)
		return low;
	copy_fd = at_home(NR_fcntl, low, F_DUPFD_CLOEXEC, FIRST_DESCRIPTOR, 0);
	at_home(NR_close, low, 0, 0, 0);
	if (copy_fd < 0)
		return copy_fd;
	r = at_home(NR_ftruncate, copy_fd, (long)MTD_MEMORY_SIZE, 0, 0);
	if (r == 0)
		r = copy_all();
	if (r < 0)
		at_home(NR_close, copy_fd, 0, 0, 0);
	return r;
}

static void close_own(int *fd)
{
	if (*fd >= 0)
		at_home(NR_close, *fd, 0, 0, 0);
	*fd = -1;
}

static void become_child(void)
{
	close_own(&mtd_node.link);
	close_own(&mtd_node.pages);
	close_own(&mtd_node.config_fd);
	close_own(&mtd_node.memory);
	mtd_node.memory = (int)copy_fd;
	mtd_node.config = NULL;
	memory_map_copy();
	signals_forget_pending();
}

static void fork_here(void)
{
	long r = make_copy();

	if (r == 0) {
		r = at_home(NR_fork, 0, 0, 0, 0);
		if (r == 0)
			become_child();
		else
			at_home(NR_close, copy_fd, 0, 0, 0);
	}
	control()->want = MTD_WANT_NOTHING;
	control()->forked = r;
	isa_run_on_stack(home_stack_top(), run_thread_again);
}

_Noreturn void fork_program(void)
{
	isa_run_on_stack(own_stack + sizeof(own_stack), fork_here);
}
