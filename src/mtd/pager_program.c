/* SPDX-License-Identifier: Apache-2.0 */
/* What the program says to its pager, most of it for the program on the other node. */
#include "mtd/pager_internal.h"

#include "mtd/pages/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

int pager_tell_program(struct pager *p, const struct mtd_message *m)
{
	ssize_t n = send(p->program, m, sizeof(*m), MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n == sizeof(*m))
		return 0;
	return n < 0 && errno != EAGAIN ? -EPIPE : -EPROTO; /* it does not read */
}

/* Pages that are here and nobody waits for need no protocol; what lies between the others is punched at
 * once. */
static int discard(struct pager *p, uint64_t at, uint64_t size)
{
	uint32_t first, last;
	uint64_t run;
	int r = 0;

	if (!p->home || !size || at % MTD_PAGE || size % MTD_PAGE || at + size < at ||
	    !page_of(at, &first) || !page_of(at + size - 1, &last) || last - first != size / MTD_PAGE - 1)
		return -EPROTO;
	run = first;
	for (uint64_t i = first; i <= last + 1ull && r == 0; i++) {
		const struct page *g = &p->pages->page[i > last ? last : i];

		if (i <= last && g->own == PAGE_WRITE && !g->op)
			continue;
		if (i > run && fallocate(p->memory, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					 (off_t)(run * MTD_PAGE), (off_t)((i - run) * MTD_PAGE)) < 0)
			r = -errno;
		if (i <= last && r == 0)
			r = pages_discard(p->pages, (uint32_t)i);
		run = i + 1;
	}
	p->discarding = true;
	return r;
}

int pager_end_discard(struct pager *p)
{
	const struct mtd_message done = { .type = MTD_RESULT };

	if (!p->discarding || p->pages->dropping)
		return 0;
	p->discarding = false;
	return pager_tell_program(p, &done);
}

void pager_count_switch(struct pager *p, const struct mtd_message *m)
{
	p->counters.switches++;
	p->counters.frames += (uint64_t)m->v[2];
	p->counters.record_bytes += (uint64_t)m->v[0] - MTD_RECORDS;
}

static int on_message(struct pager *p, const struct mtd_message *m)
{
	int r = 0;

	switch (m->type) {
	case MTD_DISCARD:
		return discard(p, (uint64_t)m->v[0], (uint64_t)m->v[1]);
	case MTD_SWITCH:
		pager_count_switch(p, m);
		r = pager_push_for_switch(p, m);
		break;
	case MTD_CALL:
		p->counters.calls++;
		r = pager_push_for_call(p, m);
		break;
	case MTD_RESULT:
		r = pager_push_for_result(p);
		break;
	case MTD_HELLO:
	case MTD_END:
		break;
	default:
		return -EPROTO;
	}
	move_put_program(&p->out, m);
	return r;
}

/* -EPIPE at the end of what it says. */
int pager_hear_program(struct pager *p)
{
	for (;;) {
		struct mtd_message m;
		ssize_t n = recv(p->program, p->in + p->in_len, sizeof(p->in) - p->in_len, MSG_DONTWAIT);
		int r;

		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -EPIPE;
		if (n == 0)
			return -EPIPE;
		p->in_len += (size_t)n;
		if (p->in_len < sizeof(p->in))
			continue;
		p->in_len = 0;
		memcpy(&m, p->in, sizeof(m));
		r = on_message(p, &m);
		if (r < 0)
			return r;
	}
}
