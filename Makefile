# Front doors; CMakeLists.txt is the build. `make` alone says what there is.
BUILD := build
JOBS ?= 2
PYTHON := .venv/bin/python

.PHONY: help setup build check demo asan format clean

help:
	@echo "make demo    a trained Llama from PyTorch to a story on the simulated card"
	@echo "make check   build and run every test"
	@echo "make build   the command ./streamtensor and its library"
	@echo "make asan    C tests under the address and undefined behaviour sanitizers"
	@echo "make format  clang-format of the C sources"
	@echo "make clean   remove what was built (not .venv)"
	@echo "All of them first install what is missing (scripts/setup.sh)."

setup:
	@scripts/setup.sh

build: setup
	cmake -G Ninja -S . -B $(BUILD)
	ninja -C $(BUILD)

check: build
	ctest --test-dir $(BUILD) --output-on-failure -j$(JOBS)

asan: setup
	cmake --preset asan
	cmake --build --preset asan
	ctest --preset asan -j$(JOBS)

format:
	clang-format -i $$(git ls-files '*.c' '*.h' | grep -v num_tables.h)

clean:
	rm -rf $(BUILD) build-asan demo
