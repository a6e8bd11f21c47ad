# SPDX-License-Identifier: Apache-2.0
"""Rows of the program matrix: servers. Each is started as an administrator would, used by clients on
this machine, told to reload where it can, and ended by its signal."""
import ftplib
import io
import os
import random
import signal
import socket
import struct
import subprocess

import load
from matrix import row

_rng = random.Random(7)
PAGES = {"a.html": b"<h1>two hands</h1>\n", "b.txt": b"b" * 1000, "k4": _rng.randbytes(4096),
         "k100": _rng.randbytes(100_000), "empty": b""}


def put_pages(bed, folder="www"):
    for name, data in PAGES.items():
        bed.put(f"{folder}/{name}", data)


def browse(port, requests=60):
    """What clients of a web server do: many at once, with and without keep-alive, and errors."""
    load.get_many(port, PAGES, requests, 1, keep=True)
    load.get_many(port, PAGES, requests, 10, keep=False)
    load.get_many(port, PAGES, requests, 10, keep=True)
    assert load.fetch(port, "/nothing").status == 404
    assert load.fetch(port, "/a.html", method="HEAD").status == 200


def add_user(bed, name, number, home="/nonexistent"):
    """A system user that the package's installation makes, which the microVM's image lacks."""
    bed.sh(f"getent passwd {name} >/dev/null || echo '{name}:x:{number}:65534::{home}:/bin/false' "
           ">>/etc/passwd")


def here(argv, stdin=b"", timeout=60):
    """Standard output of a client on this machine, which must succeed."""
    done = subprocess.run(argv, input=stdin, capture_output=True, check=False, timeout=timeout)
    assert done.returncode == 0, (f"{argv}: status {done.returncode}, {done.stdout[-500:]!r}, "
                                  f"{done.stderr[-500:]!r}")
    return done.stdout


@row("lighttpd", packages=["lighttpd"])
def lighttpd(bed):
    port = bed.port()
    put_pages(bed)
    conf = bed.put("lighttpd.conf", f"""
server.document-root = "{bed.root}/www"
server.port = {port}
server.bind = "{bed.address}"
server.errorlog = "{bed.root}/error.log"
server.modules = ( "mod_accesslog" )
accesslog.filename = "{bed.root}/access.log"
server.max-keep-alive-idle = 120
""")
    s = bed.start(["/usr/sbin/lighttpd", "-D", "-f", conf], [port])
    load.wait_ready(port, s)
    browse(port)
    s.kill(signal.SIGHUP)       # opens its logs again
    browse(port, 20)
    s.kill(signal.SIGINT)       # graceful
    s.expect(0)
    assert bed.sh("wc -l <access.log").strip() != "0"


NGINX = """
daemon off;
user {user};
worker_processes {workers};
pid {root}/nginx.pid;
error_log {root}/error.log crit;
events {{ worker_connections 256; }}
http {{
	access_log {root}/access.log;
	client_body_temp_path {root}/body;
	proxy_temp_path {root}/proxy;
	fastcgi_temp_path {root}/fastcgi;
	uwsgi_temp_path {root}/uwsgi;
	scgi_temp_path {root}/scgi;
	sendfile on;
	keepalive_requests 100000;
	server {{
		listen {address}:{port};
		root {root}/www;
		location = /version {{ return 200 "{version}"; }}
	}}
}}
"""


def nginx_conf(bed, port, version, workers):
    return bed.put("nginx.conf", NGINX.format(root=bed.root, address=bed.address, port=port,
                                              version=version, workers=workers, user="www-data"))


@row("nginx", packages=["nginx"], fast=True)
def nginx(bed):
    """Master and two workers: requests, a reload with another configuration, a graceful end. Errors of
    clients are not logged: such a line shows the connection's number, which the workers count in memory
    that they share, without a call; two runs number differently natively too."""
    port = bed.port()
    put_pages(bed)
    conf = nginx_conf(bed, port, "one", 2)
    s = bed.start(["/usr/sbin/nginx", "-e", f"{bed.root}/error.log", "-c", conf], [port])
    load.wait_ready(port, s)
    browse(port)
    assert load.fetch(port, "/version").body == b"one"
    nginx_conf(bed, port, "two", 2)
    s.kill(signal.SIGHUP)
    bed.wait(lambda: load.fetch(port, "/version").body == b"two", "the reload")
    browse(port)
    bed.stop(s, 0, signal.SIGQUIT)


def redis_start(bed, port, *options):
    s = bed.start(["redis-server", "--port", str(port), "--bind", bed.address, "--dir", bed.root,
                   "--protected-mode", "no", "--save", "", *options], [port])
    bed.wait(lambda: redis_ready(s, port), f"redis-server: {s.stderr()}")
    return s


def redis_ready(s, port):
    assert s.running(), s.story()
    return subprocess.run(["redis-cli", "-p", str(port), "ping"], check=False, capture_output=True,
                          timeout=60).stdout == b"PONG\n"


def redis_cli(port, *words):
    return here(["redis-cli", "-p", str(port), *words]).decode().rstrip("\n")


def redis_info(port, section, name):
    for line in redis_cli(port, "info", section).splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return value.strip()
    raise AssertionError(f"redis has no {name}")


REDIS = ["redis-server", "redis-tools"]


@row("redis-server", packages=REDIS, fast=True)
def redis(bed):
    """Strings, lists, a script, expiry."""
    port = bed.port()
    s = redis_start(bed, port)
    assert redis_cli(port, "set", "k", "v" * 5000) == "OK"
    assert redis_cli(port, "get", "k") == "v" * 5000
    for i in range(20):
        redis_cli(port, "lpush", "list", f"element {i}")
    assert redis_cli(port, "lrange", "list", "0", "0") == "element 19"
    assert redis_cli(port, "eval", "return redis.call('incrby', KEYS[1], ARGV[1])", "1", "n",
                     "42") == "42"
    redis_cli(port, "set", "gone", "soon", "px", "200")
    bed.wait(lambda: redis_cli(port, "exists", "gone") == "0", "the expiry")
    bed.stop(s, 0)


@row("redis-server, BGSAVE", packages=REDIS,
     across="A snapshot tells how much memory is allocated (used-mem), and Debian builds jemalloc for "
     "pages of 64 KiB on arm64.")
def redis_bgsave(bed):
    """A child writes the snapshot, a restart reads it."""
    port = bed.port()
    s = redis_start(bed, port)
    for i in range(20):
        redis_cli(port, "set", f"key{i}", f"value {i}")
    assert redis_cli(port, "bgsave") == "Background saving started"
    bed.wait(lambda: redis_info(port, "persistence", "rdb_bgsave_in_progress") == "0", "the snapshot")
    assert redis_info(port, "persistence", "rdb_last_bgsave_status") == "ok"
    bed.stop(s, 0)
    s = redis_start(bed, port)
    assert redis_cli(port, "get", "key7") == "value 7"
    bed.stop(s, 0)


@row("redis-server, append-only file", packages=REDIS)
def redis_aof(bed):
    """Every write is synchronised, the file is rewritten by a child, a restart reads it. Three settings
    are not the default ones, which make what background threads have done so far visible: `everysec`
    puts a write off while such a thread's fsync runs, the preamble says how much memory is allocated
    just when it frees some, and jemalloc's own thread makes others as soon as it finds what the first
    allocation of such a thread left in memory, for which there is no call."""
    port = bed.port()
    options = ["--appendonly", "yes", "--appendfsync", "always", "--aof-use-rdb-preamble", "no",
               "--jemalloc-bg-thread", "no"]
    s = redis_start(bed, port, *options)
    for i in range(30):
        redis_cli(port, "set", f"key{i % 10}", f"value {i}")
    redis_cli(port, "bgrewriteaof")
    bed.wait(lambda: redis_cli(port, "config", "get", "appendonly") and redis_info(
        port, "persistence", "aof_rewrite_in_progress") == "0", "the rewrite")
    assert redis_cli(port, "set", "last", "one") == "OK"
    bed.stop(s, 0)
    s = redis_start(bed, port, *options)
    assert redis_cli(port, "get", "last") == "one"
    assert redis_cli(port, "get", "key9") == "value 29"
    bed.stop(s, 0)


@row("redis-benchmark against redis-server", packages=REDIS, limit=400)
def redis_benchmark(bed):
    """Its default set of tests, from 50 clients."""
    port = bed.port()
    s = redis_start(bed, port)
    here(["redis-benchmark", "-p", str(port), "-n", "100", "-q"], timeout=350)
    bed.stop(s, 0)


class Memcached:
    """A client of its text protocol."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.file = self.socket.makefile("rwb")

    def ask(self, line, data=None):
        self.file.write(line.encode() + b"\r\n" + (data + b"\r\n" if data is not None else b""))
        self.file.flush()
        return self.file.readline().rstrip(b"\r\n")

    def get(self, key):
        first = self.ask(f"get {key}")
        if first == b"END":
            return None
        data = self.file.read(int(first.split()[3]) + 2)[:-2]
        assert self.file.readline() == b"END\r\n"
        return data

    def close(self):
        self.file.close()
        self.socket.close()


def memcached_use(bed, options, clients):
    port = bed.port()
    s = bed.start(["memcached", "-u", "nobody", "-l", bed.address, "-p", str(port), *options],
                  [port])

    def answers():
        assert s.running(), s.story()
        try:
            c = Memcached(port)
            reply = c.ask("version")
            c.close()
            return reply.startswith(b"VERSION")
        except OSError:
            return False

    bed.wait(answers, "memcached")
    connections = [Memcached(port) for _ in range(clients)]
    for i in range(40):
        c = connections[i % clients]
        data = bytes([65 + i % 26]) * (i * 37)
        assert c.ask(f"set key{i} 0 0 {len(data)}", data) == b"STORED"
        assert connections[(i + 1) % clients].get(f"key{i}") == data
    c = connections[0]
    assert c.ask("set n 0 0 1", b"5") == b"STORED"
    assert c.ask("incr n 7") == b"12"
    assert c.ask("delete key3") == b"DELETED" and c.get("key3") is None
    assert c.ask("set late 0 1 1", b"x") == b"STORED"
    bed.wait(lambda: c.get("late") is None, "the expiry")
    for c in connections:
        c.close()
    bed.stop(s, 0)


# Threads that look at what the others have done, whenever they wake up.
WITHOUT_MAINTENANCE = ["-o", "no_lru_maintainer,no_lru_crawler,no_slab_automove"]


@row("memcached -t 1", packages=["memcached"],
     races="Whether an item has expired is decided by the second that another thread counts in memory, "
     "without a call.")
def memcached_one(bed):
    memcached_use(bed, ["-t", "1", *WITHOUT_MAINTENANCE], 3)


@row("memcached -t 4, without its threads of maintenance", packages=["memcached"],
     races="Whether an item has expired is decided by the second that another thread counts in memory, "
     "without a call.")
def memcached_workers(bed):
    memcached_use(bed, ["-t", "4", *WITHOUT_MAINTENANCE], 8)


@row("memcached -t 4", packages=["memcached"],
     races="A thread that maintains its lists sleeps for longer when it finds nothing to do, which the others "
     "change in memory without a call.")
def memcached_four(bed):
    memcached_use(bed, ["-t", "4"], 8)


def dns_query(name):
    labels = b"".join(bytes([len(p)]) + p.encode() for p in name.split("."))
    return struct.pack(">HHHHHH", 0x1234, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(
        ">HH", 1, 1)


def dns_over_tcp(port, name):
    query = dns_query(name)
    with socket.create_connection(("127.0.0.1", port), timeout=20) as c:
        c.sendall(struct.pack(">H", len(query)) + query)
        f = c.makefile("rb")
        return f.read(struct.unpack(">H", f.read(2))[0])


DNS_OVER_UDP = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(20)
s.sendto(bytes.fromhex(sys.argv[2]), ("127.0.0.1", int(sys.argv[1])))
print(s.recv(4096).hex())
"""


@row("dnsmasq", packages=["dnsmasq-base", "python3"])
def dnsmasq(bed):
    port = bed.port()
    conf = bed.put("dnsmasq.conf", "\n".join([
        f"port={port}", "no-resolv", "no-hosts", "address=/matrix.test/192.0.2.7", "log-queries",
        "log-facility=-", f"pid-file={bed.root}/pid", "user=nobody", "group=nogroup",
        f"listen-address={'127.0.0.1,10.0.2.15' if bed.in_guest else '127.0.0.1'}",
        "bind-interfaces", ""]))
    s = bed.start(["/usr/sbin/dnsmasq", "-k", "-C", conf], [port])
    bed.wait(lambda: bed.native(["test", "-s", f"{bed.root}/pid"])[0] == 0 or not s.running(),
             "dnsmasq")
    assert s.running(), s.story()
    answer = socket.inet_aton("192.0.2.7")
    for name in ("matrix.test", "www.matrix.test"):
        status, out = bed.native(["/usr/bin/python3", "-c", DNS_OVER_UDP, str(port), dns_query(name).hex()])
        assert status == 0 and bytes.fromhex(out.decode()).endswith(answer), out
        assert dns_over_tcp(port, name).endswith(answer)
    s.kill(signal.SIGHUP)       # reads its hosts again
    assert dns_over_tcp(port, "again.matrix.test").endswith(answer)
    bed.stop(s, 0)


@row("openssh-server", packages=["openssh-server", "openssh-client"],
     unsupported="Privilege separation: its monitor sends struct passwd and its options to the child as "
     "they are in memory (monitor.c, mm_answer_pwnamallow()), with pointers, so the variants write "
     "different bytes. No option leaves it out.")
def sshd(bed):
    """A login by key with a command, up to where the alarm comes."""
    port = bed.port()
    add_user(bed, "sshd", 30105, "/run/sshd")
    bed.sh("mkdir -p /run/sshd; ssh-keygen -q -t ed25519 -N '' -f host; chmod 600 host")
    key = os.path.join(bed.root, "user") if not bed.in_guest else None
    text = bed.sh("ssh-keygen -q -t ed25519 -N '' -f user; cp user.pub authorized; cat user")
    conf = bed.put("sshd_config", "\n".join([
        f"Port {port}", f"ListenAddress {bed.address}", f"HostKey {bed.root}/host",
        f"AuthorizedKeysFile {bed.root}/authorized", "PidFile none", "StrictModes no", "UsePAM no",
        "PermitRootLogin yes", "PasswordAuthentication no", "UseDNS no", ""]))
    fd = None
    if key is None:     # the key was made in the guest
        fd = os.memfd_create("key")
        os.write(fd, text.encode())
        key = f"/proc/{os.getpid()}/fd/{fd}"
        os.fchmod(fd, 0o600)
    s = bed.start(["/usr/sbin/sshd", "-D", "-e", "-f", conf], [port])
    ssh = ["ssh", "-F", "none", "-p", str(port), "-i", key, "-o", "BatchMode=yes",
           "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o",
           "IdentitiesOnly=yes", "-o", "ConnectTimeout=50", "root@127.0.0.1"]

    def listens():
        assert s.running(), s.story()
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=20) as c:
                return c.recv(4) == b"SSH-"
        except OSError:
            return False

    bed.wait(listens, "sshd")
    try:
        subprocess.run([*ssh, "echo two hands"], capture_output=True, check=False, timeout=60)
    finally:
        if fd is not None:
            os.close(fd)
    alarm = s.wait_alarm()
    assert alarm["rule"] == "divergence.payload", s.story()
    assert alarm["output_fields"]["chiral.leader.call"].startswith("write("), s.story()


@row("vsftpd", packages=["vsftpd"])
def vsftpd(bed):
    """An anonymous login, a listing, a transfer each way; a process for each privilege."""
    port, data = bed.port(), bed.port()
    bed.put("ftp/pub/k100", PAGES["k100"])
    bed.sh("mkdir -m 777 ftp/pub/in; mkdir -m 755 empty")
    conf = bed.put("vsftpd.conf", "\n".join([
        "listen=YES", f"listen_port={port}", f"listen_address={bed.address}", "background=NO",
        "anonymous_enable=YES", "local_enable=NO", "no_anon_password=YES", "write_enable=YES",
        "anon_upload_enable=YES", f"anon_root={bed.root}/ftp", "ftp_username=daemon",
        "nopriv_user=nobody", f"secure_chroot_dir={bed.root}/empty", "pasv_address=127.0.0.1",
        f"pasv_min_port={data}", f"pasv_max_port={data}", "seccomp_sandbox=NO",
        f"vsftpd_log_file={bed.root}/log", "xferlog_enable=YES", ""]))
    s = bed.start(["/usr/sbin/vsftpd", conf], [port, data])

    def session():
        assert s.running(), s.story()
        f = ftplib.FTP()
        try:
            f.connect("127.0.0.1", port, timeout=60)
            f.login()
            return f
        except (OSError, EOFError):
            f.close()
            return None

    f = bed.wait(session, "vsftpd")
    f.cwd("pub")
    assert "k100" in f.nlst()
    got = io.BytesIO()
    f.retrbinary("RETR k100", got.write)
    assert got.getvalue() == PAGES["k100"]
    f.cwd("in")
    f.storbinary("STOR up", io.BytesIO(PAGES["k4"]))
    f.quit()
    assert bed.native(["cat", f"{bed.root}/ftp/pub/in/up"])[1] == PAGES["k4"]
    bed.stop(s, 128 + 15)


@row("haproxy", packages=["haproxy", "busybox"],
     across="It numbers its patterns by rdtsc on x86-64 and by gettimeofday on arm64, and on arm64 it asks "
     "at its start for files whose names are bytes of its stack, natively too (strace shows newfstatat of "
     "addresses before epoll_create1); on x86-64 it does not.")
def haproxy(bed):
    """In front of two web servers that run outside."""
    port, backs = bed.port(), [bed.port(), bed.port()]
    put_pages(bed)
    for b in backs:
        bed.popen(["busybox", "httpd", "-f", "-p", f"127.0.0.1:{b}", "-h", f"{bed.root}/www"])
    conf = bed.put("haproxy.cfg", f"""
global
	nbthread 1
	maxconn 200
defaults
	mode http
	timeout connect 10s
	timeout client 60s
	timeout server 60s
frontend f
	bind {bed.address}:{port}
	default_backend b
backend b
	balance roundrobin
	server s1 127.0.0.1:{backs[0]} check
	server s2 127.0.0.1:{backs[1]} check
""")
    s = bed.start(["/usr/sbin/haproxy", "-db", "-f", conf], [port])
    bed.wait(lambda: load.wait_ready(port, s, path="/a.html").status == 200, "the servers behind")
    browse(port)
    bed.stop(s, 128 + 15)


@row("python3 -m http.server", packages=["python3"],
     races="A thread for each client, which hand on the interpreter's lock without a call when they compute: "
     "the first of them reads the file types.")
def python_http(bed):
    port = bed.port()
    put_pages(bed)
    s = bed.start(["/usr/bin/python3", "-m", "http.server", str(port), "--bind", bed.address,
                   "--directory", f"{bed.root}/www"], [port])
    load.wait_ready(port, s, path="/a.html")
    load.get_many(port, PAGES, 40, 1, keep=False)
    assert load.fetch(port, "/nothing").status == 404
    bed.stop(s, 128 + 15)


def make_certificate(bed):
    bed.sh("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key "
           "-out cert -days 2 -subj /CN=localhost")


@row("openssl s_server", packages=["openssl"])
def s_server(bed):
    """Clients outside; then a client as the session."""
    port = bed.port()
    make_certificate(bed)
    s = bed.start(["openssl", "s_server", "-accept", f"{bed.address}:{port}", "-key",
                   f"{bed.root}/key", "-cert", f"{bed.root}/cert", "-www"], [port])

    def ask():
        assert s.running(), s.story()
        done = subprocess.run(["openssl", "s_client", "-quiet", "-connect", f"127.0.0.1:{port}"],
                              input=b"GET / HTTP/1.0\r\n\r\n", capture_output=True, check=False,
                              timeout=60)
        return b"TLSv1.3" in done.stdout

    bed.wait(ask, "openssl s_server")
    for _ in range(3):
        assert ask()
    bed.stop(s, 128 + 15)


@row("openssl s_client", packages=["openssl"])
def s_client(bed):
    port = bed.port()
    make_certificate(bed)
    bed.popen(["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-key", f"{bed.root}/key",
               "-cert", f"{bed.root}/cert", "-www"])
    client = ["openssl", "s_client", "-quiet", "-connect", f"127.0.0.1:{port}"]
    request = b"GET / HTTP/1.0\r\n\r\n"
    bed.wait(lambda: bed.native(client, request)[0] == 0, "openssl s_server")
    status, out = bed.session(client, request)
    assert status == 0 and b"TLSv1.3" in out, out


@row("busybox httpd", packages=["busybox"])
def busybox_httpd(bed):
    """A process for each client."""
    port = bed.port()
    put_pages(bed)
    s = bed.start(["busybox", "httpd", "-f", "-p", f"{bed.address}:{port}", "-h",
                   f"{bed.root}/www"], [port])
    load.wait_ready(port, s, path="/a.html")
    load.get_many(port, PAGES, 40, 5, keep=False)
    bed.stop(s, 128 + 15)


@row("busybox httpd, CGI", packages=["busybox"])
def busybox_cgi(bed):
    port = bed.port()
    put_pages(bed)
    bed.put("www/cgi-bin/hello", "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\n'\n"
            "echo \"$REQUEST_METHOD $QUERY_STRING\"\ncat\n", 0o755)
    s = bed.start(["busybox", "httpd", "-f", "-p", f"{bed.address}:{port}", "-h",
                   f"{bed.root}/www"], [port])
    load.wait_ready(port, s, path="/a.html")
    for i in range(5):
        assert load.fetch(port, f"/cgi-bin/hello?q={i}").body == f"GET q={i}\n".encode()
    reply = load.fetch(port, "/cgi-bin/hello", method="POST", body=b"posted")
    assert reply.body == b"POST \nposted"
    bed.stop(s, 128 + 15)


@row("postgresql", packages=["postgresql"], limit=300,
     unsupported="It insists on a segment of System V shared memory (shmget), and its processes "
     "decide by atomics, spinlocks and latches in memory that they share what they write and whom "
     "they signal: no call orders that, so two runs differ natively too.")
def postgresql(bed):
    """A cluster is made natively. In a session the server ends with one clear sentence, the same in
    both variants."""
    nobody = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
    binaries = bed.sh("ls -d /usr/lib/postgresql/*/bin | tail -n 1").strip()
    bed.sh("mkdir db && chown nobody db")
    status, out = bed.native([*nobody, f"{binaries}/initdb", "-D", f"{bed.root}/db", "-A", "trust",
                              "--no-sync"], timeout=200)
    assert status == 0, out
    s = bed.start([*nobody, f"{binaries}/postgres", "-D", f"{bed.root}/db", "-k", bed.root, "-h", "",
                   "-c", "dynamic_shared_memory_type=mmap"])
    s.expect(1, 60)
    assert "shmget" in s.stderr() and "Function not implemented" in s.stderr(), s.story()
