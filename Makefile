# Short names for what a user or developer does most. Everything here can be run twice; the second time is quick.

PRESET ?= release
JOBS ?= $(shell nproc)
PYTHON ?= .venv/bin/python

.PHONY: help setup build test test-fast fuzz pretrain parity bench format format-check asan tsan clean

help:            ## This list
	@awk -F ':.*## ' '/^[a-z-]+: .*##/ {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup:           ## Install what is missing: Debian packages, libtorch
	@tools/setup.sh

build: setup     ## Build everything
	@tools/build.sh $(PRESET)

test: build      ## Build and run all tests
	@ctest --preset $(PRESET) -j $(JOBS)

test-fast: build ## Build and run the tests that start neither ranks nor the program
	@ctest --preset $(PRESET) -j $(JOBS) -L fast

fuzz: setup      ## Feed damaged files to every reader, a minute each (needs clang-16)
	@fuzz/run.sh $(FUZZ_ARGS)

parity: build    ## Compare with Hugging Face Transformers, computed anew
	@tools/parity.sh $(PRESET)

pretrain: setup  ## Train a small Llama on real English text, from nothing
	@tools/build.sh release --target primus-cli
	@tools/pretrain.sh $(PRETRAIN_ARGS)

bench: setup     ## Compare our training step with PyTorch's on every shape; writes docs/performance.md
	@tools/build.sh release --target primus-cli
	@$(PYTHON) bench/table.py $(BENCH_ARGS)

format:          ## Format all sources
	@tools/format.sh

format-check:    ## Fail when a source is not formatted
	@tools/format.sh --check

asan: setup      ## Build with address and undefined-behaviour sanitizers and run all tests
	@tools/build.sh asan
	@ctest --preset asan -j $(JOBS)

tsan: setup      ## Build with the thread sanitizer and run the tests of everything that runs threads or starts ranks
	@tools/build.sh tsan --target primus-cli core_tests launch_tests parallel_tests optimizer_tests layouts_tests
	@ctest --preset tsan -j $(JOBS)

clean:           ## Remove the build folders
	@rm -rf build
