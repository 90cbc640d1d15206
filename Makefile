# Needs Python 3.11 or newer and make, nothing else: the first command installs
# everything into .venv. `make PYTHON=python3.12 test` chooses the interpreter.
PYTHON ?= python3
CONFIG ?= configs/darts_digits.py
WORKDIR ?= runs/$(basename $(notdir $(CONFIG)))

VENV := .venv
RUN := $(VENV)/bin/python
STAMP := $(VENV)/.installed

.PHONY: help install search test test-all lint format clean

help:
	@echo 'make search    search an architecture, train it, write a report'
	@echo 'make test      run the tests'
	@echo 'make test-all  run the tests, the slow ones too'
	@echo 'make lint      check style and form'
	@echo 'make format    apply style and form'
	@echo 'make clean     remove the environment and all caches; keeps runs/'

install: $(STAMP)

search: $(STAMP)
	@$(RUN) -m experiments.search --config=$(CONFIG) --workdir=$(WORKDIR)

test: $(STAMP)
	@$(RUN) -m pytest -n auto -q -m 'not slow'

test-all: $(STAMP)
	@$(RUN) -m pytest -n auto -q

lint: $(STAMP)
	@$(RUN) -m ruff check --quiet .
	@$(RUN) -m ruff format --quiet --check .

format: $(STAMP)
	@$(RUN) -m ruff check --quiet --fix .
	@$(RUN) -m ruff format --quiet .

clean:
	@rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# pip is quiet because its failures are loud enough; the stamp is touched last,
# so an interrupted installation is taken up again.
$(STAMP): setup.py constraints.txt
	@command -v $(PYTHON) >/dev/null || { \
	  echo '$(PYTHON) is not installed: name one by make PYTHON=...'; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else \
	  "nasjax needs Python 3.11 or newer, not " + sys.version.split()[0] + \
	  ": name one by make PYTHON=...")'
	@echo 'Installing into $(VENV), once (some minutes) ...'
	@$(PYTHON) -m venv $(VENV)
	@$(RUN) -m pip install --quiet --disable-pip-version-check \
	  -c constraints.txt -e '.[dev]'
	@touch $@
