#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
Reads calls.tbl, structs.tbl and flags.tbl and writes calls.gen.h and calls.gen.c. The language of the
three files is described in doc/how-to-add-a-call.md. Everything that can be wrong in a row is an error
here, with file and line, so that the C code may trust the table.
"""
import errno
import hashlib
import os
import re
import sys

ISAS = ("x86_64", "aarch64")
ARGS_MAX = 6
NR_MAX = 512

SCALARS = {
    "int": "INT", "uint": "UINT", "long": "LONG", "ulong": "ULONG", "fd": "FD", "dirfd": "DIRFD",
    "flags": "FLAGS", "mode": "MODE", "pid": "PID", "uid": "UID", "signal": "SIGNAL", "cmd": "CMD",
    "ptr": "PTR", "ignored": "IGNORED",
}
POINTERS = {
    "path": "PATH", "str": "STR", "strv": "STRV", "buf": "BUF", "struct": "STRUCT", "iovec": "IOVEC",
    "msghdr": "MSGHDR", "mmsghdr": "MMSGHDR", "sockaddr": "SOCKADDR", "lenptr": "LENPTR",
    "fdpair": "FDPAIR", "fdset": "FDSET", "sigset": "SIGSET", "sigsetpair": "SIGSETPAIR",
}
NEEDS_LENGTH = {"buf", "iovec", "mmsghdr", "sockaddr", "fdset", "sigset"}
DIRS = {"in": "DIR_IN", "out": "DIR_OUT", "inout": "DIR_INOUT"}
DISPOSITIONS = {
    "replayed": "REPLAYED", "local": "LOCAL", "mirrored": "MIRRORED", "by-fd": "BY_FD",
    "by-path": "BY_PATH",
}
IRREGULARS = (
    "mmap", "execve", "clone", "exit", "wait", "close", "dup", "fdflags", "signal", "kill", "mprotect",
    "limit", "set_tid",
)
ROW_FLAGS = {
    "blocks": "CALL_BLOCKS", "output": "CALL_OUTPUT", "watched": "CALL_WATCHED", "traced": "CALL_TRACED",
}
RETS = {"fd": "CALL_RET_FD", "addr": "CALL_RET_ADDR", "ignored": "CALL_RET_IGNORED"}
CONVS = {
    "ms": "CONV_MS", "timeval": "CONV_TIMEVAL", "timeval2": "CONV_TIMEVAL2", "utimbuf": "CONV_UTIMBUF",
    "time": "CONV_TIME", "alarm": "CONV_ALARM", "alarm_old": "CONV_ALARM_OLD",
}
CONV_CONSTS = {
    "NULL": 0, "AT_FDCWD": -100, "AT_SYMLINK_NOFOLLOW": 0x100, "AT_REMOVEDIR": 0x200,
    "CLOCK_REALTIME": 0, "CLOCK_REALTIME_COARSE": 5, "ITIMER_REAL": 0,
    "O_CREAT_WRONLY_TRUNC": 0o1101, "SIGCHLD": 17, "CLONE_VFORK_VM_SIGCHLD": 0x4111,
}
FIELD_KINDS = ("bytes", "uint", "sint", "flags", "cookie", "ptr", "ignored", "fd", "pid", "value",
               "utime")
CLASS_RE = re.compile(r"@[a-z0-9-]+$")
ARG_RE = re.compile(
    r"(?P<name>[a-z_0-9]+)=(?P<kind>[a-z]+)(?:\.(?P<what>[a-z_0-9]+))?"
    r"(?::(?P<dir>in|out|inout)(?P<always>!)?)?(?:\[(?P<len>[^\]]+)\])?$")
LEN_RE = re.compile(
    r"(?P<src>@ret|\*?[a-z_][a-z_0-9]*|[0-9]+)(?:\*(?P<scale>[0-9]+))?(?:\+(?P<add>[0-9]+))?"
    r"(?:<=(?P<deref>\*?)(?P<cap>[a-z_0-9]+)(?P<beyond>\+?))?$")
ALIAS_RE = re.compile(r"(?P<target>[a-z_0-9$A-Z]+)\((?P<args>[^)]*)\)$")
SELECTOR_RE = re.compile(r"#(?P<a>equal|-?[0-9a-fx]+)(?:,(?P<b>[0-9a-fx]+))?$")


class TableError(Exception):
    pass


def read_lines(path):
    """(line number, text) of a file without comments; a line that begins with blanks and a '|'
    continues the one before."""
    out = []
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            line = line.rstrip("\n")
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            if re.match(r"\s+\|", line) and out:
                out[-1] = (out[-1][0], out[-1][1] + " " + line.strip())
            else:
                out.append((number, line))
    return out


def c_name(name):
    return re.sub(r"[^A-Za-z0-9]", "_", name).upper()


def c_string(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def number(text, what):
    try:
        return int(text, 0) if not re.match(r"0[0-7]+$", text) else int(text, 8)
    except ValueError:
        raise TableError(f"{what}: not a number: {text}")


def per_isa(text, what):
    """"a" or "a/b": the same value on all ISAs, or one for each."""
    parts = text.split("/")
    if len(parts) == 1:
        parts *= len(ISAS)
    if len(parts) != len(ISAS):
        raise TableError(f"{what}: one value, or {len(ISAS)} separated by '/'")
    return [number(p, what) if p != "-" else None for p in parts]


# ---- flags.tbl ----------------------------------------------------------------------------------

def parse_flags(lines):
    """set NAME [headers...]; then NAME CANON[/NATIVE/NATIVE] [mask=M]"""
    sets, current = {}, None
    for line, text in lines:
        words = text.split()
        try:
            if words[0] == "set":
                current = {"name": words[1], "headers": words[2:], "flags": []}
                if words[1] in sets:
                    raise TableError(f"second set {words[1]}")
                sets[words[1]] = current
                continue
            if current is None:
                raise TableError("a flag before the first set")
            flag = {"name": words[0], "mask": 0, "check": True}
            values = words[1].split("/")
            if len(values) == 1:
                values *= 1 + len(ISAS)
            if len(values) != 1 + len(ISAS):
                raise TableError("CANON or CANON/X86_64/AARCH64")
            flag["canon"], *flag["native"] = [number(v, words[0]) for v in values]
            for extra in words[2:]:
                key, _, value = extra.partition("=")
                if key == "mask":
                    flag["mask"] = number(value, "mask")
                elif extra == "nocheck":
                    flag["check"] = False
                else:
                    raise TableError(f"unknown word {extra}")
            current["flags"].append(flag)
        except (TableError, IndexError) as e:
            raise TableError(f"flags.tbl:{line}: {e or 'too few words'}")
    return sets


# ---- structs.tbl --------------------------------------------------------------------------------

def parse_structs(lines, sets):
    """struct NAME SIZE "C TYPE" headers...; then FIELD KIND OFFSET:SIZE[/OFFSET:SIZE] [out]"""
    structs, current = {}, None
    for line, text in lines:
        try:
            if text.startswith("struct "):
                m = re.match(r'struct (\S+)\s+(\S+)\s+"([^"]*)"\s*(.*)$', text)
                if not m:
                    raise TableError('struct NAME SIZE "C TYPE" HEADERS')
                current = {"name": m[1], "size": per_isa(m[2], "size"), "ctype": m[3],
                           "headers": m[4].split(), "fields": []}
                if m[1] in structs:
                    raise TableError(f"second struct {m[1]}")
                structs[m[1]] = current
                continue
            if current is None:
                raise TableError("a field before the first struct")
            current["fields"].append(parse_field(text.split(), current, sets))
        except (TableError, IndexError) as e:
            raise TableError(f"structs.tbl:{line}: {e or 'too few words'}")
    for s in structs.values():
        check_struct(s)
    return structs


def parse_field(words, struct, sets):
    kind, _, what = words[1].partition(".")
    if kind not in FIELD_KINDS:
        raise TableError(f"unknown field kind {kind}")
    if (kind == "flags") != bool(what) or (what and what not in sets):
        raise TableError(f"unknown flag set in {words[1]}")
    places = words[2].split("/")
    if len(places) == 1:
        places *= len(ISAS)
    field = {"name": words[0], "kind": kind, "what": what, "off": [], "size": [],
             "dir": "DIR_INOUT", "member": words[0]}
    for place in places:
        if place == "-":
            field["off"].append(0)
            field["size"].append(0)
            continue
        off, size = place.split(":")
        field["off"].append(number(off, "offset"))
        field["size"].append(number(size, "size"))
    for extra in words[3:]:
        if extra in ("in", "out"):
            field["dir"] = DIRS[extra]
        elif extra.startswith("member="):  # "-": the type is the field
            field["member"] = extra[len("member="):]
        else:
            raise TableError(f"unknown word {extra}")
    return field


def check_struct(s):
    for isa in range(len(ISAS)):
        end = 0
        for f in sorted(s["fields"], key=lambda f: f["off"][isa]):
            if not f["size"][isa]:
                continue
            if f["off"][isa] < end:
                raise TableError(f"struct {s['name']}: {f['name']} overlaps on {ISAS[isa]}")
            end = f["off"][isa] + f["size"][isa]
        if end > s["size"][isa]:
            raise TableError(f"struct {s['name']}: fields pass its end on {ISAS[isa]}")
    off = 0
    for f in s["fields"]:
        size = 0 if f["kind"] == "ignored" else max(f["size"])
        if f["kind"] in ("uint", "sint", "flags", "cookie", "ptr", "fd", "pid", "value") and \
                any(n not in (0, 1, 2, 4, 8) for n in f["size"]):
            raise TableError(f"struct {s['name']}: {f['name']}: an integer of odd size")
        if f["kind"] in ("cookie", "ptr"):
            size = 8
        if f["kind"] == "bytes" and len(set(n for n in f["size"] if n)) > 1:
            raise TableError(f"struct {s['name']}: {f['name']}: bytes differ in size")
        f["canon_off"], f["canon_size"] = off, size
        off += size
    s["canon_size"] = off
    s["plain"] = [is_plain(s, isa) for isa in range(len(ISAS))]


def is_plain(s, isa):
    """The canonical form is the native one, byte for byte, in both directions."""
    return s["size"][isa] == s["canon_size"] and all(
        f["kind"] in ("bytes", "uint", "sint", "fd", "pid") and f["dir"] == "DIR_INOUT" and
        f["off"][isa] == f["canon_off"] and f["size"][isa] == f["canon_size"] for f in s["fields"])


# ---- calls.tbl ----------------------------------------------------------------------------------

def parse_calls(lines, structs, sets):
    rows, klass = {}, None
    for line, text in lines:
        try:
            if text.startswith("class "):
                klass = text.split()[1]
                if not CLASS_RE.match(klass):
                    raise TableError(f"bad class {klass}")
                continue
            if klass is None:
                raise TableError("a row before the first class")
            row = parse_row(text, klass, rows, structs, sets)
            row["line"] = line
            if row["name"] in rows:
                raise TableError(f"second row {row['name']}")
            rows[row["name"]] = row
        except (TableError, IndexError) as e:
            raise TableError(f"calls.tbl:{line}: {e or 'too few words'}")
    for row in rows.values():
        try:
            finish_row(row, rows)
        except TableError as e:
            raise TableError(f"calls.tbl:{row['line']}: {e}")
    check_order(rows)
    check_numbers(rows)
    return rows


def parse_row(text, klass, rows, structs, sets):
    parts = [p.strip() for p in text.split("|")]
    if len(parts) > 3:
        raise TableError("a row has at most three parts")
    parts += [""] * (3 - len(parts))
    words = parts[0].split()
    row = {"name": words[0], "class": klass, "note": parts[2], "args": [], "flags": set(),
           "disposition": None, "irregular": None, "status": None, "errno": 0, "alias": None,
           "cloexec": None, "parent": None, "sub": (0, 0), "ret_flags": None, "ret_arg": 0, "subject": 0,
           "fd_of_path": 0}
    head = parse_numbers(row, words[1:], rows)
    names = []
    for word in parts[1].split():
        row["args"].append(parse_arg(word, names, structs, sets))
        names.append(row["args"][-1]["name"])
    if len(row["args"]) > ARGS_MAX or len(set(names)) != len(names):
        raise TableError("too many arguments, or two of one name")
    for arg in row["args"]:
        arg["length"] = parse_length(arg, names)
    parse_head(row, head, names, sets)
    return row


def parse_numbers(row, words, rows):
    m = SELECTOR_RE.match(words[0])
    base = row["name"].split("$")[0]
    if not m:
        row["nr"] = [-1 if w == "-" else number(w, "call number") for w in words[:len(ISAS)]]
        if any(n >= NR_MAX for n in row["nr"]):
            raise TableError("call number out of range")
        return words[len(ISAS):]
    if base not in rows or base == row["name"]:
        raise TableError(f"a selector, but no row {base} before")
    row["parent"] = base
    if m["a"] == "equal":
        row["flags"].add("CALL_SUB_EQUAL")
        row["two"] = None
        row["nr"] = rows[base]["nr"]
        rows[base]["flags"].add("CALL_PARENT")
        return words[1:]
    row["sub"] = (number(m["a"], "selector"), number(m["b"] or "0", "selector"))
    row["two"] = m["b"] is not None
    row["nr"] = rows[base]["nr"]
    rows[base]["flags"].add("CALL_PARENT")
    return words[1:]


def parse_arg(word, names, structs, sets):
    m = ARG_RE.match(word)
    if not m:
        raise TableError(f"bad argument {word}")
    kind = m["kind"]
    arg = {"name": m["name"], "kind": kind, "what": m["what"], "dir": m["dir"],
           "always": bool(m["always"]), "len": m["len"]}
    if kind in SCALARS:
        if m["dir"] or m["len"]:
            raise TableError(f"{word}: a scalar has no direction or length")
    elif kind in POINTERS:
        if not m["dir"]:
            raise TableError(f"{word}: direction missing")
    else:
        raise TableError(f"{word}: unknown kind {kind}")
    if kind in NEEDS_LENGTH and not m["len"]:
        raise TableError(f"{word}: length missing")
    if (kind == "struct") != (m["what"] in structs and kind == "struct"):
        raise TableError(f"{word}: no such struct")
    if kind == "flags" and m["what"] not in sets:
        raise TableError(f"{word}: no such flag set")
    return arg


def parse_length(arg, names):
    if arg["len"] is None:
        return ("LEN_ONE", 0, 1, 0, 0, False, False)
    m = LEN_RE.match(arg["len"])
    if not m:
        raise TableError(f"bad length [{arg['len']}]")

    def index(name):
        if name not in names:
            raise TableError(f"[{arg['len']}]: no argument {name}")
        return names.index(name)

    scale = int(m["scale"] or 1)
    cap = index(m["cap"]) + 1 if m["cap"] else 0
    rest = (int(m["add"] or 0), bool(m["deref"]), bool(m["beyond"]))
    src = m["src"]
    if src == "@ret":
        if arg["dir"] == "in":
            raise TableError("an in argument cannot depend on the result")
        return ("LEN_RET", cap, scale, 0, *rest)
    if src.isdigit():
        return ("LEN_CONST", cap, scale, int(src), *rest)
    if src.startswith("*"):
        return ("LEN_DEREF", cap, scale, index(src[1:]), *rest)
    return ("LEN_ARG", cap, scale, index(src), *rest)


def parse_head(row, words, names, sets):
    i = 0
    while i < len(words):
        word = words[i]
        key, _, value = word.partition("=")
        first, _, rest = word.partition(".")
        if word == "->":
            row["alias"] = " ".join(words[i + 1:])
            break
        if word in DISPOSITIONS:
            row["disposition"] = DISPOSITIONS[word]
        elif first == "irr" and rest in IRREGULARS:
            row["disposition"], row["irregular"] = "IRREGULAR", rest
        elif first in ("refused", "unsupported"):
            row["disposition"], row["status"] = "REFUSED", first
            row["errno"] = refuse_errno(rest or "ENOSYS")
        elif word in ("ok", "partial"):
            row["status"] = {"ok": "supported"}.get(word, word)
        elif word in ROW_FLAGS:
            row["flags"].add(ROW_FLAGS[word])
        elif key == "ret" and value in RETS:
            row["flags"].add(RETS[value])
        elif key == "ret" and value.startswith("flags.") and value[6:] in sets:
            row["ret_flags"] = value[6:]
        elif key == "ret" and value.startswith("arg.") and value[4:] in names:
            row["ret_arg"] = names.index(value[4:]) + 1
        elif key == "cloexec" and value in names:
            row["cloexec"] = names.index(value)
        else:
            raise TableError(f"unknown word {word}")
        i += 1


def refuse_errno(name):
    if name == "0":
        return 0
    value = getattr(errno, name, None)
    if value is None:
        raise TableError(f"unknown errno {name}")
    return value


def finish_row(row, rows):
    if row["alias"]:
        finish_alias(row, rows)
        return
    if row["disposition"] is None:
        raise TableError("no disposition")
    row["status"] = row["status"] or "supported"
    if row["status"] != "supported" and not row["note"]:
        raise TableError(f"{row['status']} needs a sentence")
    row["canonical"], row["conv"] = row["name"], []
    kinds = [a["kind"] for a in row["args"]]
    if row["disposition"] == "BY_FD":
        row["subject"] = next((i for i, k in enumerate(kinds) if k in ("fd", "dirfd")), None)
    elif row["disposition"] == "BY_PATH":
        row["subject"] = kinds.index("path") if "path" in kinds else None
        at = row["subject"]
        if at and kinds[at - 1] == "dirfd":
            row["fd_of_path"] = at
    if row["subject"] is None:
        raise TableError("by-fd and by-path need such an argument")
    if row["parent"]:
        selectors = [a for a in rows[row["parent"]]["args"] if a["kind"] == "cmd"]
        if row["two"] is not None and len(selectors) != (2 if row["two"] else 1):
            raise TableError("as many selectors as the parent has cmd arguments")


def finish_alias(row, rows):
    m = ALIAS_RE.match(row["alias"])
    if not m or m["target"] not in rows:
        raise TableError(f"bad alias {row['alias']}")
    target = rows[m["target"]]
    if target["alias"]:
        raise TableError("an alias of an alias")
    finish_row(target, rows)
    names = [a["name"] for a in row["args"]]
    row["conv"] = [parse_conv(w.strip(), names) for w in m["args"].split(",") if w.strip()]
    if len(row["conv"]) != len(target["args"]):
        raise TableError(f"{m['target']} has {len(target['args'])} arguments")
    row["canonical"] = m["target"]
    for key in ("disposition", "irregular", "errno", "subject", "fd_of_path", "cloexec", "ret_flags"):
        row[key] = target[key]
    row["status"] = row["status"] or target["status"]
    row["note"] = row["note"] or target["note"]
    row["flags"] |= target["flags"] - {"CALL_PARENT"}


def parse_conv(word, names):
    m = re.match(r"([a-z0-9_]+)\.([a-z_0-9]+)$", word)
    if m and m[1] in CONVS and m[2] in names:
        return (CONVS[m[1]], names.index(m[2]))
    if word in names:
        return ("CONV_ARG", names.index(word))
    if word in CONVS:
        return (CONVS[word], 0)
    if word in CONV_CONSTS:
        return ("CONV_CONST", CONV_CONSTS[word])
    return ("CONV_CONST", number(word, "alias argument"))


def check_order(rows):
    """call_row_sub() reads the sub-rows that follow a parent."""
    group = None
    for row in rows.values():
        if not row["parent"]:
            group = row["name"]
        elif row["parent"] != group:
            raise TableError(f"calls.tbl:{row['line']}: {row['name']} must follow {row['parent']}")


def check_numbers(rows):
    for isa in range(len(ISAS)):
        seen = {}
        for row in rows.values():
            nr = row["nr"][isa]
            if row["parent"] or nr < 0:
                continue
            if nr in seen:
                raise TableError(f"{row['name']} and {seen[nr]} have number {nr} on {ISAS[isa]}")
            seen[nr] = row["name"]
    seen = {}
    for row in rows.values():
        if row["parent"]:
            key = (row["parent"], row["sub"])
            if key in seen:
                raise TableError(f"{row['name']} and {seen[key]} have one selector")
            seen[key] = row["name"]


# ---- output -------------------------------------------------------------------------------------

def emit_enum(out, name, prefix, last, names):
    out.append(f"enum {name} {{")
    out += [f"\t{prefix}{c_name(n)}," for n in names]
    out += [f"\t{last},", "};", ""]


def emit_header(rows, structs, sets, digest):
    out = ["/* Generated by gen-table.py from the .tbl files. */", "#ifndef CHIRAL_CALLS_GEN_H",
           "#define CHIRAL_CALLS_GEN_H", "", f'#define CALLS_TABLE_DIGEST "{digest}"', ""]
    emit_enum(out, "call_id", "CALL_", "_CALL_MAX", rows)
    emit_enum(out, "struct_id", "STRUCT_", "_STRUCT_MAX", structs)
    emit_enum(out, "flagset_id", "FLAGS_", "_FLAGS_MAX", sets)
    out += ["#endif", ""]
    return "\n".join(out)


def emit_arg(arg):
    kind = {**SCALARS, **POINTERS}[arg["kind"]]
    fields = [f".kind = ARG_{kind}", f".name = {c_string(arg['name'])}"]
    if arg["dir"]:
        fields.append(f".dir = {DIRS[arg['dir']]}")
    if arg["always"]:
        fields.append(".always = 1")
    if arg["what"]:
        prefix = "STRUCT_" if arg["kind"] == "struct" else "FLAGS_"
        fields.append(f".what = {prefix}{c_name(arg['what'])}")
    kind, cap, scale, value, add, deref, beyond = arg["length"]
    more = f", {add}, {deref:d}, {beyond:d}" if add or deref or beyond else ""
    fields.append(f".len = {{ {kind}, {cap}, {scale}, {value}{more} }}")
    return "{ " + ", ".join(fields) + " }"


def lenptr_of(args):
    """1 + the number of the argument that points to a length, 0 when there is none."""
    for arg in args:
        kind, cap, _scale, value, _add, deref, _beyond = arg["length"]
        if kind == "LEN_DEREF":
            return value + 1
        if deref:
            return cap
    return next((i + 1 for i, arg in enumerate(args) if arg["kind"] == "lenptr"), 0)


def emit_row(row):
    parent = row["parent"] or row["name"]
    out = [f"\t[CALL_{c_name(row['name'])}] = {{", f"\t\t.name = {c_string(row['name'])},",
           "\t\t.nr = { " + ", ".join(str(n) for n in row["nr"]) + " },",
           f"\t\t.canonical = CALL_{c_name(row['canonical'])}, .n_args = {len(row['args'])},",
           f"\t\t.disposition = DISP_{row['disposition']}, .status = STATUS_{row['status'].upper()},",
           f"\t\t.irregular = IRR_{(row['irregular'] or 'none').upper()},",
           f"\t\t.flags = {' | '.join(sorted(row['flags'])) or '0'},",
           f"\t\t.subject = {row['subject']}, .fd_of_path = {row['fd_of_path']},",
           f"\t\t.cloexec_arg = {0 if row['cloexec'] is None else row['cloexec'] + 1},",
           f"\t\t.refuse_errno = {row['errno']}, .parent = CALL_{c_name(parent)},",
           f"\t\t.sub_value = {row['sub'][0] & 0xffffffff:#x}u, .sub_value2 = {row['sub'][1]:#x}u,"]
    if lenptr_of(row["args"]):
        out.append(f"\t\t.lenptr = {lenptr_of(row['args'])},")
    if row["ret_flags"]:
        out.append(f"\t\t.ret_flags = 1 + FLAGS_{c_name(row['ret_flags'])},")
    if row["ret_arg"]:
        out.append(f"\t\t.ret_arg = {row['ret_arg']},")
    if row["args"]:
        out.append("\t\t.args = {")
        out += [f"\t\t\t{emit_arg(a)}," for a in row["args"]]
        out.append("\t\t},")
    if row["conv"]:
        out.append("\t\t.conv = { " + ", ".join(f"{{ {k}, {v} }}" for k, v in row["conv"]) + " },")
    out += [f"\t\t.class = {c_string(row['class'])},", f"\t\t.note = {c_string(row['note'])},", "\t},"]
    return out


def emit_index(rows):
    """0: no row; else 1 + id."""
    out = ["const uint16_t call_id_by_nr[_ISA_MAX][CALL_NR_MAX] = {"]
    for isa, name in enumerate(ISAS):
        out.append(f"\t[ISA_{name.upper()}] = {{")
        for row in rows.values():
            if not row["parent"] and row["nr"][isa] >= 0:
                out.append(f"\t\t[{row['nr'][isa]}] = 1 + CALL_{c_name(row['name'])},")
        out.append("\t},")
    out += ["};", ""]
    return out


def emit_structs(structs):
    out = []
    for s in structs.values():
        out.append(f"static const struct field_spec fields_{s['name']}[] = {{")
        for f in s["fields"]:
            what = f", .what = FLAGS_{c_name(f['what'])}" if f["what"] else ""
            out.append(f"\t{{ {c_string(f['name'])}, FIELD_{f['kind'].upper()}{what}, .dir = {f['dir']},")
            out.append(f"\t  .canon_off = {f['canon_off']}, .canon_size = {f['canon_size']},")
            out.append("\t  .off = { %s }, .size = { %s } }," % (
                ", ".join(map(str, f["off"])), ", ".join(map(str, f["size"]))))
        out += ["};", ""]
    out.append("const struct struct_spec struct_specs[_STRUCT_MAX] = {")
    for s in structs.values():
        out.append(f"\t[STRUCT_{c_name(s['name'])}] = {{ {c_string(s['name'])}, {s['canon_size']}, "
                   f"{{ {s['size'][0]}, {s['size'][1]} }}, "
                   f"{{ {int(s['plain'][0])}, {int(s['plain'][1])} }}, "
                   f"{len(s['fields'])}, fields_{s['name']} }},")
    out += ["};", ""]
    return out


def emit_flags(sets):
    out = []
    for s in sets.values():
        if not s["flags"]:
            continue
        out.append(f"static const struct flag_spec flags_{s['name']}[] = {{")
        for f in s["flags"]:
            out.append(f"\t{{ {c_string(f['name'])}, {f['mask']:#x}, {f['canon']:#x}, "
                       f"{{ {f['native'][0]:#x}, {f['native'][1]:#x} }} }},")
        out += ["};", ""]
    out.append("const struct flagset_spec flagset_specs[_FLAGS_MAX] = {")
    for s in sets.values():
        translated = any(n != f["canon"] for f in s["flags"] for n in f["native"])
        flags = f"flags_{s['name']}" if s["flags"] else "NULL"
        out.append(f"\t[FLAGS_{c_name(s['name'])}] = {{ {c_string(s['name'])}, "
                   f"{'true' if translated else 'false'}, {len(s['flags'])}, {flags} }},")
    out += ["};", ""]
    return out


def emit_source(rows, structs, sets):
    out = ["/* Generated by gen-table.py from the .tbl files. */", '#include "calls/table.h"',
           '#include "calls/index.h"', "", "#include <stddef.h>", ""]
    out += emit_flags(sets) + emit_structs(structs)
    out.append("const struct call_row call_rows[_CALL_MAX] = {")
    for row in rows.values():
        out += emit_row(row)
    out += ["};", ""] + emit_index(rows)
    return "\n".join(out)


def load(folder):
    files = [os.path.join(folder, n) for n in ("flags.tbl", "structs.tbl", "calls.tbl")]
    sets = parse_flags(read_lines(files[0]))
    structs = parse_structs(read_lines(files[1]), sets)
    rows = parse_calls(read_lines(files[2]), structs, sets)
    for limit, names in ((255, structs), (255, sets)):
        if len(names) > limit:
            raise TableError("more names than a byte counts")
    return rows, structs, sets


def table_digest(source, names):
    return hashlib.sha256((source + names).encode()).hexdigest()[:32]


def main(argv):
    if len(argv) != 4:
        sys.exit("usage: gen-table.py FOLDER CALLS.GEN.H CALLS.GEN.C")
    try:
        rows, structs, sets = load(argv[1])
    except TableError as e:
        sys.exit(str(e))
    source = emit_source(rows, structs, sets)
    names = emit_header(rows, structs, sets, "")
    with open(argv[2], "w", encoding="utf-8") as f:
        f.write(emit_header(rows, structs, sets, table_digest(source, names)))
    with open(argv[3], "w", encoding="utf-8") as f:
        f.write(source)


if __name__ == "__main__":
    main(sys.argv)
