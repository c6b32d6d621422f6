# The two commands of the README, and the few others that a developer types. CMake does the work (CMakePresets.json).
REC ?=
OUT ?= out/demo
PREFIX ?= /usr/local
JOBS ?= $(shell nproc)

MAKEFLAGS += --no-print-directory

.PHONY: all demo test check install bench format clean

all: ## build the program: build/release/sleepvlm
	scripts/install-deps
	cmake --preset release -DCMAKE_INSTALL_PREFIX=$(PREFIX) >build-configure.log 2>&1 || { cat build-configure.log; exit 1; }
	rm -f build-configure.log
	cmake --build --preset release -j$(JOBS)

demo: all ## stage REC=file.edf, or a made-up night
	scripts/demo "$(REC)" "$(OUT)"

test: ## everything that must pass: gcc, clang, sanitizers
	scripts/install-deps test
	scripts/test

check: all ## the quick part of `make test`: gcc, release build
	ctest --preset release -j$(JOBS)

install: all
	cmake --install build/release

bench:
	scripts/install-deps bench
	$(MAKE) all
	build/release/sleepvlm bench

format:
	git ls-files '*.c' '*.h' | xargs clang-format -i

clean:
	rm -rf build
