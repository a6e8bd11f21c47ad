#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
doc/supported-calls.md has to be what the table says now.

usage: check-page.py CHIRAL PAGE
"""
import difflib
import json
import subprocess
import sys


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def main(chiral, page):
    now = run(chiral, "calls", "--markdown").splitlines()
    with open(page, encoding="utf-8") as f:
        kept = f.read().splitlines()
    diff = list(difflib.unified_diff(kept, now, page, "chiral calls --markdown", lineterm=""))
    if diff:
        print("\n".join(diff[:40]))
        sys.exit(f"{page} is old: run `ninja -C build supported-calls`")
    data = json.loads(run(chiral, "calls", "--json"))
    if sum(line.startswith("| `") for line in now) != len(data["calls"]):
        sys.exit("the page and --json differ in their number of rows")
    one = json.loads(run(chiral, "calls", "--json", "epoll_pwait2"))
    if [row["name"] for row in one["calls"]] != ["epoll_pwait2"]:
        sys.exit("the name filter of `chiral calls` does not filter")


if __name__ == "__main__":
    main(*sys.argv[1:])
