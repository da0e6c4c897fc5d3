# Everything starts here. `make demo` and `make test` do all the set-up on a fresh Debian or Ubuntu.

VENV   := .venv
PYTHON := $(VENV)/bin/python
READY  := $(VENV)/ready
SOURCES := $(shell find src engine -name '*.py' -o -name '*.h' -o -name '*.cpp')

.PHONY: help setup demo web plugin plugin-test plugin-windows plugin-macos plugin-elsewhere-test plugin-sanitize test test-tools lint bench bench-peers bench-web bench-plugin screenshots engine-tests sanitize fuzz twins judge thorough clean

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

# Only the page needs these, and they are large: `make demo` does without.
$(VENV)/ready-web: $(READY)
	@$(PYTHON) -m pip install --quiet -c constraints.txt --no-build-isolation -e '.[page-tools]'
	@touch $@

test-tools: $(VENV)/ready-web
	@./scripts/need.sh tests

demo: setup  ## hear the bundled twin: WAV files and a page in demo/
	@$(VENV)/bin/tubetwin demo -o demo
	@$(VENV)/bin/tubetwin info standard

web: $(VENV)/ready-web  ## the page, in build/web: any static host serves it
	@PYTHON=$(PYTHON) ./scripts/make-web.sh build/web

# The programs come without a twin; export-plugin puts one beside a copy. CMake's log tells what went wrong.
# PANEL=OFF leaves the window out, and with it X11 and OpenGL.
PANEL := ON
plugin: setup  ## the bundled twins as VST3, CLAP and LV2 plugins and JACK programs, in build/plugin (three minutes)
	@./scripts/need.sh plugin
	@if [ $(PANEL) = ON ]; then ./scripts/need.sh panel; else rm -rf build/plugin/programs/panel; fi
	@cmake -S . -B build/plugin-make -DCMAKE_BUILD_TYPE=Release -DTUBETWIN_PLUGIN=ON -DTUBETWIN_PANEL=$(PANEL) -DTUBETWIN_PLUGIN_DIR=$(CURDIR)/build/plugin/programs > build/plugin.log
	@cmake --build build/plugin-make -j2 --target plugins clap_host vst3_loads panel_tests $(if $(filter ON,$(PANEL)),panels) >> build/plugin.log 2>&1 || (cat build/plugin.log; exit 1)
	@for twin in src/tubetwin/twins/*.twin; do $(VENV)/bin/tubetwin export-plugin $$twin --cabinet 1x12 --format vst3,clap,lv2,jack \
	  --name "Tubetwin $$(basename $$twin .twin)" -o build/plugin || exit 2; done

plugin-windows:  ## the same for Windows on x86-64, in build/plugin-windows (many minutes at first)
plugin-macos:  ## the same for macOS on Apple's processors, in build/plugin-macos

# Elsewhere there is no JACK program; CI makes neither.
plugin-windows plugin-macos: plugin $(VENV)/ready-web
	@PYTHON=$(PYTHON) ./scripts/make-plugins-elsewhere.sh $(@:plugin-%=%)
	@for twin in src/tubetwin/twins/*.twin; do $(VENV)/bin/tubetwin export-plugin $$twin --cabinet 1x12 \
	  --system $(@:plugin-%=%) --name "Tubetwin $$(basename $$twin .twin)" -o build/$@ || exit 2; done

plugin-test: plugin  ## the plugins in real hosts: pedalboard, dawdreamer, Ardour, jalv, qtractor, our own
	@./scripts/need.sh plugin-tests
	@./scripts/need.sh panel-tests
	@$(PYTHON) -m pip install --quiet -c constraints.txt --no-build-isolation -e '.[plugin-hosts]'
	@TUBETWIN_PLUGIN_TESTS=1 $(PYTHON) -m pytest -q tests/test_plugin*.py

plugin-elsewhere-test: plugin-windows plugin-macos  ## those for Windows in Wine, those for macOS as far as they can be read here
	@./scripts/need.sh plugin-tests
	@./scripts/need.sh elsewhere-tests
	@TUBETWIN_PLUGIN_TESTS=1 $(PYTHON) -m pytest -q -rs tests/test_plugin_elsewhere.py

test: setup test-tools lint engine-tests  ## lint, types, engine tests, Python tests
	@$(PYTHON) -m pytest -q

lint: setup
	@$(VENV)/bin/ruff check --quiet src tests benchmarks scripts
	@$(VENV)/bin/ruff format --quiet --check src tests benchmarks scripts
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports --no-cache > build/imports.log || (cat build/imports.log; exit 1)

engine-tests: setup
	@cmake -S . -B build/tests -DCMAKE_BUILD_TYPE=Release -DTUBETWIN_TESTS=ON > build/tests.log
	@cmake --build build/tests -j2 >> build/tests.log || (cat build/tests.log; exit 1)
	@ctest --test-dir build/tests --output-on-failure

sanitize: engine-tests  ## every engine test with addresses and undefined behaviour watched; 10 s of two threads
	@cmake -S . -B build/asan -DCMAKE_BUILD_TYPE=Release -DTUBETWIN_TESTS=ON -DTUBETWIN_SANITIZE=address,undefined > build/asan.log
	@cmake --build build/asan -j2 --target engine_tests >> build/asan.log || (cat build/asan.log; exit 1)
	@build/asan/engine_tests
	@build/tests/hammer_thread 10
	@build/tests/hammer_address_undefined 10

# What libFuzzer finds interesting goes to build/; the seeds it starts from are kept.
FUZZ_SECONDS := 600
fuzz: setup  ## ten minutes of random files against everything that reads files (needs clang)
	@./scripts/need.sh fuzz
	@cmake -S . -B build/fuzz -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_BUILD_TYPE=Release -DTUBETWIN_SANITIZE=fuzzer,address,undefined > build/fuzz.log
	@cmake --build build/fuzz -j2 --target engine_fuzz >> build/fuzz.log || (cat build/fuzz.log; exit 1)
	@mkdir -p build/corpus
	@build/fuzz/engine_fuzz -max_total_time=$(FUZZ_SECONDS) -max_len=20000 -timeout=10 -rss_limit_mb=2000 -print_final_stats=1 build/corpus engine/tests/corpus

BENCH := --rounds 100 --paced 100000
bench: setup  ## the engine's benchmarks: JSON on standard output, a table besides (four minutes; alone on the machine)
	@cmake -S . -B build/tests -DCMAKE_BUILD_TYPE=Release -DTUBETWIN_TESTS=ON > build/tests.log
	@cmake --build build/tests -j2 --target tubetwin_bench >> build/tests.log || (cat build/tests.log; exit 1)
	@build/tests/tubetwin_bench $(BENCH)

bench-peers: setup  ## what a user would run instead: PyTorch, torch.compile, ONNX Runtime (four minutes)
	@$(PYTHON) -m pip install --quiet -c constraints.txt --no-build-isolation -e '.[bench]'
	@for twin in standard nano; do $(PYTHON) benchmarks/peers.py --twin $$twin || exit 2; done

bench-web: test-tools web  ## the engine in WebAssembly against the native one, and the first sound
	@cmake -S . -B build/tests -DCMAKE_BUILD_TYPE=Release -DTUBETWIN_TESTS=ON > build/tests.log
	@cmake --build build/tests -j2 --target tubetwin_pace >> build/tests.log || (cat build/tests.log; exit 1)
	@$(PYTHON) benchmarks/page.py

plugin-sanitize: setup  ## CLAP and VST3 plugins and their hosts with addresses and leaks watched
	@./scripts/need.sh plugin-tests
	@$(PYTHON) -m pip install --quiet -c constraints.txt --no-build-isolation -e '.[plugin-hosts]'
	@cmake -S . -B build/plugin-asan -DCMAKE_BUILD_TYPE=Release -DTUBETWIN_PLUGIN=ON -DTUBETWIN_SANITIZE=address > build/plugin-asan.log
	@cmake --build build/plugin-asan -j2 --target plugin_clap_1 plugin_clap_2 plugin_vst3_1 plugin_vst3_2 clap_host vst3_loads >> build/plugin-asan.log 2>&1 || (cat build/plugin-asan.log; exit 1)
	@TUBETWIN_PLUGIN_TESTS=sanitized $(PYTHON) -m pytest -q tests/test_plugin_clap.py tests/test_plugin_loads.py

bench-plugin: plugin  ## the plugin in a host against the engine alone
	@cmake -S . -B build/tests -DCMAKE_BUILD_TYPE=Release -DTUBETWIN_TESTS=ON > build/tests.log
	@cmake --build build/tests -j2 --target tubetwin_pace >> build/tests.log || (cat build/tests.log; exit 1)
	@$(PYTHON) benchmarks/plugin.py

screenshots: test-tools web plugin  ## the pictures of docs/pictures, taken anew
	@./scripts/need.sh panel-tests
	@$(PYTHON) scripts/screenshots.py docs/pictures
	@$(PYTHON) scripts/panel_pictures.py docs/pictures

twins: setup  ## train the bundled twins again (nine hours)
	@./scripts/make-twins.sh

# Records anew only what is not there; the training session comes from `make twins`.
JUDGED := build/twins
judge: setup  ## judge the bundled twins: reports and pages in build/twins (ten minutes)
	@test -f $(JUDGED)/judge/session.json || $(VENV)/bin/tubetwin capture --amp reference --judge $(JUDGED)/session -o $(JUDGED)/judge
	@for twin in src/tubetwin/twins/*.twin; do name=$(JUDGED)/$$(basename $$twin .twin); \
	  $(VENV)/bin/tubetwin evaluate $$twin $(JUDGED)/judge --probes --json > $$name.json && \
	  $(VENV)/bin/tubetwin report $$name.json -o $$name.html || exit 2; done

thorough: setup  ## the whole counts of rigs and faults through the checks (hours)
	@TUBETWIN_THOROUGH=1 $(PYTHON) -m pytest -q tests/test_checks.py tests/test_inspection.py

clean:  ## remove what was built
	rm -rf build demo $(VENV)
