# Every target makes what it needs; python3.11 and make are all that a fresh machine must have.

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
PINNED := install --quiet --constraint constraints.txt

READY := $(VENV)/.ready
NOTEBOOKS_READY := $(VENV)/.ready-notebooks
CLEAN := build/clean-venv

FAST_TESTS := $(wildcard tests/test_*.py tests/bounds tests/certificate tests/tickets)
IMPORT_ALL := import importlib, pkgutil, pacbayes; \
	names = [m.name for m in pkgutil.walk_packages(pacbayes.__path__, "pacbayes.", onerror=importlib.import_module) \
		if not m.name.endswith("__main__")]; \
	[importlib.import_module(name) for name in names]; \
	print(len(names), "modules import")

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install demo test fast slow evidence fuzz lint types bench tickets published records-verify notebooks wheel

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

install: $(READY) ## Make .venv and install the package, its tests and tools into it (quick when nothing changed)

# The stamp is written last, so that an interrupted installation is taken up again.
$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) $(PINNED) --editable '.[test,dev]'
	touch $@

$(NOTEBOOKS_READY): $(READY)
	$(PIP) $(PINNED) --editable '.[notebooks]'
	touch $@

demo: $(READY) ## Digits in a minute: find a ticket, certify it and its dense parent, compare; leaves demo/
	$(BIN)/pacbayes demo

test: $(READY) ## All but the slow tests; branch coverage of bounds and of certificate must be 100 %
	$(BIN)/coverage run -m pytest
	$(BIN)/coverage report --show-missing --fail-under=100 --include='pacbayes/bounds/*'
	$(BIN)/coverage report --show-missing --fail-under=100 --include='pacbayes/certificate/*'

fast: $(READY) ## The quick subset: architecture, bounds, certificates, tickets, with few examples each
	$(BIN)/pytest --exitfirst --hypothesis-profile=fast $(FAST_TESTS)

slow: $(READY) ## The slow tests alone
	$(BIN)/pytest -m slow

evidence: $(READY) ## Do what is missing of the nightly evidence (hours at first) and write its page
	$(BIN)/python -m tests.evidence
	$(BIN)/python -m tests.evidence.mutants
	$(BIN)/python -m tests.evidence --page tests/evidence/EVIDENCE.md

fuzz: $(READY) ## 200,000 cases on each parser of foreign files; make test runs a hundredth
	PACBAYES_FUZZ_SCALE=100 $(BIN)/pytest tests/fuzz

lint: $(READY) ## Style and banned calls
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY) ## Static types, strict
	$(BIN)/mypy

bench: $(READY) ## Costs beside named baselines, as one table of ratios: tests/benchmarks/RESULTS.md
	$(BIN)/python -m tests.benchmarks.page --write tests/benchmarks/RESULTS.md
	$(BIN)/pytest -m slow --benchmark-only --benchmark-columns=median,iqr,rounds tests/benchmarks

tickets: $(READY) ## Every method and score, and masks without data, certified in joint tables; needs PACBAYES_DATA
	$(BIN)/pacbayes study tickets --long --out runs/tickets
	$(BIN)/pacbayes study densities --long --out runs/densities

published: $(READY) ## LeNet-300-100 on MNIST against the published table, three seeds; a killed run goes on
	PACBAYES_RUNS=runs/published $(BIN)/pytest -m slow tests/pruning/test_published.py

records-verify: $(READY) ## Check the committed records again, from their files alone
	$(BIN)/pacbayes verify notebooks/records/*.json

notebooks: $(NOTEBOOKS_READY) ## Run every notebook from top to bottom
	$(BIN)/pytest --nbmake notebooks

wheel: $(READY) ## Build the wheel, install it alone, import every module, ask for its version
	rm -rf dist $(CLEAN)
	$(BIN)/python -m build --wheel --outdir dist
	$(PYTHON) -m venv $(CLEAN)
	$(CLEAN)/bin/python -m pip --disable-pip-version-check $(PINNED) dist/*.whl
	$(CLEAN)/bin/python -I -c '$(IMPORT_ALL)'
	$(CLEAN)/bin/pacbayes --version
