# Everything installs itself: each target needs .venv, and .venv follows requirements.lock.
PYTHON ?= python3.11
BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: help install train test test-slow lint format typecheck bench mlflow lock clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

install: .venv/installed ## set up .venv from requirements.lock, with the package in editable mode

.venv/installed: requirements.lock setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

train: install ## train the default recogniser (Russian spoken numbers), test it and report
	$(BIN)/python train.py

test: install ## run the tests that take minutes
	$(BIN)/python -m pytest

test-slow: install ## run the tests that take longer
	$(BIN)/python -m pytest -m slow

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
	$(BIN)/python benchmarks/manifest_scale.py
	$(BIN)/python benchmarks/overlap_scale.py
	$(BIN)/python benchmarks/embedding_graph_scale.py --rows 50000
	$(BIN)/python benchmarks/augmentation_cost.py
	$(BIN)/python benchmarks/callback_cost.py
	$(BIN)/python benchmarks/decoding_speed.py
	$(BIN)/python benchmarks/language_model.py

mlflow: install ## serve the pages of logger=mlflow at http://localhost:5000
	MLFLOW_BACKEND_STORE_URI="$${MLFLOW_TRACKING_URI:-sqlite:///runs/mlflow.db}" MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=true \
	$(BIN)/mlflow server --artifacts-destination runs/mlflow --host 127.0.0.1 --workers 1

lock: install ## renew requirements.lock from requirements.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --upgrade requirements.txt -o requirements.lock

clean: ## remove the virtual environment and the caches of the tools
	rm -rf .venv .pytest_cache .ruff_cache .mypy_cache
