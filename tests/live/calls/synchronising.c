/* SPDX-License-Identifier: Apache-2.0 */
/* Threads and what they wait for: futexes are each variant's own. */
#include "calls.h"

#include <linux/futex.h>

static int word;

static long futex(int op, int value, const struct timespec *timeout)
{
	return syscall(SYS_futex, &word, op, value, timeout, NULL, 0);
}

static void *wakes(void *arg)
{
	pause_ms(20);
	__atomic_store_n(&word, 1, __ATOMIC_SEQ_CST);
	EXPECT(futex(FUTEX_WAKE_PRIVATE, 1, NULL) >= 0);
	return arg;
}

static void *leaves_locked(void *mutex)
{
	EXPECT(pthread_mutex_lock(mutex) == 0);
	return NULL;
}

static pthread_t first;

static void *joins_first(void *arg)
{
	(void)arg;
	EXPECT(pthread_join(first, NULL) == 0);
	_exit(0);
}

/* The first thread ends, and another one learns it from the word that the kernel clears. */
static void first_thread_ends(void)
{
	pthread_t t;

	first = pthread_self();
	EXPECT(pthread_create(&t, NULL, joins_first, NULL) == 0);
	pthread_exit(NULL);
}

void test_synchronising(void)
{
	struct timespec soon = { 0, 3000000 };
	pthread_mutexattr_t attr;
	pthread_mutex_t mutex;
	pthread_t t;

	FAILS(futex(FUTEX_WAIT_PRIVATE, 5, NULL), EAGAIN);
	FAILS(futex(FUTEX_WAIT_PRIVATE, 0, &soon), ETIMEDOUT);
	FAILS(futex(99, 0, NULL), ENOSYS);
	EXPECT(pthread_create(&t, NULL, wakes, NULL) == 0);
	while (!__atomic_load_n(&word, __ATOMIC_SEQ_CST))
		futex(FUTEX_WAIT_PRIVATE, 0, NULL);
	EXPECT(pthread_join(t, NULL) == 0);
	say("futex\n");
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&mutex, &attr);
	EXPECT(pthread_create(&t, NULL, leaves_locked, &mutex) == 0 && pthread_join(t, NULL) == 0);
	EXPECT(pthread_mutex_lock(&mutex) == EOWNERDEAD && pthread_mutex_consistent(&mutex) == 0);
	EXPECT(pthread_mutex_unlock(&mutex) == 0);
	say("set_robust_list\n");
	in_child(first_thread_ends);
	say("set_tid_address\n");
}
