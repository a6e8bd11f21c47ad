/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where there is no userfaultfd: pages that are not there are not readable, those that the other node
 * may read are not writable, and a SIGSEGV asks the pager. The pager takes pages away by a signal. Both
 * handlers have a stack of their own, and block each other: so at any time one of them reads PAGES.
 * Only for a node whose kernel does not look at the program's memory.
 */
#include "mtd/runtime/runtime.h"

#include "calls.h"

#define EINTR	    4
#define SIG_SEGV    11
#define SA_SIGINFO  0x4ul
#define SA_RESTORER 0x04000000ul
#define SA_ONSTACK  0x08000000ul
#define SA_RESTART  0x10000000ul
#define BIT(signal) (1ull << ((signal)-1))

static char handler_stack[65536] __attribute__((aligned(64)));

static void write_message(uint32_t type, uint64_t address)
{
	struct mtd_page_message m = { .type = type, .address = address };
	long r;

	do
		r = isa_call(OWN_write, mtd_node.pages, (long)&m, sizeof(m), 0, 0, 0);
	while (r == -EINTR);
	if (r != sizeof(m))
		leave(EXIT_PEER_GONE);
}

static void protect(uint64_t at, uint64_t size, uint32_t access)
{
	static const int prot[] = { 0, 1, 3 };	/* PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE */

	if (access > 2 || isa_call(OWN_mprotect, (long)at, (long)size, prot[access], 0, 0, 0) < 0)
		die("pages cannot be protected; a larger sysctl vm.max_map_count may help");
}

/* The next message; 0 when there is none and wait is not set. */
static int read_message(struct mtd_page_message *ret, int wait)
{
	enum { MSG_DONTWAIT = 0x40 };
	long r;

	do
		r = isa_call(OWN_recvfrom, mtd_node.pages, (long)ret, sizeof(*ret),
			     wait ? 0 : MSG_DONTWAIT, 0, 0);
	while (r == -EINTR);
	if (r < 0 && !wait)
		return 0;
	if (r != sizeof(*ret))
		leave(EXIT_PEER_GONE);
	if (ret->type == MTD_PAGE_LOWER) {
		protect(ret->address, MTD_PAGE, ret->access);
		write_message(MTD_PAGE_LOWERED, ret->address);
	}
	return 1;
}

static void on_signal(int signal, const void *info, void *context)
{
	struct mtd_page_message m;

	(void)signal, (void)info, (void)context;
	while (read_message(&m, 0))
		;
}

static void set_handler(int signal, uint64_t handler, uint64_t mask);

/* SIGSEGV. info: siginfo_t, whose address is at byte 16. */
static void on_fault(int signal, const char *info, void *context)
{
	uint64_t address = *(const uint64_t *)(info + 16);
	struct mtd_page_message m;

	(void)context;
	write_message(MTD_PAGE_FAULT, address);
	do
		read_message(&m, 1);
	while (m.type != MTD_PAGE_ACCESS && m.type != MTD_PAGE_CRASH);
	if (m.type == MTD_PAGE_ACCESS)
		protect(address & ~(MTD_PAGE - 1), MTD_PAGE, m.access);
	else	/* it faults again, and that is its end */
		set_handler(signal, 0, 0);
}

static void set_handler(int signal, uint64_t handler, uint64_t mask)
{
	/* The kernel's struct sigaction. */
	struct {
		uint64_t handler, flags, restorer, mask;
	} action = { handler, SA_SIGINFO | SA_ONSTACK | SA_RESTART, isa_signal_return(), mask };

	if (action.restorer)
		action.flags |= SA_RESTORER;
	if (isa_call(OWN_rt_sigaction, signal, (long)&action, 0, 8, 0, 0) < 0)
		die("the kernel takes no signal handler");
}

void segv_begin(uint64_t data_size)
{
	struct {
		void *at;
		uint64_t flags, size;
	} stack = { handler_stack, 0, sizeof(handler_stack) };

	if (isa_call(OWN_sigaltstack, (long)&stack, 0, 0, 0, 0, 0) < 0)
		die("the kernel takes no stack for signal handlers");
	set_handler(MTD_PAGES_SIGNAL, (uint64_t)on_signal, BIT(SIG_SEGV));
	set_handler(SIG_SEGV, (uint64_t)on_fault, BIT(MTD_PAGES_SIGNAL));
	if (data_size)
		protect(MTD_DATA, data_size, 0);
#define TAKE_AWAY(at, size) protect(at, size, 0);
	MTD_REGIONS(TAKE_AWAY)
}
