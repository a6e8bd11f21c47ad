/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where things are in the address space of a program that moves. The same on both ISAs; shared by the
 * layout tool, the runtime, the launcher and the transformer. Freestanding.
 *
 * "Shared" regions are one memory of both nodes; the offset of a low one in the memory file is its
 * address - MTD_SHARED. Text and read-only data are each node's own file, at equal addresses.
 */
#ifndef CHIRAL_MTD_RUNTIME_LAYOUT_H
#define CHIRAL_MTD_RUNTIME_LAYOUT_H

/* The program's code. The runtime's is within the 128 MiB that a branch of aarch64 reaches. */
#define MTD_TEXT	 0x10000000ul
#define MTD_TEXT_MAX	 0x04000000ul
/* The runtime: each ISA's own, never pointed to from shared memory. */
#define MTD_PRIVATE	 0x14000000ul
#define MTD_PRIVATE_DATA 0x16000000ul
#define MTD_RODATA	 0x18000000ul
#define MTD_RODATA_MAX	 0x08000000ul

#define MTD_SHARED	 0x20000000ul
#define MTD_DATA	 0x20000000ul	/* .data and .bss */
#define MTD_DATA_MAX	 0x20000000ul
#define MTD_CONTROL	 0x60000000ul	/* struct mtd_control */
#define MTD_CONTROL_SIZE 0x00100000ul
#define MTD_SIGNALS	 0x60100000ul	/* struct signals */
#define MTD_SIGNALS_SIZE 0x00004000ul
#define MTD_THREAD	 0x60200000ul	/* thread block */
#define MTD_THREAD_BLOCK 0x00010000ul
#define MTD_TLS_OFFSET	 1024ul		/* of the first thread-local variable in it */
#define MTD_RECORDS	 0x61000000ul
#define MTD_RECORDS_SIZE 0x01000000ul
/* Each stack grows down to a gap of 1 MiB or more that nothing is mapped in. */
#define MTD_SHADOW	 0x63000000ul	/* local variables of functions that may switch */
#define MTD_SHADOW_SIZE	 0x01000000ul
#define MTD_STACKS	 0x66000000ul	/* native stacks: the kernel of the home node reads buffers there */
#define MTD_STACK_SIZE	 0x00800000ul
#define MTD_STACK_STEP	 0x01000000ul	/* home's, then the other node's */
#define MTD_SHARED_END	 0x70000000ul

#define MTD_HEAP	 0x1000000000ul
#define MTD_HEAP_SIZE	 0x0400000000ul
#define MTD_HEAP_OFFSET	 (MTD_SHARED_END - MTD_SHARED)	/* in the memory file */
#define MTD_MEMORY_SIZE	 (MTD_HEAP_OFFSET + MTD_HEAP_SIZE)

#define MTD_PAGE 4096ul

/* The shared regions besides .data and .bss: address, size. Home's own stack is not among them: nobody
 * else looks at it. */
#define MTD_REGIONS(X)                                                                             \
	X(MTD_CONTROL, MTD_CONTROL_SIZE)                                                           \
	X(MTD_SIGNALS, MTD_SIGNALS_SIZE)                                                           \
	X(MTD_THREAD, MTD_THREAD_BLOCK)                                                            \
	X(MTD_RECORDS, MTD_RECORDS_SIZE)                                                           \
	X(MTD_SHADOW, MTD_SHADOW_SIZE)                                                             \
	X(MTD_STACKS + MTD_STACK_STEP, MTD_STACK_SIZE)                                             \
	X(MTD_HEAP, MTD_HEAP_SIZE)

#endif
