/* SPDX-License-Identifier: Apache-2.0 */
#include "variant/script.h"

#include "base/cleanup.h"
#include "event/mem_process.h"
#include "isa/isa.h"
#include "variant/filehead.h"
#include "variant/newstack.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_MAX (256u << 10)

/* Each of the scripts that interpret each other adds an interpreter and, at most, an argument. */
#define STRINGS_MAX (2 * FILEHEAD_DEPTH_MAX + 1)

size_t script_count_args(struct mem *mem, uint64_t argv)
{
	uint64_t batch[64];
	size_t n = 0;

	while (argv && n < COUNT_MAX) {
		ssize_t got = mem->read(mem, argv + n * 8, batch, sizeof(batch));

		for (ssize_t i = 0; i < got / 8; i++, n++)
			if (batch[i] == 0)
				return n;
		if (got < (ssize_t)sizeof(batch))
			break;
	}
	return n;
}

static unsigned argv_of(const struct call_record *c)
{
	return c->id == CALL_EXECVEAT ? 2 : 1;
}

int script_note(pid_t pid, const struct call_ctx *cx, size_t n_args, struct call_record *c)
{
	uint64_t word[1 + STRINGS_MAX];	/* argc, argv[0], ... */
	size_t first = n_args ? n_args : 1, added, size; /* the kernel gives a program one at least */
	char path[SCRIPT_STRINGS_MAX];
	struct call_ctx of_pid = *cx;
	struct mem_process mem;
	struct isa_regs regs;
	ssize_t n;

	if (isa_regs_get(pid, &regs) < 0)
		return -ESRCH;
	mem_process_init(&mem, pid);
	of_pid.mem = &mem.mem;
	n = mem.mem.read(&mem.mem, isa_regs_sp(&regs), word, sizeof(word));
	if (n < (ssize_t)sizeof(word[0]) || word[0] <= first || word[0] - first >= STRINGS_MAX)
		return 0;
	added = word[0] - first;
	if (n < (ssize_t)((added + 2) * sizeof(word[0])))
		return 0;
	/* The kernel has copied them one behind the other; the last one is the script's path. */
	n = mem.mem.read(&mem.mem, word[1 + added], path, sizeof(path));
	if (n <= 0 || word[1 + added] <= word[1])
		return 0;
	size = word[1 + added] - word[1] + strnlen(path, (size_t)n) + 1;
	return call_add_memory(&of_pid, c, argv_of(c), word[1], size);
}

const char *script_strings(const struct call_record *leader, size_t *ret_size)
{
	const struct payload *p = call_out_of(leader, argv_of(leader));

	if (!p || p->size == 0)
		return NULL;
	*ret_size = p->size;
	return (const char *)payload_data(leader, p);
}

static size_t count_strings(const char *strings, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < size; i++)
		n += strings[i] == 0;
	return n;
}

bool script_is_valid(const char *strings, size_t size)
{
	size_t n;

	if (size > SCRIPT_STRINGS_MAX || strings[size - 1] || strlen(strings) >= FILEHEAD_SIZE)
		return false;
	n = count_strings(strings, size);
	return n >= 2 && n <= STRINGS_MAX;
}

/* AT_EXECFN is the path of the script. */
static void set_execfn(uint64_t *auxv, size_t words, uint64_t path)
{
	for (size_t i = 0; i + 1 < words && auxv[i] != AT_NULL; i += 2)
		if (auxv[i] == AT_EXECFN)
			auxv[i + 1] = path;
}

static int find_auxv_end(pid_t pid, uint64_t at, uint64_t *ret)
{
	for (unsigned i = 0; i < NEWSTACK_AUXV_MAX; i++, at += 16) {
		uint64_t type;
		int r = newstack_read(pid, at, &type, sizeof(type));

		if (r < 0)
			return r;
		if (type == AT_NULL) {
			*ret = at + 16;
			return 0;
		}
	}
	return -E2BIG;
}

/* word: of the old stack, [0] argc, [1] argv[0], which is replaced by the strings. */
static void insert_strings(uint64_t *to, const uint64_t *word, size_t words, size_t n,
			   const char *strings, uint64_t at)
{
	uint64_t *arg = to;

	*arg++ = word[0] - 1 + n;
	for (size_t i = 0; i < n; i++) {
		*arg++ = at;
		at += strlen(strings) + 1;
		strings += strlen(strings) + 1;
	}
	memcpy(arg, word + 2, (words - 2) * sizeof(*word));
}

/* [sp, end) moves down; the strings come between it and what was behind it. */
static int move_down(pid_t pid, struct isa_regs *regs, uint64_t auxv, uint64_t end,
		     const char *strings, size_t size)
{
	uint64_t sp = isa_regs_sp(regs), at = end - size, to;
	size_t n = count_strings(strings, size), words = (end - sp) / 8;
	cleanup_free uint64_t *word = calloc(words, sizeof(*word));
	cleanup_free uint64_t *moved = calloc(words + n, sizeof(*moved));
	size_t before_auxv = (auxv - sp) / 8 + n - 1;
	int r;

	if (!word || !moved)
		return -ENOMEM;
	r = newstack_read(pid, sp, word, words * sizeof(*word));
	if (r < 0)
		return r;
	if (word[0] == 0)
		return -EPROTO;
	insert_strings(moved, word, words, n, strings, at);
	set_execfn(moved + before_auxv, words + n - 1 - before_auxv,
		   at + (uint64_t)((const char *)memrchr(strings, 0, size - 1) + 1 - strings));
	to = (at - (words + n - 1) * sizeof(*moved)) & ~(uint64_t)15;
	r = newstack_write(pid, to, moved, (words + n - 1) * sizeof(*moved));
	if (r == 0)
		r = newstack_write(pid, at, strings, size);
	if (r < 0)
		return r;
	isa_regs_set_sp(regs, to);
	return isa_regs_set(pid, regs);
}

int script_rebuild(pid_t pid, const char *strings, size_t size)
{
	uint64_t auxv = 0, end = 0;
	struct isa_regs regs;
	int r = isa_regs_get(pid, &regs);

	if (r == 0)
		r = newstack_find_auxv(pid, isa_regs_sp(&regs), &auxv);
	if (r == 0)
		r = find_auxv_end(pid, auxv, &end);
	return r < 0 ? r : move_down(pid, &regs, auxv, end, strings, size);
}
