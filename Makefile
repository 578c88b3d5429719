# Everything runs in a virtual environment, .venv, which the first target that needs it makes.
# Works with GNU Make 3.81 and later, and with Python 3.11, 3.12 and 3.13: PYTHON=python3.12, where python3 is another.

PYTHON ?= python3
VENV ?= .venv
PORT ?= 8080
# 1: nginx in front of TorchServe.
PROXY ?=
# The name of a file in profiles/, for `repro`.
PROFILE ?=
# Stages of dvc.yaml, for `repro`: these alone, with what they need; all where none is named.
STAGES ?=
# Most stages that run at the same time, for `repro` and `study`: as many as there are cores, where it is empty. 1: `dvc repro` itself.
JOBS ?=
# The name of a folder in pipelines/studies/, for `study`, or of a file in pipelines/sweeps/, for `sweep`.
NAME ?=
# Of the images, for `images`.
TAG ?= latest
# One more package index to install from: one of CPU-only builds of torch, say.
TORCH_INDEX ?=

BIN := $(VENV)/bin
ENVIRONMENT := $(VENV)/.installed
WORKSHOP := $(VENV)/.installed-dev
# MLServer wants older libraries than MLflow, and so has an environment of its own. It does not install on Python 3.13, where this
# names another Python.
OTHER_VENV := $(VENV)-open-inference
OTHER := $(OTHER_VENV)/.installed
MLSERVER_PYTHON ?= $(or $(wildcard $(BIN)/python),$(PYTHON))
# --no-compile: Python compiles a module when it is first imported, and most of what is installed never is. It has to keep what
# it compiled, though, or each stage would begin with that.
unexport PYTHONDONTWRITEBYTECODE
PIP_INSTALL = $(BIN)/python -m pip install --no-compile $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
SIDE_BY_SIDE = $(if $(filter 1,$(JOBS)),,$(BIN)/python -m pipelines.side_by_side $(if $(JOBS),--jobs $(JOBS)))
# The tests of a file stay together, as they share what they begin with.
PYTEST = $(BIN)/python -m pytest -n auto --dist loadfile
# Images are labelled with what they were made of.
VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
COMMIT = $(shell git rev-parse HEAD)$(shell git diff --quiet HEAD -- 2> /dev/null || echo +)
IMAGE = DOCKER_BUILDKIT=1 docker build $(if $(TORCH_INDEX),--build-arg TORCH_INDEX=$(TORCH_INDEX)) --build-arg VERSION=$(VERSION) \
	--build-arg COMMIT=$(COMMIT) --file
EXTRAS := train,serve
ALL_EXTRAS := $(EXTRAS),workers,sweep,s3,npm,tracking,dev
# For every Python from 3.11 on, and every platform, at once.
RESOLVE = $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --quiet --no-annotate \
	--custom-compile-command 'make constraints' $(if $(UPGRADE),--upgrade)
# $(call older_than,PYTHON,MINOR): whether it is Python 3.11 or later, and older than 3.MINOR.
older_than = $(1) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, $(2)))'
MLSERVER_CHECK = $(call older_than,$(MLSERVER_PYTHON),13) || { \
	echo "error: MLServer installs on Python 3.11 and 3.12 alone, and $(MLSERVER_PYTHON) is neither; name one: make MLSERVER_PYTHON=python3.12 ..." >&2; exit 1; }

# The stages' commands say `python`, and mean this one.
export PATH := $(if $(filter /%,$(VENV)),,$(CURDIR)/)$(BIN):$(PATH)
export DVC_NO_ANALYTICS := 1
export MLFLOW_DISABLE_TELEMETRY := true
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help repro serve serve-open-inference stop test test-fast test-containers lint format soak study sweep benchmark images secrets \
	constraints clean

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | awk -F '|' '{ printf "  make %-20s %s\n", $$1, $$2 }'

repro: $(if $(PROFILE),profiles/$(PROFILE).txt) $(ENVIRONMENT) ## Rebuild every model from raw data and show the results; PROFILE=smoke: in small; JOBS=1: one stage at a time
ifeq ($(PROFILE),)
	@$(BIN)/python -m pipelines.preflight
	$(or $(SIDE_BY_SIDE),$(BIN)/dvc repro) $(STAGES)
	@$(BIN)/python -m pipelines.report --write
else ifneq ($(STAGES),)
	@echo "error: STAGES goes without PROFILE: an experiment, as which DVC runs a profile, is of all stages" >&2; exit 1
else
	@$(BIN)/python -m pipelines.preflight
	sed -e 's/[[:space:]]*#.*//' -e '/^$$/d' -e 's/^/-S /' profiles/$(PROFILE).txt | xargs $(or $(SIDE_BY_SIDE),$(BIN)/dvc exp run)
	@$(BIN)/python -m pipelines.report
endif

serve: $(ENVIRONMENT) ## Serve what repro built, on PORT=8080; returns when every model answers; PROXY=1: behind nginx
	@$(BIN)/python -m serving up --port $(PORT) $(if $(PROXY),--proxy)

stop: $(ENVIRONMENT) ## Stop the server
	@$(BIN)/python -m serving down

test: $(WORKSHOP) $(OTHER) ## Run every test that this machine can run
	$(PYTEST)

test-fast: $(WORKSHOP) ## Run the unit tests alone: no server, no whole pipeline, nothing slow
	$(PYTEST) -m "not slow and not live and not pipeline and not containers"

lint: $(WORKSHOP) ## Check style and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: $(WORKSHOP) ## Format the code and mend what ruff can mend
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

soak: $(WORKSHOP) ## Put what repro built under load, faults and strange requests for half an hour, for benchmarks/results/
	$(BIN)/python -m benchmarks.serving

study: pipelines/studies/$(or $(NAME),NAME)/dvc.yaml $(ENVIRONMENT) ## Run a comparison that takes longer than `repro`: NAME=contextual; results in benchmarks/results/
	$(or $(SIDE_BY_SIDE),$(BIN)/dvc repro) $<

sweep: pipelines/sweeps/$(or $(NAME),NAME).yaml $(WORKSHOP) ## Search for better settings of a task: NAME=surname; the best become a profile, for `repro`
	$(BIN)/python -m pipelines.sweep $(NAME)

benchmark: $(WORKSHOP) ## Time the pipeline, the word vectors beside gensim's, the translator beside Joey NMT, and recurrent training, for benchmarks/results/: some hours, after `make repro`
	$(BIN)/python -m benchmarks.pipeline
	$(BIN)/python -m benchmarks.embeddings
	$(BIN)/python -m benchmarks.recurrent
	$(BIN)/python -m benchmarks.translation
	$(BIN)/python -m benchmarks.cpus
	$(BIN)/python -m benchmarks.containers

serve-open-inference: $(OTHER) ## Serve what repro built by the Open Inference Protocol, on PORT=8080, until interrupted
	$(OTHER_VENV)/bin/python -m serving.handlers.open_inference build/model-store build/open-inference
	MLSERVER_HTTP_PORT=$(PORT) $(OTHER_VENV)/bin/mlserver start build/open-inference

images: ## Build the images of docker/, TAG=latest; DEVICE=cuda: the one to train, for GPUs
	@docker info > /dev/null 2>&1 || { echo "error: no Docker engine answers; install it, or start it" >&2; exit 1; }
ifeq ($(DEVICE),cuda)
	$(IMAGE) docker/train/Dockerfile --build-arg DEVICE=cuda --tag seqline/train:$(TAG)-cuda .
else
	for name in train serve mlflow; do $(IMAGE) docker/$$name/Dockerfile --tag seqline/$$name:$(TAG) . || exit 1; done
endif

secrets: ## Make the secrets that docker/compose.yaml needs, those that are not there
	@docker/secrets.sh

test-containers: $(WORKSHOP) ## Build the images and test them as docker/compose.yaml runs them; ENGINE=own: see tests/containers/run.sh
	@ENGINE=$(ENGINE) PYTHON=$(BIN)/python tests/containers/run.sh

# Which libraries a torch for GPUs brings is for that build to say: another one wants others.
constraints: $(WORKSHOP) ## Pin what is new in pyproject.toml, in constraints.txt; UPGRADE=1: resolve every dependency anew
	cp constraints.txt constraints-open-inference.txt $(VENV)
	$(RESOLVE) --extra $(ALL_EXTRAS) --output-file $(VENV)/constraints.txt
	grep -vE '^(cuda|nvidia)-|^triton==' $(VENV)/constraints.txt > constraints.txt
	$(RESOLVE) --extra open-inference --output-file $(VENV)/constraints-open-inference.txt
	mv $(VENV)/constraints-open-inference.txt constraints-open-inference.txt

clean: ## Remove what was built and cached here; .venv, DVC's cache and MLflow's runs stay
	rm -rf build data/raw data/prepared .checkpoints .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find models pipelines serving tests benchmarks -name __pycache__ -prune -exec rm -rf {} +

$(ENVIRONMENT): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP_INSTALL) -c constraints.txt -e '.[$(EXTRAS)]'
	$(BIN)/python -m pip check
	@touch $@

# What only those who change or test the project need.
$(WORKSHOP): $(ENVIRONMENT)
	$(PIP_INSTALL) -c constraints.txt -e '.[$(ALL_EXTRAS)]'
	$(BIN)/python -m pip check
	@touch $@

$(OTHER): pyproject.toml constraints-open-inference.txt | $(BIN)/python
	@$(MLSERVER_CHECK)
	$(MLSERVER_PYTHON) -m venv $(OTHER_VENV)
	$(OTHER_VENV)/bin/python -m pip install --no-compile -c constraints-open-inference.txt -e '.[open-inference]'
	$(OTHER_VENV)/bin/python -m pip check
	@touch $@

# What cannot work is told here, before anything is installed.
$(BIN)/python:
	@$(call older_than,$(PYTHON),14) || { \
		echo "error: Python 3.11, 3.12 or 3.13 is needed, and $(PYTHON) is none of them; name one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(if $(filter test serve-open-inference,$(MAKECMDGOALS)),$(MLSERVER_CHECK))
	@# Where venv fails halfway, as it does without Debian's python3-venv, the next run has to begin again.
	$(PYTHON) -m venv $(VENV) || { rm -f $(BIN)/python; exit 1; }

profiles/%.txt:
	@echo "error: there is no profile '$*'; there are: $(basename $(notdir $(wildcard profiles/*.txt)))" >&2; exit 1

pipelines/studies/%/dvc.yaml:
	@echo "error: there is no study '$*'; there are: $(notdir $(patsubst %/dvc.yaml,%,$(wildcard pipelines/studies/*/dvc.yaml)))" >&2; exit 1

pipelines/sweeps/%.yaml:
	@echo "error: there is no sweep '$*'; there are: $(basename $(notdir $(wildcard pipelines/sweeps/*.yaml)))" >&2; exit 1
