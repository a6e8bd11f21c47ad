#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The main job, to look at: Debian's unmodified lighttpd runs as an arm64 variant (leader, in the
# microVM) and as an x86-64 variant (follower, here), every system call compared; then a server with a
# buffer overflow is attacked by a real payload, and the attack is seen and stopped.
#
# Called by `make demo`, which has built and installed what is needed. Leaves nothing running.
set -eu
cd "$(dirname "$0")/.."
build=${BUILD:-build}
chiral=$build/chiral
case $(uname -m) in
aarch64) native=aarch64 foreign=x86_64 ;;
*) native=x86_64 foreign=aarch64 ;;
esac

work=$(mktemp -d)
session=
started_vm=

step() { printf '\n== %s\n' "$*"; }
say() { printf '   %s\n' "$*"; }

cleanup() {
	status=$?
	trap - EXIT INT TERM HUP
	if [ -n "$session" ] && kill -0 "$session" 2>/dev/null; then
		kill "$session" 2>/dev/null || true
		wait "$session" 2>/dev/null || true
	fi
	if [ -n "$started_vm" ]; then "$chiral" microvm stop >/dev/null 2>&1 || true; fi
	if [ "$status" != 0 ]; then
		printf '\ndemo: failed (status %s); what the session said last:\n' "$status" >&2
		tail -n 40 "$work"/*.err >&2 2>/dev/null || true
	fi
	rm -rf "$work"
	exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

free_port() {
	/usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# Waits until the URL or the command answers; the session must not end meanwhile.
wait_for() {
	what=$1
	shift
	i=0
	until "$@" >/dev/null 2>&1; do
		i=$((i + 1))
		if ! kill -0 "$session" 2>/dev/null; then
			say "the session ended before $what answered"
			return 1
		fi
		if [ "$i" -gt 300 ]; then
			say "$what does not answer"
			return 1
		fi
		sleep 0.1
	done
}

step "1. The $foreign node: a microVM from Debian packages"
case $("$chiral" microvm status --json) in
*'"running":true'*) ;;
*) started_vm=1 ;;
esac
begin=$(date +%s)
"$chiral" microvm add lighttpd
"$chiral" microvm start
say "ready after $(($(date +%s) - begin)) s: $("$chiral" microvm exec -- uname -srm)"

step "2. lighttpd: leader $foreign in the microVM, follower $native here"
port=$(free_port)
site=/tmp/chiral-demo.$$
mkdir "$work/www"
printf '<h1>Served by two instruction sets at once.</h1>\n' >"$work/www/index.html"
head -c 100000 /dev/urandom >"$work/www/data.bin"
cat >"$work/lighttpd.conf" <<CONF
server.document-root = "$site/www"
server.port = $port
server.bind = "0.0.0.0"
index-file.names = ( "index.html" )
CONF
# Documents and configuration are in the microVM only: the follower gets them from the leader.
tar -c -C "$work" www lighttpd.conf |
	"$chiral" microvm exec -- sh -c "mkdir -p $site && tar -x -C $site"

say "$ chiral run --leader microvm --follower local --publish $port:$port -- lighttpd -D -f $site/lighttpd.conf"
"$chiral" run --leader microvm --follower local --publish "$port:$port" --json-status-fd 3 \
	-- /usr/sbin/lighttpd -D -f "$site/lighttpd.conf" \
	3>"$work/web.json" 2>"$work/web.err" >"$work/web.out" &
session=$!
wait_for lighttpd curl -sf --max-time 5 "http://127.0.0.1:$port/"
"$chiral" microvm exec -- cat /usr/sbin/lighttpd >"$work/lighttpd.foreign"
machine() { readelf -h "$1" | sed -n 's/.*Machine: *//p'; }
say "Debian's own lighttpd on both nodes: $(machine "$work/lighttpd.foreign") leads, $(machine /usr/sbin/lighttpd) follows"

step "3. Requests"
for path in / /data.bin /missing; do
	say "$(curl -s --max-time 20 -o "$work/reply" -w 'GET %{url_effective}  ->  %{http_code}, %{size_download} bytes, %{time_total} s' "http://127.0.0.1:$port$path")"
	if [ "$path" = /data.bin ]; then
		cmp "$work/reply" "$work/www/data.bin" && say "   every byte is right"
	fi
done
say "HEAD /data.bin  ->  $(curl -sI --max-time 20 "http://127.0.0.1:$port/data.bin" | tr -d '\r' | grep -i content-length)"
ab -q -n 500 -c 10 -k "http://127.0.0.1:$port/index.html" >"$work/ab.txt"
say "$(awk '/Complete requests/ {n = $3} /Failed requests/ {f = $3} /Requests per second/ {r = $4}
	END {printf "500 requests on 10 connections: %d served, %d failed, %s per second", n, f, r}' "$work/ab.txt")"
# lighttpd says 1 when connections are open at its end: let it see that the clients have left.
sleep 1
kill -TERM "$session"
status=0
wait "$session" || status=$?
session=
[ "$status" = 0 ] || { say "lighttpd ended with status $status instead of 0"; exit 1; }
/usr/bin/python3 demo/status.py calls "$work/web.json"

step "4. An attack on a server with a buffer overflow"
attack=$build/tests/attack
say "vulnd reads 128 bytes into a buffer of 16. An attacker who has the $native binary knows:"
/usr/bin/python3 tests/attack/exploit.py "$attack/vulnd.$native" 2>&1 >"$work/payload" | sed 's/^/   /'

say ""
say "Without Chiral:"
port=$(free_port)
"$attack/vulnd.$native" 127.0.0.1 "$port" 2>"$work/native.err" &
session=$!
wait_for vulnd /usr/bin/python3 demo/status.py hello "$port"
say "   $(/usr/bin/python3 tests/attack/exploit.py "$attack/vulnd.$native" --send 127.0.0.1 "$port" 2>/dev/null || true)"
wait "$session" || true
session=

say ""
say "Under Chiral, leader $native here, follower $foreign in the microVM, lockstep:"
port=$(free_port)
"$chiral" run --leader local --follower microvm --level lockstep --json-status-fd 3 \
	--program "$native=$attack/vulnd.$native" --program "$foreign=$attack/vulnd.$foreign" \
	-- ./vulnd 127.0.0.1 "$port" 3>"$work/vuln.json" 2>"$work/vuln.err" &
session=$!
wait_for vulnd /usr/bin/python3 demo/status.py hello "$port"
say "   a benign client is served: $(/usr/bin/python3 demo/status.py hello "$port")"
reply=$(/usr/bin/python3 tests/attack/exploit.py "$attack/vulnd.$native" --send 127.0.0.1 "$port" 2>/dev/null || true)
say "   the attacker: $reply"
status=0
wait "$session" || status=$?
session=
say "   chiral run ended with status $status (122 is divergence)"
echo
sed 's/^/   | /' "$work/vuln.err"
echo
/usr/bin/python3 demo/status.py alarm "$work/vuln.json"
case $reply in
*pwned*)
	say "the attacker got through"
	exit 1
	;;
esac
[ "$status" = 122 ] || exit 1

step "Done: one program, two instruction sets; what fits one of them does not fit both."
