# SPDX-License-Identifier: Apache-2.0
# Debian's source packages: sourced after debian.sh by the scripts that build programs which move.

# debian_source PACKAGE FOLDER: unpacks the newest version that the mirror has, with Debian's patches.
debian_source() {
	local package=$1 to=$2 dir list version
	need dpkg-source dpkg-dev
	debian_apt_init "$(dpkg --print-architecture)" "$(debian_release)"
	dir=$APT_DIR/source
	list=$APT_DIR/sources-src.list
	mkdir -p "$dir" "$APT_DIR/lists-src/partial"
	sed -E 's/^deb \[arch=[^ ]+ /deb-src [/' "$APT_DIR/sources.list" >"$list"
	src=(-c "$APT_CONF" -o Dir::State::lists="$APT_DIR/lists-src" -o Dir::Etc::sourcelist="$list")
	if [ ! -f "$APT_DIR/updated-src" ] || [ -z "$(find "$APT_DIR/updated-src" -mmin -1440)" ]; then
		say "fetching the lists of Debian's source packages"
		apt-get -q -y "${src[@]}" update </dev/null >"$APT_DIR/log/source" 2>&1 ||
			[ -f "$APT_DIR/updated-src" ] || source_failed "the lists of source packages"
		: >"$APT_DIR/updated-src"
	fi
	say "fetching the source of $package from Debian"
	# A mirror may lag behind the list: then the version before it is taken.
	for version in $(apt-cache "${src[@]}" showsrc "$package" | sed -n 's/^Version: //p' |
		sort -Vr); do
		(cd "$dir" && apt-get -q -y "${src[@]}" source --download-only "$package=$version") \
			</dev/null >"$APT_DIR/log/source" 2>&1 || continue
		dpkg-source --no-check -x "$dir/${package}_${version#*:}.dsc" "$to" \
			>"$APT_DIR/log/source" 2>&1 || source_failed "$package"
		return 0
	done
	source_failed "$package"
}

source_failed() {
	tail -5 "$APT_DIR/log/source" >&2
	die "$1 cannot be fetched (log: $APT_DIR/log/source)"
}
