#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
Re-derives the call table from the kernel headers of both ISAs: call numbers, selectors of sub-calls,
sizes and offsets of structures, values of flags. Foreign code is only compiled, never run: what has to
hold becomes a _Static_assert. Without a cross compiler the other ISA is skipped (exit status 77).

usage: check-table.py SRC/CALLS
"""
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

TRIPLETS = ("x86_64-linux-gnu", "aarch64-linux-gnu")  # in the order of the table's columns
# Where the macros are that name sub-calls.
SELECTOR_HEADERS = {
    "fcntl": ["linux/fcntl.h"],
    "ioctl": ["stddef.h", "sys/ioctl.h", "linux/fs.h", "linux/random.h", "linux/sockios.h"],
    "prctl": ["linux/prctl.h"],
    "arch_prctl": ["asm/prctl.h"],
    "epoll_ctl": ["linux/types.h", "linux/eventpoll.h"],
    "kcmp": ["linux/kcmp.h"],
    "keyctl": ["linux/keyctl.h"],
    "msgctl": ["linux/ipc.h"],
    "semctl": ["linux/ipc.h", "linux/sem.h"],
    "rt_sigprocmask": ["asm/signal.h"],
    "madvise": ["linux/mman.h"],
}
# By the beginning of the option's name: headers and level.
OPTION_HEADERS = {
    "SO": (["asm/socket.h", "sys/socket.h"], "SOL_SOCKET"),
    "IP": (["linux/in.h"], "IPPROTO_IP"),
    "IPV6": (["linux/in.h", "linux/in6.h"], "IPPROTO_IPV6"),
    "TCP": (["linux/in.h", "linux/tcp.h"], "IPPROTO_TCP"),
    "UDP": (["linux/in.h", "linux/udp.h"], "IPPROTO_UDP"),
    "NETLINK": (["sys/socket.h", "linux/netlink.h"], "SOL_NETLINK"),
}
# Later calls are not in the headers of Debian 12 (Linux 6.1).
FIRST_NR_AFTER_HEADERS = 451


def load_generator(folder):
    spec = importlib.util.spec_from_file_location("gen_table", os.path.join(folder, "gen-table.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def find_compilers():
    """A compiler of each ISA, None where there is none."""
    host = subprocess.run(["cc", "-dumpmachine"], capture_output=True, text=True).stdout.strip()
    return ["cc" if t == host else shutil.which(t + "-gcc") for t in TRIPLETS]


def compile_asserts(cc, headers, asserts):
    """Errors of the asserts [(expression, text)], compiled after the headers."""
    source = "".join(f"#include <{h}>\n" for h in headers)
    for expression, text in asserts:
        source += f'_Static_assert({expression}, "{text}");\n'
    r = subprocess.run([cc, "-D_GNU_SOURCE", "-fsyntax-only", "-w", "-x", "c", "-"], input=source,
                       capture_output=True, text=True)
    if r.returncode == 0:
        return []
    return [line for line in r.stderr.splitlines() if "error:" in line] or [r.stderr]


def kernel_numbers(cc):
    """name -> number of <asm/unistd.h>. The preprocessor does the sums: arm64's are nested macros."""
    include = "#include <asm/unistd.h>\n"
    macros = subprocess.run([cc, "-E", "-dM", "-x", "c", "-"], input=include, capture_output=True,
                            text=True, check=True).stdout
    names = re.findall(r"#define __NR_(\w+)\s", macros)
    lines = include + "".join(f"@{n}@ __NR_{n}\n" for n in names)
    text = subprocess.run([cc, "-E", "-P", "-x", "c", "-"], input=lines, capture_output=True,
                          text=True, check=True).stdout
    found = re.findall(r"^@(\w+)@ \(?(\d+)\)?$", text, re.M)
    skip = ("syscalls", "arch_specific_syscall")
    return {n: int(v) for n, v in found if n not in skip}


def check_numbers(rows, isa, cc):
    errors = []
    kernel = kernel_numbers(cc)
    if len(kernel) < 300:
        return [f"only {len(kernel)} numbers found in the headers"]
    table = {}
    for row in rows.values():
        if not row["parent"] and row["nr"][isa] >= 0:
            table[row["name"].split("$")[0]] = row["nr"][isa]
    for name, nr in kernel.items():
        if table.get(name) != nr:
            errors.append(f"{name} is {nr} in the headers, {table.get(name)} in the table")
    for name, nr in table.items():
        if name not in kernel and nr < FIRST_NR_AFTER_HEADERS and name != "uretprobe":
            errors.append(f"{name} ({nr}) is not in the headers")
    return errors


def selector_groups(rows, isa):
    """headers -> asserts, for all sub-calls that are named by a macro (others are in lower case)."""
    groups = {}
    for row in rows.values():
        parent, _, name = row["name"].partition("$")
        if not row["parent"] or name.islower() or row["nr"][isa] < 0:
            continue
        first, second = row["sub"]
        if parent in ("getsockopt", "setsockopt"):
            headers, level = OPTION_HEADERS[name.split("_")[0]]
            found = [(f"(unsigned)({level}) == {first}u", f"level of {name}"),
                     (f"(unsigned)({name}) == {second}u", name)]
        else:
            headers = SELECTOR_HEADERS[parent]
            found = [(f"(unsigned)({name}) == {first:#x}u", name)]
        groups.setdefault(tuple(headers), []).extend(found)
    return groups


def struct_asserts(s, isa):
    ctype = s["ctype"]
    found = [(f"sizeof({ctype}) == {s['size'][isa]}", f"size of {ctype}")]
    for f in s["fields"]:
        if not f["size"][isa]:
            continue
        if f["member"] == "-":
            found.append((f"sizeof({ctype}) == {f['size'][isa]}", f"{s['name']}.{f['name']}"))
            continue
        found.append((f"__builtin_offsetof({ctype}, {f['member']}) == {f['off'][isa]}",
                      f"offset of {s['name']}.{f['name']}"))
        found.append((f"sizeof((({ctype} *)0)->{f['member']}) == {f['size'][isa]}",
                      f"size of {s['name']}.{f['name']}"))
        # Where an ISA's field is narrower, the sign decides how it is widened.
        if f["kind"] in ("uint", "sint") and len(set(f["size"])) > 1:
            sign = "<" if f["kind"] == "sint" else ">"
            found.append((f"(__typeof__((({ctype} *)0)->{f['member']}))-1 {sign} 0",
                          f"sign of {s['name']}.{f['name']}"))
    return found


def flag_asserts(s, isa):
    """Some macros are int with the highest bit set: 32 bits are compared."""
    return [(f"(unsigned)({f['name']}) == {f['native'][isa]:#x}u", f["name"])
            for f in s["flags"] if f["check"]]


def check_isa(rows, structs, sets, isa, cc):
    jobs = [(headers, asserts) for headers, asserts in selector_groups(rows, isa).items()]
    jobs += [(s["headers"], struct_asserts(s, isa)) for s in structs.values()]
    jobs += [(s["headers"], flag_asserts(s, isa)) for s in sets.values()]
    errors = check_numbers(rows, isa, cc)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for found in pool.map(lambda job: compile_asserts(cc, *job), jobs):
            errors += found
    checked = sum(len(asserts) for _, asserts in jobs)
    print(f"{TRIPLETS[isa]}: {checked} values and all call numbers compared, {len(errors)} wrong")
    return errors


def check_checker(cc):
    """A test that cannot fail is none: a wrong value must be noticed."""
    return bool(compile_asserts(cc, ["linux/fcntl.h"], [("O_CREAT == 1", "wrong on purpose")]))


def main(argv):
    rows, structs, sets = load_generator(argv[1]).load(argv[1])
    skipped = False
    errors = []
    for isa, cc in enumerate(find_compilers()):
        if cc is None:
            print(f"skip: there is no {TRIPLETS[isa]}-gcc")
            skipped = True
            continue
        if not check_checker(cc):
            errors.append(f"{cc}: a wrong value is not noticed")
        errors += [f"{TRIPLETS[isa]}: {e}" for e in check_isa(rows, structs, sets, isa, cc)]
    for e in errors:
        print(e)
    sys.exit(1 if errors else 77 if skipped else 0)


if __name__ == "__main__":
    main(sys.argv)
