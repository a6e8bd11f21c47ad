# SPDX-License-Identifier: Apache-2.0
"""What rows gave, kept in a file: several runs (of servers, of tools) make one page.

One line of JSON for each time that a row ran in a combination; readers ignore keys they do not know:

	{"row": "make", "combo": "local-local", "result": "ok", "compared": 5120, "seconds": 3.2,
	 "time": "2026-11-22T07:00:00Z"}
"""
import json
import time

from matrix import Outcome


def append(path, row, combo, outcome, seconds):
    entry = {"row": row.name, "combo": combo.name, "result": outcome.result,
             "compared": outcome.compared, "seconds": round(seconds, 1),
             "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    with open(path, "a", encoding="utf-8") as f:
        f.write(json.dumps(entry) + "\n")


def read(path, rows, combos):
    """{(row, combo): [Outcome]}, of the rows and combinations that are asked for."""
    by_name = {(r.name, c.name): (r, c) for r in rows for c in combos}
    found = {}
    with open(path, encoding="utf-8") as f:
        for line in f:
            entry = json.loads(line)
            key = by_name.get((entry["row"], entry["combo"]))
            if key:
                found.setdefault(key, []).append(Outcome(entry["result"], entry["compared"]))
    return found


def cell(outcomes):
    """All rounds of one row in one combination."""
    if not outcomes:
        return "not run"
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


def table(rows, combos, found, version):
    """Lines of Markdown. version: of a row."""
    yield "| program | version | " + " | ".join(title(c) for c in combos) + " | remark |"
    yield "|---" * (len(combos) + 3) + "|"
    for r in rows:
        cells = [cell(found.get((r, c), [])) for c in combos]
        yield (f"| {r.name} | {version(r)} | " + " | ".join(cells) +
               f" | {r.unsupported or r.across or r.races or ''} |")


def page(rows, combos, found, version):
    rounds = [len(found.get((r, c), [])) for r in rows for c in combos]
    often = f"{min(rounds)}" if min(rounds) == max(rounds) else f"{min(rounds)} to {max(rounds)}"
    return "\n".join([
        "# Program matrix", "",
        "Unmodified Debian programs, each used as its users do (`tests/matrix`), in the three",
        "combinations leader → follower. A number is the calls that were compared; no alarm was",
        "raised, but where the cell says so. Written by `tests/matrix/run.py --page`, not by hand;",
        f"rounds of each row: {often}.", "", *table(rows, combos, found, version), ""])
