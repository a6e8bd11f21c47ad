# SPDX-License-Identifier: Apache-2.0
"""Moving target defence: `chiral cc` and `chiral run --mode mtd`. A program prints the same wherever
and however often it moves; what cannot move is an error of the build that names function and line."""
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from chiral import EXIT_OWN_FAILURE, NATIVE, wait_until
from mtd import SOURCES, alone, moving, write_points  # noqa: F401 # a fixture

sys.path.insert(0, SOURCES)
import reuse  # noqa: E402 # pylint: disable=wrong-import-position

pytestmark = pytest.mark.skipif(NATIVE != "x86_64", reason="this machine is to be x86-64")


@pytest.fixture(scope="module", autouse=True)
def _limit():
    if not shutil.which("clang-19"):
        pytest.skip("clang-19 is not installed")


class Builder:
    def __init__(self, chiral_path, folder):
        self.chiral, self.folder = chiral_path, folder
        self.points("all", "*")

    def points(self, name, *lines):
        return write_points(self.folder / (name + ".points"), *lines)

    def cc(self, *args, check=True, env=None):
        done = subprocess.run([self.chiral, "cc", *map(str, args)], cwd=self.folder,
                              capture_output=True, text=True, timeout=300,
                              env={**os.environ, **(env or {})})
        assert not check or done.returncode == 0, done.stderr
        return done

    def program(self, source, points="all", name=None):
        out = self.folder / (name or os.path.splitext(source)[0])
        self.cc("-O2", "-D_GNU_SOURCE", "-I", os.path.join(SOURCES, "..", "..", "src"),
                f"--chiral-points={self.folder / points}.points", os.path.join(SOURCES, source), "-lm", "-o", out)
        return str(out)

    def fails(self, text, *args):
        """Builds a source that cannot move; its error."""
        (self.folder / "bad.c").write_text(text)
        done = self.cc("-O2", "--chiral-points=" + str(self.folder / "all.points"), "bad.c", "-o", "bad",
                       *args, check=False)
        assert done.returncode == 1 and not (self.folder / "bad").exists(), done
        return done.stderr


@pytest.fixture(scope="module")
def builder(chiral_path, tmp_path_factory):
    if chiral_path is None:
        pytest.skip("without Chiral there is nothing to test")
    b = Builder(chiral_path, tmp_path_factory.mktemp("mtd"))
    b.cc("--version")  # makes the C library when it is not in the cache
    return b


@pytest.fixture(scope="module")
def language(builder):
    return builder.program("language.c")


@pytest.fixture(scope="module")
def kernels(builder):
    return builder.program("kernels.c")


@pytest.fixture(scope="module")
def behaviour(builder):
    return builder.program("behaviour.c")


# ---- builds ---------------------------------------------------------------------------------------

def test_kernels_equal_another_compiler(builder, kernels):
    native = str(builder.folder / "kernels.native")
    subprocess.run(["gcc", "-O2", "-ffp-contract=off", "-D_GNU_SOURCE", "-o", native,
                    os.path.join(SOURCES, "kernels.c"), "-lm"], check=True)
    assert alone(kernels, "4").stdout == alone(native, "4").stdout != b""


def test_no_points_no_change(builder, language):
    builder.points("none", "# nothing")
    plain = builder.program("language.c", "none", "language-plain")
    done = alone(plain, "2")
    assert done.returncode == 7 and b"at end" in done.stdout
    assert alone(language, "2").stdout == done.stdout


def test_cannot_move(builder, moving):
    """What points cost is compared with a program that has none at all; it forks when it is alone."""
    program = builder.folder / "wishes-fixed"
    builder.cc("-O2", "-D_GNU_SOURCE", "--chiral-points=none", os.path.join(SOURCES, "wishes.c"), "-o", program)
    assert alone(program, "fork").stdout == alone(builder.program("wishes.c"), "fork").stdout != b""
    m = moving(builder.points("never", "* entry 0%"), [str(program), "fork"])
    assert m.finish() == (EXIT_OWN_FAILURE, b"") and "cannot move: it was built with --chiral-points=none" in m.stderr


def test_objects_archives_dependencies(builder):
    """A build as make does it: -c, -MMD, ar, -l."""
    f = builder.folder
    (f / "part.h").write_text("int part(int x);\n")
    (f / "part.c").write_text('#include "part.h"\nint part(int x) { return x * 2; }\n')
    (f / "unused.c").write_text("int gone(void); int unused(void) { return gone(); }\n")
    (f / "whole.c").write_text('#include <stdio.h>\n#include "part.h"\n'
                               'int main(void) { printf("%d\\n", part(21)); return 0; }\n')
    for name in ("part", "unused"):
        builder.cc("-c", "-MMD", "-MF", f"{name}.d", f"{name}.c")
    assert "part.h" in (f / "part.d").read_text()
    subprocess.run(["ar", "rc", "libpart.a", "part.o", "unused.o"], cwd=f, check=True)
    builder.cc("whole.c", "-L.", "-lpart", "-o", "whole")
    assert alone(str(f / "whole")).stdout == b"42\n"
    assert sorted(p.name for p in f.glob("whole.*")) == ["whole.aarch64", "whole.c", "whole.chiral",
                                                         "whole.x86_64"]


def test_configure_questions(builder):
    assert "clang version 19" in builder.cc("--version").stdout
    assert builder.cc("-dumpmachine").stdout.startswith("x86_64")
    (builder.folder / "q.c").write_text("__CHIRAL_MTD__ __x86_64__ __SSE2__\n")
    assert builder.cc("-E", "-P", "q.c").stdout.split() == ["1", "__x86_64__", "__SSE2__"]


BAD = {
    "inline assembly": '__attribute__((noinline)) int f(void)\n{\n\tint x;\n'
                       '\t__asm__("mov $1, %0" : "=r"(x));\n\treturn x;\n}\n'
                       'int main(void) { return f(); }\n',
    "assembly outside functions": '__asm__(".globl x\\nx:");\nint main(void) { return 0; }\n',
    "is not in the program": "int gone(int);\nint main(int argc, char **argv) { return gone(argc); }\n",
    "aligned to 64 bytes": "void g(char *);\n__attribute__((noinline)) void g(char *p) { *p = 1; }\n"
                           "int main(void)\n{\n\tchar x[100] __attribute__((aligned(64)));\n\tg(x);\n"
                           "\treturn x[0];\n}\n",
    "native stack": "int main(void) { return (int)(long)__builtin_return_address(0); }\n",
    "llvm.x86.rdtsc": "int main(void)\n{\n\treturn (int)__builtin_ia32_rdtsc();\n}\n",
}


@pytest.mark.parametrize("what", BAD, ids=lambda w: w.replace(" ", "-"))
def test_what_cannot_move(builder, what):
    error = builder.fails(BAD[what])
    assert what in error and error.startswith("chiral: error: "), error
    assert "outside" in what or "bad.c:" in error.split(": ")[2] + ":", error


def test_cannot_be_linked(builder):
    assert "-lnothing" in builder.fails("int main(void) { return 0; }\n", "-lnothing")
    assert "only whole programs" in builder.cc("-shared", "x.o", check=False).stderr
    (builder.folder / "a.s").write_text("nop\n")
    assert "is assembly" in builder.cc("a.s", check=False).stderr
    bad = builder.points("bad", "good", "f sideways")
    done = builder.cc("--chiral-points=" + bad, "whole.c", "-o", "x", check=False)
    assert done.returncode == 1 and "bad.points:2:" in done.stderr


# ---- moving ---------------------------------------------------------------------------------------

def test_every_point(builder, language, moving):
    """Every single point moves."""
    expected = alone(language, "4")
    m = moving(builder.points("p100", "*"), [language, "4"])
    assert m.finish() == (7, expected.stdout), m.stderr
    assert m.status["switches"] > 5000 and m.stderr == ""


def test_at_random(builder, language, moving):
    """Sides of random length: other sequences of switches each time."""
    expected = alone(language, "2")
    seen = set()
    for share in ("40%", "7% 60%", "0.5%"):
        m = moving(builder.points("random", f"* entry {share}"), [language, "2"])
        assert m.finish() == (7, expected.stdout), m.stderr
        seen.add(m.status["switches"])
    assert len(seen) == 3 and min(seen) > 0


def test_two_instruction_sets(builder, language, kernels, moving):
    points = builder.points("p30", "* entry 30%")
    for program, rounds in ((language, "1"), (kernels, "1")):
        expected = alone(program, rounds)
        m = moving(points, [program, rounds], other="local:arm64")
        assert m.finish() == (expected.returncode, expected.stdout), m.stderr
        assert m.status["switches"] > 100


def large_function():
    """A function with so many calls and values that it does not get phis for them."""
    n, values = 100, range(48)
    steps = [f"\t\tv{k * 7 % 48} += step(v{k % 48} + (unsigned long)(f * {k}));" for k in range(n)]
    return "\n".join([
        "#include <alloca.h>", "#include <setjmp.h>", "#include <stdio.h>", "#include <string.h>",
        "static jmp_buf env;",
        "__attribute__((noinline)) static unsigned long step(unsigned long x) { return x * 3 + 1; }",
        "__attribute__((noinline)) static long large(unsigned long n, double f, const char *text)", "{",
        "\tchar *copy = alloca(n * 10), array[n];", "\tvolatile int again = 0;",
        *[f"\tunsigned long v{k} = n * {k};" for k in values],
        "\tstrcpy(copy, text);", "\tmemset(array, 1, n);",
        "\tagain = setjmp(env);", "\tif (again < 3) longjmp(env, again + (int)step(0));",
        "\tfor (unsigned long k = 0; k < n; k++) {", *steps, "\t\tarray[k] += copy[k % 4];", "\t\tf += 0.5;", "\t}",
        "\treturn array[n - 1] + again + " + " + ".join(f"v{k} % {k + 2}" for k in values) + ";", "}",
        "int main(void)", "{",
        '\tfor (long k = 2; k < 20; k++) printf("%ld %ld\\n", k, large(k, k / 3.0, "text"));',
        "\treturn 0;", "}", ""])


def test_large_function(builder, moving):
    f = builder.folder
    (f / "large.c").write_text(large_function())
    subprocess.run(["gcc", "-O2", "-o", "large.native", "large.c"], cwd=f, check=True)
    builder.cc("-O2", "--chiral-points=all.points", "large.c", "-o", "large")
    expected = alone(str(f / "large.native"))
    for other in ("local:amd64", "local:arm64"):
        m = moving(builder.points("large", "* entry 50%"), [str(f / "large")], other=other)
        assert m.finish() == (0, expected.stdout), m.stderr
        # Its records are empty.
        assert m.status["switches"] > 1000 and m.status["record_bytes"] < m.status["frames"] * 100


def test_all_functions_of_libc(builder, moving):
    builder.points("everything", "**")
    program = builder.program("language.c", "everything", "language-everything")
    m = moving(builder.points("p20", "** entry 20%"), [program, "1"])
    assert m.finish() == (7, alone(program, "1").stdout), m.stderr
    assert m.status["switches"] > 1000


def test_exit_points(builder, moving):
    builder.points("exits", "* entry,exit")
    program = builder.program("language.c", "exits", "language-exits")
    for where in ("exit", "entry,exit"):
        m = moving(builder.points("where", f"* {where} 70%"), [program, "1"])
        assert m.finish() == (7, alone(program, "1").stdout), m.stderr
        assert m.status["switches"] > 300


def test_selected_points(builder, kernels, moving):
    """A program built with all points moves at those of the run's file only."""
    m = moving(builder.points("one", "random_pairs entry 100%"), [kernels, "3"])
    status, out = m.finish()
    assert status == 0 and out == alone(kernels, "3").stdout
    assert m.status["switches"] == 3
    m = moving(builder.points("zero", "* entry 0%"), [kernels, "1"])
    assert m.finish()[0] == 0 and m.status["switches"] == 0
    m = moving(builder.points("unknown", "no_such_function"), [kernels, "1"])
    assert m.finish()[0] == 0 and "no_such_function is no switch point" in m.stderr


# ---- the session ----------------------------------------------------------------------------------

@pytest.fixture
def always(builder):
    return builder.points("p100", "*")


def test_streams(always, behaviour, moving):
    m = moving(always, [behaviour, "echo"])
    text = b"".join(b"line %d\n" % i for i in range(100))
    assert m.finish(text) == (0, text)
    assert m.status["switches"] in (101, 102) and m.status["calls"] > 50


def test_arguments_environment_descriptors(always, behaviour, moving):
    m = moving(always, [behaviour, "environment", "two words", ""], env={**os.environ, "TEST_A": "b c"})
    assert m.finish() == (0, b"argument %s\nargument environment\nargument two words\nargument \n"
                          b"variable TEST_A=b c\nnext descriptor 3\n" % behaviour.encode())


@pytest.mark.parametrize("other", ["local:amd64", "local:arm64"])
def test_refused_calls(always, behaviour, moving, other):
    m = moving(always, [behaviour, "refused"], other=other)
    status, out = m.finish()
    assert (status, out.decode().splitlines()) == (0, [
        "ptrace -1 Function not implemented", "handler 1 Function not implemented", "ignore 0",
        "shared file 1 No such device", "private file 1", "executable 1 Permission denied",
        "still here"]), m.stderr
    assert "refused: 101" in m.stderr


@pytest.mark.parametrize("other", ["local:amd64", "local:arm64"])
def test_crash(always, behaviour, moving, other):
    m = moving(always, [behaviour, "crash"], other=other)
    assert m.finish()[0] == 128 + signal.SIGSEGV


def test_abort(always, behaviour, moving):
    m = moving(always, [behaviour, "abort"])
    assert m.finish()[0] == 128 + signal.SIGABRT


@pytest.mark.parametrize("signo", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("what", ["wait", "loop"])
def test_signals(builder, behaviour, moving, what, signo):
    """A signal for the session ends the program wherever it is: in a call, or while it moves."""
    m = moving(builder.points("p1", "* entry 1%"), [behaviour, what])
    assert m.process.stdout.readline() == b"waiting\n"
    m.process.send_signal(signo)
    assert m.process.wait(30) == 128 + signo


@pytest.mark.parametrize("other", ["local:amd64", "local:arm64"])
@pytest.mark.parametrize("share", ["100%", "0.01%"])
def test_handlers(builder, behaviour, moving, other, share):
    """Handlers run where the program is; calls are interrupted, or restarted, as without Chiral."""
    points = builder.points("h", "* entry " + share)
    m = moving(points, [behaviour, "handlers"], other=other)
    assert m.finish() == (0, b"raise 1\ninfo 1\nold 1\ntimer 1\n"
                          b"interrupted -1 Interrupted system call\nrestarted 1\n"
                          b"never restarted -1 Interrupted system call\n"), m.stderr
    m = moving(points, [behaviour, "jumps"], other=other)
    assert m.finish() == (0, b"jumped 2\n"), m.stderr


@pytest.mark.parametrize("other", ["local:amd64", "local:arm64"])
def test_no_signal_is_slept_through(builder, behaviour, moving, other):
    """A program that looks at what its handler has told it and then waits: the signal comes in between."""
    m = moving(builder.points("w", "* entry 50%"), [behaviour, "wakes", "3000"], other=other)
    home = None
    for i in range(3000):
        assert m.process.stdout.readline() == b"%d\n" % i
        home = home or m.children()[0]
        os.kill(home, signal.SIGUSR1)
    assert m.finish() == (0, b""), m.stderr
    assert m.status["switches"] > 1000


def test_deep_recursion(builder, behaviour, moving):
    """The stack's end is a crash, and so is the records' end: never silence."""
    points = builder.points("deep", "deep entry 0.1%")
    assert moving(points, [behaviour, "deep", "20000"]).finish()[0] == 0
    assert moving(points, [behaviour, "deep", "400000"]).finish()[0] in (128 + signal.SIGSEGV,
                                                                       EXIT_OWN_FAILURE)


@pytest.mark.parametrize("victim", [0, 1])
def test_killed_process(builder, behaviour, moving, victim):
    """Whichever of the two processes dies, at any moment: the session ends."""
    m = moving(builder.points("p10", "* entry 10%"), [behaviour, "loop"])
    assert m.process.stdout.readline() == b"waiting\n"
    children = m.children()
    time.sleep(0.05)  # somewhere in the middle
    os.kill(children[victim], signal.SIGKILL)
    assert m.process.wait(30) == 128 + signal.SIGKILL
    wait_until(lambda: not any(os.path.exists(f"/proc/{p}") for p in children), 10, "its end")


def test_other_build(builder, kernels, behaviour, moving, always):
    mixed = str(builder.folder / "mixed")
    for suffix, source in ((".x86_64", kernels), (".aarch64", behaviour), (".chiral", kernels)):
        shutil.copy(source + suffix, mixed + suffix)
    m = moving(always, [mixed, "1"], other="local:arm64")
    assert m.finish()[0] == EXIT_OWN_FAILURE and "different builds" in m.stderr


def test_usage(chiral_path, builder, behaviour, always):
    def run(*args):
        done = subprocess.run([chiral_path, "run", *args], capture_output=True, text=True, timeout=30)
        assert done.returncode in (EXIT_OWN_FAILURE, 126) and not done.stdout, done
        return done.stderr

    assert "--points" in run("--mode", "mtd", "--", behaviour)
    assert "manifest" in run("--mode", "mtd", "--points", always, "--", "/bin/true")
    assert "not a node" in run("--mode", "mtd", "--points", always, "--other", "mars", "--", behaviour)
    assert "no emulator can keep" in run("--mode", "mtd", "--points", always, "--home", "local:arm64", "--pages",
                                         "uffd", "--", behaviour)
    assert "cannot read" in run("--mode", "mtd", "--points", "/none", "--", behaviour)
    assert "mtd" in run("--mode", "sideways", "--", behaviour)
    moved = str(builder.folder / "moved")
    shutil.copy(behaviour + ".chiral", moved + ".chiral")
    assert "cannot execute" in run("--mode", "mtd", "--points", always, "--other", "local:amd64", "--", moved)


# ---- attacks --------------------------------------------------------------------------------------

TRIES = 16


@pytest.fixture(scope="module")
def target(chiral_path, tmp_path_factory):
    if os.geteuid() != 0:
        pytest.skip("a points file has to belong to root")
    program, points = reuse.build(chiral_path, str(tmp_path_factory.mktemp("reuse")))
    found = reuse.usable(program + ".x86_64", [program])
    assert found, "no address in privileged() gives the secret away"
    return program, points, reuse.payload(found[0])


@pytest.mark.parametrize("requests", [1, 4])
@pytest.mark.parametrize("points", ["stays", "moves", "leaves"])
def test_reused_code_is_for_one_isa(chiral_path, target, points, requests):
    program, files, payload = target
    n = reuse.count(reuse.session(chiral_path, program, files[points], "local:arm64"), payload, TRIES, requests)
    # All of them by chance: once in 65 536 runs, or less.
    assert n == TRIES if points == "stays" else n < TRIES if points == "moves" else n == 0


# ---- what programs ask for ------------------------------------------------------------------------

@pytest.fixture(scope="module")
def wishes(builder):
    return builder.program("wishes.c")


@pytest.mark.parametrize("other", ["local:amd64", "local:arm64"])
def test_api(always, wishes, moving, other):
    m = moving(always, [wishes, "api"], other=other)
    elsewhere = other != "local:amd64"
    expected = (f"moves 1\nswitch 0\nelsewhere {int(elsewhere)}\nswitch 0\nback 1\nprotected before 1\n"
                f"moved 0\nswitch 0\nelsewhere {int(elsewhere)}\nmoved 0\nprotected before 0\n"
                f"moved {int(elsewhere)}\n")
    assert m.finish() == (0, expected.encode()), m.stderr
    assert m.status["switches"] > 100


def test_api_alone(builder, wishes):
    """Without Chiral it does nothing, whoever compiled it."""
    native = str(builder.folder / "wishes.native")
    subprocess.run(["gcc", "-O2", "-I", os.path.join(SOURCES, "../../src/mtd/include"), "-o", native,
                    os.path.join(SOURCES, "wishes.c")], check=True)
    expected = alone(native, "api").stdout
    assert expected.startswith(b"moves 0\nswitch -1\nelsewhere 0\n")
    assert alone(wishes, "api").stdout == expected


@pytest.mark.parametrize("other", ["local:amd64", "local:arm64"])
@pytest.mark.parametrize("what", ["fork", "system"])
def test_fork(builder, wishes, moving, what, other):
    """A child has its own memory, wherever its parent was; it does not move."""
    expected = alone(wishes, what)
    assert expected.returncode == 0 and len(expected.stdout.splitlines()) >= 3
    for share in ("0%", "50%", "100%"):
        m = moving(builder.points("p", "* entry " + share), [wishes, what], other=other)
        assert m.finish() == (0, expected.stdout), m.stderr


@pytest.mark.parametrize("other", ["local:amd64", "local:arm64"])
def test_exec(always, wishes, moving, other):
    """It ends the session; the new program has the place of the old one."""
    m = moving(always, [wishes, "exec", "/bin/sh", "-c", "ls /proc/self/fd; exit 5"], other=other)
    status, out = m.finish()
    assert status == 5 and max(map(int, out.split())) < 200, (out, m.stderr)
    assert m.stderr == "exec: No such file or directory\n"


@pytest.mark.parametrize("other", ["local:amd64", "local:arm64"])
@pytest.mark.parametrize("share", ["100% 0%", "0%", "0.001%"])
def test_interrupted_computing(builder, wishes, moving, other, share):
    """A signal does not wait until the thread would move, also where it never would."""
    m = moving(builder.points("once", "* entry " + share), [wishes, "interrupted", "100"], other=other)
    assert m.finish(limit=60) == (0, b"100 ticks\n"), m.stderr


# ---- the points file ------------------------------------------------------------------------------

def test_points_read_again(builder, wishes, moving):
    """SIGHUP to the session; a file with an error changes nothing."""
    points = builder.points("live", "* entry 0%")
    m = moving(points, [wishes, "listening"], other="local:arm64")
    out, err = m.process.stdout, m.process.stderr
    assert out.readline() == b"ready\n"
    builder.points("live", "* entry sometimes")
    m.process.send_signal(signal.SIGHUP)
    assert b"live.points:1: " in err.readline()
    builder.points("live", "* entry 50%")
    m.process.send_signal(signal.SIGHUP)
    assert b"read again" in err.readline()
    assert out.readline() == b"moved\n"
    builder.points("live", "* entry 0%")
    m.process.send_signal(signal.SIGHUP)
    assert b"read again" in err.readline()
    status, _ = m.finish(b"end")
    assert status == 0 and m.status["switches"] > 0


@pytest.mark.parametrize("what", ["mode", "owner"])
def test_points_of_root(builder, wishes, moving, what):
    """Who can change the points can make the program stay."""
    points = builder.points("others", "*")
    if what == "mode":
        os.chmod(points, 0o664)
    else:
        os.chown(points, 1, 0)
    m = moving(points, [wishes, "api"])
    assert m.finish() == (EXIT_OWN_FAILURE, b"") and "chown root" in m.stderr


# ---- the benchmark's program ----------------------------------------------------------------------

@pytest.mark.parametrize("other", ["local:amd64", "local:arm64"])
def test_latencies(builder, moving, other):
    """It measures something, whatever that is here."""
    builder.points("none", "# nothing")
    program = builder.program("latency.c", "none")
    for what in ("switch", "call"):
        m = moving(builder.points("never", "* entry 0%"), [program, what, "300"], other=other)
        status, out = m.finish()
        assert status == 0 and len(out.split()) == 300 and all(int(n) > 0 for n in out.split()), m.stderr
        assert m.status["switches"] == (600 if what == "switch" else 2)
    assert len(alone(program, "pingpong", "300").stdout.split()) == 300
    assert alone(program, "switch", "300").returncode == 1
