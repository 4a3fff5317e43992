# Two commands on a fresh machine with Python 3.11+: `make demo` and `make test`.
#
#   PYTHON=python3.12   the interpreter that makes .venv
#   BACKEND=cpu|cuda    which build of the inference engine; default: cuda where nvidia-smi works
#   PIP_FIND_LINKS=DIR  a wheelhouse with PyTorch in it; without one uv finds PyTorch's own index
#   TFT_SOURCES=DIR     the real source files; tests that need them are skipped without it
#   JOBS=2              files of tests side by side

PYTHON ?= python3
JOBS ?= 2
ifndef BACKEND
BACKEND := $(shell nvidia-smi >/dev/null 2>&1 && echo cuda || echo cpu)
endif
ifeq ($(filter cpu cuda,$(BACKEND)),)
$(error BACKEND is "$(BACKEND)"; expected cpu or cuda)
endif

BIN := .venv/bin
STAMP := .venv/.installed-$(BACKEND)
LOCK := requirements/$(BACKEND).txt
# PyTorch's CPU build is not on the ordinary index.
TORCH = $(if $(PIP_FIND_LINKS),$(addprefix --find-links ,$(PIP_FIND_LINKS)),--torch-backend=$(if $(filter cuda,$(1)),auto,cpu))
# vLLM's CPU build asks for packages that break here; on CUDA they match their PyTorch.
OVERRIDE = $(if $(filter cpu,$(1)),--override requirements/overrides.txt)
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --extra train --extra inspect --group dev \
  --no-emit-find-links --no-header --no-annotate

.PHONY: help setup demo test check bench lock keys clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## make .venv with the locked packages and this project

demo: setup ## the benchmark once, small, on a local Hub: no keys, no downloads
	$(BIN)/tft demo

test: setup ## run all tests that need neither the internet nor a GPU
	$(BIN)/python -m pytest -m "not network and not gpu" -n $(JOBS) --dist loadfile --no-loadscope-reorder

check: setup ## lint, formatting, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup ## measure what the project promises
	@for script in $(filter-out %_inputs.py,$(wildcard tests/benchmarks/*.py)); do echo "== $$script"; $(BIN)/python "$$script" || exit 1; done

# PyTorch's local build (+cpu) is the installer's choice, so the lock names none. Read back, such a line would
# stand for another build than it came from: it is resolved anew each time.
lock: $(BIN)/uv ## resolve requirements/*.txt again; existing versions are kept where they still fit
	$(COMPILE) --extra cuda pyproject.toml -o requirements/cuda.txt
	sed -i.bak '/^torch==/d' requirements/cpu.txt
	$(COMPILE) --extra cpu $(call TORCH,cpu) $(call OVERRIDE,cpu) pyproject.toml -o requirements/cpu.txt
	sed -E 's/^(torch==[0-9.]+).*/\1/' requirements/cpu.txt | awk '!seen[$$0]++' > requirements/cpu.txt.bak
	mv requirements/cpu.txt.bak requirements/cpu.txt

# One hash over the names' files: a cache with this key holds what they ask for.
HASH = $(PYTHON) -c 'import hashlib, sys; print(hashlib.sha256(b"".join(open(f, "rb").read() for f in sys.argv[1:])).hexdigest())'

keys: ## print the keys of what can be cached between runs, as outputs of a workflow's step
	@echo "packages=$(BACKEND)-$$($(HASH) $(LOCK) requirements/overrides.txt)"
	@echo "sources=$$($(HASH) $(wildcard datasets/*.yaml))"

clean: ## remove .venv, caches and build outputs
	rm -rf .venv .demo dist build .pytest_cache .ruff_cache .mypy_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(PYTHON) is older than Python 3.11; name a newer one: make PYTHON=python3.12" >&2; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet "$$(grep '^uv==' $(LOCK))"

# Bytecode is made once here, and not at every start where Python may not write it: imports are most of an engine's start.
$(STAMP): $(LOCK) requirements/overrides.txt pyproject.toml | $(BIN)/uv
	$(BIN)/uv pip install --compile-bytecode --python $(BIN)/python $(call TORCH,$(BACKEND)) $(call OVERRIDE,$(BACKEND)) -r $(LOCK)
	$(BIN)/uv pip install --python $(BIN)/python --no-deps --editable .
	@touch $@
