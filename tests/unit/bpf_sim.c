/* SPDX-License-Identifier: Apache-2.0 */
#include "bpf_sim.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

struct bpf_state {
	uint32_t a, x;
	uint32_t mem[BPF_MEMWORDS];
};

/* libseccomp uses few; the kernel's seccomp_check_filter() lists what there may be. */
static bool run_alu(struct bpf_state *s, const struct sock_filter *in)
{
	uint32_t v = BPF_SRC(in->code) == BPF_X ? s->x : in->k;

	switch (BPF_OP(in->code)) {
	case BPF_AND:
		s->a &= v;
		return true;
	case BPF_OR:
		s->a |= v;
		return true;
	case BPF_ADD:
		s->a += v;
		return true;
	case BPF_SUB:
		s->a -= v;
		return true;
	case BPF_RSH:
		s->a >>= v & 31;
		return true;
	case BPF_LSH:
		s->a <<= v & 31;
		return true;
	default:
		return false;
	}
}

/* Instructions to skip, or -1. */
static int64_t run_jump(const struct bpf_state *s, const struct sock_filter *in)
{
	uint32_t v = BPF_SRC(in->code) == BPF_X ? s->x : in->k;

	switch (BPF_OP(in->code)) {
	case BPF_JA:
		return in->k;
	case BPF_JEQ:
		return s->a == v ? in->jt : in->jf;
	case BPF_JGT:
		return s->a > v ? in->jt : in->jf;
	case BPF_JGE:
		return s->a >= v ? in->jt : in->jf;
	case BPF_JSET:
		return s->a & v ? in->jt : in->jf;
	default:
		return -1;
	}
}

static bool run_load(struct bpf_state *s, const struct sock_filter *in, const struct seccomp_data *data)
{
	uint32_t *to = BPF_CLASS(in->code) == BPF_LD ? &s->a : &s->x;

	switch (BPF_MODE(in->code)) {
	case BPF_IMM:
		*to = in->k;
		return true;
	case BPF_MEM:
		if (in->k >= BPF_MEMWORDS)
			return false;
		*to = s->mem[in->k];
		return true;
	case BPF_ABS:
		if (in->k % 4 || in->k + 4 > sizeof(*data) || to != &s->a)
			return false;
		memcpy(to, (const char *)data + in->k, 4);
		return true;
	default:
		return false;
	}
}

int64_t bpf_sim_run(const struct sock_fprog *prog, const struct seccomp_data *data)
{
	struct bpf_state s = { 0 };
	int64_t skip;

	for (uint64_t pc = 0; pc < prog->len; pc++) {
		const struct sock_filter *in = &prog->filter[pc];

		switch (BPF_CLASS(in->code)) {
		case BPF_LD:
		case BPF_LDX:
			if (!run_load(&s, in, data))
				return -EINVAL;
			break;
		case BPF_ST:
			if (in->k >= BPF_MEMWORDS)
				return -EINVAL;
			s.mem[in->k] = s.a;
			break;
		case BPF_ALU:
			if (!run_alu(&s, in))
				return -EINVAL;
			break;
		case BPF_JMP:
			skip = run_jump(&s, in);
			if (skip < 0)
				return -EINVAL;
			pc += (uint64_t)skip;
			break;
		case BPF_RET:
			return BPF_RVAL(in->code) == BPF_A ? s.a : in->k;
		default:
			return -EINVAL;
		}
	}
	return -EINVAL;
}
