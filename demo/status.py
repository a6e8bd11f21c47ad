#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What the demo needs to know: counters and alarms from the lines of --json-status-fd, and whether an
echo server answers.

  status.py calls FILE    the calls compared, replayed and local, of the final line
  status.py alarm FILE    the alarm in one line; fails when there is none
  status.py hello PORT    sends "hello", prints what comes back; fails when it is not that
"""
import json
import socket
import sys


def lines(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f if line.strip()]


def counters(node, found):
    for key, value in node.items():
        if isinstance(value, dict):
            counters(value, found)
        elif key in ("compared", "replayed", "local"):
            found[key] = max(value, found.get(key, 0))
    return found


def calls(path):
    found = counters(lines(path)[-1], {})
    if not found.get("compared"):
        print("   no calls were compared", file=sys.stderr)
        return 1
    print("   system calls of the follower: "
          + ", ".join(f"{found.get(k, 0)} {k}" for k in ("compared", "replayed", "local")))
    alarms = [s for s in lines(path) if "rule" in s]
    print(f"   alarms: {len(alarms)}")
    return 1 if alarms else 0


def alarm(path):
    for entry in lines(path):
        if "rule" in entry:
            print(f"   ALARM {entry['rule']} ({entry['priority']}): {entry['output']}")
            return 0
    print("   no alarm was raised", file=sys.stderr)
    return 1


def hello(port):
    with socket.create_connection(("127.0.0.1", int(port)), timeout=5) as s:
        s.sendall(b"hello")
        reply = s.recv(100)
    print(reply.decode(errors="replace"))
    return 0 if reply == b"hello" else 1


if __name__ == "__main__":
    sys.exit({"calls": calls, "alarm": alarm, "hello": hello}[sys.argv[1]](sys.argv[2]))
