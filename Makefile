# Plain make; PYTHON is the interpreter that has the development and bench groups (make venv makes one).
PYTHON ?= $(if $(wildcard .venv/bin/python),.venv/bin/python,python3)

.PHONY: help venv install test lint types imports check bench bench-quick

help:
	@echo "venv         .venv with everything: extras, development and bench groups"
	@echo "install      the project and its development group, into the Python that runs"
	@echo "test         the tests"
	@echo "check        lint, types, imports and test"
	@echo "lint         ruff: rules and formatting"
	@echo "types        mypy --strict"
	@echo "imports      the layers (import-linter)"
	@echo "bench        speed: ratios against peers measured in the same run (several minutes; gcc, and spin where installed)"
	@echo "bench-quick  the same with smaller inputs, under a minute"

venv:
	python3 -m venv .venv
	.venv/bin/python -m pip install --upgrade 'pip>=25.1'
	.venv/bin/python -m pip install --editable '.[bulk,numba]' --group dev --group bench

install:
	$(PYTHON) -m pip install --quiet --upgrade 'pip>=25.1'
	$(PYTHON) -m pip install --quiet --editable '.[bulk]' --group dev

test:
	$(PYTHON) -m pytest -q

check: lint types imports test

lint:
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

types:
	$(PYTHON) -m mypy

imports:
	$(PYTHON) -c "from importlinter.cli import lint_imports_command; lint_imports_command()"

bench:
	$(PYTHON) -m bench

bench-quick:
	$(PYTHON) -m bench --quick
