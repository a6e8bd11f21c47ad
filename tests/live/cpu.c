/* SPDX-License-Identifier: Apache-2.0 */
/* The processor's features as a program sees them: in a child, a thread, a handler, after exec; the same
 * each time, and, under Chiral, the same on every machine. */
#include "live.h"

#include <sys/auxv.h>

/* Code for processors beyond the common one; what asks differs by ISA, the answer must not. */
static int sees_more(void)
{
#ifdef __x86_64__
	/* What coreutils' wc asks: CPUID.7:EBX bit 5, if leaf 7 is there and the kernel keeps AVX. */
	__builtin_cpu_init();
	return !!__builtin_cpu_supports("avx2") + !!__builtin_cpu_supports("avx512f");
#else
	return !!(getauxval(AT_HWCAP) & (1ul << 22 /* SVE */)) + !!(getauxval(AT_HWCAP2) & 2 /* SVE2 */);
#endif
}

struct four {
	unsigned a, b, c, d;
};

/* Every register of the answer, and that no other one changes. */
static struct four ask(unsigned leaf)
{
	struct four f = { leaf, 0, 0, 0 };
#ifdef __x86_64__
	unsigned long kept = 0x1234567890abcdef;

	__asm__ volatile("cpuid"
			 : "+a"(f.a), "=b"(f.b), "+c"(f.c), "=d"(f.d), "+r"(kept));
	EXPECT(kept == 0x1234567890abcdef);
#else
	f.b = (unsigned)getauxval(AT_HWCAP);
#endif
	return f;
}

static void expect_same(void)
{
	for (unsigned leaf = 0; leaf < 8; leaf++) {
		struct four one = ask(leaf), two = ask(leaf);

		/* Leaf 1 tells the processor on which it is. */
		one.b &= 0xffffff;
		two.b &= 0xffffff;
		EXPECT(!memcmp(&one, &two, sizeof(one)));
	}
	ask(0x80000000);
	ask(0xffffffff);
}

static void tell(const char *where)
{
	char text[100];

	expect_same();
	/* Natively it may be anything; as two variants both must say the same. */
	snprintf(text, sizeof(text), "%s: %d\n", where, sees_more());
	say(text);
}

static void *in_thread(void *arg)
{
	tell("thread");
	return arg;
}

static void on_signal(int signal)
{
	(void)signal;
	tell("handler");
}

static volatile sig_atomic_t faults;

static void on_fault(int signal)
{
	(void)signal;
	faults++;
	exit(faults == 1 ? 0 : 1);
}

int main(int argc, char **argv)
{
	pthread_t t;
	pid_t pid;
	int status;

	if (argc > 1 && !strcmp(argv[1], "executed")) {
		tell("executed");
		/* A fault of the program's own is its own. */
		signal(SIGSEGV, on_fault);
		*(volatile int *)8 = 1;
		return 2;
	}
	tell("main");
	EXPECT(pthread_create(&t, NULL, in_thread, NULL) == 0);
	EXPECT(pthread_join(t, NULL) == 0);
	signal(SIGUSR1, on_signal);
	EXPECT(raise(SIGUSR1) == 0);
	pid = fork();
	if (pid == 0) {
		tell("child");
		execl(SELF, argv[0], "executed", NULL);
		_exit(3);
	}
	EXPECT(waitpid(pid, &status, 0) == pid);
	EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	return 0;
}
