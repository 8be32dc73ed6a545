# lucid: `make demo` to see it learn, `make test` to see it checked, `make help` for the rest.
# Everything is installed into $(VENV), from nothing; a second run installs nothing.

VENV ?= .venv
RUN := $(VENV)/bin/python
CANDIDATES := $(if $(PYTHON),"$(PYTHON)",python3 python3.14 python3.13 python3.12 python3.11)

export PIP_DISABLE_PIP_VERSION_CHECK := 1
# One BLAS thread each: the models are small, and the test workers are what runs side by side.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1
export MKL_NUM_THREADS ?= 1

.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: same-python help demo test whole parity libraries notebooks gpu kernels browser distributed check bench docs lint types clean

help:  ## list what there is
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 16
	@echo "  PYTHON=/path/to/python3 picks the interpreter for a new $(VENV)."

demo: $(VENV)/with-examples  ## train a classifier on real handwritten digits
	@$(RUN) examples/04_digits.py

# What the other targets run is left out even where what it needs is installed, so that this takes the same time everywhere.
test: $(VENV)/with-test,examples  ## the test suite: one of each kind of fact, without PyTorch
	$(RUN) -m pytest --numprocesses=auto --maxprocesses=4 \
		-m "not (parity or types or libraries or browser or notebooks or nvrtc or gpu or mpi)"

whole: $(VENV)/with-test,examples  ## the tests that `make test` leaves out for their time
	$(RUN) -m pytest --numprocesses=auto --maxprocesses=4 -m whole

parity: $(VENV)/with-test,examples,parity  ## the rows that compare with PyTorch (installs it)
	$(RUN) -m pytest --numprocesses=auto --maxprocesses=4 -m parity

# With an interpreter that has CuPy, NumPy and pytest already: nothing is installed. PyTorch, if it is there, is raced.
GPU ?= $(if $(wildcard $(VENV)/lib/python3*/site-packages/cupy),$(RUN),python3)
gpu:  ## on a machine with a GPU: the tests that need one, and the benchmarks, with GPU=/a/python that has CuPy
	PYTHONPATH=. $(GPU) -m pytest -m gpu -p no:benchmark $$($(GPU) -c 'import xdist' 2>/dev/null && echo --numprocesses=4)
	PYTHONPATH=. $(GPU) benchmarks/gpu.py

kernels: $(VENV)/with-test,kernels  ## compile every kernel for three generations of GPUs (installs CUDA's compiler)
	$(RUN) -m pytest --numprocesses=auto --maxprocesses=4 -m nvrtc

libraries: $(VENV)/with-test,examples,libraries  ## with einops, pandas, scikit-learn and others (installs them)
	$(RUN) -m pytest tests -m libraries

browser: $(VENV)/with-test,examples,browser  ## the tests of the page, in Chromium (apt install chromium chromium-driver)
	$(RUN) -m pytest tests/see/test_see_browser.py -m browser

distributed: $(VENV)/with-test,examples,mpi  ## the tests of several processes, under mpiexec (installs mpi4py and MPICH)
	$(RUN) -m pytest tests/distributed -m mpi
notebooks: $(VENV)/with-test,examples,notebooks  ## the examples as notebooks, executed at their quick size
	$(RUN) -m pytest --numprocesses=auto --maxprocesses=4 tests/project/test_notebooks.py -m notebooks

check:  ## all that the gate runs, in an environment of its own
	bash .ci/run

bench: $(VENV)/with-parity,mpi  ## measure lucid beside PyTorch and hand-written NumPy
	$(RUN) benchmarks/train_step.py
	$(RUN) benchmarks/models.py
	$(RUN) benchmarks/optimizers.py
	$(RUN) benchmarks/engine.py
	$(RUN) benchmarks/inside.py
	$(RUN) benchmarks/recorder.py
	$(RUN) benchmarks/distributed.py

docs: $(VENV)/with-docs  ## the reference, into site/: open site/index.html
	@NO_MKDOCS_2_WARNING=1 $(RUN) -m mkdocs build --strict  # with --quiet it would count no warnings

lint: $(VENV)/with-dev  ## ruff
	$(RUN) -m ruff check .

types: $(VENV)/with-test,dev  ## mypy; and mypy and pyright on programs that use lucid
	$(RUN) -m mypy
	$(RUN) -m pytest tests/project/test_types.py -m types

clean:  ## remove the environment and everything made
	rm -rf $(VENV) build dist site out .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# `with-a,b` stamps an environment that has the extras a and b; a changed pyproject.toml installs again.
$(VENV)/with-%: pyproject.toml | $(VENV)/made same-python
	@echo "installing lucid with [$*] into $(VENV): pip fetches what that needs, which can take a minute"
	@$(RUN) -m pip install $$([ -t 1 ] || echo --quiet) --editable '.[$*]'  # with pip's bars where somebody looks on
	@touch $@

# An environment is made once: a PYTHON that it was not made with would be passed over in silence.
same-python: $(VENV)/made
	@if [ -n "$(PYTHON)" ]; then \
	  ask='import sys, platform; print(platform.python_version())'; \
	  here=$$($(RUN) -c "$$ask"); asked=$$("$(PYTHON)" -c "$$ask" 2>/dev/null); \
	  if [ "$$here" != "$$asked" ]; then \
	    echo "$(VENV) was made with Python $$here, not with $(PYTHON) ($${asked:-does not run}); make clean first, or name another: VENV=.venv2" >&2; \
	    exit 1; \
	  fi; \
	fi

# Each candidate is run, for a name on PATH proves nothing (pyenv leaves shims that only print an error),
# and asked for ensurepip, without which the environment would have no pip (Debian packs it apart).
$(VENV)/made:
	@old= bare=; \
	for python in $(CANDIDATES); do \
	  version=$$("$$python" -c 'import platform; print(platform.python_version())' 2>/dev/null) || continue; \
	  if ! "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then \
	    old="$$old $$python ($$version)"; \
	  elif ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
	    bare="$$bare $$python ($$version)"; \
	  else \
	    echo "making $(VENV) with $$python ($$version)"; \
	    "$$python" -m venv $(VENV) && touch $@; exit; \
	  fi; \
	done; \
	if [ -n "$$bare" ]; then \
	  echo "lucid cannot make $(VENV):$$bare has no venv module; on Debian or Ubuntu: sudo apt install python3-venv" >&2; \
	else \
	  echo "lucid needs Python 3.11 or newer, found:$${old:- none that runs}; install one, or name it: make PYTHON=/path/to/python3.12" >&2; \
	fi; \
	exit 1
