/* SPDX-License-Identifier: Apache-2.0 */
/* For musl: the thread block is in shared memory; the thread pointer of an ISA is the runtime's. */
void *__mtd_thread(void);

static inline uintptr_t __get_tp(void)
{
	return (uintptr_t)__mtd_thread();
}

#define MC_PC gregs[REG_RIP]
