/* SPDX-License-Identifier: Apache-2.0 */
/* Threads are refused by the runtime, which names the call: pthread_create() returns EAGAIN. */
#include "pthread_impl.h"

int __clone(int (*func)(void *), void *stack, int flags, void *arg, ...)
{
	return __syscall(SYS_clone, flags, stack, 0, 0, 0);
}

_Noreturn void __unmapself(void *base, size_t size)
{
	for (;;)
		__syscall(SYS_exit, 0);
}

/* There is no other thread, and the only one cannot be cancelled. */
int pthread_cancel(pthread_t t)
{
	return ESRCH;
}
