# SPDX-License-Identifier: Apache-2.0
# A thin face over meson; `make help` lists what it can do. Every goal installs what it needs.

BUILD ?= build
# The ISA that this machine is not: its variant runs in the microVM.
FOREIGN := $(BUILD)/$(if $(filter aarch64,$(shell uname -m)),amd64,arm64)
JOBS ?= $(shell nproc)
PREFIX ?= /usr/local
PYTHON := /usr/bin/python3
# Seconds for each fuzz target of `make fuzz` (`make check` runs each for 30).
FUZZ_SECONDS ?= 600
# How often `make matrix` runs each program.
ROUNDS ?= 1
# Options for `make bench-mtd`, as --part latency.
BENCH_MTD ?=
# Attacks of `make demo-mtd`, on a program that stays and on one that moves.
TRIES ?= 1000

.PHONY: all deps native foreign check live-coverage demo demo-mtd matrix bench bench-mtd fuzz storm install clean
.PHONY: help
.DEFAULT_GOAL := all

all: native foreign	## build Chiral for this machine and for the other ISA

deps:
	@tools/install-deps

native: deps
	@test -f $(BUILD)/build.ninja || meson setup --prefix=$(PREFIX) $(BUILD)
	@ninja -j$(JOBS) -C $(BUILD)

foreign: deps
	@cross=$$(tools/foreign-sysroot) && { test -f $(FOREIGN)/build.ninja || \
		meson setup --prefix=$(PREFIX) --cross-file "$$cross" $(FOREIGN); }
	@ninja -j$(JOBS) -C $(FOREIGN)

check: all	## run every test; the last line is the sum
	@$(PYTHON) tests/run --build $(BUILD)

live-coverage: native	## supported calls that no live test makes
	@tests/live/coverage.py --build $(BUILD)

demo: all	## lighttpd on arm64 and x86-64 at once, then an attack that is caught
	@BUILD=$(BUILD) demo/run.sh

demo-mtd: all	## a program that moves is attacked with code of one ISA, TRIES times (takes long)
	@$(PYTHON) tests/mtd/reuse.py --build $(BUILD) --tries $(TRIES)

matrix: all	## every program of the matrix in the three combinations, ROUNDS times (takes long)
	@$(PYTHON) tests/matrix/run.py --build $(BUILD) --rounds $(ROUNDS)

bench: all	## native, strace and Chiral side by side, then what capturing costs (takes long)
	@$(PYTHON) tests/bench/bench.py --build $(BUILD)
	@$(PYTHON) tests/bench/capture.py --build $(BUILD)

bench-mtd: native	## what moving costs: points, switches, calls of the other node, servers
	@$(PYTHON) tests/bench/moving.py --build $(BUILD) $(BENCH_MTD)

storm: all	## signals for 30 s, 5000 processes in a row and 20 million calls
	@$(PYTHON) -m pytest -p no:cacheprovider -s --chiral-build=$(BUILD) --storm-seconds=30 \
		--storm-processes=5000 --storm-calls=20000000 tests/e2e/test_storm.py

fuzz: native	## fuzz every parser for FUZZ_SECONDS each
	@BUILD=$(BUILD) tests/fuzz/run.sh $(FUZZ_SECONDS)

install: all	## install under PREFIX (DESTDIR is respected)
	@meson install -C $(BUILD)
	@meson install -C $(FOREIGN)

clean:	## remove the build folder (the microVM's image stays in the user's cache)
	rm -rf $(BUILD)

help:	## this list
	@awk -F ':[^#]*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
