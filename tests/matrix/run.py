#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the program matrix: every row in the three combinations, in one boot of the microVM.

Prints a table: the calls that were compared in each combination, or what went wrong. With --rounds
everything is repeated; one alarm in any round is a failure, unless the row gives its threads as the
reason and the alarm says that threads were running.
"""
import argparse
import functools
import os
import signal
import subprocess
import sys
import time

import matrix
import results
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


@functools.cache
def version(row):
    if not row.packages:
        return ""
    return subprocess.run(["dpkg-query", "-W", "-f", "${Version}", row.packages[0]], check=False,
                          capture_output=True, text=True).stdout


def choose(parser, args):
    rows = [r for r in matrix.ROWS if (r.fast or not args.fast) and
            args.part in (None, r.function.__module__)]
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
    if args.rounds and any(c.uses_guest for c in combos):
        guest = Guest(path)
        guest.start(matrix.packages(rows))
    try:
        for number in range(1, args.rounds + 1):
            for row in rows:
                for combo in combos:
                    begin = time.monotonic()
                    outcome = limited(row, path, combo, guest)
                    found.setdefault((row, combo), []).append(outcome)
                    seconds = time.monotonic() - begin
                    if args.results:
                        results.append(args.results, row, combo, outcome, seconds)
                    print(f"round {number}: {row.name}, {combo}: {outcome.result}, "
                          f"{outcome.compared} calls, {seconds:.1f} s",
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
    parser.add_argument("--rounds", type=int, default=1,
                        help="how often everything is run; 0: only the table of --results")
    parser.add_argument("--part", choices=["servers", "tools"], help="only the rows of this file")
    parser.add_argument("--row", action="append", help="only this row (repeatable)")
    parser.add_argument("--combo", action="append", choices=[c.name for c in COMBOS],
                        help="only this combination (repeatable)")
    parser.add_argument("--fast", action="store_true", help="only the rows of make check")
    parser.add_argument("--results", metavar="FILE",
                        help="append what rows gave; table and page are of all that is in it")
    parser.add_argument("--page", metavar="FILE", help="write the table there as well")
    parser.add_argument("--list", action="store_true", help="print the rows and their packages")
    args = parser.parse_args()
    if args.rounds == 0 and not args.results:
        parser.error("--rounds 0 runs nothing: it needs --results")
    rows, combos = choose(parser, args)
    if args.list:
        for r in rows:
            print(f"{r.name}{' (fast)' if r.fast else ''}: {' '.join(r.packages)}")
        return 0
    signal.signal(signal.SIGTERM, terminated)
    if args.rounds:
        install = os.path.join(ROOT, "tools", "install-deps")
        subprocess.run([install, *matrix.packages(rows)], check=True)
    ran = run_all(rows, combos, args)
    found = results.read(args.results, rows, combos) if args.results else ran
    print("\n".join(results.table(rows, combos, found, version)))
    if args.page:
        with open(args.page, "w", encoding="utf-8") as f:
            f.write(results.page(rows, combos, found, version))
    outcomes = [o for list_ in ran.values() for o in list_]
    failed = sum(o.failed for o in outcomes)
    print(f"{len(outcomes) - failed} passed, {failed} failed, in {args.rounds} rounds")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
