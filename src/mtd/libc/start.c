/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In place of musl's __libc_start_main: runs on shared memory, after the runtime has made the thread
 * block. Compiled with musl's internal headers (tools/mtd-libc).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libc.h"
#include "pthread_impl.h"

int main(int, char **, char **);
extern void (*const __init_array_start)(int, char **, char **);
extern void (*const __init_array_end)(int, char **, char **);

static void init_thread(pthread_t self)
{
	self->self = self;
	self->detach_state = DT_JOINABLE;
	self->tid = __syscall(SYS_set_tid_address, 0);
	self->locale = &libc.global_locale;
	self->robust_list.head = &self->robust_list.head;
	self->next = self->prev = self;
}

/* The kernel's vector describes one machine: the program gets what holds on both. */
static size_t no_auxv[] = { 6 /* AT_PAGESZ */, 4096, 0, 0 };

static void init_libc(char **argv, char **envp)
{
	char *slash = argv[0] ? strrchr(argv[0], '/') : 0;

	__environ = envp;
	libc.auxv = no_auxv;
	libc.page_size = 4096;
	libc.can_do_threads = 1;
	__progname_full = argv[0] ? argv[0] : "";
	__progname = slash ? slash + 1 : __progname_full;
}

static void run_constructors(int argc, char **argv, char **envp)
{
	uintptr_t a = (uintptr_t)&__init_array_start;

	for (; a < (uintptr_t)&__init_array_end; a += sizeof(void (*)(void)))
		(*(void (**)(int, char **, char **))a)(argc, argv, envp);
}

/* Entered again after each switch: the switch is deeper, in what this function calls last. */
void __mtd_main(int argc, char **argv)
{
	char **envp = argv + argc + 1;

	init_libc(argv, envp);
	init_thread(__pthread_self());
	run_constructors(argc, argv, envp);
	exit(main(argc, argv, envp));
}
