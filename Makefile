# Everything installs itself: each target needs .venv, and .venv follows requirements.lock.
WANTED := sys.version_info[:2] in ((3, 11), (3, 12))
# The newest that is there.
PYTHON ?= $(shell for python in python3.12 python3.11 python3 python; do \
	$$python -c 'import sys; sys.exit(not $(WANTED))' 2>/dev/null && echo $$python && break; done)
BIN := .venv/bin
# uv takes a third of pip's time, where it can be had and reaches the same packages.
INSTALL = $(BIN)/python -m pip install --quiet "$$(grep ^uv== requirements.lock)" \
	&& $(BIN)/uv pip install --quiet --python $(BIN)/python -r $(1) \
	|| $(BIN)/python -m pip install --quiet -r $(1)
.DEFAULT_GOAL := help
.PHONY: help install train test coverage test-fast test-slow lint format typecheck fuzz bench docs figures gallery mlflow lock fresh \
	wheel hooks clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

install: .venv/installed ## set up .venv from requirements.lock, with the package in editable mode

.venv/installed: requirements.lock setup.cfg pyproject.toml
	@test -n "$(PYTHON)" || { echo "Kaskad wants Python 3.11 or 3.12, and there is none on the PATH;" \
		"install one, or name it: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(call INSTALL,requirements.lock)
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

train: install ## train the default recogniser (Russian spoken numbers), test it and report
	$(BIN)/python train.py

# Tests of a file stay in one process, which shares what they train.
WORKERS ?= 2
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses=$(WORKERS) --dist=loadfile --durations=25

test: install ## run the tests
	$(PYTEST)

coverage: install ## run the tests, and print how much of each file they reach
	$(PYTEST) --cov --cov-report=term:skip-covered

test-fast: install ## run the tests that train nothing and start no command
	$(PYTEST) -m 'not slow and not long'

test-slow: install ## run the tests that take minutes each
	$(PYTEST) -m slow

fuzz: install ## damage checkpoints, audio, tables and caches at random for a minute: SECONDS=3600 SEED=7 for more
	$(BIN)/python tests/fuzz.py $(or $(SECONDS),60) $(or $(SEED),0)

lint: install ## look for mistakes and untidy formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: install ## tidy the formatting
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

typecheck: install ## check the types
	$(BIN)/mypy

bench: install ## measure speed and memory, each against its baseline in the same run
	$(BIN)/python benchmarks/training_speed.py
	$(BIN)/python benchmarks/step_profile.py
	$(BIN)/python benchmarks/manifest_scale.py
	$(BIN)/python benchmarks/overlap_scale.py
	$(BIN)/python benchmarks/embedding_graph_scale.py --rows 50000
	$(BIN)/python benchmarks/augmentation_cost.py
	$(BIN)/python benchmarks/callback_cost.py
	$(BIN)/python benchmarks/decoding_speed.py
	$(BIN)/python benchmarks/language_model.py

docs: install ## build the pages of docs/ into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo site/index.html

figures: install ## bring the README's table of figures up to date with experiments/
	$(BIN)/python docs/hooks/figures.py

gallery: install ## draw the pictures of docs/ from a run: RUN=runs/cnn2d_lstm_numbers, needs Chromium
	$(BIN)/python docs/hooks/gallery.py $(or $(RUN),runs/cnn2d_lstm_numbers)

mlflow: install ## serve the pages of logger=mlflow at http://localhost:5000
	MLFLOW_BACKEND_STORE_URI="$${MLFLOW_TRACKING_URI:-sqlite:///runs/mlflow.db}" MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=true \
	$(BIN)/mlflow server --artifacts-destination runs/mlflow --host 127.0.0.1 --workers 1

lock: install ## renew requirements.lock from requirements.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --upgrade requirements.txt -o requirements.lock

fresh: ## try requirements.txt without the lock, and each room, in an empty environment
	$(MAKE) fresh-environment BIN=.fresh/bin
	cd .fresh && bin/python -m kaskad train data=numbers debug=fast

fresh-environment:
	rm -rf .fresh && $(PYTHON) -m venv .fresh
	$(call INSTALL,requirements.txt)
	$(BIN)/python -m pip install --quiet .
	cd .fresh && bin/python -c "import pkgutil, kaskad; \
		[__import__(each.name) for each in pkgutil.walk_packages(kaskad.__path__, 'kaskad.') \
		if not each.name.endswith('__main__')]"

wheel: install ## build the package into dist/
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

hooks: install ## have git run ruff and mypy before each commit
	$(BIN)/pre-commit install

clean: ## remove the virtual environments, what was built, and the caches of the tools
	rm -rf .venv .fresh build dist site .pytest_cache .ruff_cache .mypy_cache .coverage
