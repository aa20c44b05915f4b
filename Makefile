# Two commands matter: `make book` and `make test`. `make help` lists the rest.

# The interpreters tried in turn for an environment; name another with `make PYTHON=/path/to/python3`.
PYTHON ?= python3.13 python3.12 python3.11 python3
# Chapters to refresh, all of them where none is named: `make notebooks CHAPTERS="04_transfer"`.
CHAPTERS ?=
# Options of pytest that choose among the unit tests: `make test-library SELECT="-k mae"`.
SELECT ?=

# An empty folder of recordings is none: nothing is exported. Kernels run in notebooks/, so a relative
# one is made absolute here.
ifeq ($(strip $(AUDIOPG_DATA)),)
unexport AUDIOPG_DATA
else ifeq ($(filter /% ~%,$(firstword $(AUDIOPG_DATA))),)
override AUDIOPG_DATA := $(CURDIR)/$(AUDIOPG_DATA)
export AUDIOPG_DATA
else
export AUDIOPG_DATA
endif
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# A python3 kernel registered in the home folder must not take the place of the one in .venv.
export JUPYTER_PREFER_ENV_PATH := 1

python := .venv/bin/python
newest := .venv-newest/bin/python
# Two workers of one thread each, on any machine, so that stored and fresh outputs agree.
two_workers := -n 2 --dist loadfile
# The limits, in seconds, are for what hangs: no machine that is merely slow comes near them.
notebook_check := --nbval --nbval-current-env --nbval-sanitize-with book/nbval.cfg \
	--nbval-cell-timeout 1800 --nbval-kernel-startup-timeout 1800

.DEFAULT_GOAL := help
.PHONY: help book pdf test test-library test-newest test-book lab paper bench notebooks clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

book: .venv/pyproject.toml ## execute every chapter and build the HTML book in _build/html
	$(python) book/build.py

pdf: book ## print the book to one file, _build/audiopg.pdf
	$(python) book/pdf.py

test: test-library ## all of test-library, then every chapter against its stored outputs
	OMP_NUM_THREADS=1 $(python) -m pytest $(two_workers) $(notebook_check) notebooks

test-library: .venv/pyproject.toml ## lint, format check and unit tests
	$(python) -m ruff check .
	$(python) -m ruff format --check .
	OMP_NUM_THREADS=1 $(python) -m pytest $(two_workers) --ignore=tests/browser $(SELECT)

test-newest: ## unit tests on the newest releases that pyproject.toml lets in, in .venv-newest
	@$(choose_python); "$$chosen" -m venv --clear .venv-newest
	$(newest) -m pip install --editable ".[notebooks,book,dev]"
	OMP_NUM_THREADS=1 $(newest) -m pytest $(two_workers) --ignore=tests/browser $(SELECT)

test-book: .venv/pyproject.toml ## test the pages of `make book` in a real browser
	sh tests/browser/install.sh
	$(python) -m pytest -n 2 -rs tests/browser

lab: .venv/pyproject.toml ## open the chapters in JupyterLab, as copies in lab/
	@$(python) book/lab.py

paper: .venv/pyproject.toml ## run every experiment that has no record yet: at the paper's scale on a GPU, else small
	$(python) -m audiopg reproduce

bench: .venv/pyproject.toml ## measure speed and memory
	$(python) -m audiopg bench

notebooks: .venv/pyproject.toml ## execute the .py chapters again and store their outputs in the .ipynb
	OMP_NUM_THREADS=1 $(python) book/refresh.py $(CHAPTERS)

clean: ## remove what was built; environments and runs/ stay
	rm -rf _build .cache .hypothesis .pytest_cache .ruff_cache
	find audiopg benchmarks book notebooks tests -name __pycache__ -o -name .ipynb_checkpoints \
		| xargs rm -rf

# For a shell: $chosen is the first of the interpreters that can make an environment.
define choose_python
unset chosen without_venv; \
for candidate in $(PYTHON); do \
	"$$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
		>/dev/null 2>&1 || continue; \
	if "$$candidate" -c 'import ensurepip, venv' >/dev/null 2>&1; \
	then chosen=$$candidate; break; \
	else without_venv=$$candidate; \
	fi; \
done; \
if [ -n "$$chosen" ]; then \
	echo "Making an environment with $$chosen"; \
elif [ -n "$$without_venv" ]; then \
	echo "$$without_venv cannot make a virtual environment; on Debian: apt install python3-venv" >&2; \
	exit 1; \
else \
	echo "No Python 3.11, 3.12 or 3.13 runs here (tried: $(PYTHON)); install one, or name it: make PYTHON=/path/to/python3" >&2; \
	exit 1; \
fi
endef

# Each file in .venv is a copy of what the environment was installed from: nothing is installed
# again while the two are equal, whatever their dates.
.venv/requirements.lock: requirements.lock
	@if cmp -s $< $@; then touch $@; exit 0; fi; \
	$(choose_python); \
	"$$chosen" -m venv --clear .venv && \
	$(python) -m pip install --requirement requirements.lock && \
	cp requirements.lock $@

.venv/pyproject.toml: pyproject.toml .venv/requirements.lock
	@cmp -s $< $@ || $(python) -m pip install --quiet --no-deps --no-build-isolation --editable .
	@cp $< $@
