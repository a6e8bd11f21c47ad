# SPDX-License-Identifier: Apache-2.0
# Debian packages of another architecture without touching this machine's apt or dpkg: sourced by
# tools/foreign-sysroot and tools/microvm-build (bash, set -eu).
#
# All state is private (lists, cache, an empty dpkg status); the mirrors are those that this machine
# itself uses; packages are accepted only when Debian's archive keyring signed them.

DEBIAN_KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

say() { printf 'chiral: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# need TOOL PACKAGE [TOOL PACKAGE]...: one message that names everything that is missing.
need() {
	local missing=()
	while [ $# -gt 0 ]; do
		command -v "$1" >/dev/null || missing+=("$2")
		shift 2
	done
	[ ${#missing[@]} -eq 0 ] ||
		die "missing tools; install them with: apt-get install ${missing[*]}"
}

chiral_cache() {
	local d=${CHIRAL_CACHE:-${XDG_CACHE_HOME:-${HOME:?HOME is not set}/.cache}/chiral}
	mkdir -p "$d"
	(cd "$d" && pwd)
}

# The release of this machine ("bookworm"): the user land of both nodes.
debian_release() {
	(. /etc/os-release && echo "${VERSION_CODENAME:?/etc/os-release names no VERSION_CODENAME}")
}

# Every archive of this machine's apt, both formats, as lines "URI SUITE COMPONENT...".
debian_host_archives() {
	local etc=${CHIRAL_APT_ETC:-/etc/apt} f
	for f in "$etc/sources.list" "$etc"/sources.list.d/*.list; do
		[ -f "$f" ] && sed -e 's/#.*//' -e 's/\[[^]]*\]//' "$f" |
			awk '$1 == "deb" && NF >= 4 { $1 = ""; sub(/^ +/, ""); print }'
	done
	for f in "$etc"/sources.list.d/*.sources; do
		[ -f "$f" ] && awk '
			function flush(	i, j, nu, ns, u, s) {
				if (f["types"] ~ /(^| )deb( |$)/ &&
				    tolower(f["enabled"]) !~ /^(no|false|0)$/) {
					nu = split(f["uris"], u, " ")
					ns = split(f["suites"], s, " ")
					for (i = 1; i <= nu; i++)
						for (j = 1; j <= ns; j++)
							print u[i], s[j], f["components"]
				}
				split("", f); key = ""
			}
			/^#/ { next }
			/^[ \t]*$/ { flush(); next }
			/^[ \t]/ { sub(/^[ \t]+/, ""); if (key != "") f[key] = f[key] " " $0; next }
			{ i = index($0, ":"); key = tolower(substr($0, 1, i - 1))
			  v = substr($0, i + 1)
			  gsub(/^[ \t]+|[ \t]+$/, "", v); f[key] = v }
			END { flush() }' "$f"
	done
	return 0
}

# debian_sources RELEASE ARCH: a sources.list for RELEASE on the mirrors of this machine.
debian_sources() {
	local host keys=$DEBIAN_KEYRING
	host=$(debian_release)
	debian_host_archives | awk -v host="$host" -v rel="$1" -v arch="$2" -v keys="$keys" '
		# Third-party archives use other suite names or have no "main".
		{ main = 0; for (i = 3; i <= NF; i++) if ($i == "main") main = 1; if (!main) next }
		$1 ~ /^cdrom:/ { next }
		{ suite = $2; sub("^(stable|" host ")", rel, suite) }
		suite !~ ("^" rel "(-updates|-security|/updates)?$") { next }
		!seen[$1 " " suite]++ {
			printf "deb [arch=%s signed-by=%s] %s %s main\n", arch, keys, $1, suite
		}'
}

# debian_apt_init ARCH RELEASE: prepares the private apt; sets APT_DIR and APT_CONF.
debian_apt_init() {
	local arch=$1 rel=$2
	APT_DIR=$(chiral_cache)/apt/$rel-$arch
	APT_CONF=$APT_DIR/apt.conf
	[ -r "$DEBIAN_KEYRING" ] ||
		die "no $DEBIAN_KEYRING; install it with: apt-get install debian-archive-keyring"
	mkdir -p "$APT_DIR/lists/partial" "$APT_DIR/archives/partial" "$APT_DIR/log"
	: >"$APT_DIR/status"
	debian_sources "$rel" "$arch" >"$APT_DIR/sources.list"
	grep -q . "$APT_DIR/sources.list" ||
		die "apt here has no archive of Debian $(debian_release) main; add one in /etc/apt"
	# Read after this machine's own configuration (its proxy and credentials stay in force).
	cat >"$APT_CONF" <<CONF
Dir::State "$APT_DIR";
Dir::State::lists "$APT_DIR/lists";
Dir::State::status "$APT_DIR/status";
Dir::State::extended_states "$APT_DIR/extended_states";
Dir::Cache "$APT_DIR";
Dir::Cache::archives "$APT_DIR/archives";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Dir::Etc::sourcelist "$APT_DIR/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::Log "$APT_DIR/log";
APT::Architecture "$arch";
#clear APT::Architectures;
APT::Architectures { "$arch"; };
APT::Install-Recommends "false";
APT::Install-Suggests "false";
APT::Sandbox::User "";
APT::Get::AllowUnauthenticated "false";
Acquire::AllowInsecureRepositories "false";
Acquire::Languages "none";
Acquire::Retries "3";
APT::Keep-Downloaded-Packages "true";
Binary::apt-get::APT::Keep-Downloaded-Packages "true";
Debug::NoLocking "true";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Invoke;
#clear DPkg::Post-Invoke;
#clear DPkg::Pre-Install-Pkgs;
CONF
}

debian_apt() { apt-get -q -y -c "$APT_CONF" "$@" </dev/null; }

# Package lists are fetched anew when they are a day old, or the archives changed.
debian_apt_update() {
	local stamp=$APT_DIR/updated
	if [ -f "$stamp" ] && cmp -s "$stamp" "$APT_DIR/sources.list" &&
		[ -n "$(find "$stamp" -mmin -1440)" ]; then
		return 0
	fi
	say "fetching the package lists of Debian $(basename "$APT_DIR")"
	if ! debian_apt update >"$APT_DIR/log/update" 2>&1; then
		[ -f "$stamp" ] && cmp -s "$stamp" "$APT_DIR/sources.list" && {
			say "the mirror does not answer; the lists of $(date -r "$stamp" +%F) are used"
			return 0
		}
		tail -5 "$APT_DIR/log/update" >&2
		die "fetching the package lists failed (log: $APT_DIR/log/update)"
	fi
	cp "$APT_DIR/sources.list" "$stamp"
}

# debian_fetch PACKAGE...: downloads packages with their dependencies; prints the .deb files.
# A package "NAME?" is taken only where the release has it.
debian_fetch() {
	local p want=() plan=$APT_DIR/log/plan deb
	debian_apt_update
	for p in "$@"; do
		if [ "${p%\?}" != "$p" ]; then
			p=${p%\?}
			apt-cache -c "$APT_CONF" show "$p" >/dev/null 2>&1 || continue
		fi
		want+=("$p")
	done
	debian_apt -s install "${want[@]}" >"$plan" 2>&1 || {
		grep '^E:' "$plan" >&2
		die "apt cannot install ${want[*]} for $(basename "$APT_DIR") (log: $plan)"
	}
	say "taking $(grep -c '^Inst ' "$plan") packages of Debian $(basename "$APT_DIR")" \
		"(downloading those not in the cache)"
	debian_apt --download-only install "${want[@]}" >"$APT_DIR/log/download" 2>&1 || {
		tail -5 "$APT_DIR/log/download" >&2
		die "downloading packages failed (log: $APT_DIR/log/download)"
	}
	# "Inst NAME (VERSION ARCHIVE [ARCH])" -> the file name that apt gives it.
	sed -nE 's/^Inst ([^ ]+) \(([^ ]+) .*\[([^]]+)\]\).*/\1_\2_\3.deb/p' "$plan" | sed 's/:/%3a/' |
		while read -r deb; do
			[ -f "$APT_DIR/archives/$deb" ] || die "apt did not leave $APT_DIR/archives/$deb"
			echo "$APT_DIR/archives/$deb"
		done
}

# debian_unpack ROOT DEB...: unpacks without maintainer scripts into a usr-merged tree.
debian_unpack() {
	local root=$1 d
	shift
	mkdir -p "$root"/usr/{bin,sbin,lib}
	for d in bin sbin lib; do
		[ -L "$root/$d" ] || ln -s "usr/$d" "$root/$d"
	done
	for d in "$@"; do
		dpkg-deb --fsys-tarfile "$d" |
			tar -C "$root" -x --keep-directory-symlink --no-same-owner --exclude=./dev/\*
	done
}

# debian_download PACKAGE: one package without its dependencies; prints the .deb file.
debian_download() {
	local v deb
	debian_apt_update
	v=$(apt-cache -c "$APT_CONF" show --no-all-versions "$1" 2>/dev/null |
		sed -n 's/^Version: //p')
	[ -n "$v" ] || die "Debian $(basename "$APT_DIR") has no package $1"
	deb=$APT_DIR/archives/$(printf '%s_%s_%s.deb' "$1" "${v/:/%3a}" "${APT_DIR##*-}")
	if [ ! -f "$deb" ]; then
		say "downloading $1 $v"
		(cd "$APT_DIR/archives" && debian_apt download "$1" >"$APT_DIR/log/download" 2>&1) || {
			tail -5 "$APT_DIR/log/download" >&2
			die "downloading $1 failed"
		}
	fi
	echo "$deb"
}
