/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libdwfl asks for a thread's registers and memory and for its ELF files through callbacks; ours
 * answer from what the parent left: descriptors and numbers. find_debuginfo never finds anything,
 * so that neither separate debug files nor debuginfod are looked for; names come from .symtab,
 * .dynsym and .gnu_debugdata of the file itself.
 */
#include "variant/stack_dwfl.h"

#include "base/cleanup.h"
#include "variant/stack.h"

#include <elfutils/libdwfl.h>
#include <string.h>

#define VDSO_MAX (64u << 10)

/* find_elf has no argument of ours. This process unwinds one stack and ends. */
static const struct stack_input *input;
static struct stack_regs regs; /* where unwinding begins: the thread's, then those below a signal */

static Elf *elf_of_memory(const struct stack_module *m)
{
	size_t n = m->end - m->start;
	char *image;

	if (n > VDSO_MAX)
		return NULL;
	image = malloc(n); /* lives as long as the Elf: to the end of the process */
	if (!image || pread(input->mem_fd, image, n, (off_t)m->start) != (ssize_t)n)
		return NULL;
	return elf_memory(image, n);
}

static int find_elf(Dwfl_Module *mod, void **userdata, const char *name, Dwarf_Addr base,
		    char **ret_file_name, Elf **ret_elf)
{
	for (unsigned i = 0; i < input->n_modules; i++) {
		const struct stack_module *m = &input->module[i];

		if (m->start != base)
			continue;
		if (m->in_memory)
			*ret_elf = elf_of_memory(m);
		else
			*ret_file_name = strdup(m->path);
		return m->fd;
	}
	return -1;
}

static int find_no_debuginfo(Dwfl_Module *mod, void **userdata, const char *name, Dwarf_Addr base,
			     const char *file_name, const char *debuglink, GElf_Word crc,
			     char **ret_file_name)
{
	return -1;
}

static const Dwfl_Callbacks file_callbacks = {
	.find_elf = find_elf,
	.find_debuginfo = find_no_debuginfo,
};

static pid_t next_thread(Dwfl *dwfl, void *arg, void **thread_arg)
{
	if (*thread_arg)
		return 0;
	*thread_arg = arg;
	return input->tid;
}

static bool get_thread(Dwfl *dwfl, pid_t tid, void *arg, void **thread_arg)
{
	*thread_arg = arg;
	return tid == input->tid;
}

static bool memory_read(Dwfl *dwfl, Dwarf_Addr addr, Dwarf_Word *ret, void *arg)
{
	return addr <= INT64_MAX &&
	       pread(input->mem_fd, ret, sizeof(*ret), (off_t)addr) == sizeof(*ret);
}

static bool set_registers(Dwfl_Thread *thread, void *arg)
{
	bool ok = regs.all ? dwfl_thread_state_registers(thread, 0, regs.n, regs.value)
			   : dwfl_thread_state_registers(thread, (int)isa_dwarf_sp, 1, &regs.sp);

	dwfl_thread_state_register_pc(thread, regs.pc);
	return ok;
}

static const Dwfl_Thread_Callbacks thread_callbacks = {
	.next_thread = next_thread,
	.get_thread = get_thread,
	.memory_read = memory_read,
	.set_initial_registers = set_registers,
};

struct output {
	int fd;
	unsigned n;
	bool at_signal; /* regs are those that a signal interrupted: go on with them */
};

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* "write+0x14 (libc.so.6)", "? (lighttpd+0x1a2b3)", "? (in no file)" */
static void name_pc(Dwfl *dwfl, Dwarf_Addr look, Dwarf_Addr pc, char *buf, size_t max)
{
	Dwfl_Module *mod = dwfl_addrmodule(dwfl, look);
	const char *file = NULL, *function;
	Dwarf_Addr start = 0, end = 0;
	GElf_Off off;
	GElf_Sym sym;

	if (mod)
		file = dwfl_module_info(mod, NULL, &start, &end, NULL, NULL, NULL, NULL);
	/* libdwfl takes all addresses behind the last module for its own. */
	if (!file || look < start || look >= end) {
		snprintf(buf, max, "? (in no file)");
		return;
	}
	file = base_name(file);
	function = dwfl_module_addrinfo(mod, look, &off, &sym, NULL, NULL, NULL);
	if (function)
		snprintf(buf, max, "%.200s+0x%llx (%.200s)", function,
			 (unsigned long long)(off + (pc - look)), file);
	else
		snprintf(buf, max, "? (%.200s+0x%llx)", file, (unsigned long long)(pc - start));
}

/* When the frame is the return of a signal handler which libdwfl cannot unwind: takes the registers
 * that the kernel saved on the stack. */
static bool enter_signal_frame(Dwfl_Frame *frame, Dwarf_Addr pc)
{
	uint8_t code[ISA_TRAMPOLINE_SIZE];
	Dwarf_Word sp;
	uint8_t *saved;
	size_t n;
	bool ok;

	if (pread(input->mem_fd, code, sizeof(code), (off_t)pc) != sizeof(code))
		return false;
	n = isa_signal_frame_size(code);
	if (n == 0 || dwfl_frame_reg(frame, isa_dwarf_sp, &sp) != 0)
		return false;
	saved = malloc(n);
	ok = saved && pread(input->mem_fd, saved, n, (off_t)sp) == (ssize_t)n;
	if (ok) {
		regs.all = true;
		regs.n = isa_signal_frame_regs(saved, regs.value, &regs.pc);
	}
	free(saved);
	return ok;
}

static int put_frame(Dwfl_Frame *frame, void *arg)
{
	char name[STACK_FRAME_TEXT_MAX - 32];
	struct output *out = arg;
	Dwarf_Addr pc;
	bool activation;

	if (out->n == STACK_FRAMES_MAX || !dwfl_frame_pc(frame, &pc, &activation))
		return DWARF_CB_ABORT;
	out->at_signal = enter_signal_frame(frame, pc);
	/* A return address may be the first byte behind a function that never returns. */
	if (out->at_signal)
		snprintf(name, sizeof(name), "<signal handler called>");
	else
		name_pc(dwfl_thread_dwfl(dwfl_frame_thread(frame)), pc - !activation, pc, name,
			sizeof(name));
	dprintf(out->fd, "#%-2u 0x%016llx %s\n", out->n, (unsigned long long)pc, name);
	out->n++;
	return out->at_signal ? DWARF_CB_ABORT : DWARF_CB_OK;
}

static void report_modules(Dwfl *dwfl)
{
	dwfl_report_begin(dwfl);
	for (unsigned i = 0; i < input->n_modules; i++) {
		const struct stack_module *m = &input->module[i];

		dwfl_report_module(dwfl, m->path, m->start, m->end);
	}
	dwfl_report_end(dwfl, NULL, NULL);
}

/* The ISA's description comes from an ELF header: any module's will do, and without one (all files
 * were refused) there is still the first frame. */
static void put_pc_only(struct output *out)
{
	dprintf(out->fd, "#0  0x%016llx ?\n", (unsigned long long)input->regs.pc);
	out->n = 1;
}

void stack_unwind_to(const struct stack_input *in, int out_fd)
{
	struct output out = { .fd = out_fd };
	int r = -1;
	Dwfl *dwfl;

	input = in;
	regs = in->regs;
	elf_version(EV_CURRENT);
	dwfl = dwfl_begin(&file_callbacks);
	if (dwfl) {
		report_modules(dwfl);
		if (dwfl_attach_state(dwfl, NULL, in->tid, &thread_callbacks, NULL)) {
			do {
				out.at_signal = false;
				r = dwfl_getthread_frames(dwfl, in->tid, put_frame, &out);
			} while (out.at_signal && out.n < STACK_FRAMES_MAX);
		}
	}
	if (out.n == 0)
		put_pc_only(&out);
	if (out.n == STACK_FRAMES_MAX)
		dprintf(out.fd, "(more frames are not shown)\n");
	else if (r < 0)
		dprintf(out.fd, "(the stack cannot be followed further)\n");
}
