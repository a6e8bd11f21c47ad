/* SPDX-License-Identifier: Apache-2.0 */
#include "node/microvm.h"

#include <stddef.h>

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

/*
 * One CPU: with two, TCG boots twice as long and answers later on a small host. The 57 lacks
 * pointer authentication, which TCG computes slowly. Mitigations and KASLR protect a guest kernel
 * from its programs; the guest is thrown away, QEMU's own sandbox is what stands before this
 * machine. TCG has no CPUID faulting (isa/cpu.h): its x86-64 has no more features than are shown.
 */
#define KERNEL_ARGS "quiet loglevel=3 panic=-1 random.trust_bootloader=on mitigations=off nokaslr"

const struct microvm_config microvm_configs[_ISA_MAX] = {
	[ISA_AARCH64] =
		{
			.qemu = "qemu-system-aarch64",
			.package = "qemu-system-arm",
			.tcg = LIST("-M", "virt,gic-version=3", "-cpu", "cortex-a57", "-accel",
				    "tcg,thread=multi"),
			.kvm = LIST("-M", "virt,gic-version=host", "-cpu", "host", "-accel", "kvm"),
			.kernel_args = "console=ttyAMA0 " KERNEL_ARGS,
		},
	[ISA_X86_64] =
		{
			.qemu = "qemu-system-x86_64",
			.package = "qemu-system-x86",
			.tcg = LIST("-M", "q35", "-cpu", "Nehalem,+aes,+pclmulqdq", "-accel",
				    "tcg,thread=multi"),
			.kvm = LIST("-M", "q35", "-cpu", "host", "-accel", "kvm"),
			.kernel_args = "console=ttyS0 tsc=reliable " KERNEL_ARGS,
		},
};
