/* SPDX-License-Identifier: Apache-2.0 */
#include "mtd/runtime/runtime.h"

#define NR_arch_prctl 158
#define ARCH_SET_FS   0x1002

/* enum chiral_isa of mtd/include/chiral.h */
int __mtd_isa(void)
{
	return 1;
}

/* System V ABI, A.2.1 */
long isa_call(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long r;

	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return r;
}

/* The ABI wants the pointer to itself at %fs:0. */
void isa_set_thread_pointer(void *tp)
{
	*(void **)tp = tp;
	isa_call(NR_arch_prctl, ARCH_SET_FS, (long)tp, 0, 0, 0, 0);
}

_Noreturn void isa_run_on_stack(void *top, void (*fn)(void))
{
	__asm__ volatile("mov %0, %%rsp\n\txor %%ebp, %%ebp\n\tcall *%1\n\tud2" ::"r"(top), "r"(fn)
			 : "memory");
	__builtin_unreachable();
}

__asm__(".globl _start\n"
	"_start:\n"
	"	xor %ebp, %ebp\n"
	"	mov %rsp, %rdi\n"
	"	and $-16, %rsp\n"
	"	call mtd_start\n"
	"	ud2\n"
	/* Where a signal handler returns to. */
	"mtd_restore:\n"
	"	mov $15, %eax\n"
	"	syscall\n");
extern const char mtd_restore[];

uint64_t isa_signal_return(void)
{
	return (uint64_t)mtd_restore;
}

long isa_call_x86_64(long nr, const long *a)
{
	return isa_call(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* Arguments as C gives them: the word to look at, the number, the arguments. */
__asm__(".globl mtd_wait_begins, mtd_wait_ends, mtd_wait_stopped\n"
	"mtd_wait:\n"
	"	mov %rdi, %r11\n"
	"	mov %rsi, %rax\n"
	"	mov %rdx, %rcx\n"
	"	mov (%rcx), %rdi\n"
	"	mov 8(%rcx), %rsi\n"
	"	mov 16(%rcx), %rdx\n"
	"	mov 24(%rcx), %r10\n"
	"	mov 32(%rcx), %r8\n"
	"	mov 40(%rcx), %r9\n"
	"mtd_wait_begins:\n"
	"	cmpq $0, (%r11)\n"
	"	jne mtd_wait_stopped\n"
	"	syscall\n"
	"mtd_wait_ends:\n"
	"	ret\n"
	"mtd_wait_stopped:\n"
	"	mov $-4, %rax\n"	/* EINTR */
	"	ret\n");
long mtd_wait(const uint64_t *stop, long nr, const long *a);

long isa_wait_x86_64(const uint64_t *stop, long nr, const long *a)
{
	return mtd_wait(stop, nr, a);
}

uint64_t isa_ticks(void)
{
	return __builtin_ia32_rdtsc();
}
