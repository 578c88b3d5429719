# Everything runs in a virtual environment, .venv, which the first target that needs it creates.
# Works with GNU Make 3.81 and later, and with Python 3.11, 3.12 and 3.13: PYTHON=python3.12, where python3 is another.

PYTHON ?= python3
VENV ?= .venv
PORT ?= 8080
# The server's folder. Servers with different folders are independent.
INSTANCE ?= .serving
# 1: nginx in front of TorchServe.
PROXY ?=
# The name of a file in profiles/, for `repro`.
PROFILE ?=
# Stages of dvc.yaml, for `repro`: only these and what they depend on. Default: all.
STAGES ?=
# Maximum number of stages that run at the same time, for `repro` and `study`. Default: the number of cores. 1: plain `dvc repro`.
JOBS ?=
# A folder in pipelines/studies/, for `study`, or a file in pipelines/sweep/, for `sweep`.
NAME ?=
# A revision of Git, for `results`.
BASE ?= main
# Tag of the images, for `images`.
TAG ?= latest
# Additional package index, for example one of CPU-only builds of torch.
TORCH_INDEX ?=

BIN := $(VENV)/bin
ENVIRONMENT := $(VENV)/.installed
WORKSHOP := $(VENV)/.installed-dev
# MLServer needs older libraries than MLflow, so it has a separate environment. It does not support
# Python 3.13: name another one there.
OTHER_VENV := $(VENV)-open-inference
OTHER := $(OTHER_VENV)/.installed
MLSERVER_PYTHON ?= $(or $(wildcard $(BIN)/python),$(PYTHON))
# --no-compile: Python compiles a module on first import, and most installed modules are never imported. The compiled files must
# be kept, or every stage would compile them again.
unexport PYTHONDONTWRITEBYTECODE
PIP_INSTALL = $(BIN)/python -m pip install --no-compile $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
SIDE_BY_SIDE = $(if $(filter 1,$(JOBS)),,$(BIN)/python -m pipelines.repro.side_by_side $(if $(JOBS),--jobs $(JOBS)))
# Tests of one file run in one process, because they share fixtures.
PYTEST = $(BIN)/python -m pytest -n auto --dist loadfile
# Tests import shared modules from these folders.
MYPY_OF_TESTS = MYPYPATH=tests:tests/serving $(BIN)/mypy
# Labels of the images.
VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
COMMIT = $(shell git rev-parse HEAD)$(shell git diff --quiet HEAD -- 2> /dev/null || echo +)
IMAGE = DOCKER_BUILDKIT=1 docker build $(if $(TORCH_INDEX),--build-arg TORCH_INDEX=$(TORCH_INDEX)) --build-arg VERSION=$(VERSION) \
	--build-arg COMMIT=$(COMMIT) --file
EXTRAS := train,serve
ALL_EXTRAS := $(EXTRAS),docs,workers,sweep,s3,npm,openlineage,tracking,dev
# Resolves for all supported Pythons and platforms at once.
RESOLVE = $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --quiet --no-annotate \
	--custom-compile-command 'make constraints' $(if $(UPGRADE),--upgrade)
# $(call older_than,PYTHON,MINOR): whether it is Python 3.11 or later, and older than 3.MINOR.
older_than = $(1) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, $(2)))'
MLSERVER_CHECK = $(call older_than,$(MLSERVER_PYTHON),13) || { \
	echo "error: MLServer installs on Python 3.11 and 3.12 alone, and $(MLSERVER_PYTHON) is neither; name one: make MLSERVER_PYTHON=python3.12 ..." >&2; exit 1; }

# The stages' commands say `python`, which must be the one of .venv.
# DVC needs a user name, which a uid in a container may lack.
export LOGNAME := $(or $(LOGNAME),$(USER),$(shell id -un 2> /dev/null),nobody)
# DVC stores experiments as Git commits, which need an author.
export GIT_AUTHOR_NAME ?= $(or $(shell git config user.name),$(LOGNAME))
export GIT_AUTHOR_EMAIL ?= $(or $(shell git config user.email),$(LOGNAME)@localhost)
export GIT_COMMITTER_NAME ?= $(GIT_AUTHOR_NAME)
export GIT_COMMITTER_EMAIL ?= $(GIT_AUTHOR_EMAIL)
export PATH := $(if $(filter /%,$(VENV)),,$(CURDIR)/)$(BIN):$(PATH)
export DVC_NO_ANALYTICS := 1
export MLFLOW_DISABLE_TELEMETRY := true
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help repro publish results release docs serve serve-open-inference stop test test-fast test-containers lint format soak study sweep benchmark \
	lessons notebooks screenshots images docs-image secrets constraints clean

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | awk -F '|' '{ printf "  make %-20s %s\n", $$1, $$2 }'

repro: .repository $(if $(PROFILE),profiles/$(PROFILE).txt) $(ENVIRONMENT) ## Rebuild every model from raw data and show the results beside the published ones; PROFILE=smoke: in small; JOBS=1: one stage at a time
ifeq ($(PROFILE),)
	@$(BIN)/python -m pipelines.repro.preflight
	$(or $(SIDE_BY_SIDE),$(BIN)/dvc repro) $(STAGES)
	@$(BIN)/python -m pipelines.report.pages
else ifneq ($(STAGES),)
	@echo "error: STAGES goes without PROFILE: an experiment, as which DVC runs a profile, is of all stages" >&2; exit 1
else
	@$(BIN)/python -m pipelines.repro.preflight
	sed -e 's/[[:space:]]*#.*//' -e '/^$$/d' -e 's/^/-S /' profiles/$(PROFILE).txt | xargs $(or $(SIDE_BY_SIDE),$(BIN)/dvc exp run)
	@$(BIN)/python -m pipelines.report.pages
endif

# Checked first, because the next steps take minutes.
.repository:
	@git rev-parse --git-dir > /dev/null || { echo "error: DVC needs a Git repository here: git init && git add --all && git commit --message start" >&2; exit 1; }

publish: $(ENVIRONMENT) ## Write the results of this clone into the pages that state them, for a commit
	@$(BIN)/python -m pipelines.report.pages --write

results: $(ENVIRONMENT) ## Compare the metrics and plots of this clone with those of BASE=main, in build/results/
	@mkdir -p build/results
	@echo "Results beside those of $(BASE)" > build/results/results.md
	@echo >> build/results/results.md
	$(BIN)/dvc metrics diff --md --precision 4 $(BASE) >> build/results/results.md
	$(BIN)/dvc plots diff --out build/results/plots $(BASE)

release: $(WORKSHOP) ## Build the package, and a bill of materials (CycloneDX) of the environment that it was tested with, in build/release/
	rm -rf build/release
	$(BIN)/uv build --out-dir build/release
	$(BIN)/cyclonedx-py environment $(VENV) --output-format JSON --output-file build/release/sbom.cdx.json

docs: $(WORKSHOP) ## Build the documentation as a site in build/site/, and check all links
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

serve: $(ENVIRONMENT) ## Serve what repro built, on PORT=8080; returns when every model answers; PROXY=1: behind nginx; INSTANCE: another folder
	@$(BIN)/seqline up --instance "$(INSTANCE)" --port $(PORT) $(if $(PROXY),--proxy)

stop: $(ENVIRONMENT) ## Stop the server
	@$(BIN)/seqline down --instance "$(INSTANCE)"

test: $(WORKSHOP) $(OTHER) ## Run every test that this machine can run
	$(PYTEST)

test-fast: $(WORKSHOP) ## Run the unit tests alone: no server, no whole pipeline, nothing slow
	$(PYTEST) -m "not slow and not live and not pipeline and not containers"

lint: $(WORKSHOP) ## Check style, types, spelling and the workflows of .github/
	$(BIN)/codespell
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.dependabot .github/dependabot.yml
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	@# mypy cannot check several modules of the same name, such as conftest.py, at once. A test copies the vowels elsewhere.
	$(MYPY_OF_TESTS) --exclude '/conftest\.py$$|/kinds/vowels/' tests tests/conftest.py
	for file in $$(find tests -mindepth 2 -name conftest.py); do $(MYPY_OF_TESTS) $$file || exit 1; done

format: $(WORKSHOP) ## Format the code and apply ruff's fixes
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

soak: $(WORKSHOP) ## Test the server with load, faults and malformed requests for half an hour, for benchmarks/results/
	$(BIN)/python -m benchmarks.serving

study: pipelines/studies/$(or $(NAME),NAME)/dvc.yaml $(ENVIRONMENT) ## Run a comparison that takes longer than `repro`: NAME=contextual; results in benchmarks/results/
	$(or $(SIDE_BY_SIDE),$(BIN)/dvc repro) $<

sweep: pipelines/sweep/$(or $(NAME),NAME).yaml $(WORKSHOP) ## Search for better settings of a task: NAME=surname; the best become a profile
	$(BIN)/python -m pipelines.sweep $(NAME)

benchmark: $(WORKSHOP) ## Time the pipeline, the word vectors beside gensim's, the translator beside Joey NMT, and recurrent training, for benchmarks/results/: some hours, after `make repro`
	$(BIN)/python -m benchmarks.pipeline
	$(BIN)/python -m benchmarks.embeddings
	$(BIN)/python -m benchmarks.recurrent
	$(BIN)/python -m benchmarks.translation
	$(BIN)/python -m benchmarks.lessons
	$(BIN)/python -m benchmarks.teaching
	$(BIN)/python -m benchmarks.page
	$(BIN)/python -m benchmarks.drift
	$(BIN)/python -m benchmarks.cpus
	$(BIN)/python -m benchmarks.containers

lessons: $(WORKSHOP) ## Run every lesson in full, and check that its result lies in its interval: for a nightly job
	for lesson in lessons/*.py; do \
		$(BIN)/python -I $$lesson --check --out lesson-output || exit 1; done

# Each lesson is both a script and a notebook: https://jupytext.readthedocs.io.
notebooks: $(WORKSHOP) ## Turn lessons/ into notebooks, in build/notebooks/
	@mkdir -p build/notebooks
	for lesson in lessons/*.py; do \
		$(BIN)/jupytext --quiet --to ipynb --output build/notebooks/$$(basename $$lesson .py).ipynb $$lesson || exit 1; done

screenshots: $(WORKSHOP) ## Take pictures of the page with the models that repro built, for docs/pictures/; needs Chromium
	$(BIN)/python -m benchmarks.page screenshots

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

docs-image: docs ## Build an image of the site, on nginx
	docker build --file docker/docs/Dockerfile --tag seqline/docs:$(TAG) build/site

secrets: ## Create the missing secrets of docker/compose.yaml
	@docker/secrets.sh

test-containers: $(WORKSHOP) ## Build the images and test them as docker/compose.yaml runs them; ENGINE=own: see tests/containers/run.sh
	@ENGINE=$(ENGINE) PYTHON=$(BIN)/python tests/containers/run.sh

# GPU libraries are not pinned: each GPU build of torch requires its own.
constraints: $(WORKSHOP) ## Pin new dependencies in constraints.txt; UPGRADE=1: resolve all of them again
	cp constraints.txt constraints-open-inference.txt $(VENV)
	$(RESOLVE) --extra $(ALL_EXTRAS) --output-file $(VENV)/constraints.txt
	grep -vE '^(cuda|nvidia)-|^triton==' $(VENV)/constraints.txt > constraints.txt
	$(RESOLVE) --extra open-inference --output-file $(VENV)/constraints-open-inference.txt
	mv $(VENV)/constraints-open-inference.txt constraints-open-inference.txt

clean: ## Remove build outputs and caches; keeps .venv, DVC's cache and MLflow's runs
	git clean -ffdXq build data/raw data/prepared
	rm -rf .checkpoints .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find models pipelines serving lessons tests benchmarks -name __pycache__ -prune -exec rm -rf {} +

$(ENVIRONMENT): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP_INSTALL) -c constraints.txt -e '.[$(EXTRAS)]'
	$(BIN)/python -m pip check
	@touch $@

# Tools for development and tests.
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

# Checks prerequisites before anything is installed.
$(BIN)/python:
	@$(call older_than,$(PYTHON),14) || { \
		echo "error: Python 3.11, 3.12 or 3.13 is needed, and $(PYTHON) is none of them; name one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(if $(filter test serve-open-inference,$(MAKECMDGOALS)),$(MLSERVER_CHECK))
	@# If venv fails halfway, as without Debian's python3-venv, the next run must start over.
	$(PYTHON) -m venv $(VENV) || { rm -f $(BIN)/python; exit 1; }

profiles/%.txt:
	@echo "error: there is no profile '$*'; there are: $(basename $(notdir $(wildcard profiles/*.txt)))" >&2; exit 1

pipelines/studies/%/dvc.yaml:
	@echo "error: there is no study '$*'; there are: $(notdir $(patsubst %/dvc.yaml,%,$(wildcard pipelines/studies/*/dvc.yaml)))" >&2; exit 1

pipelines/sweep/%.yaml:
	@echo "error: there is no sweep '$*'; there are: $(basename $(notdir $(wildcard pipelines/sweep/*.yaml)))" >&2; exit 1
