# Every target sets up what it needs first; set-up takes under a second when nothing changed.
# TORCH_PIP_ARGS  arguments for pip when it installs torch (docs/howto/choose-torch.md)
# PYTHON          the Python 3.11 that makes the virtual environment
SHELL := /bin/sh
PYTHON ?= $(shell command -v python3.11 || command -v python3)
TORCH_PIP_ARGS ?=
DEMO ?=
SERVICES ?=
# Any value: serve with a certificate made here, to the local network.
HTTPS ?=
T ?=
# Test processes beside each other: a number, such as WORKERS=2.
WORKERS ?=
BENCH ?=
export TORCH_PIP_ARGS
RUN := .venv/bin/python

.DEFAULT_GOAL := help
.PHONY: help setup setup-test services demo serve test lint docs bench endurance report lock clean

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 20

setup: ## virtual environment, pinned dependencies, browser libraries; no root
	@$(PYTHON) -m deploy.set_up runtime

setup-test:
	@$(PYTHON) -m deploy.set_up test

services:
ifeq ($(SERVICES),install)
	@$(PYTHON) -m deploy.install_services
endif

demo: setup ## the whole loop on this machine, then the site on 127.0.0.1:8000 (DEMO="--no-serve --json PATH")
	@AMGS_VAR="$${AMGS_VAR:-var/demo}" $(RUN) manage.py demo $(DEMO)

serve: setup ## the site on 127.0.0.1:8000 (HTTPS=1: for phones of the local network, too)
	@$(RUN) manage.py serve $(if $(HTTPS),--https)

test: services setup-test ## the tests (T=path runs a part, SERVICES=install adds missing servers by apt as root)
	@$(RUN) -m pytest --durations=20 --durations-min=0.5 $(if $(WORKERS),-n $(WORKERS) --dist loadfile) $(T)

lint: setup-test ## style, import contracts, types
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@PYTHONPATH=.:platform .venv/bin/lint-imports
	@.venv/bin/mypy
	@.venv/bin/mypy tests/benchmarks/run.py tests/benchmarks/*_scorer.py

docs: setup-test ## the documentation into site/
	@NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --strict --quiet

bench: setup-test ## quick figures into var/bench/results.json (BENCH=name runs one)
	@$(RUN) tests/benchmarks/run.py $(if $(BENCH),--only $(BENCH))

endurance: setup-test ## long figures into docs/reference/endurance.json; may be interrupted and continued
	@$(RUN) tests/benchmarks/run.py --kind endurance $(if $(BENCH),--only $(BENCH))

report: setup-test ## figures that need training into docs/reference/report.json, and the shipped bundle; about two hours
	@$(RUN) tests/benchmarks/run.py --kind report $(if $(BENCH),--only $(BENCH))

lock: setup-test ## pin the dependencies anew
	@sh deploy/lock.sh

clean: ## remove what set-up and the tools made; var/ with its data stays
	rm -rf .venv .venv-mlflow node_modules site .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -not -path './var/*' -prune -exec rm -rf {} +
