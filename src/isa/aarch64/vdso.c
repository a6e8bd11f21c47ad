/* SPDX-License-Identifier: Apache-2.0 */
#include "isa/vdso.h"

#include <elf.h>
#include <errno.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

const char isa_vdso_clock_gettime[] = "__kernel_clock_gettime";

bool isa_vdso_is_possible(void)
{
	return true;
}

int isa_thread_pointer(pid_t tid, uint64_t *ret)
{
	struct iovec iov = { ret, sizeof(*ret) };

	return ptrace(PTRACE_GETREGSET, tid, NT_ARM_TLS, &iov) < 0 ? -errno : 0;
}
