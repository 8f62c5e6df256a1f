# What people do here, one word each; `make` alone lists it. Needs GNU make and Python 3.11 or newer, nothing else.

PYTHON ?= python3
# any build >= 2.11 does, and one for the CPU is enough: on Linux plain pip may bring CUDA packages of several GB
TORCH ?= torch==2.13.0
# video to enhance and where to put it, as in:  make enhance IN="my clip.mp4" OUT=better.mp4
IN ?=
OUT ?=

# tests that run at a time
JOBS ?= 2

DEMO = docs/demo/demo_qp37.mp4
DEMO_ORIGINAL = docs/demo/demo_original.mkv
DEMO_OUT = out/demo.enhanced.mp4

RUNTIME = .venv/bin/python
TEST = .venv-test/bin/python
# byte code is left to be written as it is needed: that halves the time this takes
PIP = -m pip install --quiet --disable-pip-version-check --no-compile

.PHONY: help enhance doctor test test-all check format lint types bench clean FORCE
.NOTPARALLEL:
.DELETE_ON_ERROR:

help:  ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' Makefile
	@echo 'PYTHON=python3.12 and TORCH=torch==2.11.0 choose others; python runtime/stream.py --help tells the rest.'

enhance: .venv/ready  ## enhance the bundled clip and say what was gained; or IN=my.mp4 [OUT=better.mp4]
ifeq ($(value IN),)
	@mkdir -p $(dir $(DEMO_OUT))
	$(RUNTIME) runtime/stream.py $(DEMO) -o $(DEMO_OUT) --reference $(DEMO_ORIGINAL) --overwrite
else
	$(RUNTIME) runtime/stream.py $(if $(value OUT),--output=$(call quoted,OUT) )-- $(call quoted,IN)
endif

doctor: .venv/ready  ## tell what this machine offers and what is missing
	$(RUNTIME) runtime/doctor.py

test: .venv-test/ready  ## run the tests that need no GPU and no patience
	$(TEST) -m pytest -n $(JOBS) --dist worksteal

test-all: .venv-test/ready  ## run every test
	$(TEST) -m pytest -m '' -n $(JOBS) --dist worksteal

check: format lint types test  ## what CI runs: format, lint, types, tests

format: .venv-test/ready  ## say which files are not formatted
	$(TEST) -m ruff format --check .

lint: .venv-test/ready  ## look for likely mistakes
	$(TEST) -m ruff check .

types: .venv-test/ready  ## check type hints
	$(TEST) -m mypy

bench: .venv-test/ready  ## run every benchmark; rows are added to the tables
	@failed=0; for bench in benchmarks/bench_*.py; do \
		echo "$(TEST) $$bench"; $(TEST) $$bench || failed=1; \
	done; exit $$failed

clean:  ## remove what make created, except enhanced videos
	rm -rf .venv .venv-test .mypy_cache .pytest_cache .ruff_cache .hypothesis build *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# a variable as one word for the shell, whatever is in it
quoted = '$(subst ','\'',$(value $(1)))'

# pyproject.toml's dependencies and those of the extras named, one a line. The project itself is not installed: it
# runs from here, so nothing has to be built
define LIST_DEPENDENCIES
import sys, tomllib
project = tomllib.load(open("pyproject.toml", "rb"))["project"]
extras = [project["optional-dependencies"][name] for name in sys.argv[1:]]
print(*project["dependencies"], *sum(extras, []), sep="\n")
endef
export LIST_DEPENDENCIES

# each stamp is written last: what was interrupted is made anew
.venv/ready: pyproject.toml constraints.txt
	$(new_venv)
	@$(RUNTIME) -c "$$LIST_DEPENDENCIES" cpu deform > .venv/requirements.txt
	@$(RUNTIME) $(PIP) -c constraints.txt -r .venv/requirements.txt
	@touch $@

# TORCH decides about torch; another one than the default may want another triton, too
.venv-test/ready: pyproject.toml constraints.txt
	$(new_venv)
	@$(TEST) -c "$$LIST_DEPENDENCIES" cpu deform hevc export train evaluate kernels trt-rtx test > .venv-test/requirements.txt
	@sed -e '/^torch==/d' $(if $(filter torch==2.13.0,$(value TORCH)),,-e '/^triton==/d') constraints.txt > .venv-test/constraints.txt
	@$(TEST) $(PIP) -c .venv-test/constraints.txt -r .venv-test/requirements.txt $(call quoted,TORCH)
	@printf '%s\n' $(call quoted,TORCH) > $@

ifneq ($(value TORCH),$(shell cat .venv-test/ready 2>/dev/null))
.venv-test/ready: FORCE
endif

define new_venv
@$(PYTHON) -c 'import tomllib' 2>/dev/null || { echo "$(PYTHON) is not Python 3.11 or newer; name one that is:  make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
@echo 'installing into $(@D)'
@rm -rf $(@D)
@$(PYTHON) -m venv $(@D)
endef
