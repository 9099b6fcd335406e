# Works on a fresh machine with Python >= 3.11 and make. `make` alone lists what there is.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# idle OpenMP threads that spin make two test workers crawl; nobody's data leaves by telemetry
export OMP_WAIT_POLICY ?= passive
export MLFLOW_DISABLE_TELEMETRY ?= true
export DO_NOT_TRACK ?= true

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint format clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.installed ## Make the virtual environment and install everything into it

# Where VENV names an environment that was installed by other means (as .ci/run does), the marker
# file says so.
$(VENV)/.installed: pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@if command -v uv >/dev/null 2>&1; \
	then UV_COMPILE_BYTECODE=1 uv pip install --quiet --python $(BIN)/python -e ".[dev]"; \
	else $(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[dev]"; fi
	@touch $@

demo: setup ## Simulate, fit, register, rank: everything lands in contactopt-demo/
	$(BIN)/contactopt demo

lint: setup ## Format check, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright --threads 2 --pythonpath $(BIN)/python
	$(BIN)/lint-imports

test: lint ## All checks: lint, then tests, doctests and the README on two workers
	$(BIN)/python -m pytest -n 2 --dist worksteal

format: setup ## Format the code and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## Remove the environment, caches and the demo's output
	rm -rf $(VENV) contactopt-demo .pytest_cache .ruff_cache .hypothesis .import_linter_cache
