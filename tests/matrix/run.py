#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the program matrix: every row in the three combinations, in one boot of the microVM.

Prints a table: the calls that were compared in each combination, or what went wrong. With --rounds
everything is repeated; one alarm in any round is a failure, unless the row gives its threads as the
reason and the alarm says that threads were running.
"""
import argparse
import os
import signal
import subprocess
import sys
import time

import matrix
import servers  # noqa: F401 # its rows
import tools  # noqa: F401
from chiral import COMBOS, Guest

ROOT = os.path.join(matrix.HERE, "..", "..")


class OverTime(Exception):
    """The row's limit."""


def over(_signum, _frame):
    raise OverTime("did not end in time")


def terminated(_signum, _frame):
    sys.exit(143)


def limited(row, *args):
    signal.signal(signal.SIGALRM, over)
    signal.alarm(row.limit)
    try:
        return matrix.run_row(row, *args)
    except OverTime as e:
        return matrix.Outcome("FAILED", 0, str(e))
    except AssertionError as e:     # what a row left behind
        return matrix.Outcome("FAILED", 0, str(e))
    finally:
        signal.alarm(0)


def version(row):
    if not row.packages:
        return ""
    return subprocess.run(["dpkg-query", "-W", "-f", "${Version}", row.packages[0]], check=False,
                          capture_output=True, text=True).stdout


def cell(outcomes):
    """All rounds of one row in one combination."""
    if not outcomes:
        return ""
    if any(o.failed for o in outcomes):
        return f"FAILED {sum(o.failed for o in outcomes)} of {len(outcomes)}"
    if any(o.result == "unsupported" for o in outcomes):
        return "not supported"
    alarms = sum(o.result == "alarm" for o in outcomes)
    calls = max(o.compared for o in outcomes)
    return f"{calls}" + (f", {alarms} of {len(outcomes)} alarmed" if alarms else "")


def title(combo):
    names = [f"{isa}{' (microVM)' if node == 'microvm' else ''}"
             for isa, node in ((combo.leader_isa, combo.leader), (combo.follower_isa, combo.follower))]
    return " → ".join(names)


def table(rows, combos, found):
    yield "| program | version | " + " | ".join(title(c) for c in combos) + " | remark |"
    yield "|---" * (len(combos) + 3) + "|"
    for r in rows:
        cells = [cell(found.get((r, c), [])) for c in combos]
        yield (f"| {r.name} | {version(r)} | " + " | ".join(cells) +
               f" | {r.unsupported or r.across or r.races or ''} |")


def page(rows, combos, found, rounds):
    return "\n".join([
        "# Program matrix", "",
        "Unmodified Debian programs, each used as its users do (`tests/matrix`), in the three",
        "combinations leader → follower. A number is the calls that were compared; no alarm was",
        "raised, but where the cell says so. Made by `make matrix`; rounds of this table: "
        f"{rounds}.", "", *table(rows, combos, found), ""])


def choose(parser, args):
    rows = [r for r in matrix.ROWS if not args.fast or r.fast]
    known = {r.name for r in matrix.ROWS}
    for name in args.row or []:
        if name not in known:
            parser.error(f"there is no row '{name}'; --list prints them")
    if args.row:
        rows = [r for r in matrix.ROWS if r.name in args.row]
    combos = [c for c in COMBOS if not args.combo or c.name in args.combo]
    return rows, combos


def run_all(rows, combos, args):
    path = os.path.join(os.path.abspath(args.build), "chiral")
    guest = None
    found = {}
    if any(c.uses_guest for c in combos):
        guest = Guest(path)
        guest.start(matrix.packages(rows))
    try:
        for number in range(1, args.rounds + 1):
            for row in rows:
                for combo in combos:
                    begin = time.monotonic()
                    outcome = limited(row, path, combo, guest)
                    found.setdefault((row, combo), []).append(outcome)
                    print(f"round {number}: {row.name}, {combo}: {outcome.result}, "
                          f"{outcome.compared} calls, {time.monotonic() - begin:.1f} s",
                          file=sys.stderr, flush=True)
                    if outcome.story:
                        print(f"  {outcome.story}", file=sys.stderr, flush=True)
    finally:
        if guest:
            guest.stop()
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default=os.path.join(ROOT, "build"), help="build folder")
    parser.add_argument("--rounds", type=int, default=1, help="how often everything is run")
    parser.add_argument("--row", action="append", help="only this row (repeatable)")
    parser.add_argument("--combo", action="append", choices=[c.name for c in COMBOS],
                        help="only this combination (repeatable)")
    parser.add_argument("--fast", action="store_true", help="only the rows of make check")
    parser.add_argument("--page", metavar="FILE", help="write the table there as well")
    parser.add_argument("--list", action="store_true", help="print the rows and their packages")
    args = parser.parse_args()
    rows, combos = choose(parser, args)
    if args.list:
        for r in rows:
            print(f"{r.name}{' (fast)' if r.fast else ''}: {' '.join(r.packages)}")
        return 0
    signal.signal(signal.SIGTERM, terminated)
    subprocess.run([os.path.join(ROOT, "tools", "install-deps"), *matrix.packages(rows)], check=True)
    found = run_all(rows, combos, args)
    print("\n".join(table(rows, combos, found)))
    if args.page:
        with open(args.page, "w", encoding="utf-8") as f:
            f.write(page(rows, combos, found, args.rounds))
    outcomes = [o for list_ in found.values() for o in list_]
    failed = sum(o.failed for o in outcomes)
    print(f"{len(outcomes) - failed} passed, {failed} failed, in {args.rounds} rounds")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
