/* SPDX-License-Identifier: Apache-2.0 */
#include "isa/counter.h"

uint64_t isa_counter_read(void)
{
	uint64_t v;

	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(v));
	return v;
}
