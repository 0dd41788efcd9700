# Each target does its own set-up in .venv; `make demo` and `make test` are all that a newcomer needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
SPEAKS := $(VENV)/.speaks
STAMP := $(VENV)/.ready
DISTRIBUTIONS := pyproject.toml reference_runner/pyproject.toml constraints.txt

.PHONY: demo test lint bench docs pictures fixtures conform spec fuzz engines test-exhaustive test-offline matrix mutations tools clean

demo: $(SPEAKS) tools
	@$(BIN)/python examples/demo.py

test: $(STAMP) tools
	$(BIN)/python -m pytest

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/reuse lint --quiet || $(BIN)/reuse lint --lines

bench: $(STAMP)
	$(BIN)/python benchmarks/verify_speed.py
	$(BIN)/python benchmarks/walking_speed.py
	$(BIN)/python benchmarks/parquet_pruning.py
	$(BIN)/python benchmarks/recorder_overhead.py
	$(BIN)/python benchmarks/recorder_pace.py

.PHONY: faults
# A thousand faults happen to recordings: kills, signals, full disks, exceptions everywhere, deadlines, two writers.
faults: $(STAMP) tools
	$(BIN)/python tests/inject_faults.py

# Real engines by mode: what was recorded, which level it reached, and what a rerun gave. The neural ones are packages.
engines: $(STAMP) tools
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt ".[engines]"
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python benchmarks/real_engines.py

test-exhaustive: $(STAMP) tools
	$(BIN)/python tests/exhaustive.py
	$(BIN)/python -m pytest -m exhaustive

# Every Python found here, from 3.11 on, says one and the same of the kit.
matrix: $(STAMP)
	$(BIN)/python tests/matrix.py

# MUTATIONS (100,000) damaged and forged files: none crashes, hangs or ends a batch.
mutations: $(STAMP)
	$(BIN)/python tests/many_mutations.py

# FUZZ_SECONDS are shared among the targets; one or more may be named: make fuzz FUZZ="riff capsule".
fuzz: $(STAMP)
	$(PIP) atheris
	$(BIN)/python tests/fuzz $(FUZZ)

# The whole suite where there is no network, not even a loopback.
test-offline: $(STAMP) tools
	unshare -rn $(BIN)/python -m pytest

fixtures: $(STAMP) tools
	$(BIN)/python tests/write_fixtures.py

conform: $(STAMP)
	$(BIN)/ttsa conform -- $(BIN)/ttsa verify --format json

spec: $(STAMP)
	$(BIN)/python tests/write_rules_json.py
	$(BIN)/python tests/write_help.py

# The documentation site, in .build/site: pages of docs/, of the README and of every rule; a broken link ends the build.
docs: $(STAMP)
	$(PIP) --editable ".[docs]"
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet
	@echo "open .build/site/index.html"

# The documentation's pictures, by a real browser: Debian's chromium has to be installed.
pictures: $(STAMP)
	TTSARTIFACT_PICTURES=docs/pictures $(BIN)/python -m pytest -q -n0 tests/cli/test_report_browser.py -k fits

# espeak-ng, flite, sox and ffmpeg are other people's tools that the tests and the demo speak to for real.
tools:
	@sh .ci/tools

# On Linux torch brings CUDA along, 2 GB; an index of CPU wheels, where you have one, spares them.
$(SPEAKS): $(DISTRIBUTIONS)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "setting up $(VENV) with the verifier and the reference runner (once)"
	@$(PIP) --editable . --editable ./reference_runner
	@touch $@

$(STAMP): $(SPEAKS)
	@echo "adding the second engine and the developer's tools (once)"
	@$(PIP) --editable ".[dev]" --editable "./reference_runner[onnx]"
	@touch $@

include reference_runner/targets.mk

clean:
	rm -rf $(VENV) .build dist
