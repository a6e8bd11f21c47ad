/* SPDX-License-Identifier: Apache-2.0 */
#include "mtd/runtime/foreign.h"
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

long isa_call_x86_64(long nr, const long *a)
{
	struct foreign f;
	int r = foreign_begin(&f, nr, a);

	if (r < 0)
		return r;
	return foreign_end(&f, isa_call(f.nr, f.arg[0], f.arg[1], f.arg[2], f.arg[3], f.arg[4], f.arg[5]));
}

/* Arguments as C gives them: the word to look at, the number, the arguments. */
__asm__(".globl mtd_wait_begins, mtd_wait_ends, mtd_wait_stopped\n"
	"mtd_wait:\n"
	"	mov x9, x0\n"
	"	mov x8, x1\n"
	"	mov x10, x2\n"
	"	ldp x0, x1, [x10]\n"
	"	ldp x2, x3, [x10, #16]\n"
	"	ldp x4, x5, [x10, #32]\n"
	"mtd_wait_begins:\n"
	"	ldr x11, [x9]\n"
	"	cbnz x11, mtd_wait_stopped\n"
	"	svc 0\n"
	"mtd_wait_ends:\n"
	"	ret\n"
	"mtd_wait_stopped:\n"
	"	mov x0, #-4\n"	/* EINTR */
	"	ret\n");
long mtd_wait(const uint64_t *stop, long nr, const long *a);

long isa_wait_x86_64(const uint64_t *stop, long nr, const long *a)
{
	struct foreign f;
	int r = foreign_begin(&f, nr, a);

	return r < 0 ? r : foreign_end(&f, mtd_wait(stop, f.nr, f.arg));
}

uint64_t isa_ticks(void)
{
	uint64_t ticks;

	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
	return ticks;
}
