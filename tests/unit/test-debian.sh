#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Which archives tools/lib/debian.sh finds in a machine's apt configuration.
set -euo pipefail
. "$1"

etc=$(mktemp -d)
trap 'rm -rf "$etc"' EXIT
mkdir "$etc/sources.list.d"
export CHIRAL_APT_ETC=$etc
debian_release() { echo bookworm; }
fails=0

# expect WHAT RELEASE "URI SUITE" ...
expect() {
	local what=$1 rel=$2 want got
	shift 2
	want=$(printf '%s\n' "$@" | sed '/^$/d')
	got=$(debian_sources "$rel" arm64 | sed -E 's/^deb \[arch=arm64 signed-by=[^]]*\] (.*) main$/\1/')
	if [ "$got" != "$want" ]; then
		printf 'FAIL %s\n--- expected\n%s\n--- got\n%s\n' "$what" "$want" "$got"
		fails=$((fails + 1))
	fi
	rm -f "$etc/sources.list" "$etc"/sources.list.d/*
}

expect nothing bookworm ""

cat >"$etc/sources.list" <<'X'
# deb http://m.example/commented bookworm main
deb http://m.example/debian bookworm main contrib # the mirror
deb-src http://m.example/debian bookworm main
deb [arch=amd64 signed-by=/k.gpg] https://m.example/debian bookworm-updates main
deb [ trusted=yes ] http://s.example/security bookworm-security main
deb http://m.example/debian bookworm-backports main
deb http://m.example/debian bookworm contrib
deb http://x.example/llvm llvm-toolchain-bookworm main
deb cdrom:[Debian]/ bookworm main
X
expect one-line bookworm "http://m.example/debian bookworm" \
	"https://m.example/debian bookworm-updates" "http://s.example/security bookworm-security"

cat >"$etc/sources.list.d/a.sources" <<'X'
# a comment
Types: deb deb-src
URIs: http://a.example/debian
  http://b.example/debian
Suites: bookworm
 bookworm-updates
Components: main
	non-free-firmware
Signed-By: /k.gpg

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main

types: deb
uris: http://s.example/security
suites: bookworm-security
components: main
X
expect deb822 bookworm "http://a.example/debian bookworm" "http://a.example/debian bookworm-updates" \
	"http://b.example/debian bookworm" "http://b.example/debian bookworm-updates" \
	"http://s.example/security bookworm-security"

printf 'Types: deb\nURIs: http://m.example/debian\nSuites: bookworm bookworm-security\nComponents: main\n' \
	>"$etc/sources.list.d/a.sources"
echo 'deb http://m.example/debian stable-updates main' >"$etc/sources.list.d/b.list"
echo 'deb http://m.example/debian bookworm main' >"$etc/sources.list.d/c.list"
expect another-release trixie "http://m.example/debian trixie-updates" "http://m.example/debian trixie" \
	"http://m.example/debian trixie-security"

echo 'deb http://m.example/debian bookworm main' >"$etc/sources.list.d/a.list"
if debian_sources bookworm arm64 | grep -q trusted ||
	! debian_sources bookworm arm64 | grep -q 'signed-by=/usr/share/keyrings/debian-archive-keyring.gpg'; then
	echo "FAIL the archive keyring is not asked for"
	fails=$((fails + 1))
fi

[ "$fails" = 0 ] && echo "PASS"
exit "$fails"
