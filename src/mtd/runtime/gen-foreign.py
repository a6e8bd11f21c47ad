#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
Writes how a kernel of another ISA executes x86-64's calls, which are those of programs that move
(mtd/runtime/foreign.h), from the table of all calls: numbers, what replaces calls that the ISA does not
have, flags and structures that it lays out in another way.
"""
import sys

sys.dont_write_bytecode = True
from tables import FROM, GenError, write_header  # noqa: E402 (no bytecode beside the sources)

ARGS_MAX = 6


def bits_that_move(flagset, to):
    """(x86-64's bit, the ISA's) of a set; flags of several bits have to follow from those."""
    moved = {f["native"][FROM]: f["native"][to] for f in flagset["flags"]
             if f["native"][FROM] != f["native"][to] and f["native"][FROM].bit_count() == 1}
    for f in flagset["flags"]:
        value = f["native"][FROM]
        result = value & ~sum(moved)
        for bit, other in moved.items():
            result |= other if value & bit else 0
        if result != f["native"][to]:
            raise GenError(f"flag {f['name']} is not made of bits that move")
    return sorted(moved.items())


def struct_differs(s, to):
    return s["size"][FROM] != s["size"][to] or any(
        f["off"][FROM] != f["off"][to] or f["size"][FROM] != f["size"][to] for f in s["fields"])


class Generator:
    def __init__(self, module, folder, isa):
        self.c_name = module.c_name
        self.to = module.ISAS.index(isa)
        rows, structs, sets = module.load(folder)
        self.rows = rows
        self.structs = {n: s for n, s in structs.items() if struct_differs(s, self.to)}
        self.sets = {n: b for n, s in sets.items() if (b := bits_that_move(s, self.to))}

    def argument(self, args, i):
        """enum foreign_how, what, value of x86-64's argument i."""
        arg = args[i] if i < len(args) else None
        if arg and arg["kind"] == "flags" and arg["what"] in self.sets:
            return "FLAGS", f"FLAGS_{self.c_name(arg['what'])}", i
        if arg and arg["kind"] == "struct" and arg["what"] in self.structs:
            kind, cap, *_ = arg["length"]
            # The most that there can be is the argument behind it (cap counts from 1).
            if arg["dir"] == "inout" or (kind, cap) not in (("LEN_ONE", 0), ("LEN_RET", i + 2)):
                raise GenError(f"struct {arg['what']}: one, in or out, or as many out as the result says")
            how = {"in": "STRUCT_IN", "out": "STRUCT_OUT"}[arg["dir"]]
            return ("STRUCTS_OUT" if cap else how), f"STRUCT_{self.c_name(arg['what'])}", i
        return "ARG", "0", i

    def conversions(self, row):
        if row["nr"][self.to] >= 0 and not row["parent"] or not row["alias"]:
            return [self.argument(row["args"], i) for i in range(ARGS_MAX)]
        out = []
        for kind, value in row["conv"]:
            if kind == "CONV_ARG":
                out.append(self.argument(row["args"], value))
            else:
                out.append((kind.removeprefix("CONV_"), "0", value))
        return out + [("CONST", "0", 0)] * (ARGS_MAX - len(out))

    def number(self, row):
        if row["alias"] and (row["parent"] or row["nr"][self.to] < 0):
            return self.rows[row["canonical"]]["nr"][self.to]
        return row["nr"][self.to]

    def emit_row(self, row):
        sub = "EQUAL" if "CALL_SUB_EQUAL" in row["flags"] else "VALUE" if row["parent"] else "NONE"
        selector = 0
        if sub == "VALUE":
            selector = next(i for i, a in enumerate(self.rows[row["parent"]]["args"]) if a["kind"] == "cmd")
        out = [f"\t{{ .from = {row['nr'][FROM]}, .nr = {self.number(row)}, .sub = FOREIGN_SUB_{sub},",
               f"\t  .selector = {selector}, .sub_value = {row['sub'][0] & 0xffffffff:#x}u,",
               "\t  .arg = { " + ", ".join(f"{{ FOREIGN_{h}, {w}, {v} }}" for h, w, v in
                                           self.conversions(row)) + " },"]
        if row["ret_flags"] in self.sets:
            out.append(f"\t  .ret_flags = 1 + FLAGS_{self.c_name(row['ret_flags'])},")
        return out + [f"\t  .ret_arg = {row['ret_arg']} }}, /* {row['name']} */"]

    def is_of_use(self, row):
        """Sub-rows only when they say something that the parent does not."""
        if row["nr"][FROM] < 0 or self.number(row) < 0:
            return False
        if not row["parent"]:
            return True
        parent = self.rows[row["parent"]]
        return not row["sub"][1] and (self.conversions(row) != self.conversions(parent) or
                                      row["ret_flags"] in self.sets or bool(row["ret_arg"]))

    def emit_structs(self):
        out = ["enum {", *[f"\tSTRUCT_{self.c_name(n)}," for n in self.structs], "};", ""]
        for name, s in self.structs.items():
            out.append(f"static const struct foreign_field fields_{name}[] = {{")
            for f in s["fields"]:
                out.append(f"\t{{ {f['off'][FROM]}, {f['size'][FROM]}, {f['off'][self.to]}, "
                           f"{f['size'][self.to]}, {int(f['kind'] == 'sint')} }},")
            out += ["};", ""]
        out.append("static const struct foreign_struct structs[] = {")
        for name, s in self.structs.items():
            out.append(f"\t[STRUCT_{self.c_name(name)}] = {{ {s['size'][FROM]}, {s['size'][self.to]}, "
                       f"{len(s['fields'])}, fields_{name} }},")
        return out + ["};", ""]

    def emit_flags(self):
        out = ["enum {", *[f"\tFLAGS_{self.c_name(n)}," for n in self.sets], "};", ""]
        for name, bits in self.sets.items():
            out.append(f"static const struct foreign_bit bits_{name}[] = {{")
            out += [f"\t{{ {a:#x}, {b:#x} }}," for a, b in bits] + ["};", ""]
        out.append("static const struct foreign_flags flag_sets[] = {")
        out += [f"\t[FLAGS_{self.c_name(n)}] = {{ {len(b)}, bits_{n} }}," for n, b in self.sets.items()]
        return out + ["};", ""]

    def emit(self):
        # Sub-rows before what holds otherwise.
        rows = sorted((r for r in self.rows.values() if self.is_of_use(r)),
                      key=lambda r: (r["nr"][FROM], not r["parent"]))
        out = ["/* Generated by gen-foreign.py from the tables of calls. */", ""]
        out += self.emit_flags() + self.emit_structs()
        out.append("static const struct foreign_call calls[] = {")
        for row in rows:
            out += self.emit_row(row)
        return "\n".join(out + ["};", ""])


def main(argv):
    if len(argv) != 4:
        sys.exit("usage: gen-foreign.py FOLDER-OF-TABLES ISA OUTPUT")
    write_header(argv[1], argv[3], lambda module: Generator(module, argv[1], argv[2]).emit())


if __name__ == "__main__":
    main(sys.argv)
