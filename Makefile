# Plain make. Every target makes the virtual environment it needs (.venv); PYTHON=... names another interpreter that has everything.
ifdef PYTHON
DEV :=
BENCH :=
else
PYTHON := .venv/bin/python
DEV := .venv/dev
BENCH := .venv/bench
endif
BASE := $(firstword $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3))
SPARSEMEM := $(PYTHON) -m sparsemem

.PHONY: help demo venv test deep check lint types imports bench bench-quick bench-lab lab lab-apply clean

help:
	@echo "demo         this machine's findings and picture, then one layout on two kernels side by side"
	@echo "test         the tests"
	@echo "check        lint, types, imports and test: what CI runs"
	@echo "lint         ruff: rules and formatting"
	@echo "types        mypy --strict"
	@echo "imports      the layers (import-linter)"
	@echo "deep         the property tests with many more examples (about half an hour)"
	@echo "bench        speed: ratios against peers measured in the same run, and the lab's figures where a kernel is in the cache (minutes)"
	@echo "bench-quick  the same with smaller inputs, under a minute"
	@echo "lab          the oldest and the newest real kernel in QEMU: five rich scenarios, 200 generated steps, plans applied and killed (within 15 minutes)"
	@echo "lab-apply    plan --apply as a process in a guest, killed at every step and rebooted (ten minutes and more)"
	@echo "bench-lab    the lab's figures; it fetches a kernel where none is"
	@echo "venv         .venv with everything, for working on it"

.venv/core: pyproject.toml
	$(BASE) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

.venv/dev: .venv/core
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	.venv/bin/python -m pip install --quiet --editable '.[bulk,lab]' --group dev
	touch $@

.venv/bench: .venv/dev
	.venv/bin/python -m pip install --quiet --editable '.[bulk,lab,numba]' --group bench
	touch $@

venv: .venv/dev .venv/bench

demo: $(if $(DEV),.venv/core)
	-$(SPARSEMEM) doctor
	$(SPARSEMEM) draw
	$(SPARSEMEM) draw example:mixed-region --map --kernel 5.1 --against 6.1

test: $(DEV)
	$(PYTHON) -m pytest -q

deep: $(DEV)
	$(PYTHON) -m pytest -q --hypothesis-profile=deep

check: lint types imports test

lint: $(DEV)
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

types: $(DEV)
	$(PYTHON) -m mypy

imports: $(DEV)
	$(PYTHON) -c "from importlinter.cli import lint_imports_command; lint_imports_command()"

bench: $(BENCH)
	$(PYTHON) -m bench

bench-quick: $(BENCH)
	$(PYTHON) -m bench --quick

bench-lab: $(BENCH)
	$(PYTHON) -m bench lab

LAB_SCENARIOS := examples/sub_section.toml $(addprefix tests/transcripts_nd/,sizes.toml recfg_all.toml daxops_movable.toml) tests/transcripts/plug_mom.toml
lab: $(DEV)
	$(SPARSEMEM) verify $(LAB_SCENARIOS) --kernel 5.10 --kernel newest
	$(SPARSEMEM) fuzz --kernel 5.10 --steps 100 --seed 1
	$(SPARSEMEM) fuzz --kernel newest --steps 100 --seed 2
	SPARSEMEM_LAB_APPLY=1 $(PYTHON) -m pytest -q -rs tests/lab/test_apply.py tests/lab/test_apply_cxl.py

lab-apply: $(DEV)
	SPARSEMEM_LAB_APPLY=1 SPARSEMEM_LAB=required $(PYTHON) -m pytest -q tests/lab/test_apply_process.py

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
