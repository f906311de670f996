# Front doors; CMakeLists.txt is the build. `make` alone says what there is.
BUILD := build
JOBS ?= 2
PYTHON := .venv/bin/python
DEMO := demo

.PHONY: help setup configure build check demo chat asan format clean

help:
	@echo "make demo    a trained Llama from PyTorch to a story on the simulated card"
	@echo "make chat    talk with SmolLM2-135M, four bits a weight, on the simulated card"
	@echo "make check   build and run every test"
	@echo "make build   the command ./streamtensor and its library"
	@echo "make asan    C tests under the address and undefined behaviour sanitizers"
	@echo "make format  clang-format of the C sources"
	@echo "make clean   remove what was built (not .venv)"
	@echo "The first five begin with scripts/setup.sh, which installs what is missing."

setup:
	@scripts/setup.sh

configure: setup
	cmake -G Ninja -S . -B $(BUILD)

build: configure
	ninja -C $(BUILD) streamtensor shared

check: configure
	@scripts/setup.sh check
	ninja -C $(BUILD)
	ctest --test-dir $(BUILD) --output-on-failure -j$(JOBS)

# The checkpoint as llama2.c has it -> Hugging Face -> package -> accelerator.
demo: build
	@mkdir -p $(DEMO)
	@echo "== 1/4 a Hugging Face checkpoint of stories260K: $(DEMO)/stories260K"
	@$(PYTHON) examples/stories260K/convert.py $(DEMO)/stories260K
	@echo "== 2/4 export it from PyTorch through Torch-MLIR: $(DEMO)/stories260K.st"
	@./streamtensor export $(DEMO)/stories260K -o $(DEMO)/stories260K.st
	@echo "== 3/4 compile it for the Alveo U55C: $(DEMO)/u55c"
	@./streamtensor compile $(DEMO)/stories260K.st -o $(DEMO)/u55c -t u55c
	@echo "== 4/4 generate 200 tokens on the simulated card"
	@./streamtensor generate $(DEMO)/u55c --prompt "Once upon a time" -n 200
	@echo
	@./streamtensor report $(DEMO)/u55c

# The checkpoint's own integers -> package -> accelerator -> a conversation.
CHAT := $(DEMO)/SmolLM2-135M
chat: build
	@examples/SmolLM2/fetch.sh $(CHAT)
	@[ -e $(CHAT).st/model.json ] || { \
	  echo "== export it (some minutes): $(CHAT).st"; \
	  ./streamtensor export $(CHAT) -o $(CHAT).st; }
	@[ $(CHAT).u55c/build.json -nt $(BUILD)/streamtensor ] || { \
	  echo "== compile it for the Alveo U55C: $(CHAT).u55c"; \
	  ./streamtensor compile $(CHAT).st -o $(CHAT).u55c -q w4a8; }
	@./streamtensor chat $(CHAT).u55c

asan: setup
	cmake --preset asan
	cmake --build --preset asan
	ctest --preset asan -j$(JOBS)

format:
	clang-format -i $$(git ls-files '*.c' '*.h' | grep -v num_tables.h)

clean:
	rm -rf $(BUILD) build-asan $(DEMO)
