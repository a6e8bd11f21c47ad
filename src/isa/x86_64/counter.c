/* SPDX-License-Identifier: Apache-2.0 */
#include "isa/counter.h"

uint64_t isa_counter_read(void)
{
	return __builtin_ia32_rdtsc();
}
