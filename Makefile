# Everything a developer runs. `make help` lists it; .venv is made on the way and kept up to date.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
SOURCES := $(wildcard setup.py pyproject.toml include/*.h src/*.c src/*/*.[ch] cecore/*.pyx)

# -O1 and the compiler's own choice of what to inline: 20 s of compilation instead of 7 minutes.
SANITIZE := -g1 -O1 -DCE_LET_COMPILER_INLINE= -fno-omit-frame-pointer \
	-fsanitize=address,undefined -fno-sanitize-recover=all

SANITIZED_TESTS := special_values properties arrays labels errors functional losses

STRICT := $(CC) -fsyntax-only -std=c11 -Wall -Wextra -Werror -DCECORE_PORTABLE -Iinclude

# The suite needs the test-only backend; wheels are built without this.
export CECORE_PORTABLE := 1

# Debug information, Python's own default, is a third of the compiler's time.
export CFLAGS ?= -g0

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

demo: .venv/demo ## Train on real data and compare with NumPy, SciPy and scikit-learn
	$(BIN)/python examples/demo.py

test: .venv/test ## The whole test suite and all docstring examples; CECORE_ISA=... forces an instruction set
	$(BIN)/pytest -q

test-isa: .venv/test ## The whole suite once for each instruction set that this CPU has
	for isa in $$($(BIN)/python -c 'import cecore; print(*cecore.available_isas())'); do \
		echo "CECORE_ISA=$$isa" && CECORE_ISA=$$isa $(BIN)/pytest -q || exit 1; done

build: .venv/built ## Compile the extension into the source tree

ulp: .venv/test ## Measure the error of every output, in units in the last place
	$(BIN)/python -m tests.ulp_report

bench: .venv/bench ## Time loss and gradient beside the peers
	$(BIN)/python bench/first_figures.py

lint: .venv/lint ## ruff, and the C sources: ASCII and without a compiler warning
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	! grep -rnP '[^\x00-\x7F]' --include=*.[ch] src include
	for file in src/*.c src/isa/*.c; do $(STRICT) -fopenmp -DCECORE_OPENMP $$file || exit 1; done
	$(STRICT) src/parallel.c

types: .venv/lint ## mypy
	$(BIN)/mypy

docs-check: .venv/built ## Every path named in CONTRIBUTING.md and src/README.md exists, every C file is on the map
	$(BIN)/python .ci/maps.py

serial: .venv/test ## The fast suite on a build without OpenMP
	CECORE_OPENMP=0 $(BIN)/python setup.py -q build -b build/serial --build-lib build/serial/lib
	.ci/suite $(BIN)/python build/serial/lib

asan: .venv/test ## Shapes, layouts and special values under the address and undefined-behaviour sanitizers
	CFLAGS="$(SANITIZE)" LDFLAGS="$(SANITIZE)" $(BIN)/python setup.py -q build -b build/asan --build-lib build/asan/lib
	for isa in portable ""; do \
		CECORE_ISA=$$isa PYTHONMALLOC=malloc ASAN_OPTIONS=detect_leaks=0 \
		LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libubsan.so)" \
		.ci/suite $(BIN)/python build/asan/lib $(SANITIZED_TESTS:%=tests/test_%.py) || exit 1; done

wheel: .venv/wheel ## sdist and wheel, with checks of their contents and of the machine code
	.ci/wheel

wheel-test: wheel ## The wheel on every Python, on the oldest and newest NumPy, and on emulated CPUs: half an hour
	.ci/wheel_test

clean: ## Remove everything that was built, .venv included
	rm -rf .venv build dist *.egg-info cecore/*.so

.venv/tools: pyproject.toml
	@test -n "$(PYTHON)" || { echo "cecore needs Python 3.11 or newer with its venv module: install it, or name one, make PYTHON=..."; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' > $@.txt
	$(BIN)/pip install -q -r $@.txt
	@touch $@

.venv/built: .venv/tools $(SOURCES)
	$(BIN)/pip install -q --no-build-isolation -e .
	@touch $@

# One stamp for each extra of pyproject.toml; cecore itself is installed already.
.venv/demo .venv/test .venv/lint .venv/bench .venv/wheel: .venv/%: pyproject.toml | .venv/built
	$(BIN)/pip install -q 'cecore[$*]'
	@touch $@

.PHONY: help demo test test-isa build ulp bench lint types docs-check serial asan wheel wheel-test clean
