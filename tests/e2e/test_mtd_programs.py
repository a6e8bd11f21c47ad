# SPDX-License-Identifier: Apache-2.0
"""Programs of Debian's source packages, built with their own build systems by `chiral cc`: they give
the same bytes while they move. Built programs are cached, see tests/mtd/build-program."""
import bz2
import contextlib
import lzma
import os
import random
import shutil
import sqlite3
import subprocess

import pytest

from chiral import NATIVE
from mtd import SOURCES, alone, build_program, moving, write_points  # noqa: F401 # a fixture

pytestmark = pytest.mark.skipif(NATIVE != "x86_64" or not shutil.which("clang-19"),
                                reason="programs that move are built on x86-64, with clang-19")

_rng = random.Random(5)
WORDS = [bytes(_rng.choices(b"abcdefghij", k=_rng.randrange(2, 9))) for _ in range(300)]
TEXT = b" ".join(_rng.choices(WORDS, k=40000)) + _rng.randbytes(20000) + bytes(30000)


@pytest.fixture(scope="module")
def built(chiral_path):
    """Builds are no part of a test's time."""
    if chiral_path is None:
        pytest.skip("without Chiral there is nothing to test")
    names = "lua", "minigzip", "bzip2", "xz", "sqlite3"
    return {name: build_program(chiral_path, name) for name in names}


@pytest.fixture
def points(tmp_path):
    return lambda *lines: write_points(tmp_path / "points", *lines)


@pytest.fixture
def move(chiral_path, moving, points):
    """Runs a program that moves at all its points; its standard output."""
    def run(program, *args, share="1%", home="local", other="local:amd64", text=b"", least=100, status=0):
        m = moving(points("* entry " + share), [program, *args], home=home, other=other)
        ended, out = m.finish(text)
        assert ended == status, m.stderr
        assert m.status["switches"] >= least
        return out
    return run


@pytest.mark.parametrize("home, other", [("local:amd64", "local:amd64"), ("local:amd64", "local:arm64"),
                                         ("local:arm64", "local:amd64")])
def test_lua(built, move, tmp_path, home, other):
    lua = built["lua"]
    script = [os.path.join(SOURCES, "programs.lua"), "2", str(tmp_path / "file")]
    expected = alone(lua, *script)
    assert expected.returncode == 0 and b"round 2 4ce4125862695719" in expected.stdout, expected
    assert move(lua, *script, home=home, other=other, least=10000) == expected.stdout


SMALL = """\
local path, t = arg[1], {}
for i = 1, 200 do t[i] = { i * 7919 % 211, string.format("%05.2f", i / 7) } end
table.sort(t, function(a, b) return a[1] < b[1] end)
local f = assert(io.open(path, "w"))
for _, v in ipairs(t) do f:write(v[1], " ", v[2], "\\n") end
f:close()
local sum, co = 0, coroutine.wrap(function() for l in io.lines(path) do coroutine.yield(l) end end)
for l in co do sum = (sum * 31 + #l + tonumber(l:match("^%d+"))) % 1000003 end
print(sum, (select(2, pcall(error, "caught"))), (select(3, os.rename(path, path .. ".x/y"))))
assert(os.remove(path))
"""


def test_lua_at_home_in_the_microvm(built, move, guest, tmp_path):
    """Its script and the file that it writes are there."""
    guest.put(str(tmp_path), {"small.lua": SMALL.encode()})
    (tmp_path / "small.lua").write_text(SMALL)
    script = [str(tmp_path / "small.lua"), str(tmp_path / "file")]
    expected = alone(built["lua"], *script)
    assert expected.stdout == b"827801\tcaught\t2\n", expected
    assert move(built["lua"], *script, home="microvm", least=100) == expected.stdout


@pytest.mark.parametrize("other", ["local:amd64", "local:arm64"])
def test_zlib(built, move, other):
    """zlib's own example program compresses, and gzip is the judge."""
    minigzip = built["minigzip"]
    packed = move(minigzip, text=TEXT, other=other, share="50%")
    assert subprocess.run(["gzip", "-dc"], input=packed, capture_output=True, check=True).stdout == TEXT
    assert packed == alone(minigzip, input=TEXT).stdout
    assert move(minigzip, "-d", text=packed, other=other, share="100%") == TEXT


@pytest.mark.parametrize("other", ["local:amd64", "local:arm64"])
def test_bzip2(built, move, other):
    bzip2 = built["bzip2"]
    packed = move(bzip2, "-c", text=TEXT, other=other, share="100%")
    assert packed == bz2.compress(TEXT)
    assert move(bzip2, "-dc", text=packed, other=other, share="100%") == TEXT


@pytest.mark.parametrize("other", ["local:amd64", "local:arm64"])
def test_xz(built, move, other):
    xz = built["xz"]
    packed = move(xz, "-c", text=TEXT, other=other)
    assert lzma.decompress(packed) == TEXT
    assert move(xz, "-dc", text=packed, other=other, share="10%", least=10) == TEXT


SQL = """
create table t(a integer primary key, b text, c real);
with recursive n(x) as (select 1 union all select x + 1 from n where x < 800)
  insert into t select x, printf('row %05d', x * 7919 % 1009), x / 7.0 from n;
create index tb on t(b);
begin; update t set c = c * 2 where a % 3 = 0; delete from t where a % 5 = 0; commit;
begin; delete from t; rollback;
select count(*), sum(a), round(sum(c), 6), min(b), max(b) from t;
select b, group_concat(a) from t where b like '%7' group by b order by b limit 10;
select a, c, avg(c) over (order by a rows 3 preceding) from t order by b limit 5;
create view v as select t1.a, t2.b from t t1 join t t2 on t1.a = t2.a + 1 where t1.c > 20;
select count(*), max(b) from v;
create table blobs(k text primary key, v blob) without rowid;
insert into blobs select b, zeroblob(a * 20) from t where a < 300;
create trigger r after delete on t begin delete from blobs where k = old.b; end;
delete from t where a < 100;
select count(*), sum(length(v)), hex(x'00ff' || substr(v, 1, 2)) from blobs;
insert into t values (101, 'twice', 0);
select json_extract('{"x":[1,2,{"y":"deep"}]}', '$.x[2].y'), hex(zeroblob(4)), quote(0.1);
vacuum;
pragma integrity_check;
"""


@pytest.mark.parametrize("other, share, least", [
    ("local:amd64", "0.1%", 100), ("local:amd64", "100%", 100000), ("local:arm64", "5%", 5000)])
def test_sqlite(built, move, tmp_path, other, share, least):
    """Its file has the same bytes too, and Python's own sqlite reads it."""
    program, files = built["sqlite3"], [tmp_path / "alone.db", tmp_path / "moved.db"]
    expected = alone(program, files[0], input=SQL.encode())
    assert expected.stderr.count(b"error") == 1 and b"UNIQUE constraint failed: t.a" in expected.stderr
    assert expected.stdout.endswith(b"deep|00000000|0.1\nok\n")
    assert move(program, str(files[1]), text=SQL.encode(), other=other, share=share, least=least,
                status=1) == expected.stdout
    assert files[0].read_bytes() == files[1].read_bytes()
    with contextlib.closing(sqlite3.connect(files[1])) as db:
        assert db.execute("pragma integrity_check").fetchall() == [("ok",)]
        assert db.execute("select count(*) from t").fetchall() == [(560,)]


# Enough for thousands of switches; the emulated node takes about a millisecond for each.
LITTLE = TEXT[:1500] + bytes(500)
LITTLE_SQL = """
create table t(a integer primary key, b text, c real);
insert into t values (1, 'one', 0.5), (2, 'two', 1e100), (3, null, -7.25);
create index tb on t(b);
update t set c = c * 2 where a > 1;
select a, b, quote(c), length(b) from t order by b desc;
insert into t values (2, 'again', 0);
select json_extract('{"x":[1,{"y":"deep"}]}', '$.x[1].y'), printf('%05.2f', sum(c)) from t;
pragma integrity_check;
"""


@pytest.mark.parametrize("share", ["100%", "30%"])
@pytest.mark.parametrize("name, pack, unpack", [
    ("minigzip", ["-1"], ["-d"]), ("bzip2", ["-1", "-c"], ["-dc"]), ("xz", ["-0", "-c"], ["-dc"])],
    ids=lambda v: v if isinstance(v, str) else "")
def test_compressors_with_the_microvm(built, move, guest, name, pack, unpack, share):
    packed = move(built[name], *pack, text=LITTLE, other="microvm", share=share, least=1)
    assert packed == alone(built[name], *pack, input=LITTLE).stdout
    assert move(built[name], *unpack, text=packed, other="microvm", share=share, least=1) == LITTLE


@pytest.mark.parametrize("share", ["100%", "2%"])
def test_sqlite_with_the_microvm(built, move, guest, tmp_path, share):
    program, files = built["sqlite3"], [tmp_path / "alone.db", tmp_path / "moved.db"]
    expected = alone(program, files[0], input=LITTLE_SQL.encode())
    assert b"deep|" in expected.stdout and expected.stdout.endswith(b"\nok\n"), expected
    assert move(program, str(files[1]), text=LITTLE_SQL.encode(), other="microvm", share=share,
                status=1) == expected.stdout
    assert files[0].read_bytes() == files[1].read_bytes()


TINY = """local t = {} for i = 1, 3 do t[i] = i / 2 end print(table.concat(t, ","), pcall(error, "x", 0))"""


@pytest.mark.parametrize("share, script, expected", [
    ("100%", TINY, b"0.5,1.0,1.5\tfalse\tx\n"), ("2%", SMALL, b"827801\tcaught\t2\n")], ids=["100%", "2%"])
def test_lua_with_the_microvm(built, move, guest, tmp_path, share, script, expected):
    (tmp_path / "script.lua").write_text(script)
    argv = [str(tmp_path / "script.lua"), str(tmp_path / "file")]
    assert move(built["lua"], *argv, other="microvm", share=share) == expected
