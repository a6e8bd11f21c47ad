/* SPDX-License-Identifier: Apache-2.0 */
/* The seccomp programs of both ISAs and roles, on any host. argv[1] is filter.tbl. */
#include "unit.h"

#include "base/cleanup.h"
#include "bpf_sim.h"
#include "calls/filter.h"
#include "calls/recorded.h"
#include "calls/words.h"
#include "event/call.h"

#include <errno.h>
#include <linux/audit.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define ROLES 2
#define X32_BIT 0x40000000u

static const char *table_path;
static struct sock_fprog programs[_ISA_MAX][ROLES];

static int setup(void **state)
{
	for (int isa = 0; isa < _ISA_MAX; isa++)
		for (int role = 0; role < ROLES; role++)
			if (filter_build(isa, role, &programs[isa][role]) < 0)
				return -1;
	return 0;
}

static int teardown(void **state)
{
	for (int isa = 0; isa < _ISA_MAX; isa++)
		for (int role = 0; role < ROLES; role++)
			filter_free(&programs[isa][role]);
	return 0;
}

static uint32_t run(int isa, int role, int nr, const uint64_t *args)
{
	struct seccomp_data data = { .nr = nr, .arch = isa_descs[isa].audit_arch };
	int64_t r;

	if (args)
		memcpy(data.args, args, sizeof(data.args));
	r = bpf_sim_run(&programs[isa][role], &data);
	if (r < 0)
		fail_msg("the %s program of role %d is not valid at call %d", isa_descs[isa].name, role, nr);
	return (uint32_t)r;
}

static uint32_t stop_of(int role)
{
	return role == FILTER_LEADER ? SECCOMP_RET_TRACE : SECCOMP_RET_USER_NOTIF;
}

/* ---- filter.tbl ------------------------------------------------------------------------------- */

static uint32_t parse_verdict(const char *word, int role)
{
	if (!strcmp(word, "allow"))
		return SECCOMP_RET_ALLOW;
	if (!strcmp(word, "trace"))
		return SECCOMP_RET_TRACE;
	if (!strcmp(word, "notify"))
		return SECCOMP_RET_USER_NOTIF;
	if (!strcmp(word, "stop"))
		return stop_of(role);
	if (!strcmp(word, "kill"))
		return SECCOMP_RET_KILL_PROCESS;
	return SECCOMP_RET_ERRNO | (uint32_t)strtoul(word, NULL, 0);
}

static int parse_nr(const char *word, int isa)
{
	if (word[0] == '#')
		return (int)strtoul(word + 1, NULL, 0);
	for (unsigned id = 0; id < _CALL_MAX; id++) {
		const struct call_row *row = &call_rows[id];

		if (!row_is_sub(row) && row->nr[isa] >= 0 && !strcmp(row->name, word))
			return row->nr[isa];
	}
	return -1;
}

static void check_line(const char *line, int isa, int role, char *words[], int n)
{
	uint64_t args[CALL_ARGS_MAX] = { 0 };
	uint32_t got, want = parse_verdict(words[n - 1], role);
	int nr = parse_nr(words[2], isa);

	if (nr == -1 && words[2][0] != '#')
		fail_msg("%s has no such call: %s", isa_descs[isa].name, line);
	for (int i = 3; i < n - 2 && i - 3 < CALL_ARGS_MAX; i++)
		args[i - 3] = strtoull(words[i], NULL, 0);
	got = run(isa, role, nr, args);
	if (got != want)
		fail_msg("%s role %d: %#x instead of %#x: %s", isa_descs[isa].name, role, got, want, line);
}

static int split(char *line, char *words[], int max)
{
	int n = 0;
	char *save = NULL;

	for (char *w = strtok_r(line, " \t\n", &save); w && n < max; w = strtok_r(NULL, " \t\n", &save))
		words[n++] = w;
	return n;
}

static void test_table(void **state)
{
	static const char *const roles[ROLES] = { "leader", "follower" };
	cleanup_fclose FILE *f = fopen(table_path, "re");
	char line[256], copy[256], *words[16];
	int n, checked = 0;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		strcpy(copy, line);
		n = split(copy, words, 16);
		if (n == 0 || words[0][0] == '#')
			continue;
		assert_true(n >= 5 && !strcmp(words[n - 2], "->"));
		for (int isa = 0; isa < _ISA_MAX; isa++)
			for (int role = 0; role < ROLES; role++)
				if ((!strcmp(words[0], "both") || !strcmp(words[0], isa_descs[isa].name)) &&
				    (!strcmp(words[1], "both") || !strcmp(words[1], roles[role]))) {
					check_line(line, isa, role, words, n);
					checked++;
				}
	}
	assert_true(checked > 300);
}

/* ---- invariants over the whole table ---------------------------------------------------------- */

static const uint64_t all_ones[CALL_ARGS_MAX] = { -1, -1, -1, -1, -1, -1 };

static bool is_local_with_zeros(enum isa isa, int nr)
{
	struct native_call n = { .isa = isa, .nr = nr };

	return call_resolve(&n) == 0 && n.row->disposition == DISP_LOCAL;
}

/* Nothing runs without the monitor but local calls and harmless memory calls. */
static void test_only_local_calls_are_allowed(void **state)
{
	for (int isa = 0; isa < _ISA_MAX; isa++) {
		for (int role = 0; role < ROLES; role++) {
			for (int nr = 0; nr < 1024; nr++) {
				const struct call_row *row = call_row_of_nr(isa, nr);
				bool watched = row && row->flags & CALL_WATCHED && role == FILTER_LEADER;
				bool local = row && row->disposition == DISP_LOCAL && !watched;
				bool local_zero = row && is_local_with_zeros(isa, nr) && !watched;
				bool memory = row && (row->irregular == IRR_MMAP ||
						      row->irregular == IRR_MPROTECT);

				if (!memory)
					assert_int_equal(run(isa, role, nr, NULL) == SECCOMP_RET_ALLOW,
							 local_zero);
				/* Where rows name values of an argument, the others are the monitor's. */
				if (row && row->flags & CALL_PARENT)
					local = false;
				assert_int_equal(run(isa, role, nr, all_ones) == SECCOMP_RET_ALLOW, local);
			}
		}
	}
}

static void test_unknown_numbers_stop(void **state)
{
	for (int isa = 0; isa < _ISA_MAX; isa++)
		for (int role = 0; role < ROLES; role++)
			for (int nr = 0; nr < 2048; nr++)
				if (!call_row_of_nr(isa, nr))
					assert_int_equal(run(isa, role, nr, NULL), stop_of(role));
}

static bool is_foreign_newcomer(int isa, const struct call_row *row)
{
	/* libseccomp cannot name calls after Linux 5.17 on another ISA: they stop, which is stricter. */
	return isa != (int)isa_native && row->nr[isa] >= 450;
}

/* A leader's filter, but what the kernel records runs. */
static void test_recorded_calls_run(void **state)
{
	unsigned n = 0;

	for (int isa = 0; isa < _ISA_MAX; isa++) {
		struct sock_fprog prog;

		assert_int_equal(filter_build(isa, FILTER_LEADER_RECORDED, &prog), 0);
		for (unsigned id = 0; id < _CALL_MAX; id++) {
			const struct call_row *row = &call_rows[id];
			struct seccomp_data data = { .nr = row->nr[isa],
						     .arch = isa_descs[isa].audit_arch };
			struct record_desc d;
			unsigned sel = 0;
			int64_t leader;

			if (row->nr[isa] < 0 || row->flags & CALL_SUB_EQUAL || is_foreign_newcomer(isa, row))
				continue;
			for (unsigned i = 0; row_is_sub(row) && i < call_rows[row->parent].n_args; i++)
				if (call_rows[row->parent].args[i].kind == ARG_CMD && sel < 2)
					data.args[i] = sel++ ? row->sub_value2 : row->sub_value;
			/* A parent stands for the selectors that no sub-call has. */
			for (unsigned i = 0; (row->flags & CALL_PARENT) && i < row->n_args; i++)
				if (row->args[i].kind == ARG_CMD)
					data.args[i] = 0x7ffffff0;
			leader = bpf_sim_run(&programs[isa][FILTER_LEADER], &data);
			if (record_describe(isa, row, &d)) {
				assert_int_equal(bpf_sim_run(&prog, &data), SECCOMP_RET_ALLOW);
				assert_int_equal(leader, SECCOMP_RET_TRACE);
				for (unsigned i = 0; i < CALL_ARGS_MAX; i++) {
					struct seccomp_data full = data;

					full.args[i] = 1ull << 40;
					if (d.null_args >> i & 1)
						assert_int_equal(bpf_sim_run(&prog, &full),
								 SECCOMP_RET_TRACE);
				}
				n++;
			} else {
				assert_int_equal(bpf_sim_run(&prog, &data), leader);
			}
		}
		filter_free(&prog);
	}
	assert_true(n > 200);
}

static void test_refused_calls_get_their_errno(void **state)
{
	unsigned n = 0;

	for (unsigned id = 0; id < _CALL_MAX; id++) {
		const struct call_row *row = &call_rows[id];

		if (row->status != STATUS_REFUSED || row_is_sub(row) || (row->flags & CALL_PARENT))
			continue;
		for (int isa = 0; isa < _ISA_MAX; isa++) {
			if (row->nr[isa] < 0 || is_foreign_newcomer(isa, row))
				continue;
			for (int role = 0; role < ROLES; role++, n++)
				assert_int_equal(run(isa, role, row->nr[isa], NULL),
						 SECCOMP_RET_ERRNO | row->refuse_errno);
		}
	}
	assert_true(n > 100);
}

static void test_followers_notify_what_leaders_trace(void **state)
{
	for (int isa = 0; isa < _ISA_MAX; isa++) {
		for (int nr = 0; nr < CALL_NR_MAX; nr++) {
			const struct call_row *row = call_row_of_nr(isa, nr);
			uint32_t leader = run(isa, FILTER_LEADER, nr, NULL);
			uint32_t follower = run(isa, FILTER_FOLLOWER, nr, NULL);
			bool traced = row && (row->irregular == IRR_EXECVE || row->irregular == IRR_CLONE ||
					      row->irregular == IRR_WAIT || row->irregular == IRR_MMAP ||
					      row->irregular == IRR_SET_TID || row->flags & CALL_TRACED);

			if (row && row->flags & CALL_WATCHED)
				continue;
			if (leader != SECCOMP_RET_TRACE)
				assert_int_equal(follower, leader);
			else
				assert_int_equal(follower, traced ? SECCOMP_RET_TRACE : SECCOMP_RET_USER_NOTIF);
		}
	}
}

/* Each single bit of prot and flags, so that no value slips through a mask. */
static void test_memory_exceptions_bit_by_bit(void **state)
{
	for (int isa = 0; isa < _ISA_MAX; isa++) {
		for (int role = 0; role < ROLES; role++) {
			for (unsigned bit = 0; bit < 64; bit++) {
				uint64_t map[CALL_ARGS_MAX] = { 0, 4096, 1ull << bit, MAP_ANONYMOUS };
				uint64_t file[CALL_ARGS_MAX] = { 0, 4096, PROT_READ, 1ull << bit };
				uint64_t protect[CALL_ARGS_MAX] = { 0, 4096, 1ull << bit };
				bool exec = 1ull << bit == PROT_EXEC;
				bool anon = 1ull << bit == MAP_ANONYMOUS;

				assert_int_equal(run(isa, role, call_rows[CALL_MMAP].nr[isa], map),
						 exec ? stop_of(role) : SECCOMP_RET_ALLOW);
				assert_int_equal(run(isa, role, call_rows[CALL_MMAP].nr[isa], file),
						 anon ? SECCOMP_RET_ALLOW : SECCOMP_RET_TRACE);
				assert_int_equal(run(isa, role, call_rows[CALL_MPROTECT].nr[isa], protect),
						 exec ? stop_of(role) : SECCOMP_RET_ALLOW);
			}
		}
	}
}

static void test_other_architectures_are_killed(void **state)
{
	static const uint32_t archs[] = { AUDIT_ARCH_I386, AUDIT_ARCH_ARM, AUDIT_ARCH_X86_64,
					  AUDIT_ARCH_AARCH64, AUDIT_ARCH_RISCV64, 0 };

	for (int isa = 0; isa < _ISA_MAX; isa++) {
		for (int role = 0; role < ROLES; role++) {
			for (size_t i = 0; i < ARRAY_SIZE(archs); i++) {
				for (int nr = 0; nr < CALL_NR_MAX; nr++) {
					struct seccomp_data data = { .nr = nr, .arch = archs[i] };

					if (archs[i] == isa_descs[isa].audit_arch)
						continue;
					assert_true(bpf_sim_run(&programs[isa][role], &data) ==
						    (int64_t)SECCOMP_RET_KILL_PROCESS);
				}
			}
		}
	}
}

static void test_x32_is_killed(void **state)
{
	for (int role = 0; role < ROLES; role++)
		for (unsigned nr = 0; nr < 1024; nr++)
			assert_int_equal(run(ISA_X86_64, role, (int)(X32_BIT | nr), NULL),
					 SECCOMP_RET_KILL_PROCESS);
}

/* ---- the running kernel ----------------------------------------------------------------------- */

struct live_result {
	int installed, local, refused, stopped, memory, executable;
};

static int result_of(long r)
{
	return r < 0 ? -errno : 0;
}

/* Without a tracer or listener stops answer ENOSYS, exit too: so it ends by a trap. */
static void live_child(struct live_result *res, struct sock_fprog *prog)
{
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* no core file */
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	res->installed = result_of(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, prog, 0, 0));
	if (res->installed == 0) {
		res->local = result_of(syscall(SYS_sched_yield));
		res->refused = result_of(syscall(SYS_ptrace, 0, 0, 0, 0));
		res->stopped = result_of(syscall(SYS_getpid));
		res->memory = result_of(syscall(SYS_mmap, 0, 4096, PROT_READ,
						MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
		res->executable = result_of(syscall(SYS_mmap, 0, 4096, PROT_READ | PROT_EXEC,
						    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	}
	__builtin_trap();
}

static void test_the_kernel_takes_them(void **state)
{
	struct live_result *res = mmap(NULL, sizeof(*res), PROT_READ | PROT_WRITE,
				       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;
	pid_t pid;

	assert_ptr_not_equal(res, MAP_FAILED);
	for (int role = 0; role < ROLES; role++) {
		*res = (struct live_result){ .installed = 1 };
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			signal(SIGILL, SIG_DFL);
			signal(SIGTRAP, SIG_DFL);
			live_child(res, &programs[isa_native][role]);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(res->installed, 0);
		assert_int_equal(res->local, 0);
		assert_int_equal(res->refused, -EPERM);
		assert_int_equal(res->stopped, -ENOSYS);
		assert_int_equal(res->memory, 0);
		assert_int_equal(res->executable, -ENOSYS);
	}
	munmap(res, sizeof(*res));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_only_local_calls_are_allowed),
		cmocka_unit_test(test_unknown_numbers_stop),
		cmocka_unit_test(test_refused_calls_get_their_errno),
		cmocka_unit_test(test_recorded_calls_run),
		cmocka_unit_test(test_followers_notify_what_leaders_trace),
		cmocka_unit_test(test_memory_exceptions_bit_by_bit),
		cmocka_unit_test(test_other_architectures_are_killed),
		cmocka_unit_test(test_x32_is_killed),
		cmocka_unit_test(test_the_kernel_takes_them),
	};

	table_path = argc > 1 ? argv[1] : "filter.tbl";
	return cmocka_run_group_tests(tests, setup, teardown);
}
