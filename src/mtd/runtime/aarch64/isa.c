/* SPDX-License-Identifier: Apache-2.0 */
#include "mtd/runtime/runtime.h"

/* enum chiral_isa of mtd/include/chiral.h */
int __mtd_isa(void)
{
	return 2;
}

long isa_call(long nr, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
}

void isa_set_thread_pointer(void *tp)
{
	__asm__ volatile("msr tpidr_el0, %0" ::"r"(tp));
}

uint64_t isa_signal_return(void)
{
	return 0;
}

_Noreturn void isa_run_on_stack(void *top, void (*fn)(void))
{
	__asm__ volatile("mov sp, %0\n\tmov x29, xzr\n\tmov x30, xzr\n\tblr %1\n\tbrk #1" ::"r"(top),
			 "r"(fn)
			 : "memory");
	__builtin_unreachable();
}

__asm__(".globl _start\n"
	"_start:\n"
	"	mov x29, xzr\n"
	"	mov x30, xzr\n"
	"	mov x0, sp\n"
	"	bl mtd_start\n"
	"	brk #1\n");

/* The program speaks x86-64's calls: its home is an x86-64 node. */
long isa_call_x86_64(long nr, const long *a)
{
	(void)nr;
	(void)a;
	die("the program's home is an x86-64 node; run it with `chiral run --mode mtd`");
}

long isa_wait_x86_64(const uint64_t *stop, long nr, const long *a)
{
	(void)stop;
	return isa_call_x86_64(nr, a);
}

/* The program's signals are home's. */
void isa_stop_waiting(void *context)
{
	(void)context;
}
