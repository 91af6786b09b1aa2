# make app: the dashboard; make test: lint and every test. Without an NVIDIA GPU, `make app CPU=1` installs far less.
PYTHON ?= python3
BIN := .venv/bin

app: .venv/app-installed
	$(BIN)/python -I camviz/ui/server/warm.py & exec $(BIN)/streamlit run app.py

test: .venv/dev-installed chromium nginx
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -n 2 --dist loadfile

bench: .venv/dev-installed
	$(BIN)/python -m tests.benchmarks.bench

load: .venv/dev-installed chromium
	$(BIN)/python -m tests.load.load

translations: .venv/dev-installed
	$(BIN)/python -m tools.translations

fuzz: .venv/dev-installed
	$(BIN)/python -m tests.attacks.fuzz

.venv/bin/python:
	$(PYTHON) -m venv .venv
	$(if $(CPU),$(BIN)/pip install -q torch==2.14.1 torchvision==0.29.1 --index-url https://download.pytorch.org/whl/cpu)

.venv/app-installed: requirements.txt .venv/bin/python
	$(BIN)/pip install -q -r requirements.txt
	touch $@

.venv/dev-installed: Makefile requirements-dev.txt requirements-ray.txt requirements.txt .venv/bin/python
	$(BIN)/pip install -q -r requirements-dev.txt
	$(BIN)/pip install -q --no-deps quantus==0.6.0 # its opencv-python would overwrite grad-cam's headless one
	touch $@

chromium nginx:
	@PATH=$$PATH:/usr/sbin; command -v $@ >/dev/null || { apt-get update -q && apt-get install -y -q $@; } \
		|| { echo "make test needs Debian's $@: sudo apt-get install $@"; exit 1; }

.PHONY: app test bench load translations fuzz chromium nginx
