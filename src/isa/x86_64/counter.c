/* SPDX-License-Identifier: Apache-2.0 */
#include "isa/counter.h"

#include "isa/isa.h"

#include <string.h>
#include <sys/uio.h>

uint64_t isa_counter_read(void)
{
	return __builtin_ia32_rdtsc();
}

/* Bytes of rdtsc or rdtscp at code, 0: something else. */
static size_t reading_size(const uint8_t *code, ssize_t n)
{
	if (n >= 2 && code[0] == 0x0f && code[1] == 0x31)
		return 2;
	return n >= 3 && !memcmp(code, "\x0f\x01\xf9", 3) ? 3 : 0;
}

bool isa_counter_answer(pid_t tid, uint64_t value)
{
	struct isa_regs regs;
	struct iovec from, to;
	uint8_t code[3];
	size_t size;

	if (isa_regs_get(tid, &regs) < 0)
		return false;
	to = (struct iovec){ code, sizeof(code) };
	from = (struct iovec){ (void *)regs.r.rip, sizeof(code) };
	size = reading_size(code, process_vm_readv(tid, &to, 1, &from, 1, 0));
	if (!size)
		return false;
	regs.r.rax = (uint32_t)value;
	regs.r.rdx = value >> 32;
	if (size == 3)
		regs.r.rcx = 0; /* rdtscp: also which processor, and getcpu(2) is the leader's */
	regs.r.rip += size;
	return isa_regs_set(tid, &regs) == 0;
}
