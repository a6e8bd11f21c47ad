#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
#	tests/fuzz/run.sh SECONDS [TARGET...]
#
# Builds the fuzz targets (tests/fuzz/targets) with clang and libFuzzer into BUILD/fuzz and runs each
# for SECONDS, two at a time. One line a target: "PASS name: ..." or "FAIL name: ...". What was found
# stays in BUILD/fuzz/corpus and is where the next run begins. An input that ends a target is left in
# BUILD/fuzz/crashes/NAME, where the next run begins too; `BUILD/fuzz/tests/fuzz/fuzz-NAME FILE` tries
# it alone.
# Exit status: 0, 1 when a target failed, 77 without clang.
set -eu

self=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$self/../.." && pwd)

if [ "${1:-}" = --one ]; then # by xargs below
	seconds=$2 name=$3 fuzz=$4
	program=$fuzz/tests/fuzz/fuzz-$name
	corpus=$fuzz/corpus/$name seeds=$fuzz/seeds/$name crashes=$fuzz/crashes/$name
	log=$fuzz/logs/$name.log
	mkdir -p "$corpus" "$seeds" "$crashes" "$fuzz/logs"
	rm -f "$seeds"/*
	export ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=1:allocator_may_return_null=1"
	export UBSAN_OPTIONS="${UBSAN_OPTIONS:-}:print_stacktrace=1:halt_on_error=1"
	status=0
	{
		"$program" --seeds "$seeds" &&
			timeout -k 5 $((seconds + 60)) "$program" -max_total_time="$seconds" \
				-timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -max_len=16384 \
				-artifact_prefix="$crashes/" "$corpus" "$seeds" "$crashes"
	} >"$log" 2>&1 </dev/null || status=$?
	runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -n 1)
	rate=$(sed -n 's/^stat::average_exec_per_sec: *//p' "$log" | tail -n 1)
	if [ "$status" -eq 0 ] && [ "${runs:-0}" -gt 0 ]; then
		kept=$(find "$corpus" -type f | wc -l)
		echo "PASS $name: $runs executions, $rate/s, $kept inputs kept"
		exit 0
	fi
	reason=$(grep -m 1 -E 'does not hold|^SUMMARY: |ERROR: |runtime error: ' "$log" ||
		tail -n 1 "$log")
	echo "FAIL $name: ${reason:-exit status $status} (log: $log)"
	exit 1
fi

seconds=${1:?usage: tests/fuzz/run.sh SECONDS [TARGET...]}
shift
[ $# -gt 0 ] || set -- $(sed -n 's/^\([a-z][a-z0-9_]*\) .*/\1/p' "$self/targets")

clang=${FUZZ_CC:-clang}
fuzz=${BUILD:-$root/build}/fuzz
mkdir -p "$fuzz"
fuzz=$(cd "$fuzz" && pwd)

if ! command -v "$clang" >/dev/null ||
	! echo 'int LLVMFuzzerTestOneInput(void *p, long n) { return 0; }' |
	"$clang" -w -x c -fsanitize=fuzzer,address - -o "$fuzz/probe" 2>"$fuzz/probe.log"; then
	echo 'SKIP: fuzzing needs clang and libclang-rt-dev'
	exit 77
fi

# Warnings are the gcc build's to refuse.
if [ ! -f "$fuzz/build.ninja" ]; then
	CC=$clang meson setup "$fuzz" "$root" -Dbuildtype=debugoptimized -Dwerror=false \
		-Dwarning_level=0 -Db_lundef=false -Db_sanitize=address,undefined \
		-Dc_args='-fsanitize=fuzzer-no-link -fno-sanitize-recover=all -fno-omit-frame-pointer -w' \
		-Dc_link_args='-fsanitize=address,undefined' >"$fuzz/setup.log" 2>&1 || {
		echo "FAIL build: meson setup failed (log: $fuzz/setup.log)"
		exit 1
	}
fi
targets=
for name; do
	targets="$targets tests/fuzz/fuzz-$name"
done
# shellcheck disable=SC2086
ninja -C "$fuzz" $targets >"$fuzz/ninja.log" 2>&1 || {
	echo "FAIL build: $(grep -m 1 -E 'error|FAILED' "$fuzz/ninja.log") (log: $fuzz/ninja.log)"
	exit 1
}

printf '%s\n' "$@" | xargs -P 2 -I NAME "$self/run.sh" --one "$seconds" NAME "$fuzz" || exit 1
