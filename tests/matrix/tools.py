# SPDX-License-Identifier: Apache-2.0
"""Rows of the program matrix: command-line programs.

Most are a script, run natively and in a session in equal folders: output (with what goes to standard
error) and exit status have to be the same. Scripts print nothing that is different at each run."""
import os
import random
import subprocess
import tempfile

from matrix import row

_rng = random.Random(11)
FILES = {
    "words": b"".join(b"%06d %s\n" % (_rng.randrange(10**6), bytes(_rng.choices(b"abcdef", k=9)))
                      for _ in range(3000)),
    "blob": _rng.randbytes(300_000),
    "left": b"1 a\n2 b\n3 c\n3 c\n",
    "right": b"1 x\n3 y\n4 z\n",
    "tree/a": b"A\n", "tree/b c": b"BB\n", "tree/sub/d": b"DDD\n", "tree/sub/deep/e": b"",
}


def work(bed, files=None):
    """Folder `new` is as it was before every run of a script; scripts run in `run`."""
    bed.put_all({f"new/{name}": data for name, data in {**FILES, **(files or {})}.items()})
    # The shell that copies is no part of any session; times are old, sizes of folders equal.
    bed.sh("find new -exec touch -h -d @1600000000 {} +")


RESET = "rm -rf run; cp -a new run"


def script(bed, text, shell=("sh",), env=None, options=(), files=None, begin="set -u;"):
    """Runs the script natively and in a session; the output."""
    work(bed, files)
    return bed.same([*shell, "-c", f"exec 2>&1; cd {bed.root}/run; {begin} {text}"],
                    env={"HOME": f"{bed.root}/run", **(env or {})}, options=options, before=RESET)


# ---- coreutils ----------------------------------------------------------------------------------

@row("coreutils: text", packages=["coreutils"])
def coreutils_text(bed):
    script(bed, """
        sort words | uniq -c | sort -rn | head -n 3; sort -k 2 -u words | sha256sum
        sort --parallel=1 -R --random-source=blob left; sort -c words; sort -m left right
        uniq -d left; comm left right; join left right; paste -d, left right
        cut -c 1-3 left; cut -d ' ' -f 2 words | tail -n 2; tr a-c A-C <left; nl left; tac right
        head -c 20000 blob | md5sum; tail -c +290000 blob | sha1sum; head -n -2 left
        wc left blob; wc -c blob; wc -w <words
        md5sum blob words >sums; md5sum -c sums; sha512sum left; b2sum right; cksum blob; sum left
        fold -w 2 right; fmt -w 20 words | tail -n 1; expand left; unexpand -a right; pr -t -2 left
        od -A d -t x1z left; base64 left; base32 <right; basenc --hex left
        split -l 1000 words p.; split -n 3 blob q.; cat q.* | cmp - blob; ls p.* q.*
        csplit -s left /2/ /3/; cat xx01; shuf --random-source=blob -n 3 words; tsort left
        ptx left | head -n 2; rev <left 2>/dev/null; echo done
    """)


@row("coreutils: files", packages=["coreutils"])
def coreutils_files(bed):
    script(bed, """
        ls -l words left; ls -laR tree | grep -v '\\.\\.$' | cut -c 1-10; ls -i1 tree | wc -w
        cp -r tree copy; cp -a tree/sub kept; cp -u words left copy; ls -R copy kept
        mv copy moved; mv -n left right; mv moved/a renamed; ls
        ln words hard; ln -s words soft; readlink soft; readlink -f soft | sed 's/.*run/run/'
        stat -c '%n %s %a %h %F' words soft; stat -c %Y tree; realpath --relative-to=. tree/../words
        touch -d @1500000000 t; touch -r t u; stat -c %Y u; touch -c none; date -r t +%F
        chmod 640 t; chmod u+x,g-r t; stat -c %a t; chmod -R a-w tree; ls -ld tree | cut -c 1-10
        chmod -R u+w tree; chown "+$(id -u):+$(id -g)" t; chgrp "+$(id -g)" u; stat -c %u:%g t
        mkdir -p m/n/o; mkdir -m 700 p; rmdir -p m/n/o; rmdir none; mkfifo f; stat -c %F f
        dd if=blob of=part bs=1000 skip=3 seek=2 count=50 conv=notrunc status=none; sha1sum part
        dd if=words bs=4k count=1 2>/dev/null | dd conv=ucase status=none | tail -c 20
        truncate -s 12345 blob; stat -c %s blob; truncate -s +5 blob; fallocate -l 9999 g
        tee one two <right; cmp one two; cat one - two <left; install -m 750 -d dir
        install -m 640 words dir/w; stat -c %a dir dir/w; du -ab tree | sort; du -s --apparent-size .
        df . >/dev/null && df --output=target / ; sync words; unlink one; rm -r moved two; rm none
        shred -u -n 1 --random-source=blob part; mktemp -d -p . d.XXXX | wc -c; pathchk -p ok
        test -e words -a ! -e none && [ words -nt t ] && echo newer; ls -l --time-style=+%s t
        dircolors -b | head -c 10; vdir words; dir tree
    """)


@row("coreutils: system", packages=["coreutils"])
def coreutils_system(bed):
    script(bed, """
        date -u -d @1700000000; date +%Y | wc -c; id -u; id -un; groups; whoami; uname -sm; arch
        nproc; hostid; logname; tty; stty -a; pwd | sed 's/.*run/run/'; users; who -q
        env -i A=1 B=2 env; env -u HOME printenv HOME; printenv LC_ALL; env --chdir=tree ls
        timeout 5 echo in time; timeout 0.2 sleep 20; echo $?; timeout -s KILL 0.2 sleep 20; echo $?
        nohup echo up; nice -n 5 nice; nice; sleep 0.05; stdbuf -oL echo line; kill -l 15
        seq 3; seq -s, 1 0.5 3; seq 100000 | tail -n 1; factor 1234567890123; expr 6 '*' 7
        expr abc : 'a\\(.\\)'; numfmt --to=iec 123456789; printf '%05d|%s|%x\\n' 42 x 255
        basename a/b.c .c; dirname a/b; true; false; echo $?; yes | head -n 100000 | md5sum
        echo a b c | xargs -n 1 echo x; link words again; chroot / /bin/echo in; runcon true; nproc --all | wc -w
        echo 'a b' | tee two | cat; cat /proc/sys/kernel/ostype; sleep 0.1 & wait $!; echo $?
    """)


@row("findutils", packages=["findutils"])
def findutils(bed):
    script(bed, """
        find . | sort; find . -type f -size +1k -printf '%p %s %m\\n' | sort
        find tree -name '*c*' -print0 | xargs -0 ls -d; find . -newermt 2025-01-01
        find tree -type f -exec md5sum {} + | sort; find tree -type f -exec cat {} ';' | sort
        find tree -depth -name sub -execdir ls {} ';'; find words left | xargs -I% wc -c %
        seq 50 | xargs -n 7 | tail -n 2; seq 12 | xargs -P 3 -n 1 sh -c 'exit 0'; echo $?
        seq 5 | xargs -P 2 -n 1 sh -c 'test $0 != 4'; echo $?; find tree -empty -delete; find tree | sort
        find nowhere; find . -maxdepth 1 -regex '.*/[lr].*' -ls | grep -c ''
    """)


@row("grep, sed, diffutils", packages=["grep", "sed", "diffutils"])
def grep_sed(bed):
    script(bed, """
        grep -c abc words; grep -n 'fed$' words | head -n 3; grep -E '^(00|99)' words | wc -c
        grep -rl DDD tree; grep -o 'a[bc]*d' words | sort | uniq -c | sort -rn | head -n 3
        grep -v . left; echo $?; grep -q zzz words; echo $?; grep -P '(?<=a)b{2}' words | head -n 2
        grep -F -f right words | head -n 2; grep -a -b -m 1 . blob | grep -c ''; zgrep -h x right; fgrep x right
        sed -n '2,3p;$=' left; sed 's/\\(.\\) \\(.\\)/\\2 \\1/;y/abc/xyz/' left; sed -i.old 's/a/Q/g' words
        cmp words words.old | grep -c ''; sed -e '/2/d' -e '$!N;s/\\n/+/' left; sed -s -n '$w last' left right
        cat last; sed --debug -n p right | head -n 2; diff left right; diff -u left right | tail -n 4
        diff -r tree tree && echo same; cmp left right; sdiff left right; diff3 left right left | head -n 3
    """)


@row("gawk, mawk", packages=["gawk", "mawk"])
def awk(bed):
    body = """
        $A '{ n[$2 ~ /^a/] += $1 } END { print n[0], n[1] }' words; $A -F. '{ print NF }' left | uniq
        $A 'BEGIN { while ("sort -r left" | getline l) print "<" l; system("echo from a child") }'
        $A '{ print | "sort -k 2" } END { close("sort -k 2"); printf "%s %.3f\\n", "end", 1 / 3 }' right
        $A '{ print $1 > "out" ; print $2 >> "out2" }' left; cat out out2; $A -v x=3 'BEGIN { print x ^ 2, ENVIRON["LC_ALL"] }'
        $A 'BEGIN { srand(7); print int(rand() * 1000) == int(rand() * 1000); exit 3 }'; echo $?
    """
    for name in ("gawk", "mawk"):
        script(bed, body.replace("$A", name))


# ---- shells -------------------------------------------------------------------------------------

SHELL = """
cat words | sort | head -n 2 | tr a-f A-F
x=$(cat left | wc -c); echo "$x"; y=`echo nested $(echo substitution)`; echo "$y"
cat <<END
a here-document of $x
END
cat <<'END' | sed s/o/0/g
no $expansion
END
(exit 3); echo $?; { echo group; } >out; cat out; ! false; echo $?
for i in 1 2 3; do echo $i; done | while read -r n; do echo "read $n"; done
f() { local z=$1; echo "f $z"; return 4; }; f x; echo $?
case $x in 16) echo sixteen;; *) echo other;; esac
sleep 0.05 & a=$!; sleep 0.02 & b=$!; wait $b; wait $a; echo waited $?
(sleep 0.05; exit 5) & wait $!; echo $?
sleep 10 & kill $!; wait $!; echo $?
trap 'echo got USR1' USR1; kill -USR1 $$; echo after; trap - USR1
(trap 'echo bye' EXIT; echo in)
sh -c 'kill -TERM $$'; echo $?; (sh -c 'kill -SEGV $$'; echo $?) 2>/dev/null
exec 5<left; read -r l <&5; echo "$l"; cat <&5; exec 5<&-
echo out; echo err >&2; echo dup 2>&1 >/dev/null
n=0; while [ $n -lt 10 ]; do n=$((n + 1)); /bin/true; done; echo $n
set -- a 'b c' d; echo $# "$2"; shift; echo "$*"; IFS=:; echo "$*"; unset IFS
echo tree/*; echo ~ | sed 's/.*run/run/'; echo ${x%6} ${x:-none} ${none:-default}; umask 027; touch u; ls -l u | cut -c 1-10
. ./lib; greet; ulimit -n >/dev/null; times >/dev/null; type cat; command -v nothing; cd tree && pwd | sed 's/.*run/run/'; cd - >/dev/null
trap 'echo at the end' EXIT; exit 7
"""


@row("dash", packages=["dash"])
def dash(bed):
    script(bed, SHELL, ("dash",), files={"lib": b"greet() { echo hello; }\n"}, begin="")


BASH = r"""
diff <(sort left) <(sort -r right); a=(1 2 "3 4"); echo ${#a[@]} "${a[2]}"; declare -A m=([k]=v [l]=w); echo ${m[l]}
while read -r n l; do echo "$l=$n"; done < <(head -n 3 left); cat <<< "here string $((2 ** 10))"
[[ abc =~ ^(a)(.*)$ ]] && echo "${BASH_REMATCH[2]}"; echo {1..5} {a,b}c; printf '%q %s\n' 'x y' z; printf '%(%Y)T\n' 0
coproc cat; echo to coproc >&${COPROC[1]}; read -r r <&${COPROC[0]}; echo "$r"; exec {COPROC[1]}>&-; wait
mapfile -t lines <left; echo ${#lines[@]}; shopt -s globstar nullglob; echo tree/**/*; set -o pipefail; false | true; echo $?
(set -m; sleep 60 & jobs | grep -c ''; kill -STOP %1; kill -CONT %1; kill %1; wait %1; echo $?) 2>/dev/null
mkfifo gate; (exit 1) & (read -r z <gate; exit 2) & wait -n; echo $?; echo >gate; wait; (time true) 2>/dev/null; echo ${x^^} ${y,,} ${x/1/one}
read -t 0.1 z </dev/zero; echo $?; ulimit -c 0; exec 3>lock; flock 3; echo $BASHPID | wc -w; enable -n echo; echo external
"""


@row("bash", packages=["bash"])
def bash(bed):
    script(bed, SHELL.replace("exit 7", BASH + "exit 7"), ("bash",),
           files={"lib": b"greet() { echo hello; }\n"}, begin="")


@row("bash: messages in other locales", packages=["bash"])
def bash_locales(bed):
    """The C library looks for locales and translations; none of these is there."""
    for env in ({"LC_ALL": "", "LANG": ""}, {"LC_ALL": "", "LANG": "en_US.UTF-8"},
                {"LC_ALL": "", "LANGUAGE": "de:fr", "LANG": "de_DE.ISO-8859-1"}):
        script(bed, "nothing; cd /none; echo $((1 / 0)); . none; kill -9 x; echo $[ 2 + ]; echo ${x?unset}",
               ("bash",), env=env, begin="")


@row("bash: a script with #!", packages=["bash", "dash"])
def bash_file(bed):
    """A script file is read while it runs; with --local each variant reads its own."""
    work(bed, {"s.sh": b"#!/bin/bash\ncd \"$1\"\n" + SHELL.encode(),
               "lib": b"greet() { echo hello; }\n"})
    argv = ["bash", f"{bed.root}/new/s.sh", f"{bed.root}/run"]
    bed.same(argv, env={"HOME": f"{bed.root}/run"}, before=RESET)
    if not bed.combo.uses_guest:    # the file has to be on both nodes
        for reader in ("bash", "dash"):
            bed.same([reader, *argv[1:]], env={"HOME": f"{bed.root}/run"}, before=RESET,
                     options=["--local", bed.root])


# ---- archives -----------------------------------------------------------------------------------

@row("tar, gzip", packages=["tar", "gzip"])
def tar(bed):
    script(bed, """
        tar -c -f t.tar tree words; tar -t -v -f t.tar | cut -c 1-10; sha256sum t.tar
        tar -c -z -f t.tgz tree blob; mkdir x; tar -x -z -f t.tgz -C x; diff -r tree x/tree && cmp blob x/blob && echo equal
        tar -r -f t.tar left; tar -d -f t.tar; tar -x -O -f t.tar left; tar -c tree | tar -t | sort
        tar --delete -f t.tar words; tar -t -f t.tar; tar -c --sparse -f s.tar blob; tar -x -f nothing; echo $?
        gzip -k -9 words; gzip -l words.gz; gzip -t words.gz; zcat words.gz | cmp - words; gunzip <words.gz | md5sum
        gzip -c blob | gzip -d | cmp - blob; gzip -n -1 <left | base64; rm words; gunzip words.gz; md5sum words
    """)


XZ = """
        xz -k -T$t words blob; xz -t words.xz; xz -dc -T$t words.xz | cmp - words; sha1sum words.xz blob.xz; rm *.xz
"""


@row("xz: several threads", packages=["xz-utils"],
     races="which of its threads is ready first decides when the first one reads and writes")
def xz_threads(bed):
    script(bed, XZ, begin="t=2;")


@row("xz, bzip2, zstd", packages=["xz-utils", "bzip2", "zstd"])
def compressors(bed):
    script(bed, XZ + """
        xz -1 <left | xz -d; xz -l words; echo $?; tar -c -J -f t.txz tree; tar -t -f t.txz | sort
        bzip2 -k words; bunzip2 -t words.bz2; bzcat words.bz2 | cmp - words; sha1sum words.bz2; bzip2 -c blob | bunzip2 | cmp - blob
        tar -c -j tree | tar -t -j | sort; bzip2 -t left; echo $?
        zstd -q -T1 words; zstd -q -t words.zst; zstdcat words.zst | cmp - words; sha1sum words.zst; zstd -q -19 -c blob | unzstd | cmp - blob
    """, begin="t=1;")


# ---- version control, databases ------------------------------------------------------------------

@row("git", packages=["git"], limit=400)
def git(bed):
    script(bed, """
        git init -q -b main repo; cd repo; cp -r ../tree ../words .; git add .; git commit -q -m first; git status
        echo more >>words; git diff --stat; git commit -q -a -m second; git log --oneline | cut -c 9-; git log --format=%H
        git checkout -q -b side HEAD~1; echo side >s; git add s; git commit -q -m side; git checkout -q main
        git merge -q --no-edit side; git log --graph --format=%s; git show --stat HEAD~1 | tail -n 3; git blame tree/a | cut -d '(' -f 2
        git tag -a -m tagged v1; git describe; git stash list; git branch -v | cut -c 1-9; git ls-files -s
        git gc -q; git count-objects -v | grep -E '^(count|packs|in-pack)'; git fsck --full; git rev-parse HEAD
        cd ..; git clone -q repo clone; cd clone; git log --format=%s | grep -c ''; echo x >y; git add y; git commit -q -m third
        git push -q origin HEAD:pushed; git -C ../repo branch; git rev-list --objects --all | grep -c ''; git archive HEAD | tar -t | sort
    """, env={"GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.org", "GIT_COMMITTER_NAME": "C",
              "GIT_COMMITTER_EMAIL": "c@example.org", "GIT_AUTHOR_DATE": "1600000000 +0000",
              "GIT_COMMITTER_DATE": "1600000000 +0000", "GIT_CONFIG_NOSYSTEM": "1"})


SQL = (b"create table t(a integer primary key, b text, c integer);\nbegin;\n" +
       b"".join(b"insert into t values(%d,'row %d',%d);\n" % (i, i * i, i % 17)
                for i in range(1000)) +
       b"commit;\nselect count(*), sum(a), max(b), sum(c) from t;\ncreate index i on t(b);\n"
       b"select a, b from t where b like '%99%' order by b;\nupdate t set c = c + 1 where a % 3 = 0;\n"
       b"delete from t where a % 10 = 0;\nselect c, count(*) from t group by c order by c;\n"
       b"begin; delete from t; rollback;\npragma integrity_check;\nvacuum;\nselect count(*) from t;\n")


@row("sqlite3", packages=["sqlite3"])
def sqlite(bed):
    script(bed, "for m in delete truncate persist wal; do "
           "sqlite3 $m.db \"pragma journal_mode=$m;\" '.read q.sql'; "
           "sqlite3 $m.db 'select a, b from t where a < 5; insert into t(b) values(1); "
           "select last_insert_rowid();'; sqlite3 $m.db .dump | sha256sum; ls; done; "
           "sqlite3 -csv :memory: '.read q.sql' 'select * from t limit 3' | tail -n 3; "
           "sqlite3 wal.db 'not sql'; echo $?", files={"q.sql": SQL})


# ---- languages ----------------------------------------------------------------------------------

PYTHON = r"""
import asyncio, collections, ctypes, datetime, hashlib, json, os, re, select, shutil, signal, socket, socketserver
import sqlite3, struct, subprocess, sys, tempfile, threading, queue, zlib

print(json.dumps({"b": [1, 2.5, None], "a": "\u00e4"}, sort_keys=True), sorted(os.listdir("tree")))
print(subprocess.run(["sort", "-r"], input=b"1\n2\n", capture_output=True).stdout)
print(subprocess.check_output("echo $0 | tr a-z A-Z", shell=True, text=True))
try:
    subprocess.run(["sleep", "10"], timeout=0.1)
except subprocess.TimeoutExpired as e:
    print("timeout", e.cmd)
with open("out", "w") as f:
    f.writelines(f"{i}\n" for i in range(1000))
print(hashlib.sha256(open("out", "rb").read()).hexdigest(), os.stat("out").st_size, zlib.crc32(b"x"))
with tempfile.TemporaryDirectory() as d:
    shutil.copytree("tree", os.path.join(d, "t")); print(sum(len(f) for _, _, f in os.walk(d)))

done = queue.Queue()
def worker(n):
    done.put(n * n)
for n in range(4):      # one after the other: their order is not the kernel's
    t = threading.Thread(target=worker, args=(n,)); t.start(); t.join()
print(sorted(done.get() for _ in range(4)), threading.active_count())

a, b = socket.socketpair(); a.sendall(b"pair"); print(b.recv(10)); a.close(); b.close()
s = socket.create_server(("127.0.0.1", 0)); c = socket.create_connection(s.getsockname()); d, _ = s.accept()
c.sendall(b"x" * 70000); c.shutdown(socket.SHUT_WR); n = 0
while chunk := d.recv(4096): n += len(chunk)
print(n)

async def echo(r, w):
    w.write(await r.read(100)); await w.drain(); w.close()
async def main():
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async def client(i):
        r, w = await asyncio.open_connection("127.0.0.1", port); w.write(b"%d" % i); w.write_eof()
        return await r.read()
    print(await asyncio.gather(*(client(i) for i in range(5))))
    server.close()
asyncio.run(main())

hits = []
signal.signal(signal.SIGALRM, lambda *_: hits.append(1)); signal.setitimer(signal.ITIMER_REAL, 0.02); signal.pause(); print(hits)
pid = os.fork()
if pid == 0: os._exit(9)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
db = sqlite3.connect(":memory:"); print(db.execute("select 6 * 7").fetchone()); print(struct.pack("<I", 7), ctypes.sizeof(ctypes.c_long))
print(datetime.datetime.fromtimestamp(0, datetime.timezone.utc), re.sub(r"(\d)", r"<\1>", "a1b2"), collections.Counter("abca").most_common(1))
import random, uuid, secrets
random.seed(3); print(random.random()); assert len(secrets.token_hex(8)) == 16 and uuid.uuid4().version == 4
print(sum(hash(str(i)) for i in range(100)) is not None, len({str(i) for i in range(100)}))
sys.exit(5)
"""


@row("python3", packages=["python3"], limit=400)
def python(bed):
    script(bed, "python3 p.py; echo $?; python3 -c 'print(6 * 7)'; python3 -m json.tool j; "
           "python3 -V | cut -c 1-8; echo 'print(1)' | python3; python3 -c 'x = 1 / 0'; echo $?; "
           "python3 -c 'import sys; print(sorted({\"a\", \"b\"}), sys.argv)' x y; chmod +x s.sh; "
           "python3 -c 'import os, threading; threading.Thread(target=os.execv, "
           "args=(\"./s.sh\", [\"s\", \"thread\"])).start()'",
           files={"p.py": PYTHON.encode(), "j": b'{"k": [1, 2]}', "s.sh": b"#!/bin/sh -u\necho $0 $1\n"})


PYTHON_THREADS = r"""
import threading, sys
lock, total = threading.Lock(), 0
def count(n):
    global total
    for i in range(200):
        with lock: total += 1
        with open(f"t{n}", "a") as f: f.write(f"{i}\n")
threads = [threading.Thread(target=count, args=(n,)) for n in range(4)]
for t in threads: t.start()
for t in threads: t.join()
print(total)
"""


@row("python3: threads at once", packages=["python3"],
     races="the order in which its threads take the interpreter's lock is not the same in each variant")
def python_threads(bed):
    script(bed, "python3 p.py", files={"p.py": PYTHON_THREADS.encode()})


ASYNCIO = r"""
import asyncio, sys
async def one(i):
    p = await asyncio.create_subprocess_exec("sh", "-c", f"read x; echo {i} $x; exit {i}",
                                             stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    out, _ = await p.communicate(b"in\n")
    return out, p.returncode
async def main():
    if "pidfd" in sys.argv:
        asyncio.get_child_watcher().attach_loop(asyncio.get_running_loop())
    print(await one(9))
    print(await asyncio.gather(*(one(i) for i in range(4))))
    p = await asyncio.create_subprocess_exec("sleep", "60")
    try:
        await asyncio.wait_for(p.wait(), 0.1)
    except asyncio.TimeoutError:
        p.kill(); print("killed", await p.wait())
if "pidfd" in sys.argv:
    asyncio.set_child_watcher(asyncio.PidfdChildWatcher())
asyncio.run(main())
"""


@row("python3: asyncio, processes by pidfd", packages=["python3"])
def asyncio_pidfd(bed):
    script(bed, "python3 p.py pidfd", files={"p.py": ASYNCIO.encode()})


@row("python3: asyncio, processes by threads", packages=["python3"],
     races="a thread for each child tells the first one of its end, which may look before or after")
def asyncio_threads(bed):
    script(bed, "python3 p.py", files={"p.py": ASYNCIO.encode()})


PERL = r"""
use strict; use warnings; use POSIX qw(floor strftime :sys_wait_h); use File::Find; use File::Temp qw(tempfile);
use IO::Socket::INET; use Digest::MD5 qw(md5_hex); use Data::Dumper; use List::Util qw(sum max); use Socket; use Time::HiRes qw(usleep);
open(my $f, '<', 'words') or die; my ($n, %c) = (0); while (<$f>) { $n += $1 if /^(\d+)/; $c{substr($_, 7, 1)}++ } close $f;
print "$n ", join(',', map { "$_=$c{$_}" } sort keys %c), " ", md5_hex($n), "\n";
find(sub { print "$File::Find::name\n" if -f }, 'tree');
my $pid = fork // die; if (!$pid) { exit 6 } waitpid($pid, 0); print WEXITSTATUS($?), "\n";
print `echo from the shell`, system('exit 3') >> 8, "\n"; open(my $p, '|-', 'sort') or die; print $p "b\na\n"; close $p;
my $s = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1') or die $@;
my $k = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $s->sockport) or die; my $a = $s->accept;
print $k "line\n"; $k->flush; print scalar <$a>; local $Data::Dumper::Sortkeys = 1; print Dumper({ x => [1, 2], y => sum(1 .. 10) });
local $SIG{ALRM} = sub { print "alarm\n" }; alarm 1; select(undef, undef, undef, 5); print strftime('%F', gmtime 0), floor(2.7), "\n";
my ($t, $name) = tempfile(UNLINK => 1); print $t 'x' x 5000; close $t; print -s $name, "\n"; usleep 1000; my %h = map { $_ => 1 } 1 .. 50; print join(' ', keys %h) ne '' ? "keys\n" : '';
printf "%s\n", join ' ', sort { $a <=> $b } map { $_ ** 2 } 1 .. 5; rename 'left', 'l2'; print -e 'l2' ? "renamed\n" : ''; kill 'TERM', $$;
"""


@row("perl", packages=["perl"], fast=True)
def perl(bed):
    script(bed, "perl p.pl; echo $?; perl -ne 'print if /a/' left; perl -i -pe 's/x/y/' right; "
           "cat right; perl -MJSON::PP -e 'print JSON::PP->new->canonical->encode({b=>1,a=>[2]})'; "
           "echo 'print 1 + 1' | perl; perl -e 'die \"dead\\n\"'; echo $?",
           files={"p.pl": PERL.encode()})


@row("perl: order of a hash", packages=["perl"])
def perl_hash(bed):
    """Perl mixes addresses into it, unless PERL_PERTURB_KEYS says otherwise."""
    out = bed.session(["perl", "-e", "%h = map { $_ => 1 } 1 .. 200; print join ' ', keys %h"],
                      env={"PERL_PERTURB_KEYS": "2"})[1]
    assert sorted(map(int, out.split())) == list(range(1, 201))


# ---- network, cryptography ------------------------------------------------------------------------

def certificate(bed):
    bed.sh("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key "
           "-out cert -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1")


@row("curl", packages=["curl", "openssl", "busybox"])
def curl(bed):
    """Plain and by TLS, from servers outside the session."""
    work(bed)
    plain, tls = bed.port(), bed.port()
    certificate(bed)
    bed.popen(["busybox", "httpd", "-f", "-p", f"127.0.0.1:{plain}", "-h", f"{bed.root}/new"])
    bed.popen(["env", f"--chdir={bed.root}/new", "openssl", "s_server", "-accept", f"127.0.0.1:{tls}",
               "-key", f"{bed.root}/key", "-cert", f"{bed.root}/cert", "-WWW", "-quiet"])
    get = ["curl", "-q", "-s", "-S", "--max-time", "60", "--cacert", f"{bed.root}/cert"]
    bed.wait(lambda: bed.native([*get, "-o", "/dev/null", f"http://127.0.0.1:{plain}/left"])[0] == 0,
             "busybox httpd")
    bed.wait(lambda: bed.native([*get, "-o", "/dev/null", f"https://127.0.0.1:{tls}/left"])[0] == 0,
             "openssl s_server")
    for name in ("left", "blob"):
        for url in (f"http://127.0.0.1:{plain}", f"https://127.0.0.1:{tls}"):
            assert bed.same([*get, f"{url}/{name}"]) == FILES[name]
    assert bed.same([*get, "-o", "/dev/null", "-w", "%{http_code}",
                     f"http://127.0.0.1:{plain}/none"]) == b"404"
    bed.same([*get, f"https://localhost:{bed.port()}/"])
    bed.same([*get[:-2], f"https://127.0.0.1:{tls}/left"])      # an unknown authority
    bed.same([*get, f"file://{bed.root}/new/left"])


@row("openssl", packages=["openssl"])
def openssl(bed):
    """What is random is the same in both variants, and never the same again. (An error's text has the
    address of the thread in it.)"""
    script(bed, """
        openssl version | cut -c 1-9; openssl dgst -sha256 blob words; openssl dgst -sha3-512 -r left; openssl md5 <left
        openssl dgst -hmac key left; openssl enc -aes-256-cbc -pbkdf2 -iter 100 -S 0102030405060708 -k pw -in blob -out e; sha1sum e
        openssl enc -d -aes-256-cbc -pbkdf2 -iter 100 -k pw -in e | cmp - blob; openssl enc -base64 -in left
        openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ec; openssl pkey -in ec -noout -check
        openssl genrsa -out rsa 2048; openssl rsa -in rsa -check -noout; openssl pkey -in rsa -pubout -out pub
        openssl dgst -sha256 -sign rsa -out sig words; openssl dgst -sha256 -verify pub -signature sig words
        openssl genpkey -algorithm ed25519 -out ed; openssl pkeyutl -sign -rawin -inkey ed -in left -out s2; openssl pkeyutl -verify -rawin -inkey ed -in left -sigfile s2
        openssl req -x509 -key ec -out cert -days 3 -subj /CN=two; openssl x509 -in cert -noout -subject; openssl verify -CAfile cert cert
        openssl rand -hex 16 | wc -c; openssl passwd -6 -salt ab pw; openssl prime 104729; openssl ciphers -s -tls1_3; echo x | openssl rand 5 | wc -c
        openssl pkcs12 -export -in cert -inkey ec -passout pass:x -out p12; openssl pkcs12 -in p12 -passin pass:x -nokeys | grep subject
        openssl nonsense 2>/dev/null; echo $?
    """)
    first, second = (bed.session(["openssl", "rand", "-hex", "32"])[1] for _ in range(2))
    assert len(first) == 65 and first != second


# ---- others -------------------------------------------------------------------------------------

@row("busybox", packages=["busybox"])
def busybox(bed):
    """As a shell with its own applets."""
    script(bed, """
        busybox ls -1 tree; busybox cp -a tree t2; busybox find t2 | busybox sort; busybox md5sum blob; busybox sha256sum words
        busybox awk '{ s += $1 } END { print s }' words; busybox sed -n 2p left; busybox grep -c abc words; busybox head -n 2 words
        busybox tar -c -f t.tar tree; busybox tar -t -f t.tar; busybox bzip2 -k left; busybox bunzip2 -c left.bz2; busybox od -c left
        busybox vi --help | busybox head -n 1; busybox dd if=blob of=b2 bs=1000 count=7 2>/dev/null; busybox stat -c %s b2
        busybox sh -c 'for i in 1 2 3; do echo $i; done | busybox tac; sleep 0.05 & wait; trap "echo t" USR1; kill -USR1 $$; echo end'
        busybox xargs echo <left; busybox diff left right; busybox cmp left right; busybox date -u -d @1700000000; busybox expr 3 + 4; busybox seq 3
        busybox timeout 5 busybox echo in; busybox dc -e '3 4 * p'; busybox uniq -c left; busybox wc left; busybox nonsense; echo $?
    """)


MAKEFILE = b"""
all: one two
	@echo all done
one: left ; sort -r $< >$@
two: one right
	cat $^ >$@; md5sum $@
%.up: % ; tr a-z A-Z <$< >$@
fail: ; false
.PHONY: all fail
"""


@row("make", packages=["make"])
def make(bed):
    script(bed, "make; make; touch -d @1700000000 one; make -n left.up; make left.up; cat left.up; make -k fail none; echo $?; "
           "make -s -C . one; echo $?", files={"Makefile": MAKEFILE})


C = b"""#include <stdio.h>
int main(int argc, char **argv) { printf("%d %s\\n", argc, argv[argc - 1]); return 3; }
"""


@row("gcc", packages=["gcc", "libc6-dev", "make"], limit=400,
     across="each ISA's gcc starts its own cc1, as and ld, and what these write is code for that ISA")
def gcc(bed):
    script(bed, "gcc -E p.c | tail -n 1; CFLAGS=-O2 make -s p; ./p x y; echo $?; gcc -g -c p.c; nm p.o; "
           "gcc -o q p.o && ./q z; gcc -c none.c; echo $?", files={"p.c": C})


@row("a static-pie binary: ldconfig", packages=["libc-bin"])
def static_pie(bed):
    work(bed, {"lib/empty": b""})
    bed.same(["/sbin/ldconfig", "-r", bed.root, "-f", "/none"], before="mkdir -p etc lib")
    bed.same(["/sbin/ldconfig", "-p", "-C", f"{bed.root}/etc/ld.so.cache"])


@row("a static binary: bash-static", packages=["bash-static"])
def static(bed):
    script(bed, SHELL.replace("~", "~/x"), ("bash-static",),
           files={"lib": b"greet() { echo hello; }\n"}, begin="")


def musl_program(*flags):
    """{ISA: binary} of musl.c."""
    here, built = os.path.dirname(__file__), {}
    with tempfile.TemporaryDirectory() as d:
        for isa in ("x86_64", "aarch64"):
            subprocess.run([f"{here}/musl-cc", isa, *flags, "-O2", "-D_GNU_SOURCE", "-Wall", "-Wextra",
                            "-Werror", "-o", f"{d}/musl", f"{here}/musl.c"], check=True)
            with open(f"{d}/musl", "rb") as f:
                built[isa] = f.read()
    return built


def musl(bed, *flags):
    """What musl opens before the program begins is each variant's own, what it opens for the program is
    the leader's: also a file that is named as a library, and is on the leader's node only."""
    work(bed, {"library.so.1": b"data\n"})
    program = bed.install("musl", musl_program(*flags))
    assert b"library.so.1: data\n" in bed.same([program, f"{bed.root}/run"], before=RESET)


@row("a program of musl", packages=["musl"], fast=True)
def musl_dynamic(bed):
    musl(bed)


@row("a static program of musl", packages=["musl"])
def musl_static(bed):
    musl(bed, "-static")


@row("less, man", packages=["less", "groff-base", "man-db"])
def pagers(bed):
    page = b'.TH TWO 1\n.SH NAME\ntwo \\- hands\n.SH TEXT\n' + b"words of a page \\fBbold\\fR\n" * 50
    script(bed, "less words | md5sum; less -N left | cat; groff -T ascii -man two.1 | head -n 5; "
           "man -P cat ./two.1 | head -n 5; man --no-such; echo $?", files={"two.1": page},
           env={"MANWIDTH": "72", "MANROFFOPT": "-c"})


@row("vi, less and bash in a terminal", packages=["vim-tiny", "less", "bsdutils", "bash", "ncurses-base"])
def terminal(bed):
    """script(1) gives each a terminal of its own; the keys are there from the beginning."""
    script(bed, """
        printf 'ihello\\033:wq\\r' | script -q -e -c 'vim.tiny -u NONE text' /dev/null >/dev/null; echo $?; cat text
        printf 'Gq' | script -q -e -c 'less words' /dev/null >/dev/null; echo $?
        printf 'echo $((6 * 7)) >sum; test -t 0 && echo yes >tty; exit 4\\n' |
            script -q -e -c 'bash --norc --noprofile -i' /dev/null >/dev/null; echo $?; cat sum tty
    """, env={"TERM": "vt100"})
