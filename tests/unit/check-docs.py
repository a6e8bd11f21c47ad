#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
usage: check-docs.py CHIRAL SOURCE_ROOT

The documentation against the program: the manual page has a section for every subcommand with every
long option and action that its --help prints; commands that README and the other pages show exist,
with their options; links between pages lead somewhere; `make` goals exist.
"""
import os
import re
import shlex
import subprocess
import sys

LONG = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
PAGES = ("README.md", "ARCHITECTURE.md", "SECURITY.md", "CONTRIBUTING.md", "GLOSSARY.md", "NEWS.md")

chiral, root = sys.argv[1:]
failures = []


def fail(text):
    failures.append(text)


def output(*argv):
    done = subprocess.run([chiral, *argv], capture_output=True, text=True, check=True)
    return done.stdout


def read(path):
    with open(os.path.join(root, path), encoding="utf-8") as f:
        return f.read()


def without_options_of(text):
    """Help without its references to programs and subcommands that are not its own."""
    return re.sub(r"`chiral (run|node|record|verify|lead|follow)[^`]*`", "", text)


def subcommands():
    names = re.findall(r"^  ([a-z]+) +\S", output("--help"), re.M)
    if len(names) < 5:
        fail("`chiral --help` lists no commands")
    return names


def options_of(command, text):
    return {o for o in LONG.findall(without_options_of(text))} - {"--help"}


def actions_of(text):
    """Words at the left of a list: microvm's actions."""
    return set(re.findall(r"^  ([a-z]+)\b", text, re.M))


# ---- the manual page --------------------------------------------------------------------------

def man_sections(man):
    """Subcommand -> text. A heading may name several: "## chiral lead, chiral follow"."""
    sections = {}
    parts = re.split(r"^(#{1,2} .*)$", man, flags=re.M)
    for heading, text in zip(parts[1::2], parts[2::2]):
        for name in re.findall(r"chiral ([a-z]+)", heading):
            sections[name] = sections.get(name, "") + text
    return sections


def check_man(helps):
    man = read("doc/chiral.1.scd")
    sections = man_sections(man)
    for command, text in helps.items():
        section = sections.get(command)
        if section is None:
            fail(f"doc/chiral.1.scd has no section for chiral {command}")
            continue
        words = set(LONG.findall(section))
        for option in sorted(options_of(command, text) - words):
            fail(f"doc/chiral.1.scd: chiral {command} lacks {option}")
        own = options_of(command, text) | {"--help"}
        if command == "microvm":
            for action in sorted(actions_of(text)):
                if not re.search(rf"^\*{action}\*", section, re.M):
                    fail(f"doc/chiral.1.scd: chiral microvm lacks {action}")
        alone = sum(1 for s in sections.values() if s == section) == 1
        for option in sorted(words - own) if alone else ():
            if option not in {o for t in helps.values() for o in LONG.findall(t)}:
                fail(f"doc/chiral.1.scd: chiral {command} has no {option}")
    if "--version" not in man:
        fail("doc/chiral.1.scd lacks --version")
    for status in ("121", "122", "125", "126", "127"):
        if status not in man:
            fail(f"doc/chiral.1.scd lacks exit status {status}")


# ---- what pages show --------------------------------------------------------------------------

def shown_commands(page):
    """Command lines of code blocks, inline code and blocks indented by a tab, joined at backslashes."""
    text = re.sub(r"\\+\n\s*", " ", page)
    for block in re.findall(r"^```[a-z]*\n(.*?)^```", text, re.M | re.S):
        yield from block.splitlines()
    yield from re.findall(r"^\t(.*)$", text, re.M)
    yield from re.findall(r"`([^`\n]+)`", text)


def check_chiral_line(path, line, helps):
    line = re.sub(r"[|&;<>].*| # .*", "", line)
    try:
        words = shlex.split(line)
    except ValueError:
        words = line.split()
    at = next((i for i, w in enumerate(words) if os.path.basename(w) == "chiral"), None)
    if at is None or at > 1 or (at == 1 and words[0] not in ("$", "#")):
        return False
    words = words[at + 1:]
    if not words or words[0].startswith("--") or words[0] == "COMMAND":
        return False
    if words[0] not in helps:
        if re.fullmatch(r"[a-z]+", words[0]):
            fail(f"{path}: there is no `chiral {words[0]}`")
        return False
    known = options_of(words[0], helps[words[0]]) | {"--help"}
    rest = words[1:words.index("--")] if "--" in words else words[1:]
    for word in rest:
        option = word.split("=")[0]
        if re.fullmatch(r"--[a-z-]+", option) and option not in known:
            fail(f"{path}: `chiral {words[0]}` has no {option}")
    if words[0] == "microvm" and rest and re.fullmatch(r"[a-z]+", rest[0]) and \
            rest[0] not in actions_of(helps["microvm"]):
        fail(f"{path}: `chiral microvm` has no {rest[0]}")
    return True


def make_goals():
    return set(re.findall(r"^([a-z-]+):", read("Makefile"), re.M))


def check_page(path, helps, goals):
    page = read(path)
    found = 0
    for line in shown_commands(page):
        line = line.strip()
        found += check_chiral_line(path, line, helps)
        make = re.match(r"(?:\$ )?make( [a-z-]+)\b", line)
        if make and make[1].strip() not in goals:
            fail(f"{path}: there is no goal `make{make[1]}`")
        found += bool(make)
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page):
        if "://" not in target and \
                not os.path.exists(os.path.join(root, os.path.dirname(path), target)):
            fail(f"{path}: the link to {target} leads nowhere")
    for word in re.findall(r"`((?:src|tests|doc|tools|demo|cross)/[\w./-]+)`", page):
        if "NAME" not in word and not os.path.exists(os.path.join(root, word.rstrip("/"))):
            fail(f"{path}: there is no {word}")
    in_code = False
    for number, line in enumerate(page.splitlines(), 1):
        in_code ^= line.startswith("```")
        if len(line) > 100 and not in_code and not line.startswith("|"):
            fail(f"{path}:{number}: a line of {len(line)} columns")
    return found


def main():
    helps = {c: output(c, "--help") for c in subcommands()}
    check_man(helps)
    goals = make_goals()
    pages = list(PAGES) + sorted("doc/" + n for n in os.listdir(os.path.join(root, "doc"))
                                 if n.endswith((".md", ".scd")) and n != "supported-calls.md")
    found = {p: check_page(p, helps, goals) for p in pages}
    for page in ("README.md", "doc/chiral.1.scd"):
        if found[page] < 5:
            fail(f"{page} shows {found[page]} commands only: are they still recognised?")
    for text in failures:
        print(text)
    print(f"{len(helps)} commands, {sum(found.values())} lines shown in {len(pages)} pages, "
          f"{len(failures)} failures")
    return 1 if failures else 0


sys.exit(main())
