# Everything a developer runs. `make help` lists it; .venv is made on the way and kept up to date.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
SOURCES := $(wildcard setup.py pyproject.toml include/*.h src/*.c src/*/*.[ch] cecore/*.pyx cecore/*.pxi)

# -O1 and the compiler's own choice of what to inline: 20 s of compilation instead of 7 minutes.
SANITIZE := -g1 -O1 -DCE_LET_COMPILER_INLINE= -fno-omit-frame-pointer \
	-fsanitize=address,undefined -fno-sanitize-recover=all

# No OpenMP region is left whose barriers the sanitizer would have to know: src/pool.c waits by pthreads.
THREAD_SANITIZE := -g1 -O1 -DCE_LET_COMPILER_INLINE= -fno-omit-frame-pointer -fsanitize=thread

SANITIZED_TESTS := special_values properties arrays labels errors functional losses plain streams memory

STRICT := $(CC) -fsyntax-only -std=c11 -Wall -Wextra -Werror -DCECORE_PORTABLE -Iinclude

# The suite needs the test-only backend; wheels are built without this.
export CECORE_PORTABLE := 1

# Debug information, Python's own default, is a third of the compiler's time.
export CFLAGS ?= -g0

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' Makefile

demo: .venv/demo ## Train on real data, boosting included, and compare with other libraries
	$(BIN)/python examples/demo.py

test: .venv/test .venv/boosting ## The test suite and all docstring examples; CECORE_ISA=... forces an instruction set
	$(BIN)/pytest -q

boosting: .venv/test .venv/boosting ## The longer tests of the boosting adapters: more data sets, Dask
	$(BIN)/pytest -q -m boosting tests

boost-oldest: .venv/built ## All tests of the boosting adapters with the oldest libraries supported
	.ci/boost_oldest $(BIN)/python

docs-plots: .venv/docs .venv/demo ## Draw the plots of docs/ anew
	$(BIN)/python examples/boosting_plots.py

bench-boosting: .venv/boosting ## Training time with our objectives beside the builtin ones
	$(BIN)/python bench/boosting.py

test-isa: .venv/test .venv/boosting ## The whole suite once for each instruction set that this CPU has
	for isa in $$($(BIN)/python -c 'import cecore; print(*cecore.available_isas())'); do \
		echo "CECORE_ISA=$$isa" && CECORE_ISA=$$isa $(BIN)/pytest -q || exit 1; done

build: .venv/built ## Compile the extension into the source tree

soak: .venv/test ## 100 children by every way to start one, and 100 times 32 threads at once
	for scenario in $$($(BIN)/python -m tests.processes); do \
		echo "$$scenario" && timeout 600 $(BIN)/python -m tests.processes $$scenario 100 || exit 1; done

coexist: .venv/test .venv/coexist ## Beside torch, scikit-learn, XGBoost and LightGBM, imported before and after
	$(BIN)/pytest -q tests/coexistence.py

digests: .venv/test ## Store this version's bits: only when they are meant to change
	for isa in scalar ""; do CECORE_ISA=$$isa $(BIN)/python -m tests.digests || exit 1; done

ulp: .venv/test ## Measure the error of every output on a sample, in units in the last place
	$(BIN)/python -m tests.accuracy exhaustive --quick
	$(BIN)/python -m tests.accuracy samples --quick

exhaustive: .venv/test ## The same for every float32 input of what has but one, 2^32 of them
	$(BIN)/python -m tests.accuracy exhaustive

# A bound that is missed stops nothing before the page says so.
accuracy: .venv/test .venv/accuracy ## All of it, beside other libraries, into docs/accuracy.md: about 40 minutes
	rm -f build/accuracy_exhaustive.json build/accuracy_samples.json
	-$(BIN)/python -m tests.accuracy exhaustive
	-$(BIN)/python -m tests.accuracy samples
	$(BIN)/python -m tests.accuracy.page build/accuracy_exhaustive.json build/accuracy_samples.json

# Options go in ARGS: make bench ARGS="--quick", ARGS=--continue after an interruption, ARGS=--docs.
bench: .venv/bench ## Speed beside the peers and the memory's own: 25 minutes; ARGS="--quick --peers torch"
	$(BIN)/cecore bench $(ARGS)

bench-check: .venv/bench ## The targets of bench/targets.toml, medians of 5 processes: 80 minutes; ARGS="--processes 1"
	$(BIN)/cecore bench --check $(ARGS)

lint: .venv/lint ## ruff, and the C sources: ASCII and without a compiler warning
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	! grep -rnP '[^\x00-\x7F]' --include=*.[ch] src include tests
	for file in src/*.c src/isa/*.c tests/c/*.c; do $(STRICT) -fopenmp -DCECORE_OPENMP $$file || exit 1; done
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
		PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libubsan.so)" \
		.ci/suite $(BIN)/python build/asan/lib $(SANITIZED_TESTS:%=tests/test_%.py) || exit 1; done

tsan: .venv/test ## Threads, forks and the crowd under the thread sanitizer
	CFLAGS="$(THREAD_SANITIZE)" LDFLAGS="$(THREAD_SANITIZE)" \
		CECORE_OPENMP=require $(BIN)/python setup.py -q build -b build/tsan --build-lib build/tsan/lib
	TSAN_OPTIONS="ignore_noninstrumented_modules=1" \
		PRELOAD="$$(gcc -print-file-name=libtsan.so)" \
		.ci/suite $(BIN)/python build/tsan/lib tests/test_threads.py tests/test_processes.py

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
.venv/demo .venv/test .venv/lint .venv/bench .venv/accuracy .venv/coexist .venv/wheel .venv/boosting .venv/docs: .venv/%: pyproject.toml | .venv/built
	$(BIN)/pip install -q 'cecore[$*]'
	@touch $@

.PHONY: help demo test test-isa boosting boost-oldest docs-plots bench-boosting build soak coexist digests ulp exhaustive accuracy bench bench-check lint types docs-check serial asan tsan wheel wheel-test clean
