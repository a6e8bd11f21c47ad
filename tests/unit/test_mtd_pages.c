/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page protocol, every order of events: two nodes, two pages, whose programs read and write, that
 * push and discard, with messages under way in both directions and a link that is cut at any moment.
 * The real state machine runs; what it acts on is a model. A copy of a page is one bit: is it what was
 * written last? Explored breadth first over all states that can be reached.
 */
#include "unit.h"

#include "mtd/pages/pages.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define N	    2	/* pages */
#define CHANNEL_MAX 10	/* messages under way in one direction; never reached */

enum { HOME, OTHER };

struct message {
	uint8_t kind, access, page, drop, has_data, newest;
};

/* Everything, and nothing else: states are compared as bytes. */
struct state {
	struct page page[2][N];
	uint8_t newest[2][N];	/* of a node's copy; 0 where it has none */
	uint8_t waits[2][N];	/* the program waits for that access */
	uint8_t dropping;
	uint8_t len[2];		/* messages to HOME, to OTHER */
	struct message channel[2][CHANNEL_MAX];
};

struct node {
	struct state *s;
	int side;
	struct pages *pages;
};

/* ---- what the machine acts on ---------------------------------------------------------------- */

static int op_wake(void *ctx, uint32_t page, enum page_access access)
{
	struct node *n = ctx;

	n->s->waits[n->side][page] = PAGE_NONE;
	return 0;
}

static int op_install(void *ctx, uint32_t page, enum page_access access, const void *data)
{
	struct node *n = ctx;

	n->s->newest[n->side][page] = *(const uint8_t *)data;
	return op_wake(ctx, page, access);
}

static int op_protect(void *ctx, uint32_t page)
{
	return 0;
}

static int op_unprotect(void *ctx, uint32_t page)
{
	return op_wake(ctx, page, PAGE_WRITE);
}

static int op_remove(void *ctx, uint32_t page)
{
	struct node *n = ctx;

	n->s->newest[n->side][page] = 0;
	return 0;
}

/* This node's copy is the newest from now on, and no other one. */
static void is_newest(struct state *s, int side, uint32_t page)
{
	s->newest[!side][page] = 0;
	for (int d = 0; d < 2; d++)
		for (int i = 0; i < s->len[d]; i++)
			if (s->channel[d][i].page == page)
				s->channel[d][i].newest = 0;
	s->newest[side][page] = 1;
}

static int op_clear(void *ctx, uint32_t page)
{
	struct node *n = ctx;

	is_newest(n->s, n->side, page);
	return op_wake(ctx, page, PAGE_WRITE);
}

static const void *op_contents(void *ctx, uint32_t page)
{
	struct node *n = ctx;

	return &n->s->newest[n->side][page];
}

static int op_send(void *ctx, const struct pages_message *m)
{
	struct node *n = ctx;
	uint8_t *len = &n->s->len[!n->side];

	assert_true(*len < CHANNEL_MAX);
	n->s->channel[!n->side][(*len)++] = (struct message){
		.kind = (uint8_t)m->kind, .access = (uint8_t)m->access, .page = (uint8_t)m->page,
		.drop = m->drop, .has_data = m->data != NULL,
		.newest = m->data ? *(const uint8_t *)m->data : 0 };
	return 0;
}

static const struct pages_ops ops = {
	.install = op_install, .protect = op_protect, .unprotect = op_unprotect, .remove = op_remove,
	.clear = op_clear, .wake = op_wake, .contents = op_contents, .send = op_send,
};

/* ---- events ---------------------------------------------------------------------------------- */

static struct node nodes[2];

static void load(struct state *s)
{
	for (int i = 0; i < 2; i++) {
		nodes[i].s = s;
		nodes[i].pages->cut = false;
		nodes[i].pages->dropping = i == HOME ? s->dropping : 0;
		memcpy(nodes[i].pages->page, s->page[i], sizeof(s->page[i]));
	}
}

static void store(struct state *s)
{
	for (int i = 0; i < 2; i++)
		memcpy(s->page[i], nodes[i].pages->page, sizeof(s->page[i]));
	s->dropping = (uint8_t)nodes[HOME].pages->dropping;
}

static void use(struct state *s, int side, uint32_t page, enum page_access access)
{
	struct pages *p = nodes[side].pages;

	if (p->page[page].own < access) {
		s->waits[side][page] = (uint8_t)access;
		assert_int_equal(pages_fault(p, page, access), 0);
		return;
	}
	assert_true(s->newest[side][page]);
	if (access == PAGE_WRITE)
		is_newest(s, side, page);
}

static void deliver(struct state *s, int to)
{
	struct message m = s->channel[to][0];
	struct pages_message p = { .kind = m.kind, .access = m.access, .drop = m.drop, .page = m.page,
				   .data = m.has_data ? &m.newest : NULL };

	memmove(s->channel[to], s->channel[to] + 1, --s->len[to] * sizeof(m));
	memset(&s->channel[to][s->len[to]], 0, sizeof(m));
	assert_int_equal(pages_receive(nodes[to].pages, &p), 0);
}

/* Event number e; false when there is no such event, or not now. */
static bool happen(struct state *s, unsigned e)
{
	int side = (int)(e & 1);
	uint32_t page = e >> 1 & 1;

	load(s);
	switch (e >> 2) {
	case 0:
	case 1:
		use(s, side, page, e >> 2 == 0 ? PAGE_READ : PAGE_WRITE);
		break;
	case 2:
	case 3:
		pages_push(nodes[side].pages, page, e >> 2 == 2 ? PAGE_READ : PAGE_WRITE);
		break;
	case 4:
		if (side != HOME)
			return false;
		assert_int_equal(pages_discard(nodes[HOME].pages, page), 0);
		break;
	case 5:
		if (page || !s->len[side])
			return false;
		deliver(s, side);
		break;
	default:
		return false;
	}
	store(s);
	return true;
}
#define N_EVENTS 24u

/* ---- what must hold -------------------------------------------------------------------------- */

static void check_page(const struct state *s, uint32_t page, bool quiet)
{
	const struct page *home = &s->page[HOME][page], *other = &s->page[OTHER][page];

	assert_false(home->own == PAGE_WRITE && other->own != PAGE_NONE);
	assert_false(other->own == PAGE_WRITE && home->own != PAGE_NONE);
	for (int i = 0; i < 2; i++)
		assert_true(s->page[i][page].own == PAGE_NONE || s->newest[i][page]);
	if (!quiet)
		return;
	/* Nothing is under way: nobody waits, the directory is right, and the page is somewhere. */
	assert_true(home->op == PAGE_IDLE && other->op == PAGE_IDLE && !home->queued && !home->drop_next);
	assert_true(!s->waits[HOME][page] && !s->waits[OTHER][page]);
	assert_int_equal(home->peer, other->own);
	assert_true(home->own || other->own);
	assert_int_equal(s->dropping, 0);
}

/* Cut here: what is at hand can be used, the rest is refused, and nobody waits for ever. */
static void check_cut(const struct state *from)
{
	for (int i = 0; i < 2; i++) {
		struct state s = *from;
		struct pages *p = nodes[i].pages;
		struct pages_message m = { .kind = PAGES_PUSH, .access = PAGE_READ, .data = "" };

		load(&s);
		pages_cut(p);
		for (uint32_t page = 0; page < N; page++) {
			bool has = p->page[page].own == PAGE_WRITE;

			assert_int_equal(pages_fault(p, page, PAGE_WRITE), has ? 0 : -EPIPE);
			assert_int_equal(pages_push(p, page, PAGE_WRITE), 0);
			if (i == HOME)
				assert_int_equal(pages_discard(p, page), -EPIPE);
		}
		assert_int_equal(pages_receive(p, &m), -EPROTO);
		assert_memory_equal(s.len, from->len, sizeof(s.len));
	}
}

/* ---- all states ------------------------------------------------------------------------------ */

#define STATES_MAX (1u << 20)

static struct state *states;
static uint32_t *table, n_states;

static uint32_t hash_of(const struct state *s)
{
	uint64_t h = 14695981039346656037ull;

	for (size_t i = 0; i < sizeof(*s); i++)
		h = (h ^ ((const uint8_t *)s)[i]) * 1099511628211ull;
	return (uint32_t)(h ^ h >> 32);
}

static void remember(const struct state *s)
{
	uint32_t i = hash_of(s);

	for (;; i++) {
		uint32_t *slot = &table[i % (2 * STATES_MAX)];

		if (!*slot) {
			assert_true(n_states < STATES_MAX);
			states[n_states++] = *s;
			*slot = n_states;
			return;
		}
		if (!memcmp(&states[*slot - 1], s, sizeof(*s)))
			return;
	}
}

/* events: which of happen()'s cases there are, as bits. All of them on two pages at once are more states
 * than memory. */
static void explore(uint32_t n_pages, unsigned events)
{
	struct state first;

	states = malloc(STATES_MAX * sizeof(*states));
	table = calloc(2 * STATES_MAX, sizeof(*table));
	assert_true(states && table);
	for (int i = 0; i < 2; i++) {
		nodes[i] = (struct node){ .side = i };
		nodes[i].pages = pages_new(i == HOME, N, &ops, &nodes[i]);
		assert_non_null(nodes[i].pages);
	}
	memset(&first, 0, sizeof(first));
	store(&first);
	memset(first.newest[HOME], 1, N);
	n_states = 0;
	remember(&first);
	for (uint32_t i = 0; i < n_states; i++) {
		bool quiet = !states[i].len[HOME] && !states[i].len[OTHER];

		for (uint32_t page = 0; page < N; page++)
			check_page(&states[i], page, quiet);
		check_cut(&states[i]);
		for (unsigned e = 0; e < N_EVENTS; e++) {
			struct state s = states[i];

			if (events >> (e >> 2) & 1 && (e >> 1 & 1) < n_pages && happen(&s, e))
				remember(&s);
		}
	}
	print_message("%u states\n", n_states);
	assert_true(n_states > 1000 && n_states < STATES_MAX);
	free(nodes[HOME].pages);
	free(nodes[OTHER].pages);
	free(states);
	free(table);
}

#define READS_WRITES (1u << 0 | 1u << 1)
#define PUSHES_READ  (1u << 2)
#define PUSHES_WRITE (1u << 3)
#define DISCARDS     (1u << 4)
#define DELIVERIES   (1u << 5)

static void test_one_page(void **state)
{
	explore(1, READS_WRITES | PUSHES_READ | PUSHES_WRITE | DISCARDS | DELIVERIES);
}

static void test_two_pages(void **state)
{
	explore(2, READS_WRITES | PUSHES_WRITE | DELIVERIES);
}

static void test_two_pages_with_discards(void **state)
{
	explore(2, READS_WRITES | DISCARDS | DELIVERIES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_page),
		cmocka_unit_test(test_two_pages),
		cmocka_unit_test(test_two_pages_with_discards),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
