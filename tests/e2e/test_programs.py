# SPDX-License-Identifier: Apache-2.0
"""Unmodified Debian programs in every combination: their output, status and effects must be those of
a native run on the leader's node, without an alarm."""
import os
import random
import subprocess
import time

import pytest

import load
from chiral import LOCAL_LOCAL, exit_status, free_port, wait_until
from website import GUEST_ROOT, LIGHTTPD

ENV = {"LC_ALL": "C", "TZ": "UTC0"}
_rng = random.Random(4)
FILES = {
    "words": b"".join(b"%06d %s\n" % (_rng.randrange(10**6), bytes(_rng.choices(b"abcdef", k=9)))
                      for _ in range(5000)),
    "blob": _rng.randbytes(1 << 20),
    "left": b"1 a\n2 b\n3 c\n",
    "right": b"1 x\n3 y\n4 z\n",
    "dir/a": b"A", "dir/b": b"BB", "dir/sub/c": b"CCC",
    "q.sql": b"create table t(a integer primary key, b text);\n"
             b"begin;\n" + b"".join(b"insert into t values(%d,'row %d');\n" % (i, i * i)
                                    for i in range(500)) +
             b"commit;\nselect count(*), sum(a), max(b) from t;\n"
             b"select a, b from t where b like '%99%' order by b;\n",
}


class Bench:
    """A folder with files on the leader's node only, and programs run there with and without
    Chiral."""

    def __init__(self, combo, folder):
        self.combo = combo
        self.root = f"{GUEST_ROOT}/programs" if combo.leads_in_guest else str(folder)
        if combo.leads_in_guest:
            combo.guest.put(self.root, FILES)
        else:
            for name, data in FILES.items():
                path = os.path.join(self.root, name)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "wb") as f:
                    f.write(data)

    def native(self, argv, stdin=b"", env=None):
        """(status, stdout) of a run without Chiral on the leader's node."""
        env = {**ENV, **(env or {})}
        argv = ["env", *[f"{k}={v}" for k, v in env.items()], *argv]
        if self.combo.leads_in_guest:
            argv.insert(1, "--chdir=/")     # where a session's program is
            done = self.combo.guest.exec(*argv, stdin=stdin, check=False)
        else:
            done = subprocess.run(argv, input=stdin, capture_output=True, check=False, timeout=60)
        return exit_status(done.returncode), done.stdout

    def session(self, chiral, argv, stdin=b"", env=None, options=(), timeout=60):
        """(status, stdout) of a session; fails on an alarm."""
        with open(os.memfd_create("stdin"), "w+b", buffering=0) as f:
            f.write(stdin)
            f.seek(0)
            s = chiral.run(self.combo, argv, options, env={**ENV, **(env or {})}, stdin=f)
        status = s.wait(timeout)
        assert not s.alarms, s.story()
        return status, s.stdout()

    def same(self, chiral, argv, stdin=b"", env=None):
        """Runs it both ways; they must agree. The output."""
        want = self.native(argv, stdin, env)
        got = self.session(chiral, argv, stdin, env)
        assert got == want, self.diff(argv, got, want, chiral)
        return got[1]

    @staticmethod
    def diff(argv, got, want, chiral):
        return (f"{argv}: status {got[0]}, {got[1][:500]!r}; natively status {want[0]}, "
                f"{want[1][:500]!r}; {chiral.sessions[-1].stderr()[-2000:]}")


@pytest.fixture(scope="module")
def bench(combo, tmp_path_factory):
    return Bench(combo, tmp_path_factory.mktemp("programs"))


# Not here, for they are two different programs on the two ISAs, and so they alarm: busybox gzip (flushes at other moments on x86), busybox ls -l (the compiler chose
# another order for the look-ups of user and group).
READERS = """
	true
	false
	echo hello two  hands
	printf %05d|%s\\n 42 x
	cat {d}/words
	cat {d}/missing
	cat {d}/blob {d}/left
	cat /dev/null
	head -n 3 {d}/words
	head -c 70000 {d}/blob
	tail -n 4 {d}/words
	tac {d}/left
	wc {d}/words {d}/blob
	sort {d}/words
	sort -n -r -k 2 {d}/words
	sort --parallel=1 -u {d}/words
	uniq -c {d}/left
	cut -d . -f 1 {d}/left
	tr a-f A-F
	join {d}/left {d}/right
	comm {d}/left {d}/right
	paste {d}/left {d}/right
	fold -w 3 {d}/left
	nl {d}/left
	od -c {d}/left
	base64 {d}/left
	cksum {d}/blob
	md5sum {d}/blob {d}/words
	sha256sum {d}/blob {d}/words
	sha512sum {d}/blob
	b2sum {d}/blob
	seq 1 3000
	factor 1234567890123
	expr 6 * 7
	numfmt --to=iec 123456789
	basename {d}/left
	dirname {d}/left
	realpath {d}/dir/../left
	readlink -f {d}/dir
	ls {d}
	ls -l {d}
	ls -laR {d}
	ls {d}/nowhere
	stat -c %n,%s,%a,%h,%i,%Y {d}/left {d}/dir
	du -a -b {d}/dir
	test -d {d}/dir
	test -f {d}/dir
	id
	whoami
	uname -a
	nproc
	hostname
	pwd
	printenv TZ
	date -d @1700000000
	date -r {d}/left +%s
	timeout 5 echo in time
	timeout 0.3 sleep 20
	env A=1 printenv A
	nice -n 5 echo nice
	stdbuf -oL echo line
	sleep 0.2
	busybox ls -ln {d}
	busybox sha1sum {d}/blob
	busybox sort {d}/words
	busybox grep 999 {d}/words
	busybox find {d}
	busybox sed s/a/b/g {d}/left
	busybox awk {{s+=$1}}END{{print(s)}} {d}/left
	busybox tar -c -f - -C {d} dir/a
	busybox bzip2 -c {d}/words
	busybox vi --help
"""


def test_code_chosen_by_processor(bench, chiral, one_processor):
    """wc -l reads other amounts with AVX2, which one of the variants may have."""
    bench.same(chiral, ["wc", "-l", f"{bench.root}/words", f"{bench.root}/blob"])


@pytest.mark.parametrize("line", [line.strip() for line in READERS.strip().splitlines()])
def test_reader(chiral, bench, line):
    argv = [word.format(d=bench.root) for word in line.split(" ") if word]
    stdin = FILES["words"] if argv[0] == "tr" else b""
    bench.same(chiral, argv, stdin)


SCRIPTS = {
    "pipeline": "cat {d}/words | sort | uniq -c | sort -rn | head -n 5",
    "loop": "for i in 1 2 3 4 5; do echo $i; /bin/true || exit 9; done; exit 4",
    "subshell": "x=$(cat {d}/left | wc); echo $x; (exit 3); echo $?",
    "background": "sleep 0.1 & sleep 0.2 & wait; echo all",
    "kill-self": "kill -KILL $$",
    "term-self": "kill -TERM $$",
    "trap": "trap 'echo got it' USR1; kill -USR1 $$; echo after",
    "here": "cat <<x\nhere\nx\n",
    "exec": "exec echo replaced",
    "redirect": "echo out; echo err >&2; echo 1 2>&1 >/dev/null",
}


@pytest.mark.parametrize("shell", ["dash", "busybox"])
@pytest.mark.parametrize("name", SCRIPTS)
def test_shell(chiral, bench, shell, name):
    argv = ["/bin/sh"] if shell == "dash" else ["busybox", "sh"]
    bench.same(chiral, [*argv, "-c", SCRIPTS[name].format(d=bench.root)])


def test_many_arguments(chiral, bench):
    """More than 65 536 strings; their number is bounded by what the kernel gives to an exec."""
    argv = ["sh", "-c", "exec /bin/echo $(seq 1 70000)"]
    bench.same(chiral, argv)


def test_stdin_large(chiral, bench):
    assert bench.same(chiral, ["cat"], FILES["blob"]) == FILES["blob"]


def test_date_is_now(chiral, bench):
    """Both variants print the leader's time."""
    before = int(bench.native(["date", "+%s"])[1])
    status, out = bench.session(chiral, ["date", "+%s.%N"])
    after = int(bench.native(["date", "+%s"])[1])
    assert status == 0 and before <= float(out) <= after + 1


def test_time_zone_file_of_the_leader(chiral, bench):
    """A file (like /etc/localtime) that exists on the leader's node only."""
    tzif = (b"TZif" + b"\0" * 16 + bytes([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
            + (1).to_bytes(4, "big") + (4).to_bytes(4, "big")
            + (7200).to_bytes(4, "big") + b"\0\0" + b"TWO\0")
    put(bench, "zone", tzif)
    out = bench.same(chiral, ["date", "-d", "@1700000000", "+%H:%M %Z"],
                     env={"TZ": f":{bench.root}/zone"})
    assert out == b"00:13 TWO\n"


def put(bench, name, data):
    if bench.combo.leads_in_guest:
        bench.combo.guest.put(bench.root, {name: data})
    else:
        with open(os.path.join(bench.root, name), "wb") as f:
            f.write(data)


@pytest.mark.parametrize("argv", [
    "shuf -n 5 {d}/words", "mktemp -u", "shuf -i 1-1000000 -n 3",
])
def test_random(chiral, bench, argv):
    """Both variants draw the same random numbers: no alarm although the output is never the same."""
    argv = [w.format(d=bench.root) for w in argv.split()]
    status, out = bench.session(chiral, argv)
    assert status == 0 and out.strip()
    assert bench.session(chiral, argv)[1] != out


def test_made_up_names(chiral, bench):
    """The C library makes them of an address; the follower takes the leader's."""
    script = (f"cd {bench.root} || exit; for i in $(seq 25); do d=$(mktemp -d -p .) && rmdir $d && "
              "f=$(mktemp x.XXXXXX) && echo a >$f && sed -i s/a/b/ $f && cat $f && rm $f || exit 1; done")
    assert bench.session(chiral, ["sh", "-c", script]) == (0, b"b\n" * 25)


def test_program_by_a_relative_path(chiral, bench):
    """Each variant executes its own node's, from the folder that the shell has gone to."""
    for script in ("cd /usr/bin && ./expr 6 '*' 7", "cd /; cd usr; cd bin; ./expr 6 '*' 7",
                   "cd /usr/share && cd ../bin && (cd / && usr/bin/expr 6 '*' 7)"):
        assert bench.session(chiral, ["sh", "-c", script]) == (0, b"42\n")


def test_folder_that_is_gone(chiral, tmp_path):
    """A leader on the same host removes it while its follower is about to go there."""
    script = (f"cd {tmp_path} || exit; for i in $(seq 200); do mkdir d && cd d && umask >/dev/null && "
              "cd .. && rmdir d || exit 1; done")
    chiral.run(LOCAL_LOCAL, ["sh", "-c", script]).expect(0, timeout=60)


WRITERS = {
    "cp": ["cp {d}/blob {d}/out"],
    "cp-r": ["cp -r {d}/dir {d}/outdir", "busybox diff -r {d}/dir {d}/outdir"],
    "mv": ["cp {d}/left {d}/x", "mv {d}/x {d}/out"],
    "ln": ["ln -s {d}/left {d}/l", "readlink {d}/l", "rm {d}/l"],
    "mkdir": ["mkdir -p {d}/m/n/o", "rmdir {d}/m/n/o", "ls {d}/m"],
    "dd": ["dd if={d}/blob of={d}/out bs=10000 count=30 status=none"],
    "tee": ["tee {d}/out"],
    "truncate": ["cp {d}/words {d}/out", "truncate -s 1234 {d}/out"],
    "split": ["split -n 3 {d}/blob {d}/piece.", "sha256sum {d}/piece.aa {d}/piece.ac"],
    "chmod": ["cp {d}/left {d}/out", "chmod 600 {d}/out", "stat -c %a {d}/out"],
    "touch": ["touch -d @1700000000 {d}/out", "stat -c %Y {d}/out"],
    "install": ["install -m 640 {d}/left {d}/out", "stat -c %a {d}/out"],
}


@pytest.mark.parametrize("name", WRITERS)
def test_writer(chiral, bench, name):
    """Effects happen once, on the leader's node: the same files as after a native run."""
    results = []
    for run in (bench.native, lambda *a: bench.session(chiral, *a)):
        bench.native(["sh", "-c", f"cd {bench.root} && rm -rf out outdir m l x piece.*"])
        outputs = []
        for line in WRITERS[name]:
            outputs.append(run([w.format(d=bench.root) for w in line.split()], b"typed\n"))
            assert outputs[-1][0] == 0, (line, outputs[-1])
        tree = bench.native(["sh", "-c", f"cd {bench.root} && busybox find . -type f | sort | "
                             "xargs sha256sum; busybox find . -type l -o -type d | sort"])
        results.append((outputs, tree))
    assert results[0] == results[1]
    bench.native(["sh", "-c", f"cd {bench.root} && rm -rf out outdir m l x piece.*"])


def test_sqlite_memory(chiral, bench):
    bench.same(chiral, ["sqlite3", ":memory:", f".read {bench.root}/q.sql"])


def test_sqlite_file(chiral, bench):
    db = f"{bench.root}/t.db"
    bench.native(["rm", "-f", db])
    status, out = bench.session(chiral, ["sqlite3", db, f".read {bench.root}/q.sql"])
    assert status == 0 and out.startswith(b"500|124750|")
    assert bench.native(["sqlite3", db, "pragma integrity_check; select count(*) from t"]) == (
        0, b"ok\n500\n")
    bench.same(chiral, ["sqlite3", db, "select * from t where a % 50 = 0"])
    bench.native(["rm", "-f", db])


class Servers:
    """Servers on the leader's node that are no part of any session: the microVM reaches nothing
    else."""

    def __init__(self, bench):
        self.bench, self.running = bench, []

    def start(self, argv, ready):
        guest = self.bench.combo.guest if self.bench.combo.leads_in_guest else None
        self.running.append(guest.popen(*argv) if guest else subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        wait_until(lambda: self.bench.native(ready)[0] == 0, 20, " ".join(argv))

    def end(self):
        for p in self.running:
            p.terminate()
            p.wait(10)


@pytest.fixture(scope="module")
def servers(bench):
    s = Servers(bench)
    yield s
    s.end()


@pytest.fixture(scope="module")
def web(bench, servers):
    port = free_port()
    put(bench, "web.conf", f'server.document-root = "{bench.root}"\nserver.port = {port}\n'
        'server.bind = "127.0.0.1"\n'.encode())
    servers.start([LIGHTTPD, "-D", "-f", f"{bench.root}/web.conf"],
                  ["curl", "-sf", f"http://127.0.0.1:{port}/left"])
    return f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("what", ["left", "blob", "missing", "post", "refused", "file", "save"])
def test_curl(chiral, bench, web, what):
    curl = ["curl", "-q", "-s", "--max-time", "50"]
    if what in ("left", "blob"):
        assert bench.same(chiral, [*curl, f"{web}/{what}"]) == FILES[what]
    elif what == "missing":
        assert bench.session(chiral, [*curl, "-f", f"{web}/nope"])[0] == 22
    elif what == "post":
        assert bench.same(chiral, [*curl, "-d", "x=1", f"{web}/left"]) == FILES["left"]
    elif what == "refused":
        assert bench.session(chiral, [*curl, f"http://127.0.0.1:{free_port()}/"])[0] == 7
    elif what == "file":
        assert bench.same(chiral, [*curl, f"file://{bench.root}/left"]) == FILES["left"]
    else:
        status, _ = bench.session(chiral, [*curl, "-o", f"{bench.root}/saved", f"{web}/blob"])
        assert status == 0
        assert bench.native(["cat", f"{bench.root}/saved"])[1] == FILES["blob"]
        bench.native(["rm", f"{bench.root}/saved"])


@pytest.fixture(scope="module")
def redis(bench, servers):
    port = free_port()
    servers.start(["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "",
                   "--dir", bench.root], ["redis-cli", "-p", str(port), "ping"])
    return port


def test_redis_cli(chiral, bench, redis):
    cli = ["redis-cli", "-p", str(redis)]
    assert bench.session(chiral, [*cli, "ping"]) == (0, b"PONG\n")
    assert bench.session(chiral, [*cli, "set", "k", "v" * 3000]) == (0, b"OK\n")
    assert bench.same(chiral, [*cli, "get", "k"]) == b"v" * 3000 + b"\n"
    commands = b"".join(b"incr n\nlpush l %d\n" % i for i in range(100)) + b"del n l\n"
    assert bench.session(chiral, cli, commands)[1].endswith(b"\n2\n")
    assert b"redis_version" in bench.session(chiral, [*cli, "info", "server"])[1]


@pytest.mark.limit(180)
def test_busybox_httpd(chiral, bench):
    """It forks a process for each client."""
    port = free_port()
    files = {n: FILES[n] for n in ("words", "blob", "left")}
    s = chiral.run(bench.combo, ["busybox", "httpd", "-f", "-p", f"{bench.combo.address()}:{port}",
                                 "-h", bench.root], port=port)
    load.wait_ready(port, s, path="/left")
    load.get_many(port, files, 60, 1, keep=False)
    load.get_many(port, {"left": files["left"]}, 200, 10, keep=False)
    assert load.fetch(port, "/nope").status == 404
    load.abort(port, "/blob", 1000, reset=True)
    time.sleep(0.3)
    s.assert_quiet()
    s.kill(15)
    s.expect(128 + 15)
    assert not s.alarms, s.story()
