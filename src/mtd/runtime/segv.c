/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where there is no userfaultfd: pages that are not there are not readable, those that the other node
 * may read are not writable, and a SIGSEGV asks the pager. The pager takes pages away by a signal. The
 * two handlers block each other: so at any time one of them reads PAGES.
 * Only for a node whose kernel does not look at the program's memory.
 */
#include "mtd/runtime/runtime.h"

#include "calls.h"

#define EINTR	    4
#define SIG_SEGV    11
#define BIT(signal) (1ull << ((signal)-1))

static void write_message(uint32_t type, uint64_t address)
{
	struct mtd_page_message m = { .type = type, .address = address };
	long r;

	do
		r = isa_call(OWN_sendto, mtd_node.pages, (long)&m, sizeof(m), MSG_NOSIGNAL, 0, 0);
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
		handlers_set(signal, 0, 0);
}

void segv_begin(uint64_t data_size)
{
	handlers_set(MTD_PAGES_SIGNAL, (uint64_t)on_signal, BIT(SIG_SEGV));
	handlers_set(SIG_SEGV, (uint64_t)on_fault, BIT(MTD_PAGES_SIGNAL));
	if (data_size)
		protect(MTD_DATA, data_size, 0);
#define TAKE_AWAY(at, size) protect(at, size, 0);
	MTD_REGIONS(TAKE_AWAY)
}
