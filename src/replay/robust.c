/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Robust mutexes. Their words hold the owner's thread id, which is the leader's in every variant. When a
 * thread ends, the kernel looks on its list for words with the id that it knows it by; a follower's is
 * another one. So the word gets that id shortly before the thread's end (set_robust_list(2)).
 */
#include "replay/replay.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ENTRIES_MAX 2048 /* ROBUST_LIST_LIMIT: the kernel looks at no more */

static bool read_memory(struct fthread *f, uint64_t addr, void *to, size_t size)
{
	return f->mem.mem.read(&f->mem.mem, addr, to, size) == (ssize_t)size;
}

/* With the mark that somebody waits, for one may have begun to since the word was read: the kernel then
 * wakes whoever does. */
static void give_real_id(struct fthread *f, uint64_t addr)
{
	uint32_t word;

	if (!read_memory(f, addr, &word, sizeof(word)) || (word & FUTEX_TID_MASK) != f->canonical)
		return;
	word = (word & ~FUTEX_TID_MASK) | FUTEX_WAITERS | (uint32_t)f->tid;
	f->mem.mem.write(&f->mem.mem, addr, &word, sizeof(word));
}

static void give_real_ids(struct fthread *f)
{
	uint64_t at = 0, entry, first = 0;
	struct robust_list_head head;
	size_t len = 0;

	if ((uint32_t)f->tid == f->canonical ||
	    syscall(SYS_get_robust_list, f->tid, &at, &len) < 0 || !at ||
	    !read_memory(f, at, &head, sizeof(head)))
		return;
	first = entry = (uint64_t)(uintptr_t)head.list.next;
	for (unsigned i = 0; i < ENTRIES_MAX && (entry & ~UINT64_C(1)) != at; i++) {
		uint64_t place = entry & ~UINT64_C(1); /* the lowest bit: inherits priority */

		give_real_id(f, place + (uint64_t)head.futex_offset);
		if (!read_memory(f, place, &entry, sizeof(entry)) || entry == first)
			break;
	}
	if (head.list_op_pending)
		give_real_id(f, ((uint64_t)(uintptr_t)head.list_op_pending & ~UINT64_C(1)) +
					(uint64_t)head.futex_offset);
}

void replay_robust_exit(struct replay *rp, struct fthread *f)
{
	if (f->leader.id != CALL_EXIT_GROUP) {
		give_real_ids(f);
		return;
	}
	for (struct fthread *g = rp->threads.by_tid; g; g = g->hh.next)
		if (g->process == f->process && !g->dead)
			give_real_ids(g);
}
