# Everything starts here. `make demo` and `make test` do all the set-up on a fresh Debian or Ubuntu.

VENV   := .venv
PYTHON := $(VENV)/bin/python
READY  := $(VENV)/ready
SOURCES := $(shell find src engine -name '*.py' -o -name '*.h' -o -name '*.cpp')

.PHONY: help setup demo test lint bench engine-tests twins thorough clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY)  ## .venv with everything in it

# The package is installed in place: Python files are live, the native library is built anew below.
$(READY): pyproject.toml constraints.txt CMakeLists.txt $(filter engine/%,$(SOURCES))
	@./scripts/need.sh
	@test -x $(PYTHON) || python3 -m venv $(VENV)
	@$(PYTHON) -m pip install --quiet --upgrade pip -c constraints.txt
	@$(PYTHON) -m pip install --quiet -c constraints.txt scikit-build-core ninja
	@$(PYTHON) -m pip install --quiet -c constraints.txt --no-build-isolation -e '.[dev]'
	@mkdir -p build && touch $(READY)

demo: setup  ## hear the bundled twin: WAV files and a page in demo/
	@$(VENV)/bin/tubetwin demo -o demo
	@$(VENV)/bin/tubetwin info standard

test: setup lint engine-tests  ## lint, types, engine tests, Python tests
	@$(PYTHON) -m pytest -q

lint: setup
	@$(VENV)/bin/ruff check --quiet src tests
	@$(VENV)/bin/ruff format --quiet --check src tests
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports --no-cache > build/imports.log || (cat build/imports.log; exit 1)

engine-tests: setup
	@cmake -S . -B build/tests -DCMAKE_BUILD_TYPE=Release -DTUBETWIN_TESTS=ON > build/tests.log
	@cmake --build build/tests -j2 >> build/tests.log || (cat build/tests.log; exit 1)
	@ctest --test-dir build/tests --output-on-failure

bench: setup  ## the engine's benchmarks, as JSON on standard output
	@cmake -S . -B build/tests -DCMAKE_BUILD_TYPE=Release -DTUBETWIN_TESTS=ON > build/tests.log
	@cmake --build build/tests -j2 --target tubetwin_bench >> build/tests.log || (cat build/tests.log; exit 1)
	@build/tests/tubetwin_bench

twins: setup  ## train the bundled twins again (about two and a half hours on two cores)
	@./scripts/make-twins.sh

thorough: setup  ## the whole counts of rigs and faults through the checks (half an hour)
	@TUBETWIN_THOROUGH=1 $(PYTHON) -m pytest -q tests/test_checks.py

clean:  ## remove what was built
	rm -rf build demo $(VENV)
