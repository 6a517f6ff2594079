# make help lists the commands. Those that run Python set up .venv first, once.
PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Compiled at install: TensorFlow then loads several times faster.
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --compile --require-hashes

.PHONY: help repro test test-all lint fuzz sanitize behaviour studies report audit bench reproduce portable requirements

help:
	@echo "make repro         train and evaluate the autoencoder on Fashion-MNIST; finished stages are skipped"
	@echo "make test          linters, types and the tests of everything, minutes"
	@echo "make test-all      the tests that take long: kills, workers, emulated processors, browser, installation"
	@echo "make lint          linters and types alone"
	@echo "make behaviour     after an edit: compute the digests of what the code computes, list stale studies"
	@echo "make studies       run every study, after the main pipeline"
	@echo "make report        one page of all results, report/report.html, after the main pipeline and the studies"
	@echo "make reproduce     run the main pipeline in a fresh clone, compare with what is committed"
	@echo "make audit         run every study in a fresh clone, compare with what is committed: hours"
	@echo "make portable      train on emulated processors, compare every bit; needs QEMU"
	@echo "make bench         time training beside stock Keras and PyTorch, measure memory"
	@echo "make fuzz          read 10,000 damaged files and 1,000 damaged checkpoints"
	@echo "make sanitize      test the C code with sanitizers; needs gcc"
	@echo "make requirements  pin the requirements anew; needs uv"

$(BIN)/.installed: requirements.txt
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14) and "error: Python 3.11 to 3.13 is needed, this is " + sys.version.split()[0])'
	$(PYTHON) -m venv .venv
	@echo "installing the pinned packages, TensorFlow among them: one to three minutes"
	$(INSTALL) -r requirements.txt
	$(BIN)/python -m checks.offline
	touch $@

$(BIN)/.installed-dev: $(BIN)/.installed requirements-dev.txt
	$(INSTALL) -r requirements-dev.txt
	touch $@

repro: $(BIN)/.installed
	dvc repro
	@python -m checks.summary
	@echo "for dvc commands of your own: . .venv/bin/activate"

test: $(BIN)/.installed-dev lint
	python -m pytest -m "not slow"

test-all: $(BIN)/.installed-dev
	python -m pytest -m slow

lint: $(BIN)/.installed-dev
	ruff check .
	ruff format --check .
	clang-format --dry-run --Werror cae/engine/native/*.[ch] checks/*.h
	check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	check-jsonschema --builtin-schema vendor.citation-file-format CITATION.cff
	mypy
	lint-imports

fuzz: $(BIN)/.installed-dev
	python -m checks.fuzz
	python -m checks.fuzz_checkpoints

sanitize: $(BIN)/.installed-dev
	python -m checks.sanitize

behaviour: $(BIN)/.installed
	cd behaviour && dvc repro
	@python -m behaviour.compare

studies: behaviour
	for study in studies/*/dvc.yaml; do (cd "$${study%/*}" && dvc repro) || exit 1; done

# A part that fails, because a study has not run, is named in the page; without that reason the page fails.
report: $(BIN)/.installed
	@cd report && for part in $$(dvc stage list --name-only | grep -v page); do \
	  dvc repro --single-item $$part || echo "the page goes without $$part"; done; dvc repro --single-item page
	@echo "open report/report.html in a browser"

bench: $(BIN)/.installed
	python -m benchmarks
	python -m benchmarks --network residual --out benchmarks/residual
	python -m benchmarks.memory
	python -m benchmarks.scores 5000

reproduce: $(BIN)/.installed
	python -m checks.reproduce

portable: $(BIN)/.installed
	python -m checks.portable

audit: $(BIN)/.installed
	python -m checks.audit

# Needs uv; run it after a change to a .in file.
requirements:
	for name in requirements requirements-dev; do \
	  uv pip compile --universal --python-version 3.11 --fork-strategy fewest --generate-hashes --no-config \
	    --no-emit-index-url --no-emit-find-links --custom-compile-command "make requirements" \
	    --quiet $$name.in --output-file $$name.txt || exit 1; done
